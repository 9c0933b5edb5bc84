"""What a page shows of a run: where everybody was and who was on, what each link carried, which way messages took.

A run is cut into MOMENTS of equal length. The film listens and changes nothing: the fingerprint stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from meshnode.air.events import Delivery
from meshnode_sim.meetings import Meetings
from meshnode_sim.world import World

MOMENTS: Final = 200  # as many as a slider on a screen can tell apart

Places = list[tuple[float, float]]


@dataclass(slots=True)
class Film:
    """Made before a run of `end_ns`; `moment` is told after each of the MOMENTS."""

    end_ns: int
    octets: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)  # by link, by moment: octets received
    places: list[Places] = field(default_factory=list)  # by moment; empty where nodes have no places
    off: list[tuple[int, ...]] = field(default_factory=list)  # by moment: whose power is off
    airtime_s: list[dict[str, float]] = field(default_factory=list)  # by moment: by kind, since the beginning

    def heard(self, deliveries: list[Delivery]) -> None:
        """Frames that arrived."""
        for delivery in deliveries:
            self.carried(delivery.src, delivery.node, delivery.at_ns, len(delivery.frame))

    def carried(self, src: int, dst: int, at_ns: int, octets: int) -> None:
        """Something that one link carried."""
        link = self.octets.setdefault((src, dst), {})
        moment = min(MOMENTS - 1, at_ns * MOMENTS // self.end_ns)
        link[moment] = link.get(moment, 0) + octets

    def moment(self, world: World | Meetings, places: Callable[[], Places] | None) -> None:
        """The end of a moment."""
        if places is not None:
            self.places.append(places())
        self.off.append(tuple(host.index for host in world.hosts if not host.on))
        sums: dict[str, float] = {}
        for host in world.hosts:
            for kind, tally in world.medium.counters(host.index).kinds.items():
                sums[kind] = sums.get(kind, 0.0) + tally.airtime_ns / 1e9
        self.airtime_s.append(sums)

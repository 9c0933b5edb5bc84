"""Items that we cut into fragments, and those who lack some of them. In a crowd several do: they are answered together.

cut -- kept for a while -- asked for --> to the asker: its pieces
                                    --> in a crowd, gathered for 40 ms: to all
"""

from __future__ import annotations

from typing import Final, Protocol

from meshnode.core.airtime.outbox import SEAL_OVERHEAD, Outgoing
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import NeighbourId
from meshnode.core.neighbours.fragments import HEADER, LIFE_S, Cut, CutItems
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.wire.frames import FragmentWant, Frame

GATHER_S: Final = 0.04  # in a crowd several lack the same: one answer


class Ways(Protocol):
    """What of the neighbour table is needed here."""

    def crowded(self, link: str) -> bool:
        """More than a few are there."""
        ...

    def pay(self, neighbour: Neighbour, link: str, size: float) -> bool:
        """It asked, and pays for the answer; False when it has nothing left."""
        ...

    def send(
        self,
        to: Neighbour | None,
        frame: Frame,
        cls: int,
        *,
        link: str,
        key: bytes,
        ring: int,
        previous: bytes = b"",
        asked: bool = False,
    ) -> None:
        """To one neighbour, or to all on the link."""
        ...


class Mending:
    """What we cut, for who asks."""

    def __init__(self, ctx: Context, ways: Ways) -> None:
        self._ctx = ctx
        self._ways = ways
        self._cut = CutItems()
        self._gathered: dict[tuple[str, bytes], tuple[Instant, int]] = {}  # asked for in a crowd: answered when, what

    def keep(self, item: bytes, encoded: bytes, outgoing: Outgoing) -> None:
        """An item leaves in fragments."""
        step, until = self._piece(outgoing.link, outgoing.to), self._ctx.now + LIFE_S
        self._cut.keep(item, Cut(encoded, outgoing.cls, outgoing.ring, step, until))

    def asked(self, neighbour: Neighbour, link: str, want: FragmentWant) -> None:
        """It lacks fragments of an item we cut. In a crowd others do, too: they are gathered, and said to all."""
        step = self._piece(link, neighbour.id)
        if self._ways.crowded(link) and self._cut.fits(want.item, self._piece(link, None)):
            if self._ways.pay(neighbour, link, self._piece(link, None) * want.missing.bit_count()):
                due, missing = self._gathered.get((link, want.item), (self._ctx.now + GATHER_S, 0))
                self._gathered[(link, want.item)] = (due, missing | want.missing)
                self._ctx.neighbours_due.sooner(due)
            return
        for cut, fragment in self._cut.answer(want, step, self._ctx.now):
            if not self._ways.pay(neighbour, link, len(fragment.data)):
                return
            name = want.item + bytes([fragment.index])
            asker = neighbour.node
            self._ways.send(
                neighbour, fragment, cut.cls, link=link, key=name, ring=cut.ring, previous=asker, asked=True
            )

    def wakeup(self) -> Instant | None:
        """When what was gathered is said."""
        return min((due for due, _ in self._gathered.values()), default=None)

    def tick(self) -> None:
        """Say what was gathered long enough, on links that are still there."""
        for link, item in [key for key, (due, _) in self._gathered.items() if due <= self._ctx.now]:
            want = FragmentWant(item, self._gathered.pop((link, item))[1])
            if link not in self._ctx.links:
                continue
            for cut, fragment in self._cut.answer(want, self._piece(link, None), self._ctx.now):
                name = item + bytes([fragment.index])
                self._ways.send(None, fragment, cut.cls, link=link, key=name, ring=cut.ring)

    def _piece(self, link: str, to: NeighbourId | None) -> int:
        """How many bytes of an item fit into one fragment there."""
        settings = self._ctx.links[link]
        limit = settings.multicast_payload if to is None else settings.unicast_payload
        return limit - SEAL_OVERHEAD - HEADER

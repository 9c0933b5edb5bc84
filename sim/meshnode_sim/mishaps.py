"""A medium that plays tricks on what arrives: flips bits, repeats frames, lets later ones overtake earlier ones.

It stands between a radio model and the world. What it changes had arrived whole for the radio, and is not sent
again: as behind a broken driver or memory. Packets of sessions have a checksum of their own (TCP): corrupted ones are
lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Final, Literal

from meshnode.air.draws import Draws
from meshnode.air.events import Delivery
from meshnode_sim.medium import Medium
from meshnode_sim.passing import Passing
from meshnode_sim.streams import TAG

CHANCE_TRICK, CHANCE_BIT, CHANCE_DELAY = 82, 83, 84  # purposes of draws
REPEAT_NS: Final = 1_000_000  # until a frame comes a second time


@dataclass(frozen=True, slots=True)
class Trick:
    """What happens, with a chance (air/draws.py), to frames that one of `nodes` sends or receives."""

    kind: Literal["corrupt", "duplicate", "reorder"]
    chance: int
    nodes: frozenset[int]
    begin_ns: int
    end_ns: int | None = None
    delay_ns: int = 0  # reorder: the most a frame is late


class Mishaps(Passing):
    """A Medium around another one."""

    def __init__(self, inner: Medium, tricks: tuple[Trick, ...], seed: int) -> None:
        super().__init__(inner)
        self._tricks = tricks
        self._draws = Draws(seed)
        self._frames = 0
        self._late: list[tuple[int, int, Delivery]] = []
        self._order = count()

    def advance(self, now_ns: int) -> list[Delivery]:
        """What the inner one delivers, tampered with, and what was held back until now."""
        for delivery in self.inner.advance(now_ns):
            self._frames += 1
            self._tamper(delivery)
        found = []
        while self._late and self._late[0][0] <= now_ns:
            found.append(heappop(self._late)[2])
        return found

    def next_event_ns(self) -> int | None:
        """The inner one's, or when something held back is due."""
        inner = self.inner.next_event_ns()
        own = self._late[0][0] if self._late else None
        return own if inner is None else inner if own is None else min(inner, own)

    def _tamper(self, delivery: Delivery) -> None:
        at_ns = delivery.at_ns
        for index, trick in enumerate(self._tricks):
            if not self._strikes(index, trick, delivery):
                continue
            match trick.kind:
                case "duplicate":
                    self._hand_over(delivery._replace(at_ns=at_ns + REPEAT_NS))
                case "reorder":
                    at_ns += self._draws.word(CHANCE_DELAY, index, self._frames) * trick.delay_ns >> 32
                case "corrupt":
                    if delivery.frame[0] == TAG:
                        return
                    delivery = delivery._replace(frame=self._flipped(index, delivery.frame))
        self._hand_over(delivery._replace(at_ns=at_ns))

    def _strikes(self, index: int, trick: Trick, delivery: Delivery) -> bool:
        during = trick.begin_ns <= delivery.at_ns and (trick.end_ns is None or delivery.at_ns < trick.end_ns)
        concerned = delivery.node in trick.nodes or delivery.src in trick.nodes
        return during and concerned and self._draws.happens(trick.chance, CHANCE_TRICK, index, self._frames)

    def _flipped(self, index: int, frame: bytes) -> bytes:
        """One bit behind the first octet, which is the simulator's own."""
        bit = 8 + self._draws.word(CHANCE_BIT, index, self._frames) % (8 * len(frame) - 8)
        return frame[: bit // 8] + bytes([frame[bit // 8] ^ 1 << bit % 8]) + frame[bit // 8 + 1 :]

    def _hand_over(self, delivery: Delivery) -> None:
        heappush(self._late, (delivery.at_ns, next(self._order), delivery))

    def set_power(self, node: int, on: bool) -> None:
        """As the inner one; what was held back for a node that goes off is gone."""
        self._late = sorted(entry for entry in self._late if on or entry[2].node != node)
        super().set_power(node, on)

"""Two valleys of whole nodes, and uplinks between their bridges, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from meshnode.core.effects import SendRecord
from meshnode.core.inputs import PeerSeen
from meshnode.core.settings import BridgeRules
from meshnode.core.wire.codec import decode_frames_untrusted
from support.trial_world import Box, TrialWorld

NO_RULES = BridgeRules()


class Valleys(TrialWorld):
    """Lines of boxes that do not hear each other. `crossed`: bytes of records over uplinks, by direction."""

    def __init__(self, seed: int = 1, **more: Any) -> None:
        super().__init__(seed, **more)
        self.crossed: dict[tuple[str, str], int] = {}
        self.frames: list[tuple[str, str, object]] = []
        self._down: set[frozenset[str]] = set()

    def valley(self, names: str, **bridges: BridgeRules | None) -> list[Box]:
        """A line; those named are bridges with these rules."""
        boxes = [self.add(name, bridge=bridges.get(name)) for name in names]
        for one, other in pairwise(names):
            self.join(one, other)
        for box in boxes:
            box.joins()
        return boxes

    def uplink(self, one: str, other: str) -> None:
        """Both ends may call each other from now on."""
        self._down.discard(frozenset((one, other)))
        for here, there in ((one, other), (other, one)):
            self.boxes[here].feed(PeerSeen("200::" + there, "overlay", uplink=True))

    def uplink_fails(self, one: str, other: str) -> None:
        """The internet between them is gone."""
        self._down.add(frozenset((one, other)))
        self.disconnect(one, other)

    def uplink_returns(self, one: str, other: str) -> None:
        self._down.discard(frozenset((one, other)))

    def bytes_between(self, one: str, other: str) -> int:
        return self.crossed.get((one, other), 0) + self.crossed.get((other, one), 0)

    def connect(self, one: str, other: str, carrier: str = "overlay") -> None:
        if carrier != "overlay" or frozenset((one, other)) not in self._down:
            super().connect(one, other, carrier)

    def _record_arrives(self, box: Box, record: SendRecord, far: tuple[str, int]) -> None:
        if far[0] not in self.hears[box.name]:
            way = (box.name, far[0])
            self.crossed[way] = self.crossed.get(way, 0) + len(record.data)
            self.frames += [(*way, frame) for frame in decode_frames_untrusted(record.data)]
        super()._record_arrives(box, record, far)


def two_valleys(
    seed: int = 1,
    left: BridgeRules = NO_RULES,
    right: BridgeRules = NO_RULES,
    lines: tuple[str, str] = ("ae", "vz"),
) -> Valleys:
    """Two lines; e and v are bridges, their uplink is open, and everybody is in the square."""
    world = Valleys(seed)
    boxes = world.valley(lines[0], e=left) + world.valley(lines[1], v=right)
    for box in boxes:
        box.knows(*(other for other in boxes if other is not box))
    world.run(60)
    world.uplink("e", "v")
    world.run(60)
    return world

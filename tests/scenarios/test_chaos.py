"""Six boxes, a lossy line with shortcuts, and everything that happens to boxes, in any order: afterwards all is there.

Power goes and comes, links part and join, an overlay session opens, a stick is carried, people write and post. When
peace returns everything that was said is everywhere once, all states are told, and it is quiet.
"""

from __future__ import annotations

from random import Random

import pytest

from meshnode.core.ids import MessageId
from meshnode.core.notices import ForkFound
from support.trial_world import Box, TrialWorld

NAMES = "abcdef"
STEPS = 60
PEACE_S = 700.0  # offers that were in vain are repeated after ten minutes at most


class Chaos:
    """One run; everything follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.world = TrialWorld(seed, loss=self.chance.choice((0.0, 0.1, 0.3)))
        self.boxes = self.world.line(NAMES)
        for one in NAMES:
            for other in NAMES:
                if one < other and self.chance.random() < 0.15:
                    self.world.join(one, other)
        self.said: list[tuple[Box, Box | None, str, MessageId]] = []
        self.world.run(60)

    def run(self) -> None:
        deeds = [self._write] * 7 + [self._post] * 3 + [self._dark] * 2 + [self._light] * 3
        deeds += [self._part] * 2 + [self._join] * 2 + [self._overlay, self._stick]
        for number in range(STEPS):
            one, other = self.chance.sample(self.boxes, 2)
            self.chance.choice(deeds)(one, other, number)
            self.world.run(self.chance.choice((0.1, 1.0, 5.0, 20.0, 60.0)))

    def peace(self) -> None:
        for index in range(len(NAMES) - 1):
            self.world.join(NAMES[index], NAMES[index + 1])
        for box in self.boxes:
            if not box.on:
                box.boot()
        self.world.run(PEACE_S)

    def check(self) -> None:
        for writer, reader, text, message in self.said:
            if reader is not None:
                assert reader.inbox().count(text) == 1, text
                assert writer.state(message) == "delivered", text
            else:
                for box in self.boxes:
                    assert box.posts().count(text) == (box is not writer), (text, box.name)
        for box in self.boxes:
            assert not box.told(ForkFound)
            assert not box.warnings()
        assert len({box.node.gossip.logs.digest() for box in self.boxes}) == 1

    def _write(self, one: Box, other: Box, number: int) -> None:
        if one.on:
            text = f"{number} from {one.name} to {other.name}"
            self.said.append((one, other, text, one.write(other, text)))

    def _post(self, one: Box, other: Box, number: int) -> None:
        if one.on:
            text = f"{number} posted by {one.name}"
            self.said.append((one, None, text, one.post(text)))

    def _dark(self, one: Box, other: Box, number: int) -> None:
        if one.on:
            self.chance.choice((one.cut, one.off))()

    def _light(self, one: Box, other: Box, number: int) -> None:
        if not one.on:
            one.boot()

    def _part(self, one: Box, other: Box, number: int) -> None:
        at = self.chance.randrange(len(NAMES) - 1)
        self.world.part(NAMES[at], NAMES[at + 1])

    def _join(self, one: Box, other: Box, number: int) -> None:
        at = self.chance.randrange(len(NAMES) - 1)
        self.world.join(NAMES[at], NAMES[at + 1])

    def _overlay(self, one: Box, other: Box, number: int) -> None:
        self.world.connect(one.name, other.name)

    def _stick(self, one: Box, other: Box, number: int) -> None:
        if one.on:
            records = one.export()
            self.world.run(1)
            other.import_(records)


def _trial(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run()
    chaos.peace()
    chaos.check()


@pytest.mark.parametrize("seed", [1, 7, 20, 22, 34])
def test_after_chaos_everything_is_there_once(seed: int) -> None:
    _trial(seed)


@pytest.mark.soak
@pytest.mark.parametrize("decade", range(12))
def test_after_many_kinds_of_chaos(decade: int) -> None:
    for seed in range(100 + 10 * decade, 110 + 10 * decade):
        _trial(seed)

"""Power goes at every point between two effects while messages flow: nothing acknowledged is lost, nothing comes twice.

A commit is whole or not there, and what was not promised may be gone with the power (support/trial_disk.py). The person
repeats what was not acknowledged, under the same request id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from meshnode.core.inputs import Compose
from meshnode.core.notices import ForkFound, MessageFiled, StateChanged
from support.trial_world import SQUARE, TrialWorld

REST_S = 4.0  # how long a box stays dark


@dataclass
class Story:
    """Who says what in which second, and what was acknowledged."""

    world: TrialWorld
    said: list[tuple[str, str, str]] = field(default_factory=list)  # from, to or "", text
    restless: bool = True

    def say(self, when: float, who: str, to: str, text: str) -> None:
        self.said.append((who, to, text))
        request = f"{len(self.said):016}".encode()
        self.world.at(when, lambda: self._try(who, to, text, request))

    def _try(self, who: str, to: str, text: str, request: bytes) -> None:
        box = self.world.boxes[who]
        told = len(box.notices)
        if to:
            box.feed(Compose(text, to=self.world.boxes[to].keys.persona, request=request))
        else:
            box.feed(Compose(text, channel=SQUARE, request=request))
        if not any(isinstance(notice, MessageFiled | StateChanged) for notice in box.notices[told:]):
            self.world.at(REST_S / 2, lambda: self._try(who, to, text, request))

    def wake_the_dark(self) -> None:
        """Whoever has no power gets it again, and when all is over too."""
        for box in self.world.boxes.values():
            if not box.on and self.restless:
                self.world.at(REST_S, lambda box=box: None if box.on else box.boot())
        self.world.at(REST_S + 0.5, self.wake_the_dark)

    def check(self) -> None:
        for name, box in self.world.boxes.items():
            texts = [text for _, to, text in self.said if to == name]
            assert sorted(box.inbox()) == sorted(texts), name
            posts = [text for who, to, text in self.said if not to and who != name]
            assert sorted(box.posts()) == sorted(posts), name
            for writer in self.world.boxes.values():
                if box is not writer:
                    assert box.in_order(writer) == writer.written(box)
                    assert box.in_order(writer, "square") == writer.written(channel="square")
            assert not box.told(ForkFound)
            assert "second_copy" not in box.warnings()
        assert len({box.node.gossip.logs.digest() for box in self.world.boxes.values()}) == 1


def _valley(seed: int) -> tuple[TrialWorld, Story]:
    world = TrialWorld(seed)
    world.line("abc")
    world.run(20)
    story = Story(world)
    for number in range(4):
        story.say(0.1 + 1.5 * number, "a", "c", f"a to c {number}")
        story.say(0.4 + 1.5 * number, "c", "a", f"c to a {number}")
        story.say(0.7 + 1.5 * number, "b", "", f"b posts {number}")
        story.say(1.1 + 1.5 * number, "a", "", f"a posts {number}")
    story.wake_the_dark()
    return world, story


def _points(name: str) -> int:
    """How many points there are in the busy seconds of a box."""
    world, _ = _valley(1)
    box = world.boxes[name]
    box.fuse = 1_000_000
    world.run(20)
    assert box.fuse is not None
    return 1_000_000 - box.fuse


def _trial(name: str, point: int, *, again: int = 0) -> None:
    world, story = _valley(1)
    box = world.boxes[name]
    world.chance = Random(point)
    box.fuse = point
    world.run(15)
    assert box.epoch == 2 or box.fuse is not None
    if again and box.on:
        box.fuse = again
    world.run(120)
    box.fuse = None
    world.run(60)
    story.check()


def _some(name: str, of: int) -> Iterator[int]:
    """Points spread over the whole story."""
    number = _points(name)
    chance = Random(f"{name} {of}")
    return (chance.randrange(index * number // of, (index + 1) * number // of) for index in range(of))


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_power_goes_between_any_two_effects(name: str) -> None:
    for point in _some(name, 14):
        _trial(name, point)


def test_power_goes_again_soon_after() -> None:
    for point in _some("b", 5):
        _trial("b", point, again=point % 23)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_power_goes_between_any_two_effects_everywhere(name: str) -> None:
    for point in range(_points(name)):
        _trial(name, point)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_relay_dies_every_few_seconds_while_messages_flow(seed: int) -> None:
    world = TrialWorld(seed, loss=0.1)
    world.line("abc")
    world.run(20)
    story = Story(world)
    for number in range(60):
        story.say(number * 1.0, "a", "c", f"number {number}")
    for death in range(15):
        world.at(2.0 + 4 * death, world.boxes["b"].off if death % 2 else world.boxes["b"].cut)
        world.at(3.0 + 4 * death, world.boxes["b"].boot)
    world.run(64)
    world.run(240)
    story.check()


def test_everybody_dies_all_the_time() -> None:
    world = TrialWorld(3, loss=0.1)
    world.line("abcd")
    world.run(20)
    story = Story(world)
    chance = Random(5)
    for number in range(30):
        story.say(number * 2.0, "a", "d", f"to d {number}")
        story.say(number * 2.0, "d", "a", f"to a {number}")
        story.say(number * 2.0 + 1, "b", "", f"post {number}")
    for _ in range(30):
        name = chance.choice("abcd")
        when = chance.uniform(0, 60)
        world.at(when, world.boxes[name].cut)
    story.wake_the_dark()
    world.run(90)
    world.run(600)
    story.check()

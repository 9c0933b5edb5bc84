"""Power loss between any two effects: nothing acknowledged is lost, nothing arrives twice."""

from __future__ import annotations

import pytest

from meshnode.core.inputs import Compose
from meshnode.core.records import STATES, StateRecord
from support.valley import Box, Valley

TEXTS = ("one", "two", "three")


def conversation(fuse: int, victim: str, seed: int) -> tuple[Valley, list[Box], bool]:
    """A writes to C over B and C answers; one of them loses power after so many effects, and comes back."""
    valley = Valley(seed)
    boxes = valley.line("abc")
    a, _, c = boxes
    box = valley.boxes[victim]
    box.fuse = fuse
    for number, text in enumerate(TEXTS):
        _insist(valley, a, c, text, number)
        valley.run(1.0)
        _insist(valley, c, a, f"re: {text}", 100 + number)
        valley.run(1.0)
        _repower(valley)
    blown = box.fuse is None
    box.fuse = None
    valley.run(120.0)
    return valley, boxes, blown


def _insist(valley: Valley, sender: Box, to: Box, text: str, number: int) -> None:
    """A caller that gets no answer asks again, with the same request id."""
    told = Compose(text, to=to.keys.persona, request=number.to_bytes(16, "big"))
    while sender.compose(told) is None or not sender.on:
        _repower(valley)


def _repower(valley: Valley) -> None:
    for box in valley.boxes.values():
        if not box.on:
            valley.reboot(box)


@pytest.mark.parametrize("victim", ["a", "b", "c"])
def test_at_any_effect(victim: str) -> None:
    fuse, blown = 0, True
    while blown:
        _, (a, _, c), blown = conversation(fuse, victim, seed=fuse)
        where = f"{victim} at effect {fuse}"
        assert sorted(c.inbox()) == sorted(TEXTS), where
        assert sorted(a.inbox()) == sorted(f"re: {text}" for text in TEXTS), where
        for box in (a, c):
            states = {row.state for row in box.rows.every(StateRecord)}
            assert states == {"delivered"}, where
        fuse += 1
    assert fuse > 20


@pytest.mark.parametrize("seed", range(3))
def test_killed_every_few_seconds_under_loss(seed: int) -> None:
    valley = Valley(seed, loss=0.2)
    a, b, c, d = valley.line("abcd")
    for number in range(30):
        _insist(valley, a, d, f"{number}", number)
        valley.run(2.0)
        victim = valley.chance.choice([a, b, c, d])
        victim.fuse = valley.chance.randrange(6)
        valley.run(1.0)
        victim.fuse = None
        _repower(valley)
    valley.run(2000.0)
    assert sorted(d.inbox(), key=int) == [str(number) for number in range(30)]


def test_a_state_never_moves_back_over_a_reboot() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.part(b, c)
    message = a.write(c, "hello")
    reached = []
    for _ in range(4):
        valley.run(3.0)
        valley.reboot(a)
        reached.append(STATES.index(a.state(message)))
    assert reached == sorted(reached)
    assert reached[-1] >= STATES.index("carried")

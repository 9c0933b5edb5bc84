"""Logs whose 4-byte handles are equal, by chance or ground: the signature decides, nobody is shut out (rule 4.4)."""

from __future__ import annotations

from itertools import count

from meshnode.core.ids import channel_id, log_handle, log_id
from support.trial_world import Box, TrialWorld


def _twins_of_one(box: Box) -> tuple[str, str]:
    """Two channels in which this device's logs have the same handle."""
    seen: dict[bytes, str] = {}
    for number in count():
        name = f"channel {number}"
        handle = _handle(box, name)
        if handle in seen:
            return seen[handle], name
        seen[handle] = name
    raise AssertionError


def _twins_of_two(one: Box, other: Box) -> tuple[str, str]:
    """A channel of each, so that their logs have the same handle."""
    seen = {_handle(one, f"channel {number}"): f"channel {number}" for number in range(150_000)}
    for number in count():
        name = f"another {number}"
        if (handle := _handle(other, name)) in seen:
            return seen[handle], name
    raise AssertionError


def _handle(box: Box, name: str) -> bytes:
    return log_handle(log_id(box.keys.device, box.keys.incarnation, channel_id(name)))


def _all_join(world: TrialWorld, *names: str) -> None:
    for box in world.boxes.values():
        for name in names:
            box.joins(name)


def test_one_writer_in_two_channels_with_one_handle() -> None:
    world = TrialWorld(1, loss=0.1)
    a, b, c = world.line("abc")
    world.run(60)
    one, other = _twins_of_one(a)
    _all_join(world, one, other)
    for number in range(4):
        a.post(f"{number} in one", one)
        a.post(f"{number} in the other", other)
        world.run(3)
    world.run(120)
    for box in (b, c):
        assert box.in_order(a, one) == [f"{n} in one" for n in range(4)]
        assert box.in_order(a, other) == [f"{n} in the other" for n in range(4)]


def test_a_liar_that_ground_a_twin_of_our_log() -> None:
    """Its blocks come first and often; what is missing of the true log is asked for by full id."""
    world = TrialWorld(2, loss=0.2)
    a, b, c = world.line("abc")
    m = world.add("m")
    world.join("m", "b")
    world.run(60)
    mine, ground = _twins_of_two(a, m)
    _all_join(world, mine, ground)
    for number in range(6):
        m.post(f"noise {number}", ground)
        a.post(f"words {number}", mine)
        world.run(2)
    world.run(200)
    for box in (b, c):
        assert box.in_order(a, mine) == [f"words {n}" for n in range(6)]
    assert len({box.node.gossip.logs.digest() for box in (a, b, c, m)}) == 1


def test_twins_over_a_session() -> None:
    world = TrialWorld(3)
    a, b = world.add("a"), world.add("b")
    one, other = _twins_of_one(a)
    _all_join(world, one, other)
    a.knows(b)
    b.knows(a)
    for number in range(30):
        a.post(f"{number} in one", one)
        a.post(f"{number} in the other", other)
    world.connect("a", "b")
    assert world.run(60, until=lambda: len(b.posts(one)) == len(b.posts(other)) == 30)

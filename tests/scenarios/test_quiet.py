"""Neighbours that may keep different things come to rest, and stay within the idle budget (rule 5.2)."""

from __future__ import annotations

from meshnode.core.inputs import StoreState
from support.trial_world import Box, TrialWorld

BUDGET = 300  # bytes on the air, a minute and node


def _spent(world: TrialWorld, *boxes: Box, minutes: int = 60) -> dict[str, float]:
    before = {box.name: box.sent_bytes for box in boxes}
    world.run(60.0 * minutes)
    return {box.name: (box.sent_bytes - before[box.name]) / minutes for box in boxes}


def test_a_line_at_rest() -> None:
    world = TrialWorld(1)
    boxes = world.line("abcde")
    boxes[0].write(boxes[4], "once")
    boxes[2].post("once")
    world.run(600)
    spent = _spent(world, *boxes)
    assert max(spent.values()) <= BUDGET, spent


def test_different_quotas_on_two_neighbours_then_an_hour_of_silence() -> None:
    """A keeps a tenth of almost nothing for strangers, B of much; both hear many strangers post."""
    world = TrialWorld(2)
    a = world.add("a", store_limit=60_000)
    b = world.add("b", store_limit=100_000_000)
    world.join("a", "b")
    for number in range(8):
        name = f"s{number}"
        stranger = world.add(name)
        world.join(name, "b")
        for post in range(6):
            stranger.post(f"{name} says {post} " + "and much more " * 20)
        world.run(40)
        world.part(name, "b")
        stranger.off()
    world.run(900)
    assert len(a.node.gossip.logs.book.logs) < len(b.node.gossip.logs.book.logs)
    assert a.node.gossip.logs.digest() != b.node.gossip.logs.digest()
    spent = _spent(world, a, b)
    assert max(spent.values()) <= BUDGET, spent


def test_one_that_refuses_for_a_full_disk_and_one_that_does_not() -> None:
    world = TrialWorld(3)
    a, b, c = world.line("abc")
    world.run(60)
    b.feed(StoreState(100, 100, True))
    for number in range(5):
        a.post(f"post {number}")
        a.write(c, f"message {number}")
        world.run(5)
    world.run(300)
    assert b.posts() == []
    spent = _spent(world, a, b, c, minutes=20)
    assert max(spent.values()) <= 6 * BUDGET, spent
    b.feed(StoreState(10, 100, False))
    assert world.run(4000, until=lambda: len(c.posts()) == 5 and len(c.inbox()) == 5)
    world.run(60)
    assert b.posts() == [f"post {n}" for n in range(5)]


def test_a_blocked_writer_between_neighbours_is_no_reason_to_talk() -> None:
    world = TrialWorld(4)
    a, b, c = world.line("abc")
    world.run(60)
    b.knows(a, blocked=True)
    for number in range(5):
        a.post(f"post {number}")
        world.run(5)
    world.run(900)
    assert b.posts() == []
    spent = _spent(world, a, b, c)
    assert max(spent.values()) <= BUDGET, spent
    b.knows(a, blocked=False)
    assert world.run(120, until=lambda: len(b.posts()) == len(c.posts()) == 5)


def test_eight_in_one_place_are_quieter_still() -> None:
    world = TrialWorld(5)
    names = "abcdefgh"
    boxes = [world.add(name) for name in names]
    for one in names:
        for other in names:
            if one < other:
                world.join(one, other)
    world.run(600)
    spent = _spent(world, *boxes, minutes=20)
    assert sum(spent.values()) / len(boxes) <= BUDGET, spent
    assert len({box.node.gossip.logs.digest() for box in boxes}) == 1


def test_ten_in_one_place_with_lost_beacons() -> None:
    """Where most beacons are suppressed, two lost in a row are no return."""
    world = TrialWorld(7, loss=0.1)
    names = "abcdefghij"
    boxes = [world.add(name) for name in names]
    for one in names:
        for other in names:
            if one < other:
                world.join(one, other)
    world.run(400)
    spent = _spent(world, *boxes, minutes=20)
    assert max(spent.values()) <= BUDGET, spent


def test_a_lonely_box_and_one_that_carries() -> None:
    world = TrialWorld(6)
    a, b, c = world.line("abc")
    world.run(60)
    c.off()
    a.write(c, "waits")
    world.run(1200)
    spent = _spent(world, a, b, minutes=30)
    assert max(spent.values()) <= 1.2 * BUDGET, spent

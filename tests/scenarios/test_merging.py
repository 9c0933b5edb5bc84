"""Two settled halves of a mesh whose link was cut and comes back: soon everybody has everything, at 30 % loss too."""

from __future__ import annotations

from itertools import combinations

from meshnode.core.inputs import StationSeen
from support.trial_world import LINK, Box, TrialWorld

POSTS = 3


def halves(seed: int, each: int, loss: float, apart_s: float) -> tuple[TrialWorld, list[Box]]:
    """Everybody hears everybody in each half; what linked the two was cut, and then both ends of the world posted."""
    world = TrialWorld(seed, loss=loss)
    names = "abcdefgh"[: 2 * each]
    boxes = [world.add(name) for name in names]
    for half in (names[:each], names[each:]):
        for one, other in combinations(half, 2):
            world.join(one, other)
    world.join(names[each - 1], names[each])
    for box in boxes:
        box.joins()
    world.run(60)
    world.part(names[each - 1], names[each])
    world.run(30)
    for number in range(POSTS):
        boxes[0].post(f"left {number}")
        boxes[-1].post(f"right {number}")
    world.run(apart_s)
    return world, boxes


def merged_after(seed: int) -> float:
    """Seconds from the moment the link is back."""
    world, boxes = halves(seed, 4, loss=0.3, apart_s=400 + 5 * seed)
    assert len({box.node.gossip.logs.digest() for box in boxes}) == 2, "each half is settled"
    back = world.now
    world.join("d", "e")
    assert world.run(300, until=lambda: complete(boxes))
    return world.now - back


def met_after(seed: int, apart_s: float) -> float:
    """Seconds from the moment the link is back until all is told, where the radios report whom they hear anew."""
    world, boxes = halves(seed, 4, loss=0.3, apart_s=apart_s)
    back = world.now
    world.join("d", "e")
    for box in boxes[3:5]:
        world.at(2 * world.chance.random(), lambda box=box: box.feed(StationSeen(LINK)))  # type: ignore[misc]
    assert world.run(300, until=lambda: complete(boxes))
    return world.now - back


def complete(boxes: list[Box]) -> bool:
    return all(len(box.posts()) + len(box.written(channel="square")) == 2 * POSTS for box in boxes)


def test_at_30_percent_loss_two_halves_are_one_again_in_less_than_25_seconds() -> None:
    took = sorted(merged_after(seed) for seed in range(6))
    assert took[-1] < 25, took
    assert took[3] < 12, took


def test_where_radios_report_whom_they_hear_it_takes_less_however_long_the_cut_was() -> None:
    took = [met_after(seed, apart_s) for seed, apart_s in enumerate((40.0, 150.0, 1500.0))]
    assert max(took) < 10, took


def test_what_radios_report_without_end_makes_nobody_speak_without_end() -> None:
    world, boxes = halves(2, 1, loss=0.0, apart_s=400)
    before = boxes[0].sent_bytes
    for _ in range(600):
        boxes[0].feed(StationSeen(LINK))
        world.run(1)
    assert 20 <= (boxes[0].sent_bytes - before) / 150 <= 200, "one beacon of some 150 B every 30 s and those of Trickle"
    boxes[0].feed(StationSeen("another link"))


def test_who_has_just_met_tells_at_once_what_differs() -> None:
    world, boxes = halves(1, 1, loss=0.0, apart_s=400)
    bound: list[float] = []
    for box in boxes:
        box.node.neighbours.on_bound.append(lambda neighbour: bound.append(world.now))
    world.join("a", "b")
    assert world.run(60, until=lambda: complete(boxes))
    assert world.now - bound[-1] < 0.5


def test_looking_for_one_that_does_not_come_back_costs_little_and_ends() -> None:
    world = TrialWorld(1)
    _, b, c = world.line("abc")
    world.run(600)
    c.off()
    before = b.sent_bytes
    world.run(260 + 1024)
    assert b.sent_bytes - before < 17_000
    before = b.sent_bytes
    world.run(1200)
    assert (b.sent_bytes - before) / 20 < 300

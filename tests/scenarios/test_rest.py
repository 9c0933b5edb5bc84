"""Where nobody comes, goes or posts for long, beacons become rare; and nothing is found later for it."""

from __future__ import annotations

from itertools import pairwise

from meshnode.core.gossip.beacon import REST_S
from meshnode.core.gossip.trickle import I_MAX
from meshnode.core.neighbours.neighbour import REST_GAP_S
from meshnode.core.neighbours.roster import SILENT_GAPS, SILENT_S
from meshnode.core.notices import NeighbourChanged
from support.trial_world import Box, TrialWorld

LONG_S = 3600.0  # after which everybody rests as deep as it goes


def at_rest(names: str = "abc", *, loss: float = 0.0) -> tuple[TrialWorld, list[Box]]:
    world = TrialWorld(1, loss=loss)
    boxes = world.line(names)
    world.run(LONG_S)
    return world, boxes


def beacons(world: TrialWorld, box: Box, seconds: float) -> int:
    """Datagrams in so many seconds, in which nobody says anything else."""
    before = len(box.sent_datagrams)
    world.run(seconds)
    return len(box.sent_datagrams) - before


def lost(*boxes: Box) -> list[NeighbourChanged]:
    return [told for box in boxes for told in box.told(NeighbourChanged) if told.state == "lost"]


def test_beacons_become_rare() -> None:
    world, boxes = at_rest()
    assert beacons(world, boxes[0], 20 * REST_S) in range(16, 25)
    assert not lost(*boxes)


def test_nobody_is_lost_though_a_third_of_the_frames_is() -> None:
    world, boxes = at_rest("abcd", loss=0.3)
    world.run(4 * LONG_S)
    assert not lost(*boxes)


def test_so_many_that_one_beacon_does_not_echo_all_beacon_more_often() -> None:
    world = TrialWorld(1, loss=0.1)
    boxes = [world.add(name) for name in "abcdefghij"]
    for one, other in ((one, other) for one in "abcdefghij" for other in "abcdefghij" if one < other):
        world.join(one, other)
    world.run(LONG_S)
    before = sum(len(box.sent_datagrams) for box in boxes)
    world.run(10 * REST_S)
    assert sum(len(box.sent_datagrams) for box in boxes) - before > 10 * len(boxes)
    assert not lost(*boxes)


def test_who_comes_is_met_at_once() -> None:
    world, (_, _, c) = at_rest()
    world.add("d")
    world.join("c", "d")
    assert world.run(5, until=lambda: len(c.node.neighbours.bound()) == 2)


def test_who_went_is_noticed_later_than_one_that_came_lately() -> None:
    world, (a, _, c) = at_rest()
    c.off()
    world.run(SILENT_S)
    assert not lost(a)
    box = world.boxes["b"]
    assert world.run(SILENT_GAPS * REST_GAP_S, until=lambda: bool(lost(box)))
    gone_for = world.now - LONG_S
    assert SILENT_S < gone_for <= SILENT_GAPS * REST_GAP_S


def test_a_post_ends_the_rest() -> None:
    world, (a, b, c) = at_rest()
    a.post("news")
    world.run(100)
    sent = len(c.sent_datagrams)
    times = []
    for _ in range(400):
        world.run(1)
        if len(c.sent_datagrams) > sent:
            sent = len(c.sent_datagrams)
            times.append(world.now)
    assert b.posts() == c.posts() == ["news"]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 2 * I_MAX

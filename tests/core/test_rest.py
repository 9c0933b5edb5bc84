"""Where nobody comes, goes or posts for long, beacons become rare; and nothing is found later for it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from meshnode.core.gossip.beacon import REST_S
from meshnode.core.gossip.trickle import I_MAX
from meshnode.core.inputs import PeerSeen, Tick
from meshnode.core.neighbours.roster import SILENT_S
from meshnode.core.notices import NeighbourChanged
from meshnode.core.wire.frames import Frame, SessionBeacon
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
    assert beacons(world, boxes[0], 20 * REST_S) in range(18, 32)
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


def test_who_went_is_noticed_no_later() -> None:
    world, (_, b, c) = at_rest()
    c.off()
    assert world.run(SILENT_S + 1, until=lambda: bool(lost(b)))


@pytest.mark.parametrize("seed", range(8))
def test_who_leaves_a_place_at_rest_and_passes_another_one_for_a_minute_is_met(seed: int) -> None:
    """Neither knows that anything changed, until one of the two beacons: what is old here is news there."""
    world = TrialWorld(seed)
    here, there, walker = [world.add(f"a{n}") for n in range(3)], [world.add(f"b{n}") for n in range(3)], world.add("m")
    for box in world.boxes.values():
        box.joins()
    for place in ("a", "b"):
        for one, other in (("0", "1"), ("0", "2"), ("1", "2")):
            world.join(place + one, place + other)
    for box in here:
        world.join("m", box.name)
    here[0].post("old")
    world.run(LONG_S + seed * 7.3)
    for box in here:
        world.part("m", box.name)
    world.run(90)
    for box in there:
        world.join("m", box.name)
    assert world.run(60, until=lambda: there[0].posts() == ["old"])
    assert walker.posts() == ["old"]


@pytest.mark.parametrize("third", [False, True])
def test_what_was_answered_on_a_link_that_is_gone_is_said_in_the_session_that_is_left(third: bool) -> None:
    world = TrialWorld(2)
    a, b, c = (world.add(name) for name in "abc")
    a.knows(b)
    b.knows(a)
    a.feed(PeerSeen("200::b", "overlay", True))
    b.feed(PeerSeen("200::a", "overlay", True))
    world.join("a", "b")
    if third:
        world.join("a", "c")
    world.run(LONG_S)
    world.part("a", "b")
    world.run(1)
    a.write(b, "on the other way")
    assert world.run(2 * SILENT_S, until=lambda: b.inbox() == ["on the other way"])
    assert c.inbox() == []


def test_what_was_left_out_is_said_when_the_digest_changes_and_nothing_else_does() -> None:
    world, boxes = at_rest("abc")
    a = boxes[1]
    a.post("to be evicted")
    world.run(LONG_S)
    beacons_of, logs = a.node.gossip.beacons, a.node.gossip.logs
    (air,) = beacons_of._airs.values()
    while air.trickle._skipped is None or not air.trickle._left_out or air.trickle._skipped[2] < a.now + 5.0:
        world.run(1)
    moment = air.trickle._skipped[2]
    logs.evict(next(iter(logs.book.logs)))
    a.feed(Tick())
    assert air.trickle.wakeup() == moment


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


def three_with_a_session(grain: float = 0.0) -> tuple[TrialWorld, Box, Box]:
    """a has a session with b, and b a link with c; what c says b does not hand on at once, as while it catches up."""
    world = TrialWorld(1, grain=grain)
    boxes = [world.add(name) for name in "abc"]
    for box in boxes:
        box.joins()
    world.join("b", "c")
    world.run(60)
    world.connect("a", "b")
    world.run(60)
    _, b, c = boxes
    b.node.gossip.flood.forward = lambda *told, **more: False  # type: ignore[assignment,return-value,method-assign]
    return world, b, c


def told_in_session(box: Box) -> list[float]:
    """Moments at which the box tells its digest in a session, from now on."""
    moments: list[float] = []
    speak = box.node.neighbours.speak

    def noted(session: int, frame: Frame) -> int:
        if isinstance(frame, SessionBeacon):
            moments.append(box.now)
        return speak(session, frame)

    box.node.neighbours.speak = noted  # type: ignore[method-assign]
    return moments


def test_a_host_that_looks_at_the_clock_seldom_tells_a_session_of_news_as_often() -> None:
    world, b, c = three_with_a_session(grain=0.5)
    moments = told_in_session(b)
    for number in range(300):
        c.post(str(number))
        world.run(0.4)
    assert len(moments) >= 4

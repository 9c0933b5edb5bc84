"""A board without a clock among neighbours that have one, some of them wrong on purpose."""

from __future__ import annotations

import pytest

from meshnode.core.clock import EPOCH_2026
from meshnode.core.inputs import Tick
from meshnode.core.neighbours import meshtime
from meshnode.core.neighbours.echoes import echo_hash
from meshnode.core.neighbours.meshtime import ASK_AGAIN_S, KEEP_EVERY_S
from meshnode.core.notices import DateTaken
from meshnode.core.records import MessageRecord
from meshnode.core.wire.frames import Date
from support.trial_world import LINK, Box, TrialWorld

TODAY = 1_795_000_000.0  # November 2026
YEAR = 365 * 86_400.0


def star(world: TrialWorld, *offsets: float, uncertainty_s: float = 5.0) -> tuple[Box, list[Box]]:
    """A box without a clock, and one neighbour for each offset from today, which they believe in."""
    middle = world.add("x")
    around = [world.add(chr(ord("a") + at)) for at in range(len(offsets))]
    for box, offset in zip(around, offsets, strict=True):
        world.join("x", box.name)
        box.set_clock(TODAY + world.now + offset, uncertainty_s)
    return middle, around


def error_s(box: Box) -> float:
    """By how much its date is ahead of the true one, at its last step."""
    ctx = box.node.ctx
    return ctx.date.at(ctx.now) - (TODAY + box.began_at + ctx.now)


def knows(box: Box) -> bool:
    return box.node.ctx.date.known


@pytest.mark.parametrize("lie", [-YEAR / 2, -3600.0, 3600.0, 3 * YEAR])
def test_one_liar_among_three_moves_nothing(lie: float) -> None:
    world = TrialWorld(11, loss=0.1)
    x, _ = star(world, -2.0, lie, 2.0)
    assert world.run(120, until=lambda: knows(x))
    world.run(60)
    date = x.node.ctx.date
    assert date.source == "neighbours"
    assert abs(error_s(x)) <= date.uncertainty_at(x.node.ctx.now) <= 15.0
    assert x.told(DateTaken)


@pytest.mark.parametrize("offsets", [(0.0,), (0.0, 0.0), (0.0, YEAR, -YEAR / 2)])
def test_too_few_or_no_majority_and_there_is_no_date(offsets: tuple[float, ...]) -> None:
    world = TrialWorld(12)
    x, _ = star(world, *offsets)
    world.run(600)
    assert not knows(x)


def test_the_date_goes_on_from_board_to_board() -> None:
    """Three with GPS, then three without, then one that hears only those."""
    world = TrialWorld(13)
    for name in "abcdefx":
        world.add(name)
    for giver in "abc":
        world.boxes[giver].set_clock(TODAY + world.now, 1.0)
        for taker in "def":
            world.join(giver, taker)
    for giver in "def":
        world.join(giver, "x")
    x = world.boxes["x"]
    assert world.run(4000, until=lambda: knows(x))
    assert abs(error_s(x)) <= x.node.ctx.date.uncertainty_at(x.node.ctx.now) <= 60.0


def test_our_own_gps_beats_them_and_a_battery_does_too() -> None:
    world = TrialWorld(14)
    x, _ = star(world, YEAR, YEAR, YEAR)
    world.run(300)
    assert error_s(x) == pytest.approx(YEAR, abs=60)
    x.set_clock(TODAY + world.now, 120.0, "system")
    assert abs(error_s(x)) < 1
    x.set_clock(TODAY + world.now - 7200.0, 86_400.0, "system")  # a date that was put back from a file
    assert error_s(x) == pytest.approx(YEAR, abs=60)
    x.set_clock(TODAY + world.now, 1.0, "gps")
    assert abs(error_s(x)) < 1


def test_who_has_taken_a_date_asks_again_after_an_hour() -> None:
    world = TrialWorld(15)
    x, _ = star(world, 0.0, 0.0, 0.0, 0.0)
    world.run(300)
    told = len(x.told(DateTaken))
    assert told
    world.run(ASK_AGAIN_S - 400)
    assert not x.node.meshtime.dateless()
    assert len(x.told(DateTaken)) == told
    world.run(800)
    assert len(x.told(DateTaken)) > told


def test_a_crowd_that_passes_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once agreed, a majority that says otherwise has to say so for six hours."""
    world = TrialWorld(16)
    x, around = star(world, 0.0, 0.0, 0.0)
    world.run(120)
    for liar in around:
        liar.set_clock(TODAY + world.now + YEAR, 1.0)
    world.run(ASK_AGAIN_S + 600)
    assert abs(error_s(x)) < 60
    assert "date_disputed" in x.warnings()
    monkeypatch.setattr(meshtime, "DISPUTED_S", ASK_AGAIN_S)
    assert world.run(3 * ASK_AGAIN_S, until=lambda: error_s(x) == pytest.approx(YEAR, abs=120))


def test_never_below_what_our_own_receiver_once_said() -> None:
    world = TrialWorld(17)
    x, around = star(world, -YEAR / 2, -YEAR / 2, -YEAR / 2)
    x.set_clock(TODAY + world.now, 1.0, "gps")
    world.run(KEEP_EVERY_S)
    x.off()
    x.clock = None
    x.boot()
    world.run(300)
    assert not knows(x)
    assert x.node.counters["date_impossible"] >= 3
    for box in around:
        box.set_clock(TODAY + world.now)
    world.run(2 * ASK_AGAIN_S)
    assert abs(error_s(x)) < 60


def clockless(world: TrialWorld) -> tuple[Box, list[Box], list[bytes]]:
    """A box and three neighbours, all without a clock, and the echo of its last beacon that each of them heard."""
    x, around = world.add("x"), [world.add(name) for name in "abc"]
    for box in around:
        world.join("x", box.name)
    world.run(60)
    me = x.node.neighbours.me
    heard = [box.node.neighbours.by_id(me) for box in around]
    return x, around, [echo_hash(one.presences[LINK].last_beacon_nonce) for one in heard if one is not None]


def test_a_member_that_seals_in_others_names_is_not_heard() -> None:
    """Dates count under the pairwise key alone, and only as answers."""
    world = TrialWorld(18)
    x, around, echoes = clockless(world)
    for box, echo in zip(around, echoes, strict=True):
        box.node.neighbours.send(None, Date(echo, 28_000_000, 1), 0, link=LINK)
        box.node.neighbours.send(box.node.neighbours.by_id(x.node.neighbours.me), Date(b"no", 28_000_000, 1), 0)
        box.feed(Tick())
    world.run(10)
    assert x.node.counters["date_not_asked"] == 3
    assert not knows(x)


def test_an_answer_that_was_held_up_is_no_more_wrong_than_it_is_taken_for() -> None:
    world = TrialWorld(22)
    x, around, echoes = clockless(world)
    said = int(world.now)
    world.run(90)
    for box, echo in zip(around, echoes, strict=True):
        box.node.neighbours.send(box.node.neighbours.by_id(x.node.neighbours.me), Date(echo, said, 1), 0)
        box.feed(Tick())
    assert world.run(10, until=lambda: knows(x))
    ctx = x.node.ctx
    wrong = abs(ctx.date.at(ctx.now) - (EPOCH_2026 + x.began_at + ctx.now))
    assert 30 < wrong <= ctx.date.uncertainty_at(ctx.now)


def test_what_is_written_by_a_date_of_the_neighbours_does_not_bind_our_log() -> None:
    """The lie ends with the liars: a later sure date is written as it is, though it lies below (rule 10.2)."""
    world = TrialWorld(19)
    x, _ = star(world, 2 * YEAR, 2 * YEAR, 2 * YEAR)
    x.joins()
    world.run(300)
    x.post("in two years")
    x.set_clock(TODAY + world.now, 1.0, "gps")
    x.post("today")
    rows = sorted(x.disk.every(MessageRecord), key=lambda row: row.cursor)
    assert rows[0].sent_at - rows[1].sent_at == pytest.approx(2 * YEAR, abs=600)


@pytest.mark.parametrize(("uncertainty_s", "about"), [(5.0, False), (86_400.0, True)])
def test_messages_say_about_while_the_date_is_not_sure(uncertainty_s: float, about: bool) -> None:
    world = TrialWorld(20)
    a, b = world.line("ab")
    for box in (a, b):
        box.set_clock(TODAY, uncertainty_s, "system")
    world.run(30)
    a.write(b, "when was that")
    a.post("and this")
    world.run(30)
    assert b.inbox() == ["when was that"]
    assert {row.about for box in (a, b) for row in box.disk.every(MessageRecord)} == {about}


def test_what_lies_ahead_of_a_sure_date_is_about_now() -> None:
    world = TrialWorld(21)
    a, b = world.line("ab")
    a.set_clock(TODAY + YEAR)
    b.set_clock(TODAY)
    world.run(30)
    a.write(b, "from next year")
    world.run(30)
    assert [row.about for row in b.disk.every(MessageRecord)] == [True]
    assert [row.about for row in a.disk.every(MessageRecord)] == [False]

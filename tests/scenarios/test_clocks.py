"""Clocks at 1970 and at 2040, clocks that step back, and none at all: dates are data, nothing is lost by them."""

from __future__ import annotations

import pytest

from meshnode.core.chain.block import stored_block
from meshnode.core.records import BlockRecord, MessageRecord, PrekeyRecord
from support.trial_world import TrialWorld

TODAY = 1_795_000_000.0  # November 2026
YEAR = 365 * 86_400.0
DAYS = 86_400.0


@pytest.mark.parametrize("dates", [(0.0, TODAY, TODAY + 14 * YEAR), (TODAY + 14 * YEAR, TODAY, 0.0), (0.0, 0.0, 0.0)])
def test_everybody_believes_another_date(dates: tuple[float, float, float]) -> None:
    world = TrialWorld(1, loss=0.1)
    boxes = a, _b, c = world.line("abc")
    for box, date in zip(boxes, dates, strict=True):
        if date:
            box.set_clock(date)
    world.run(60)
    there, back = a.write(c, "what day is it"), c.write(a, "who knows")
    for box in boxes:
        box.post(f"{box.name} was here")
    world.run(120)
    assert (c.inbox(), a.inbox()) == (["what day is it"], ["who knows"])
    assert (a.state(there), c.state(back)) == ("delivered", "delivered")
    for box in boxes:
        assert len(box.posts()) == 2


def test_what_comes_from_the_future_is_kept_and_shown_about_now() -> None:
    world = TrialWorld(2)
    a, b = world.line("ab")
    a.set_clock(TODAY + 14 * YEAR)
    b.set_clock(TODAY)
    world.run(30)
    a.write(b, "from 2040")
    a.post("posted in 2040")
    world.run(60)
    assert b.inbox() == ["from 2040"]
    assert b.posts() == ["posted in 2040"]
    for row in b.disk.every(MessageRecord):
        assert row.sent_at <= TODAY + 200


def test_a_clock_that_jumps_to_2040_and_back_erases_no_key() -> None:
    world = TrialWorld(3)
    a, b = world.line("ab")
    b.set_clock(TODAY)
    world.run(60)
    b.set_clock(TODAY + 14 * YEAR)
    world.run(7200)
    keys = b.disk.every(PrekeyRecord)
    assert keys
    b.set_clock(TODAY + 7200)
    message = a.write(b, "do you still hold the key")
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_a_clock_that_steps_back_does_not_turn_a_log_around() -> None:
    """Never below the newest own block (rule 10.2), also after a restart."""
    world = TrialWorld(4)
    (a,) = [world.add("a")]
    a.joins()
    a.set_clock(TODAY)
    a.post("today")
    a.set_clock(TODAY - YEAR)
    a.post("a year earlier, says the clock")
    a.off()
    a.boot()
    a.set_clock(TODAY - 2 * YEAR)
    a.post("two years earlier")
    rows = [row for row in a.disk.every(BlockRecord) if row.kind == 1]
    times = [stored_block(row.content, row.signature, row.body).time for row in sorted(rows, key=lambda row: row.seq)]
    assert times == sorted(times)
    assert times[0] >= TODAY


def test_envelopes_expire_by_age_on_boards_without_a_clock() -> None:
    """Each carrier adds its own residence, over restarts too."""
    world = TrialWorld(5)
    a, b, c = world.line("abc", lifetime_s=6 * 3600)
    world.run(60)
    c.off()
    message = a.write(c, "six hours to live")
    world.run(3600)
    assert len(b.node.forwarding.shelf) == 1
    b.disk.sync()
    b.cut()
    world.run(10 * 3600)
    b.boot()
    world.run(5.5 * 3600)
    assert len(b.node.forwarding.shelf) == 0
    assert a.state(message) == "expired"
    c.boot()
    world.run(120)
    assert c.inbox() == []


def test_an_hour_of_uncertainty_ends_nothing() -> None:
    world = TrialWorld(6)
    a, b, c = world.line("abc")
    for box in (a, b, c):
        box.set_clock(TODAY)
    world.run(30)
    c.off()
    message = a.write(c, "keep it")
    world.run(60)
    b.set_clock(TODAY + 60 * DAYS, uncertainty_s=90 * DAYS, source="neighbours")
    world.run(600)
    c.boot()
    assert world.run(120, until=lambda: c.inbox() == ["keep it"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")

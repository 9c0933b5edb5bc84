"""Trickle: intervals double, agreement silences, but never for long."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.gossip.trickle import I_MAX, I_MIN, SEEK, SEEK_SHARE, Trickle


def run(trickle: Trickle, now: float, until: float, heard: int = 0) -> list[float]:
    """Beacons up to `until`; before each moment `heard` neighbours said the same."""
    sent = []
    while (at := trickle.wakeup()) <= until:
        now = max(now, at)
        for index in range(heard):
            trickle.heard(bytes([index]), now)
        if trickle.fires(now):
            sent.append(now)
    return sent


def trickle(seed: int = 1) -> Trickle:
    return Trickle(random.Random(seed).uniform, 0.0)


def test_intervals_double_up_to_the_longest() -> None:
    timer, lengths = trickle(), []
    for _ in range(20):
        lengths.append(timer.interval)
        timer.fires(timer.wakeup())
    assert lengths[0] == I_MIN
    assert lengths[-1] == I_MAX
    assert len(run(trickle(), 0.0, 3600.0)) in range(113, 123)


def test_at_rest_they_double_farther_and_no_longer_when_the_rest_is_over() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    for expected in (64.0, 100.0, 100.0):
        timer.fires(timer.wakeup(), 100.0)
        assert timer.interval == expected
    timer.fires(timer.wakeup())
    assert timer.interval == I_MAX


def test_who_left_one_out_at_rest_speaks_within_two_of_the_longest_intervals_all_the_same() -> None:
    timer, sent = trickle(), [0.0]
    for _ in range(200):
        at = timer.wakeup()
        for name in (b"a", b"b"):
            timer.heard(name, at)
        sent += [at] if timer.fires(at, 128.0) else []
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert 128.0 < max(gaps) <= 256.0 + 1e-6


def test_rest_does_not_hold_while_somebody_is_missed() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    timer.miss(b"a", 300.0)
    while (at := timer.wakeup()) < 300.0 + SEEK_SHARE * I_MAX / 2:
        timer.fires(at, 128.0)
        assert timer.interval <= I_MAX / 2 + 1.0
    while timer.wakeup() < 300.0 + SEEK_SHARE * I_MAX + 256.0:
        timer.fires(timer.wakeup(), 128.0)
    assert timer.interval > I_MAX


@given(st.integers(0, 1000))
def test_two_who_agree_silence_us_but_never_for_two_longest_intervals(seed: int) -> None:
    sent = run(trickle(seed), 0.0, 3600.0, heard=2)
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert max(gaps) < 2 * I_MAX + 1e-6
    assert len(sent) < 80


def test_one_who_agrees_silences_nobody() -> None:
    assert len(run(trickle(), 0.0, 3600.0, heard=1)) > 105


def test_reset_begins_anew_and_hurry_does_not_lengthen() -> None:
    timer = trickle()
    run(timer, 0.0, 200.0)
    assert timer.interval == I_MAX
    timer.reset(200.0)
    assert timer.interval == I_MIN
    assert timer.wakeup() <= 200.0 + I_MIN
    timer.hurry(8.0, 200.1)
    assert timer.interval == I_MIN


def test_what_was_heard_before_our_digest_changed_does_not_count() -> None:
    timer = trickle()
    timer.heard(b"a", 0.1)
    timer.unheard(0.1)
    timer.heard(b"b", 0.1)
    assert timer.fires(timer.wakeup())


def test_a_moment_that_is_left_out_wakes_nobody_unless_our_digest_changes_before_it() -> None:
    for later, comes in ((0.0, True), (60.0, False)):
        timer = trickle()
        run(timer, 0.0, 300.0)
        now, moment = timer.wakeup() - 1.0, timer.wakeup()
        timer.heard(b"a", now)
        assert timer.wakeup() == moment
        timer.heard(b"b", now)
        assert timer.wakeup() > moment
        timer.unheard(now + later)
        assert (timer.wakeup() == moment) is comes


def test_what_would_have_been_left_out_is_no_reason_to_speak_in_an_interval_begun_anew() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    now = timer.wakeup() - 1.0
    for name in (b"a", b"b"):
        timer.heard(name, now)
    timer.reset(now)
    moment = timer.wakeup()
    assert moment <= now + I_MIN
    for name in (b"a", b"b"):
        timer.heard(name, now)
    assert timer.wakeup() > moment


def test_one_beacon_out_of_turn_unless_two_others_answer() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    timer.ask(300.1)
    timer.ask(299.0)
    assert timer.wakeup() == 300.1, "asked once"
    assert timer.fires(300.1)
    timer.ask(300.5)
    timer.answered(b"a")
    timer.answered(b"b")
    assert not timer.fires(300.5)


def test_a_promised_beacon_goes_whatever_others_say_unless_one_went_meanwhile() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    now = timer.wakeup() - 5.0
    timer.promise(now + 2.0)
    timer.promise(now + 3.0)
    for name in (b"a", b"b"):
        timer.heard(name, now)
        timer.answered(name)
    assert timer.wakeup() == now + 2.0
    assert timer.fires(now + 2.0)
    timer.promise(now + 4.0)
    timer.keep(now + 2.5)
    assert timer.wakeup() > now + 4.0


def test_a_neighbour_that_is_missed_is_looked_for_and_ever_less_often() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    timer.miss(b"a", 300.0)
    sent = run(timer, 300.0, 4000.0)
    gaps = [(earlier - 300.0, later - earlier) for earlier, later in pairwise(sent)]
    assert all(gap <= max(1.5 * SEEK, 2.5 * since / SEEK_SHARE) + 1e-6 for since, gap in gaps)
    assert len([at for at in sent if at < 300.0 + SEEK_SHARE * I_MAX]) < 80
    assert timer.interval == I_MAX


def test_who_is_missed_between_a_beacon_and_the_end_of_its_interval_shortens_the_next() -> None:
    timer = trickle()
    while timer.interval < 8.0:
        timer.fires(timer.wakeup())
    fired_at = timer.wakeup()
    timer.fires(fired_at)
    assert timer.interval == 16.0
    timer.miss(b"a", fired_at)
    assert timer.interval == SEEK


def test_what_is_heard_between_a_beacon_and_the_end_of_its_interval_counts_for_none() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    fired_at = timer.wakeup()
    timer.fires(fired_at)
    for name in (b"a", b"b"):
        timer.heard(name, fired_at)
    assert timer.fires(timer.wakeup())


def test_who_came_back_is_looked_for_no_longer_but_others_are() -> None:
    timer = trickle()
    run(timer, 0.0, 300.0)
    timer.miss(b"a", 300.0)
    timer.miss(b"b", 301.0)
    timer.found(b"a")
    run(timer, 301.0, 400.0)
    assert timer.interval == SEEK
    timer.found(b"b")
    run(timer, 400.0, 500.0)
    assert timer.interval == I_MAX

"""Which clock is believed, and when the node is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from meshnode.core.clock import EPOCH_2026, UNKNOWN_CLOCK, WallClock
from meshnode.core.inputs import ClockSet
from meshnode.daemon.clock import PoweredClock
from meshnode.daemon.walltime import (
    LOOK_EVERY_S,
    NO_BATTERY_S,
    TELL_AGAIN_S,
    Reading,
    WallTime,
    believed,
    differs,
    read_system,
)

YEAR = 365 * 86400.0
TODAY = EPOCH_2026 + 0.9 * YEAR


@pytest.mark.parametrize(
    ("unix_s", "disciplined", "source"),
    [
        (0.0, False, "unknown"),
        (0.0, True, "unknown"),
        (TODAY - 2 * YEAR, True, "unknown"),
        (TODAY, False, "system"),
        (TODAY, True, "ntp"),
        (TODAY + 14 * YEAR, True, "unknown"),
    ],
)
def test_a_clock_is_believed_if_its_year_is_possible(unix_s: float, disciplined: bool, source: str) -> None:
    clock = believed(Reading(unix_s, disciplined, 0.25), 7.0)
    assert clock.source == source
    if clock.known:
        assert (clock.at(8.0), clock.uncertainty_s) == (unix_s + 1, 0.25 if disciplined else 120.0)


def test_the_kernel_can_be_asked() -> None:
    reading = read_system()
    assert reading.unix_s > 0
    assert reading.error_s >= 0


def test_a_machine_without_a_battery_has_the_date_of_its_last_shutdown(tmp_path: Path) -> None:
    assert believed(Reading(TODAY, False, 0.0, battery=False), 0.0).uncertainty_s == NO_BATTERY_S
    assert believed(Reading(TODAY, True, 0.25, battery=False), 0.0).uncertainty_s == 0.25
    assert not read_system(tmp_path).battery
    (tmp_path / "rtc0").mkdir()
    assert read_system(tmp_path).battery


def test_the_node_is_told_again_before_what_it_knows_grows_old() -> None:
    before = WallClock(TODAY, 0.0, 0.1, "ntp")
    assert not differs(before, WallClock(TODAY + 60, 60.0, 0.1, "ntp"))
    assert differs(before, WallClock(TODAY + TELL_AGAIN_S, TELL_AGAIN_S, 0.1, "ntp"))
    assert differs(WallClock(TODAY, 0.0, 120.0, "system"), WallClock(TODAY, 0.0, NO_BATTERY_S, "system"))


@pytest.mark.parametrize(("reading", "shown"), [
    (Reading(3.0, False, 0.0), "neighbours"),
    (Reading(TODAY - 7200, False, 0.0, battery=False), "neighbours"),
    (Reading(TODAY, False, 0.0), "system"),
    (Reading(TODAY, True, 0.1), "ntp"),
])  # fmt: skip
def test_the_neighbours_date_is_shown_where_our_own_is_not_sure(reading: Reading, shown: str) -> None:
    wall = WallTime(lambda: 7.0, lambda: reading)
    wall.look()
    wall.neighbours = WallClock(TODAY + 3, 7.0, 5.0, "neighbours")
    assert wall.best.source == shown
    assert wall.unix_now() == (TODAY + 3 if shown == "neighbours" else TODAY)
    assert wall.system() == reading.unix_s


async def test_the_node_is_told_of_the_first_look_and_of_every_jump(autojump_clock: Any) -> None:
    clock = PoweredClock(50.0)
    drift = [0.0]
    wall = WallTime(clock.now, lambda: Reading(TODAY + clock.now() + drift[0], True, 0.1))
    inputs, told = trio.open_memory_channel[Any](10)
    async with trio.open_nursery() as nursery:
        await nursery.start(wall.run, inputs)
        await trio.sleep(LOOK_EVERY_S * 3)
        drift[0] = 3600.0
        await trio.sleep(LOOK_EVERY_S * 3)
        drift[0] = -80 * YEAR
        await trio.sleep(LOOK_EVERY_S * 3)
        assert wall.unix_now() == 0.0
        nursery.cancel_scope.cancel()
    seen = [told.receive_nowait() for _ in range(3)]
    assert all(isinstance(one, ClockSet) for one in seen)
    assert [round(one.clock.at(0) - TODAY) for one in seen[:2]] == [0, 3600]
    assert seen[2].clock == UNKNOWN_CLOCK


async def test_without_a_date_the_node_is_told_nothing(autojump_clock: Any) -> None:
    clock = PoweredClock(50.0)
    wall = WallTime(clock.now, lambda: Reading(3.0, False, 0.1))
    inputs, told = trio.open_memory_channel[Any](10)
    async with trio.open_nursery() as nursery:
        await nursery.start(wall.run, inputs)
        await trio.sleep(LOOK_EVERY_S * 3)
        nursery.cancel_scope.cancel()
    assert told.statistics().current_buffer_used == 0


async def test_the_powered_on_clock_goes_on_from_where_it_was(autojump_clock: Any) -> None:
    clock = PoweredClock(1000.0)
    await trio.sleep(5)
    assert clock.now() == pytest.approx(1005.0)
    assert clock.until(1007.0) == pytest.approx(trio.current_time() + 2)
    assert clock.until(None) == float("inf")

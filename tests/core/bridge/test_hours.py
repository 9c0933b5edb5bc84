"""Hours of the day in which an uplink may be used."""

from __future__ import annotations

import pytest

from meshnode.core.bridge.hours import DAY_S, next_edge_s, within

NIGHT = ((22 * 60, 6 * 60),)
NOON = ((12 * 60, 13 * 60),)


@pytest.mark.parametrize(
    ("hours", "at", "open_"),
    [
        ((), 0, True),
        (NOON, 12 * 3600, True),
        (NOON, 13 * 3600 - 1, True),
        (NOON, 13 * 3600, False),
        (NOON, 11.99 * 3600, False),
        (NIGHT, 23 * 3600, True),
        (NIGHT, 5 * 3600, True),
        (NIGHT, 6 * 3600, False),
        (NIGHT + NOON, 12.5 * 3600, True),
    ],
)
def test_a_moment_is_within_or_not(hours: tuple[tuple[int, int], ...], at: float, open_: bool) -> None:
    assert within(hours, 1_790_000_000 // DAY_S * DAY_S + at) is open_


@pytest.mark.parametrize(
    ("hours", "at", "wait"),
    [
        ((), 0, DAY_S),
        (NOON, 0, 12 * 3600),
        (NOON, 12 * 3600, 3600),
        (NIGHT, 23 * 3600, 7 * 3600),
        (NIGHT + NOON, 0, 6 * 3600),
    ],
)
def test_the_next_edge_is_the_nearest(hours: tuple[tuple[int, int], ...], at: float, wait: float) -> None:
    assert next_edge_s(hours, at) == wait

"""The hours in which an uplink may be used, as spans of minutes of the day in UTC; a span may reach over midnight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

DAY_MIN: Final = 1440
DAY_S: Final = 86_400

Hours = Sequence[tuple[int, int]]


def within(hours: Hours, unix_s: float) -> bool:
    """True if that moment lies in one of the spans, or if there are none."""
    minute = int(unix_s % DAY_S // 60)
    return not hours or any(_holds(first, end, minute) for first, end in hours)


def next_edge_s(hours: Hours, unix_s: float) -> float:
    """Seconds until a span begins or ends, at most a day."""
    second = unix_s % DAY_S
    waits = [(60 * minute - second) % DAY_S or DAY_S for span in hours for minute in span]
    return min(waits, default=float(DAY_S))


def _holds(first: int, end: int, minute: int) -> bool:
    return first <= minute < end if first < end else minute >= first or minute < end

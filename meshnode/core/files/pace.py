"""How fast pieces may follow each other, found from how long they stand in line on their way.

The outbox spaces datagrams by an estimate of the channel, which is wrong where others take their share of it or frames
are repeated: a line then grows in the driver, and everything urgent stands in it. So each piece says when it left; the
receiver sees how much longer it took than the quickest one, and says so in its next question. Above 100 ms in line
the sender slows down by a sixth, below it speeds up by a tenth: like LEDBAT (RFC 6817), which yields to everyone else.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.clock import Instant

TARGET_S: Final = 0.1
SLOWER: Final = 0.85
FASTER: Final = 1.1
FASTEST: Final = 1.5  # times what the estimate says: it may be too low, and the outbox paces all the same
SLOWEST: Final = 0.02
UNIT_S: Final = 0.004  # of the delay in a question
_WRAP: Final = 65_536
_BASE_S: Final = 30.0  # the quickest piece of this time and the one before it: clocks drift, ways change


class Pace:
    """The sender's side, for one neighbour: a factor on the estimated time a piece takes."""

    __slots__ = ("_factor",)

    def __init__(self) -> None:
        self._factor = 1.0

    def told(self, delay: int) -> None:
        """The receiver says how long pieces stood in line lately."""
        if delay * UNIT_S > TARGET_S:
            self._factor = max(SLOWEST, self._factor * SLOWER)
        else:
            self._factor = min(FASTEST, self._factor * FASTER)

    def gap_s(self, airtime_s: float) -> float:
        """Seconds to leave after a piece that takes the channel for so long."""
        return airtime_s / self._factor


class Delays:
    """The receiver's side, for one neighbour: how much longer than the quickest the last pieces took."""

    __slots__ = ("_base", "_before", "_count", "_sum", "_turned_at", "_zero")

    def __init__(self) -> None:
        self._zero: int | None = None
        self._base = self._before = 0
        self._turned_at: Instant = 0.0
        self._sum = self._count = 0

    def note(self, moment: int, now: Instant) -> None:
        """A piece that left at `moment`, milliseconds of another clock cut to 16 bits."""
        took = int(now * 1000) - moment
        if self._zero is None:
            self._zero, self._turned_at = took, now
        took = (took - self._zero + _WRAP // 2) % _WRAP - _WRAP // 2
        if now >= self._turned_at + _BASE_S:
            self._before, self._base, self._turned_at = self._base, took, now
        self._base = min(self._base, took)
        self._sum += took
        self._count += 1

    def report(self) -> int:
        """The mean time in line since the last report, in units of 4 ms, at most 255."""
        if not self._count:
            return 0
        line_s = (self._sum / self._count - min(self._base, self._before)) / 1000
        self._sum = self._count = 0
        return min(255, round(line_s / UNIT_S))


def moment(now: Instant) -> int:
    """What a piece says of the time it leaves."""
    return int(now * 1000) % _WRAP

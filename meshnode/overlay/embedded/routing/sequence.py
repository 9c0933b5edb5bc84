"""Unix seconds that never run backwards, over restarts either.

Others take what we sign only with a higher number than before. A board without a battery wakes up in the past, and a Go
daemon there stays locked out for as long as anybody talks to it. So the highest number used is kept: in steps, each
written before the first number of it is used. From there the number goes on by one each second, as a clock would: two
sides that open a session to each other at once rely on their numbers being equal within a second.
"""

from __future__ import annotations

from collections.abc import Callable

STEP = 1000


class Sequence:
    """`kept` is what was written last, `wall` the clock in seconds, `keep` writes; `now` is that of the start."""

    def __init__(self, kept: int, wall: Callable[[], int], keep: Callable[[int], None], now: float = 0.0) -> None:
        self._kept = kept
        self._last = kept + 1
        self._first, self._began = kept + 1, now
        self._wall = wall
        self._keep = keep

    def at(self, now: float) -> int:
        """The number of this second, no lower than any before."""
        return self._use(max(self._wall(), self._first + int(now - self._began), self._last))

    def next(self, now: float) -> int:
        """A number higher than all before."""
        return self._use(max(self.at(now), self._last + 1))

    def _use(self, number: int) -> int:
        self._last = number
        if number > self._kept:
            self._kept = number + STEP
            self._keep(self._kept)
        return number

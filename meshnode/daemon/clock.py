"""Powered-on seconds of this home: where the store left off, plus what has passed since on trio's clock."""

from __future__ import annotations

import trio

from meshnode.core.clock import Instant


class PoweredClock:
    """Never falls, not over restarts either; trio's clock stands still while a machine sleeps, and so does this."""

    def __init__(self, start: Instant) -> None:
        self._offset = start - trio.current_time()

    def now(self) -> Instant:
        """The powered-on second it is."""
        return trio.current_time() + self._offset

    def until(self, instant: Instant | None) -> float:
        """The time of trio's clock at that instant; infinity for None."""
        return float("inf") if instant is None else instant - self._offset

"""Airtime used within the last hour, in whole nanoseconds.

Bookings fall into bins of a second, and a bin counts until its last moment is an hour and a little more ago. So what
the ledger shows is never less than what any hour that ends now contains.
"""

from __future__ import annotations

from collections import deque
from math import floor

from meshnode.core.clock import Instant

LINGER_S = 3  # how long a datagram may stand in the driver's queue after it was booked, and the bin's own second


class Ledger:
    """One sum over a sliding window."""

    def __init__(self, window_s: int) -> None:
        self._keep_s = window_s + LINGER_S
        self._bins: deque[tuple[int, int]] = deque()  # second, nanoseconds
        self._total = 0

    def add(self, now: Instant, ns: int) -> None:
        """Book `ns` at `now`, which never falls."""
        second = floor(now)
        if self._bins and self._bins[-1][0] >= second:
            second, before = self._bins.pop()
            self._bins.append((second, before + ns))
        else:
            self.total(now)  # lets go of what is over, also where nobody asks for the total
            self._bins.append((second, ns))
        self._total += ns

    def total(self, now: Instant) -> int:
        """Nanoseconds used within the window that ends at `now`."""
        while self._bins and self._bins[0][0] + self._keep_s <= now:
            self._total -= self._bins.popleft()[1]
        return self._total

    def freed_at(self, need: int) -> Instant | None:
        """When `need` nanoseconds of what is booked will count no more; None if there are not that many."""
        for second, ns in self._bins:
            need -= ns
            if need <= 0:
                return float(second + self._keep_s)
        return None

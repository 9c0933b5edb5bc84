"""Airtime in lots that are on disk before they are used, so that a restart forgets nothing of the hour.

A lot is taken whole, written down, then used up. What was left of the last one when the power went counts as used. The
bytes of an uplink's day are counted in the same way (bridge/budget.py).
"""

from __future__ import annotations

import struct
from collections import deque

from meshnode.core.clock import Instant

PARTS = 64  # lots of an hour's allowance: a write for each is little, and a sixty-fourth is little to lose
_LOT = struct.Struct(">IQ")  # second it was taken in, nanoseconds or bytes


class Lots:
    """The lots taken on one link. `kept` is what a record of an earlier run holds."""

    def __init__(self, lot_ns: int, keep_s: int, kept: bytes = b"") -> None:
        self._lot_ns = max(1, lot_ns)
        self._keep_s = keep_s
        whole = len(kept) - len(kept) % _LOT.size
        self._taken: deque[tuple[int, int]] = deque(_LOT.iter_unpack(kept[:whole]))
        self._left = 0

    def take(self, now: Instant, ns: int) -> bool:
        """Use `ns`; True if the record has to be on disk first."""
        if ns <= self._left:
            self._left -= ns
            return False
        lot = max(self._lot_ns, ns - self._left)
        self._left += lot - ns
        self._taken.append((int(now), lot))
        # A lot may be used until the next one is taken, so it is kept until that one is an hour old.
        while len(self._taken) > 1 and self._taken[1][0] + 1 + self._keep_s <= now:
            self._taken.popleft()
        return True

    def record(self) -> bytes:
        """What is to be on disk."""
        return b"".join(_LOT.pack(*lot) for lot in self._taken)

    def total(self, now: Instant) -> int:
        """What was used within the time it is kept; of the last lot what was used of it, however long ago."""
        counts = [lot for (_, lot), end in zip(self._taken, self._ends(), strict=True) if end > now]
        return max(0, sum(counts) - self._left)

    def freed_at(self, need: int, now: Instant) -> Instant:
        """When `need` of the total will count no more, at the latest."""
        end = now
        for (_, lot), end in zip(self._taken, self._ends(), strict=True):
            need -= lot if end > now else 0
            if need <= 0:
                break
        return min(end, now + self._keep_s + 1)

    def _ends(self) -> list[float]:
        """When each lot counts no more: as long after the next one was taken as anything is kept."""
        later = [float(taken + 1 + self._keep_s) for taken, _ in list(self._taken)[1:]]
        return [*later, float("inf")] if self._taken else []

    def used(self, now: Instant) -> list[tuple[Instant, int]]:
        """When, at the latest, each lot was used up, and its nanoseconds; oldest first."""
        ends = [min(float(taken + 1), now) for taken, _ in list(self._taken)[1:]] + [now]
        return [(end, ns) for end, (_, ns) in zip(ends, self._taken, strict=False)]

"""The bytes that may cross an uplink in one direction, in any 24 powered-on hours.

    class         1 emergency   0 talk of what differs, receipts   2 messages   3 posts   4 last
    may use up to     100 %        95 %                             90 %         75 %      50 %   of the day

So a long catch-up never takes the day from messages, and the last twentieth is for emergencies alone. Bytes are taken
in lots that are on disk before they are used (airtime/lots.py): a restart forgets nothing of the day.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.airtime.lots import PARTS, Lots
from meshnode.core.clock import Instant

DAY_S: Final = 86_400
CEILINGS: Final = {1: 100, 0: 95, 2: 90, 3: 75, 4: 50}  # per cent, by class


class Budget:
    """One direction. `per_day` 0: no limit; then what is used is not counted either. `kept`: of an earlier run."""

    def __init__(self, per_day: int, kept: bytes = b"") -> None:
        self.per_day = per_day
        self._lots = Lots(per_day // PARTS, DAY_S, kept)

    def used(self, now: Instant) -> int:
        """Bytes of the last 24 hours, rounded up by a lot at most."""
        return self._lots.total(now)

    def left(self, now: Instant) -> int:
        """Bytes that are left of the day."""
        return max(0, self.per_day - self.used(now))

    def may(self, cls: int, now: Instant) -> bool:
        """True while this class may use more."""
        return not self.per_day or self.used(now) < self._ceiling(cls)

    def when(self, cls: int, now: Instant) -> Instant:
        """When it may again at the earliest; now if it may."""
        over = self.used(now) - self._ceiling(cls) + 1
        return now if not self.per_day or over <= 0 else self._lots.freed_at(over, now)

    def spend(self, size: int, now: Instant) -> bool:
        """So many bytes cross; True if the record has to be on disk before they do."""
        return bool(self.per_day) and self._lots.take(now, size)

    def record(self) -> bytes:
        """What a restart has to know."""
        return self._lots.record()

    def _ceiling(self, cls: int) -> int:
        return self.per_day * CEILINGS[cls] // 100

"""How far away the reader of a session was last time, and how far the next envelope goes therefore.

A receipt says how many hops it came. Relays may say anything: who says too many makes an envelope go farther than it
must, as all did before there was a distance; who says too few makes it late once, and is not believed for a while.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from meshnode.core.clock import Instant

FARTHEST: Final = 127  # hops remembered; 0 is unknown
REACHES: Final = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)  # few, so that a reach tells little of where the reader is
WARY_S, WARIEST_S = 600.0, 86400.0


@dataclass(slots=True)
class Distance:
    """Of one session. Only `hops` stands on disk; after a restart everybody is believed again."""

    hops: int = 0
    wary_s: float = 0.0
    wary_until: Instant = 0.0

    def reach(self, now: Instant) -> int | None:
        """Hops that an envelope may go: one and a quarter of the way more than last time. None: no limit."""
        if not self.hops or now < self.wary_until:
            return None
        at = bisect_left(REACHES, self.hops + 1 + self.hops // 4)
        return REACHES[at] if at < len(REACHES) else None

    def came(self, hops: int, now: Instant) -> None:
        """A receipt came, from so far; 0 is unknown. Who is believed again is believed more with each."""
        if now >= self.wary_until:
            self.wary_s /= 2
        if hops:
            self.hops = min(hops, FARTHEST)

    def missed(self, now: Instant) -> None:
        """No receipt came in time: it is elsewhere, or off. Nothing is limited for a while, twice as long each time."""
        self.wary_s = min(WARIEST_S, max(WARY_S, 2 * self.wary_s))
        self.wary_until = now + self.wary_s

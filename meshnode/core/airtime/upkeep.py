"""What a link may spend on saying what it has: beacons and deltas take a twentieth of its air at most (rule 5.5).

Whoever makes up frontiers or new neighbours without end makes us speak no more than that. A minute's share is saved
up, which is more than any start of a dense cell was seen to take. With the law's hour more than half used, it is less.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.wire.frames import Beacon, Delta, Frame

SHARE: Final = 0.05
SAVED_S: Final = 3.0
_UPKEEP: Final = (Beacon, Delta)


class Upkeep:
    """Seconds of airtime that one link has left for it; may go into debt, which the next frame waits for.

    `ease` below 1 makes the share that much smaller.
    """

    def __init__(self, now: Instant) -> None:
        self._left = SAVED_S
        self._at = now

    def wait_s(self, now: Instant, ease: float = 1.0) -> float:
        """Seconds until another frame may be said; 0 while something is left."""
        self._fill(now, ease)
        return 0.0 if self._left > 0.0 else -self._left / (SHARE * ease) + 1e-3

    def spend(self, airtime_s: float, now: Instant, ease: float = 1.0) -> None:
        """A frame is on its way."""
        self._fill(now, ease)
        self._left -= airtime_s

    def _fill(self, now: Instant, ease: float) -> None:
        self._left = min(SAVED_S * ease, self._left + (now - self._at) * SHARE * ease)
        self._at = now


def is_upkeep(frame: Frame) -> bool:
    """Frames that carry nothing anybody wrote; HELLO, without which nobody is known, is paced by itself."""
    return isinstance(frame, _UPKEEP)

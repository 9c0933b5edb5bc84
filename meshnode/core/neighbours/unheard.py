"""Nobody hears us, though we hear them: perhaps our datagrams look like old ones, and a later epoch mends it.

So it is when a card of last week was put back, whose epoch everyone has heard already; or when somebody spoke in our
name, far ahead of us, where we could not hear it. On a link that carries one way only it mends nothing, and is given up
after a dozen tries.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.neighbours.neighbour import NEVER

AFTER_S: Final = 60.0  # beacons without an echo for so long, and nobody bound
MAX_TRIES: Final = 12  # each goes twice as far as the one before: 4,095 starts at most


class Unheard:
    """Counts how long we speak to the wind."""

    def __init__(self) -> None:
        self._since: Instant = NEVER
        self._tries = 0

    def heard(self) -> None:
        """Somebody echoes us."""
        self._since = NEVER
        self._tries = 0

    def unechoed(self, now: Instant) -> int:
        """A beacon did not name us, and nobody is bound. By how many epochs to go on; 0: wait."""
        if self._since == NEVER:
            self._since = now
        if now < self._since + AFTER_S or self._tries >= MAX_TRIES:
            return 0
        self._since = now
        self._tries += 1
        return 1 << (self._tries - 1)

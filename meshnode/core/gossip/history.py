"""In which order logs changed, and what our digest was meanwhile: so we know what somebody lacks who tells an old one.

The change of a log has a number and a moment. Of each of our own digests we remember the number it was reached at: who
tells that digest lacks exactly the logs that changed after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from meshnode.core.chain.log import Log
from meshnode.core.chain.logbook import Logbook
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import LogId
from meshnode.core.neighbours.neighbour import NEVER

DIGESTS: Final = 64  # own ones that are remembered


class History:
    """Changes of the logs of a book, and its digests, oldest first."""

    def __init__(self, ctx: Context, book: Logbook) -> None:
        self._ctx = ctx
        self._book = book
        self._key = ctx.mesh.digest
        self._changed: dict[LogId, tuple[int, Instant]] = {}  # number, when
        self.changes = 0  # how many there were: it tells whether there was one between two moments
        self.changed_at: Instant = NEVER  # the last of them
        self._digests: dict[bytes, tuple[int, Instant]] = {}  # number, when first reached

    def note(self, log: LogId, at: Instant) -> None:
        """A log changed."""
        self.changes += 1
        self.changed_at = at
        self._changed.pop(log, None)
        self._changed[log] = (self.changes, at)

    def forget(self, log: LogId) -> None:
        """What we had then we have no longer: those digests tell nothing exact now."""
        self._changed.pop(log, None)
        self.changes += 1
        self.changed_at = self._ctx.now
        self._digests.clear()

    def digest(self) -> bytes:
        """The digest of our frontier, remembered."""
        digest = self._book.digest(self._key)
        if digest not in self._digests:
            self._digests[digest] = (self.changes, self._ctx.now)
            while len(self._digests) > DIGESTS:
                del self._digests[next(iter(self._digests))]
        return digest

    def newest(self) -> Iterator[Log]:
        """Logs in the order of their last change, newest first."""
        return (log for log in map(self._book.logs.__getitem__, reversed(self._changed)) if log.counts)

    def changed_after(self, moment: Instant) -> list[Log]:
        """Logs that changed after an Instant, newest first."""
        return self._changes(lambda number, at: at > moment)

    def changed_since(self, digest: bytes) -> list[Log] | None:
        """Logs that changed since our digest was this one, newest first; None if it never was lately."""
        if digest not in self._digests:
            return None
        since = self._digests[digest][0]
        return self._changes(lambda number, at: number > since)

    def passed(self, digest: bytes, told_at: Instant, in_flight_s: float) -> bool:
        """True when a digest told at that moment shows no lasting difference.

        We came to it since (they were ahead), or what we had beyond it then was younger than what is on its way.
        """
        if digest not in self._digests:
            return False
        number, reached_at = self._digests[digest]
        if reached_at > told_at:
            return True
        return all(at > told_at - in_flight_s for other, at in self._changed.values() if other > number)

    def _changes(self, later: Callable[[int, Instant], bool]) -> list[Log]:
        """The logs of the newest changes, as far back as `later` says."""
        found: list[Log] = []
        for log, (number, at) in reversed(self._changed.items()):
            if not later(number, at):
                break
            found.append(self._book.logs[log])
        return [log for log in found if log.counts]

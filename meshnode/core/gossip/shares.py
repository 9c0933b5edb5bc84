"""How much of the store each log takes, which were used last, and who goes when strangers take more than their share.

Strangers have 1,024 logs and a tenth of the store (protocol rule 12.2); the least recently used go. What nearer writers
write and this version does not act upon takes the same tenth (rule 15.2): beyond that its bodies go.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.chain.log import Log
from meshnode.core.chain.logbook import Logbook
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import LogId
from meshnode.core.records import LogRecord
from meshnode.core.trust.rings import STRANGERS

MAX_STRANGERS: Final = 1024
STRANGERS_SHARE: Final = 0.1  # of the store


class Shares:
    """Bytes and last use of each log of a book. Who changes the ring of a log calls `count_strangers`."""

    def __init__(self, ctx: Context, book: Logbook) -> None:
        self._ctx = ctx
        self._book = book
        self.bytes: dict[LogId, int] = {}
        self.used: dict[LogId, Instant] = {}  # least recently used first
        self.strangers = 0  # bytes of all their logs
        self.carried = 0  # bytes of bodies of nearer writers that this version does not act upon
        self._strangers: dict[LogId, None] = {}  # their logs, least recently used first

    def restore(self, record: LogRecord) -> None:
        """Go on from the disk, with the least recently used first; `count_strangers` follows."""
        self.bytes[record.log], self.used[record.log] = record.bytes, record.used_at

    def count_strangers(self) -> None:
        """Rings were set: whose logs, and how much of the store, are strangers'."""
        self._strangers = {log: None for log in self.used if self._book.logs[log].ring == STRANGERS}
        self.strangers = sum(self.bytes.get(log, 0) for log in self._strangers)

    def use(self, log: Log) -> None:
        """Somebody wanted it, or it grew."""
        self.used.pop(log.id, None)
        self.used[log.id] = self._ctx.now
        if log.ring == STRANGERS:
            self._strangers.pop(log.id, None)
            self._strangers[log.id] = None

    def weigh(self, log: Log, by: int) -> None:
        """It takes so much more, or less."""
        before = self.bytes.get(log.id, 0)
        after = self.bytes[log.id] = max(0, before + by)
        if log.ring == STRANGERS:
            self.strangers += after - before

    def forget(self, log: LogId) -> None:
        """It is held no longer."""
        size = self.bytes.pop(log, 0)
        self.used.pop(log, None)
        if log in self._strangers:
            del self._strangers[log]
            self.strangers -= size

    def carry(self, size: int) -> bool:
        """Take a body that is only carried; False when it is too much."""
        if self.strangers + self.carried + size > self._limit:
            return False
        self.carried += size
        return True

    @property
    def exceeded(self) -> bool:
        """Strangers take more than their share."""
        return self.strangers > self._limit

    def next_to_go(self, newcomer: LogId) -> LogId | None:
        """The stranger's log that makes room for this one; None when there is room, or no other to go."""
        others = len(self._strangers) - (newcomer in self._strangers)
        if others < MAX_STRANGERS and not self.exceeded:
            return None
        return next((log for log in self._strangers if log != newcomer), None)

    @property
    def _limit(self) -> float:
        return self._ctx.settings.store_limit * STRANGERS_SHARE

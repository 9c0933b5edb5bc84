"""Bodies that are missing behind a held header: wanted from one holder after another, with waits up to an hour.

"Missing" is neither "dropped here" (by quota) nor "removed" (by its author, below the floor): a relay that strips
bodies must not pass for either (rule 4.3).
"""

from __future__ import annotations

from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.logs import Logs
from meshnode.core.ids import LogId
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.records import BODY_MISSING
from meshnode.core.wire.frames import Want, Wish

FIRST_WAIT_S: Final = 10.0
LONGEST_WAIT_S: Final = 3600.0
AT_ONCE: Final = 16
PAUSE_S: Final = 2.0
MAX_WANTED: Final = 4096


class Bodies:
    """What is missing, and when to ask whom."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._wanted: dict[tuple[LogId, int], tuple[Instant, float]] = {}
        self._turn = 0

    def restore(self) -> None:
        """Look through the logs after a restart."""
        for log in self._logs.book.logs.values():
            for seq in log.missing_bodies():
                self.missing(log.id, seq)

    def missing(self, log: LogId, seq: int) -> None:
        """A header came without its body."""
        if len(self._wanted) < MAX_WANTED:
            self._wanted.setdefault((log, seq), (self._ctx.now + FIRST_WAIT_S, FIRST_WAIT_S))

    def wakeup(self) -> Instant | None:
        """When to ask next; nothing while nobody is there."""
        if not self._wanted or not self._neighbours.reachable():
            return None
        return min(at for at, _ in self._wanted.values())

    def tick(self) -> None:
        """Ask the next holder for what is due."""
        due = [key for key, (at, _) in self._wanted.items() if at <= self._ctx.now]
        holders = self._neighbours.reachable()
        if not due or not holders:
            return
        wishes: list[Wish] = []
        for log, seq in due:
            held = self._logs.book.get(log)
            if held is None or held.state_at(seq) != BODY_MISSING:
                del self._wanted[(log, seq)]
            elif len(wishes) == AT_ONCE:
                self._wanted[(log, seq)] = (self._ctx.now + PAUSE_S, self._wanted[(log, seq)][1])
            else:
                wait = min(LONGEST_WAIT_S, 2 * self._wanted[(log, seq)][1])
                self._wanted[(log, seq)] = (self._ctx.now + wait, wait)
                wishes.append(Wish(held.handle, seq, 1, bodies_only=True))
        if wishes:
            self._turn += 1
            self._neighbours.send(holders[self._turn % len(holders)], Want(tuple(wishes)), 0)

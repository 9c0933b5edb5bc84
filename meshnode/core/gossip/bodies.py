"""Bodies that are missing behind a held header: wanted from one holder after another, with waits up to an hour.

"Missing" is neither "dropped here" (by quota) nor "removed" (by its author, below the floor): a relay that strips
bodies must not pass for either (rule 4.3). A stranger's are asked for ten times, over two hours, and then left: who
has a small store shall not be asked for what it dropped for ever. They are wanted anew when the writer comes nearer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnode.core.chain.log import Log
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.logs import Logs
from meshnode.core.ids import LogId
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.trust.rings import STRANGERS
from meshnode.core.wire.frames import Want, Wish

FIRST_WAIT_S: Final = 10.0
LONGEST_WAIT_S: Final = 3600.0
AT_ONCE: Final = 16  # stretches
BLOCKS_AT_ONCE: Final = 64  # what is answered at once (rule 5.5)
PAUSE_S: Final = 2.0
MAX_WANTED: Final = 4096


@dataclass(slots=True)
class Wanted:
    """One log with bodies missing: when to ask, how long to wait then, and from where on."""

    at: Instant
    wait_s: float = FIRST_WAIT_S
    after: int = 0


class Bodies:
    """The logs in which something is missing, and when to ask whom."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._wanted: dict[LogId, Wanted] = {}
        self._turn = 0

    def restore(self) -> None:
        """Look through the logs after a restart."""
        for log in self._logs.book.logs.values():
            if next(log.missing_bodies(), 0):
                self.missing(log.id)

    def missing(self, log: LogId) -> None:
        """A header came without its body, or bodies are wanted anew."""
        if len(self._wanted) < MAX_WANTED:
            self._wanted.setdefault(log, Wanted(self._ctx.now + FIRST_WAIT_S))

    def came(self, log: LogId) -> None:
        """One that was missing is here: who had it has more, perhaps."""
        wanted = self._wanted.get(log)
        if wanted is not None:
            wanted.at, wanted.wait_s = min(wanted.at, self._ctx.now + PAUSE_S), FIRST_WAIT_S

    def wakeup(self) -> Instant | None:
        """When to ask next; nothing while nobody is there."""
        if not self._wanted or not self._neighbours.reachable():
            return None
        return min(wanted.at for wanted in self._wanted.values())

    def tick(self) -> None:
        """Ask the next holder for what is due."""
        due = [log for log, wanted in self._wanted.items() if wanted.at <= self._ctx.now]
        holders = self._neighbours.reachable() if due else []
        if not holders:
            return
        wishes: list[Wish] = []
        for log in due:
            held = self._logs.book.get(log)
            if held is None or not next(held.missing_bodies(), 0):
                del self._wanted[log]
            elif len(wishes) == AT_ONCE:
                self._wanted[log].at = self._ctx.now + PAUSE_S
            else:
                wishes += self._wish(held, AT_ONCE - len(wishes))
        if wishes:
            self._turn += 1
            self._neighbours.send(holders[self._turn % len(holders)], Want(tuple(wishes)), 0)

    def _wish(self, log: Log, most: int) -> list[Wish]:
        """The next stretches of a log, from the start again after the last; none when long asked of a stranger's."""
        wanted = self._wanted[log.id]
        if log.ring >= STRANGERS and wanted.wait_s >= LONGEST_WAIT_S:
            del self._wanted[log.id]
            return []
        found, room = list[Wish](), BLOCKS_AT_ONCE
        for first, count in _stretches(log, wanted.after):
            if len(found) == most or not room:
                break
            count = min(count, room)
            room -= count
            wanted.after = first + count - 1
            found.append(Wish(log.handle, first, count, bodies_only=True))
        else:
            wanted.after = 0
        wanted.at = self._ctx.now + wanted.wait_s
        wanted.wait_s = min(LONGEST_WAIT_S, 2 * wanted.wait_s)
        return found


def _stretches(log: Log, after: int) -> Iterator[tuple[int, int]]:
    """Missing bodies in a row above a seq, or all when there are none above it."""
    seqs = [seq for seq in log.missing_bodies() if seq > after] or list(log.missing_bodies())
    first = last = seqs[0]
    for seq in seqs[1:]:
        if seq != last + 1:
            yield first, last - first + 1
            first = seq
        last = seq
    yield first, last - first + 1

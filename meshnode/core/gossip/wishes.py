"""What a neighbour has and we lack: which logs, how far, and what may still come by itself.

A neighbour tells of a log by its handle, 4 B. Of a log that is held here the gaps are asked for. What is not held is
asked for by its full id, once somebody told it (RefWant); in a crowd, once, by its handle, for there the first block
comes to all and names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from meshnode.core.chain.log import Log
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.pace import SETTLE_S, STEADY_S
from meshnode.core.gossip.peer import Peer
from meshnode.core.ids import LogId, log_handle
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.wire.frames import Change, Wish
from meshnode.core.wire.limits import MAX_WISHES

WANT_WAIT_S: Final = 3.0
WANT_BLOCKS: Final = 64  # answered at once: about what 32 KiB hold
MAX_REFS: Final = 1024


class Wishes:
    """What we would ask the `peers` of this node for, by node key."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs, peers: Mapping[bytes, Peer]) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._peers = peers
        self._refs: dict[bytes, LogId] = {}  # full ids of logs we do not hold
        self._asked_refs: dict[bytes, Instant] = {}
        self._by_handle: dict[bytes, Instant] = {}  # asked for without the full id, and not again before
        self._flowing: dict[LogId, tuple[Instant, Instant]] = {}  # logs of which news comes unasked: since when, last

    def of(self, peer: Peer) -> tuple[list[tuple[LogId, Wish]], list[bytes]]:
        """What this neighbour has and we lack and did not ask for yet; and handles we cannot place."""
        wishes: list[tuple[LogId, Wish]] = []
        handles: list[bytes] = []
        for change in reversed(peer.told.values()):
            held = self._logs.book.candidates(change.handle)
            for log in held:
                wishes += [(log.id, wish) for wish in self._wish_for(log, change)]
            if not held:
                self._wish_unknown(peer, change, wishes, handles)
        if not wishes:
            return [], handles
        now = self._ctx.now
        asked = {log for other in self._peers.values() for log, (until, _) in other.wants.items() if until > now}
        return [(log, wish) for log, wish in wishes if log not in asked], handles

    def fitting(self, wishes: list[tuple[LogId, Wish]], payload: int) -> list[tuple[LogId, Wish]]:
        """As many as one datagram holds, and about as many blocks as are answered at once.

        The last wish tells the whole of what is missing: much of it, and the other side may call us instead.
        """
        chosen: list[tuple[LogId, Wish]] = []
        room, blocks = payload, WANT_BLOCKS
        for log, wish in wishes[:MAX_WISHES]:
            room -= len(wish.log) + 9
            if room < 0 or blocks <= 0:
                break
            chosen.append((log, wish))
            blocks -= wish.count
        return chosen

    def flows(self, log: LogId) -> None:
        """News of a log came unasked: more of it is on its way, most likely."""
        now = self._ctx.now
        since, last = self._flowing.pop(log, (now, NEVER))
        self._flowing[log] = (since if last > now - SETTLE_S else now, now)
        while len(self._flowing) > MAX_REFS:
            del self._flowing[next(iter(self._flowing))]

    def in_flight(self, log: LogId) -> Instant | None:
        """Until when what is missing of a log may still come by itself; asked for all the same after a while."""
        held = self._logs.book.get(log)
        if held is None or held.forked or held.below is not None:
            return None
        since, last = self._flowing.get(log, (NEVER, NEVER))
        until = min(last + SETTLE_S, since + STEADY_S)
        return until if until > self._ctx.now else None

    def named(self, handle: bytes) -> LogId | None:
        """The log that a handle means, held or not."""
        held = self._logs.book.candidates(handle)
        return held[0].id if held else self._refs.get(handle) or self._logs.admission.refused_as(handle)

    # full ids

    def asked_refs(self, handles: Iterable[bytes]) -> None:
        """The full ids of these handles were asked for: not again at once."""
        now = self._ctx.now
        self._asked_refs = {handle: until for handle, until in self._asked_refs.items() if until > now}
        self._asked_refs.update((handle, now + WANT_WAIT_S) for handle in handles)

    def refs_came(self, logs: Iterable[LogId]) -> None:
        """Full ids that somebody told; those nobody asked for are not kept."""
        for log in logs:
            if self._asked_refs.pop(log_handle(log), None) is not None:
                self.note_ref(log)

    def not_heard(self, handles: Iterable[bytes]) -> None:
        """What was asked about these handles was not heard, or could not be answered."""
        for handle in handles:
            self._asked_refs.pop(handle, None)

    def note_ref(self, log: LogId) -> None:
        """The full id of a log that is not held here."""
        self._refs[log_handle(log)] = log
        while len(self._refs) > MAX_REFS:
            del self._refs[next(iter(self._refs))]

    def asked_by_handle(self, handle: bytes) -> None:
        """That log is named by no more than its handle: not again, until somebody told its id."""
        self._by_handle[handle] = self._ctx.now + WANT_WAIT_S
        while len(self._by_handle) > MAX_REFS:
            del self._by_handle[next(iter(self._by_handle))]

    # how

    def _wish_for(self, log: Log, change: Change) -> list[Wish]:
        stretches = log.gaps(change.head)
        if change.forked and not log.forked:
            stretches.append((change.head + 1, 1))  # answered by the proof
        if log.below is not None:
            stretches.append(log.below)
        if not stretches or self._logs.admission.refuses(log.id):
            return []
        twins = len(self._logs.book.candidates(change.handle)) > 1
        return [Wish(log.id if twins else log.handle, first, count) for first, count in stretches]

    def _wish_unknown(self, peer: Peer, change: Change, wishes: list[tuple[LogId, Wish]], handles: list[bytes]) -> None:
        """Of a log that is not held here; what would be refused for its hop's sake is not asked of that hop."""
        log, now, admission = self._refs.get(change.handle), self._ctx.now, self._logs.admission
        if log is not None:
            if change.head and not admission.refuses(log) and not admission.waits(log, peer.node):
                wishes.append((log, Wish(log, 1, change.head)))
        elif admission.refused_as(change.handle) is not None or now < self._by_handle.get(change.handle, NEVER):
            return
        elif self._may_name_itself(peer, change):
            wishes.append((LogId(change.handle), Wish(change.handle, 1, change.head)))
        elif self._asked_refs.get(change.handle, 0.0) <= now:
            handles.append(change.handle)

    def _may_name_itself(self, peer: Peer, change: Change) -> bool:
        """In a crowd a log is asked for without its full id, once: the first block, which comes to all, names it."""
        known = not change.head or change.handle in self._by_handle or self._logs.admission.spent(peer.node)
        return not known and any(self._neighbours.crowded(link) for link in self._ctx.links)

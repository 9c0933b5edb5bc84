"""What peers of sessions asked for, page by page, no faster than the far end takes them.

Want --> read a page from the store --> Runs --> the next one, once it had time and bytes for more
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from meshnode.core.chain.block import stored_block
from meshnode.core.context import Context
from meshnode.core.effects import ReadStored
from meshnode.core.gossip.flood import class_of, crossing
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.serve import TOKENS, fork_frame, runs
from meshnode.core.gossip.sync import BATCH, Sync
from meshnode.core.ids import LogId
from meshnode.core.inputs import Stored
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.records import BODY_DROPPED, BODY_HELD, BlockRecord
from meshnode.core.trust.rings import STRANGERS
from meshnode.core.wire.frames import Frame, Want

PAGE_BLOCKS: Final = 64
QUEUE: Final = 128 * 1024  # bytes on their way to a peer before we wait for it
MAX_SERVING: Final = 4096  # wishes of a peer that wait
FIRST_TOKEN: Final = TOKENS << 1


class Pages:
    """Serves all sessions of a node. `send`: one frame to a session."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs, send: Callable[[Sync, Frame], None]) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._gate = neighbours.gate
        self._send = send
        self._token = FIRST_TOKEN

    def want(self, sync: Sync, want: Want) -> None:
        """It asks for blocks, or for bodies alone."""
        for wish in want.wishes:
            for log in self._logs.candidates(wish.log):
                if sync.uplink and not self._gate.carries(log.id):
                    continue
                self._logs.shares.use(log)
                if log.proof is not None and wish.first + wish.count - 1 > log.head:
                    self._send(sync, fork_frame(log.proof))
                first, last = wish.first, min(wish.first + wish.count - 1, log.last, log.served)
                if not log.last or last < first or len(sync.serving) >= MAX_SERVING:
                    continue
                (sync.bodies_only.add if wish.bodies_only else sync.bodies_only.discard)(log.id)
                if wish.bodies_only:
                    held = log.held_bodies(first, min(last, first + PAGE_BLOCKS - 1))
                    sync.serving += [(log.id, start, count) for start, count in held]
                else:
                    sync.serving.append((log.id, first, last - first + 1))
        self.serve(sync)

    def read(self, sync: Sync, stored: Stored) -> None:
        """A page was read: it goes out, and the next one is asked for."""
        sync.reading = 0
        everyone = {row.log for row in stored.blocks}
        rows = self._for_uplink(sync, stored.blocks) if sync.uplink else stored.blocks
        for run, size, _ in runs(rows, BATCH, everyone):
            self._neighbours.pay_in_session(sync.neighbour, size)
            self._send(sync, run)
        self.serve(sync)

    def serve(self, sync: Sync) -> None:
        """Read the next page, unless one is being read, too much is on its way, or it had its share for now."""
        sync.serve_at = None
        if sync.reading or not sync.serving or sync.queued >= QUEUE:
            return
        if sync.rests(self._gate):
            sync.serving.clear()
            return
        if wait_s := self._neighbours.may_have_in_s(sync.neighbour):
            sync.serve_at = self._ctx.now + wait_s
            return
        page, blocks, size = list[tuple[LogId, int, int]](), PAGE_BLOCKS, BATCH
        while sync.serving and blocks > 0 and size > 0:
            log, first, count = sync.serving.popleft()
            taken, size = self._page(log, first, min(count, blocks), size)
            page.append((log, first, taken))
            blocks -= taken
            if taken < count:
                sync.serving.appendleft((log, first + taken, count - taken))
        self._token += 1
        sync.reading = self._token
        self._ctx.emit(ReadStored(sync.reading, tuple(page)))

    def _page(self, log: LogId, first: int, count: int, room: int) -> tuple[int, int]:
        """How many blocks from `first` on fit, at least one, and the room left."""
        held, taken = self._logs.book.get(log), 0
        while taken < count and (room > 0 or not taken):
            seq = first + taken
            room -= 100 + (held.rows.body_len_at(seq) if held is not None and seq in held.rows else 0)
            taken += 1
        return taken, room

    # over an uplink

    def _for_uplink(self, sync: Sync, rows: Iterable[BlockRecord]) -> list[BlockRecord]:
        """Blocks as they cross: without the body where a rule keeps that here. The chain holds, the text waits."""
        found = []
        for row in rows:
            if self._crosses(row):
                found.append(row)
            elif row.log not in sync.bodies_only:
                found.append(replace(row, body=b"", body_state=BODY_DROPPED))
        return found

    def _crosses(self, row: BlockRecord) -> bool:
        block = stored_block(row.content, row.signature, row.body if row.body_state == BODY_HELD else None)
        log = self._logs.book.get(row.log)
        item = crossing(block, class_of(block, log.ring if log is not None else STRANGERS))
        if rule := self._gate.refuses(item):
            self._gate.held.note(item, rule)
            return False
        self._gate.held.forget(item.id)
        return True

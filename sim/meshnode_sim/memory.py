"""The store of one simulated node: the rows a host keeps, in memory, with what a power cut leaves of them.

A commit is whole or not there. A promise syncs it and all before it; other commits reach the disk by themselves within
30 s (the age at which Linux writes dirty pages, vm.dirty_expire_centisecs), so a power cut takes the newest of those,
from some commit on. Bodies, envelopes and signatures are the same objects in all stores of a world.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import Any, Final, TypeVar

from meshnode.core.effects import Effect, Forget, Persist, ReadStored
from meshnode.core.inputs import Stored
from meshnode.core.records import (
    BlockIndex,
    BlockRecord,
    ChunkRecord,
    EnvelopeRecord,
    FactRecord,
    Keyed,
    MessageRecord,
    Record,
    Snapshot,
    StateRecord,
)

EPOCH_FACT: Final = "boot_epoch"
WRITEBACK_S: Final = 30.0
KEEP_NOW_S: Final = 600.0  # where nothing is written for so long the host writes the time
_APART: Final = (BlockRecord, MessageRecord, ChunkRecord)  # not among the records of a snapshot as they are
_CHANGES: Final = (Persist, Forget)
_OVER: Final = ("delivered", "read", "expired")

R = TypeVar("R", bound=Keyed)
Key = tuple[Any, ...]
Rows = Mapping[type[Keyed], Mapping[Key, Keyed]]
_Undo = tuple[type[Keyed], Key, Keyed | None]


class Pool:
    """Equal bytes kept once for all nodes."""

    def __init__(self) -> None:
        self._bytes: dict[bytes, bytes] = {}
        self._indices: dict[tuple[bytes, int, int], BlockIndex] = {}

    def index(self, block: BlockRecord) -> BlockIndex:
        """What a snapshot says of a block, the same object for all who hold it."""
        state, size = block.body_state, len(block.body)
        found = self._indices.get((block.id, state, size))
        if found is None:
            found = BlockIndex(block.log, block.seq, block.id, block.kind, state, size, block.content[64:84])
            self._indices[block.id, state, size] = found
        return found

    def shared(self, record: Record) -> Record:
        """The record with the bytes that many nodes hold replaced by the common object."""
        once = self._bytes.setdefault
        if isinstance(record, BlockRecord):
            content, signature = record.content, record.signature
            return replace(
                record,
                content=once(content, content),
                signature=once(signature, signature),
                body=once(record.body, record.body),
            )
        if isinstance(record, EnvelopeRecord):
            return replace(record, data=once(record.data, record.data))
        if isinstance(record, ChunkRecord):
            return replace(record, body=once(record.body, record.body))
        return record


class Memory:
    """Rows by table and key, and the powered-on time of the last commit."""

    def __init__(self, pool: Pool) -> None:
        self.now = 0.0
        self.pool = pool
        self._tables: dict[type[Keyed], dict[Key, Keyed]] = {}
        self._unsynced: deque[tuple[float, float, list[_Undo]]] = deque()  # when, `now` before, what it replaced

    # ---------------------------------------------------------------- writing

    def commit(self, effects: Iterable[Effect], now: float) -> None:
        """Every Persist and Forget among these, as one transaction."""
        changes = [effect for effect in effects if isinstance(effect, _CHANGES)] if effects else []
        if not changes:
            if now >= self.now + KEEP_NOW_S:
                self._keep_now(now)
            return
        before = self.now
        undo: list[_Undo] = []
        for change in changes:
            self._apply(change, undo)
        self.now = max(self.now, now)
        self._unsynced.append((now, before, undo))
        if any(change.promise for change in changes):
            self._unsynced.clear()
        while self._unsynced and self._unsynced[0][0] < now - WRITEBACK_S:
            self._unsynced.popleft()

    def share(self, rows: Rows) -> None:
        """Rows of another store, synced; keys and records are the same objects in both."""
        for table, found in rows.items():
            self._tables.setdefault(table, {}).update(found)

    def lose_power(self, draw: Callable[[int], int]) -> None:
        """Of the commits not yet on disk the newest are lost: `draw(n)` says from which of 0..n on."""
        kept = draw(len(self._unsynced))
        while len(self._unsynced) > kept:
            _, self.now, undo = self._unsynced.pop()
            for table, key, before in reversed(undo):
                if before is None:
                    self._tables[table].pop(key, None)
                else:
                    self._tables[table][key] = before
        self._unsynced.clear()

    def raise_epoch(self) -> int:
        """Counts one more start, before the node is made."""
        fact = self.get(FactRecord, EPOCH_FACT)
        epoch = int.from_bytes(fact.value, "big") + 1 if fact is not None else 1
        self.commit([Persist((FactRecord(EPOCH_FACT, epoch.to_bytes(3, "big")),), promise=True)], self.now)
        return epoch

    # ---------------------------------------------------------------- reading

    def get(self, table: type[R], *key: Any) -> R | None:
        """One row, or None."""
        return self._tables.get(table, {}).get(key)  # type: ignore[return-value]

    def every(self, table: type[R]) -> list[R]:
        """All rows of a table, in the order they were first written."""
        return list(self._tables.get(table, {}).values())  # type: ignore[arg-type]

    def rows(self, *tables: type[Keyed]) -> Rows:
        """All rows of these tables, for `share`."""
        return {table: self._tables.get(table, {}) for table in tables}

    def count(self) -> int:
        """Rows of all tables."""
        return sum(len(rows) for rows in self._tables.values())

    def answer(self, asked: ReadStored) -> Stored:
        """What is there of the blocks, envelopes and chunks asked for."""
        found = (row for log, first, number in asked.blocks for row in self._stretch(log, first, number))
        blocks = islice(found, asked.most or None)
        envelopes = (self.get(EnvelopeRecord, name) for name in asked.envelopes)
        chunks = (self.get(ChunkRecord, *pair) for pair in asked.chunks)
        return Stored(
            asked.token,
            tuple(blocks),
            tuple(row for row in envelopes if row is not None),
            tuple(row for row in chunks if row is not None),
        )

    def snapshot(self) -> Snapshot:
        """All a node needs to go on."""
        over = {state.message for state in self.every(StateRecord) if state.state in _OVER}
        mine = [m for m in self.every(MessageRecord) if m.outgoing and not m.channel and m.id not in over]
        blocks = sorted(self.every(BlockRecord), key=lambda row: (row.log, row.seq))
        rest = [rows for table, rows in self._tables.items() if table not in _APART]
        return Snapshot(
            now=self.now,
            blocks=tuple(map(self.pool.index, blocks)),
            records=tuple(row for rows in rest for row in rows.values()),  # type: ignore[misc]
            pending=tuple(sorted(mine, key=lambda message: message.cursor)),
            chunks=tuple((chunk.file, chunk.number) for chunk in self.every(ChunkRecord)),
        )

    # ---------------------------------------------------------------- details

    def _apply(self, change: Persist | Forget, undo: list[_Undo]) -> None:
        if isinstance(change, Persist):
            for record in change.records:
                table = type(record)
                rows = self._tables.setdefault(table, {})
                key = _key_of(table)(record)
                undo.append((table, key, rows.get(key)))
                rows[key] = self.pool.shared(record)
        else:
            for gone in change.keys:
                before = self._tables.get(gone.table, {}).pop(gone.key, None)
                undo.append((gone.table, gone.key, before))

    def _keep_now(self, now: float) -> None:
        self._unsynced.append((now, self.now, []))
        self.now = now

    def _stretch(self, log: bytes, first: int, number: int) -> list[BlockRecord]:
        """As an index does it: what is asked for may be far longer than what is there."""
        if number > len(self._tables.get(BlockRecord, {})):
            rows = (row for row in self.every(BlockRecord) if row.log == log and first <= row.seq < first + number)
            return sorted(rows, key=lambda row: row.seq)
        found = (self.get(BlockRecord, log, seq) for seq in range(first, first + number))
        return [row for row in found if row is not None]


_KEYS: dict[type[Keyed], Callable[[Any], Key]] = {}


def _key_of(table: type[Keyed]) -> Callable[[Any], Key]:
    """The primary key of a record of this table, as a tuple."""
    getter = _KEYS.get(table)
    if getter is None:
        names = table.KEY
        only = attrgetter(names[0])
        getter = attrgetter(*names) if len(names) > 1 else lambda record: (only(record),)
        _KEYS[table] = getter
    return getter

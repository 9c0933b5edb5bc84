"""The disk of one box in a trial: rows as the host commits them, and what a power cut leaves of them.

A commit is whole or not there. What was promised is synced, with all before it; of later commits a power cut leaves
some from the oldest on, as a write-ahead log does. Messages and bodies are read back as the store reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from meshnode.core.effects import Effect, Forget, Persist
from meshnode.core.records import (
    BlockIndex,
    BlockRecord,
    ChunkRecord,
    EnvelopeRecord,
    FactRecord,
    MessageRecord,
    Record,
    RecordKey,
    Snapshot,
    StateRecord,
)

EPOCH_FACT = "boot_epoch"
KEEP_NOW_S = 600.0
_OVER = ("delivered", "read", "expired")
_APART = (BlockRecord, MessageRecord, ChunkRecord)
Rows = dict[tuple[type, tuple[Any, ...]], Record]


class TrialDisk:
    """Rows by table and key, and the powered-on time of the last commit."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.now = 0.0
        self._synced: Rows = {}
        self._synced_now = 0.0
        self._unsynced: list[tuple[list[Effect], float]] = []

    def commit(self, effects: Iterable[Effect], now: float) -> None:
        """Every Persist and Forget among these, in one transaction; synced if one of them is a promise."""
        changes = [effect for effect in effects if isinstance(effect, Persist | Forget)]
        if not changes:
            return
        _apply(self.rows, changes)
        self.now = max(self.now, now)
        self._unsynced.append((list(changes), now))
        if any(change.promise for change in changes):
            self.sync()

    def keep_now(self, now: float) -> None:
        """Where nothing is written for ten minutes the host writes the time."""
        if now >= self.now + KEEP_NOW_S:
            self.now = now
            self._unsynced.append(([], now))

    def sync(self) -> None:
        for changes, now in self._unsynced:
            _apply(self._synced, changes)
            self._synced_now = max(self._synced_now, now)
        self._unsynced.clear()

    def lose_power(self, chance: Random) -> None:
        """Of what was not synced, the first few commits survive."""
        kept = chance.randint(0, len(self._unsynced))
        del self._unsynced[kept:]
        self.sync()
        self.rows = dict(self._synced)
        self.now = self._synced_now

    def copy(self) -> TrialDisk:
        """What a backup of the whole card would hold."""
        twin = TrialDisk()
        twin.rows, twin.now = dict(self.rows), self.now
        twin._synced, twin._synced_now = dict(self.rows), self.now
        return twin

    def raise_epoch(self) -> int:
        """Count one more start, before the node is made."""
        fact = self.rows.get((FactRecord, (EPOCH_FACT,)))
        epoch = int.from_bytes(fact.value, "big") + 1 if isinstance(fact, FactRecord) else 1
        self.commit([Persist((FactRecord(EPOCH_FACT, epoch.to_bytes(3, "big")),), promise=True)], self.now)
        return epoch

    def every(self, table: type) -> list[Any]:
        return [record for (kind, _), record in self.rows.items() if kind is table]

    def get(self, table: type, *key: Any) -> Any:
        return self.rows.get((table, key))

    def drop(self, *tables: type) -> None:
        """Take whole tables away, as a restore from a backup does."""
        gone = tuple(RecordKey(kind, key) for kind, key in self.rows if kind in tables)
        self.commit([Forget(gone, promise=True)], self.now)

    def snapshot(self) -> Snapshot:
        over = {state.message for state in self.every(StateRecord) if state.state in _OVER}
        mine = [m for m in self.every(MessageRecord) if m.outgoing and not m.channel and m.id not in over]
        blocks = sorted(self.every(BlockRecord), key=lambda row: (row.log, row.seq))
        return Snapshot(
            now=self.now,
            blocks=tuple(
                BlockIndex(b.log, b.seq, b.id, b.kind, b.body_state, len(b.body), b.content[64:84]) for b in blocks
            ),
            records=tuple(r for (kind, _), r in self.rows.items() if kind not in _APART),
            pending=tuple(sorted(mine, key=lambda message: message.cursor)),
            chunks=tuple((chunk.file, chunk.number) for chunk in self.every(ChunkRecord)),
        )

    def blocks(self, wanted: Iterable[tuple[bytes, int, int]]) -> tuple[BlockRecord, ...]:
        return tuple(row for log, first, number in wanted for row in self._stretch(log, first, number))

    def _stretch(self, log: bytes, first: int, number: int) -> list[BlockRecord]:
        """As an index does it: what is asked for may be far longer than what is there."""
        if number > len(self.rows):
            rows = (row for row in self.every(BlockRecord) if row.log == log and first <= row.seq < first + number)
            return sorted(rows, key=lambda row: row.seq)
        found = (self.get(BlockRecord, log, seq) for seq in range(first, first + number))
        return [row for row in found if row is not None]

    def envelopes(self, wanted: Iterable[bytes]) -> tuple[EnvelopeRecord, ...]:
        found = (self.get(EnvelopeRecord, name) for name in wanted)
        return tuple(row for row in found if row is not None)

    def chunks(self, wanted: Iterable[tuple[bytes, int]]) -> tuple[ChunkRecord, ...]:
        found = (self.get(ChunkRecord, *pair) for pair in wanted)
        return tuple(row for row in found if row is not None)


def _apply(rows: Rows, changes: Iterable[Effect]) -> None:
    for change in changes:
        if isinstance(change, Persist):
            for record in change.records:
                rows[type(record), tuple(getattr(record, name) for name in record.KEY)] = record
        elif isinstance(change, Forget):
            for key in change.keys:
                rows.pop((key.table, key.key), None)

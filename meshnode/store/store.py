"""The store of one node: commits what the core asks to keep, hands it back after a restart, and minds its size.

All calls are plain functions for one thread at a time; the daemon makes them in a worker thread, one after the other.

A commit is one transaction and also writes the powered-on clock, so `now` goes on after a restart from where it was
last known. With `promise` it is on the disk when the call returns (`synchronous=FULL`): the write-ahead log is synced
and, with it, every earlier commit. Without, it is safe from a killed process, and from a power cut after the next sync.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from meshnode.core.effects import Forget, Persist
from meshnode.core.inputs import BodiesDropped, StoreState
from meshnode.core.records import BlockRecord, ChunkRecord, Keyed, MessageRecord, Record, Snapshot
from meshnode.errors import SignatureError, StoreError, StoreFullError
from meshnode.store import blocks, room
from meshnode.store.ballast import RESERVE, Ballast
from meshnode.store.database import PAGE, close_database, open_database, translated
from meshnode.store.mapping import ColumnKey, Row
from meshnode.store.reads import Reads
from meshnode.store.tables import TABLES

Changes = dict[type[Keyed], dict[Row, Record | None]]

_CHECKED = b"meshnode store"  # sealed in the file: tells at once whether the key fits
_PENDING = (
    "WHERE outgoing AND channel = x'' AND id NOT IN"
    " (SELECT message FROM state WHERE state IN ('delivered', 'read', 'expired')) ORDER BY cursor"
)


class Store:
    """An open store. `now` is the highest powered-on second it has been told."""

    def __init__(self, path: Path, key: ColumnKey, limit: int, *, vfs: str | None = None, reserve: bool = True) -> None:
        """Open or make it. `vfs` names another file system layer (tests); `reserve` lays ballast beside the file."""
        self._path = path
        self._key = key
        self._limit = limit
        self._database = open_database(path, vfs)
        self._ballast = Ballast(path.with_suffix(".reserve")) if reserve else None
        self._full_sync = True
        self._refusing = False
        self._dropped: room.Dropped = []
        self.reads = Reads(self._database, key)
        try:
            self.now = self._begin()
        except StoreError:
            self._database.close()
            raise

    def _begin(self) -> float:
        with translated(self._path.name):
            self._database.pragma("max_page_count", self._limit // PAGE)
            row = self._database.execute("SELECT now, key_check FROM meta").fetchone()
            if row is None:
                sealed = self._key.seal(_CHECKED, b"meta")
                self._database.execute("INSERT INTO meta (one, now, key_check) VALUES (1, 0, ?)", (sealed,))
            else:
                self._check_key(row[1])
            return 0.0 if row is None else float(row[0])

    def _check_key(self, sealed: bytes) -> None:
        try:
            self._key.open_untrusted(sealed, b"meta")
        except SignatureError as error:
            name = self._path.name
            raise StoreError(f"{name} does not open with this home's key; put the right key file back.") from error

    def copy_to(self, target: Path) -> None:
        """A copy in one file, written anew; commits wait for it. The target must not be there yet."""
        with translated(target.name):
            self._database.execute("VACUUM INTO ?", (str(target),))

    def commit(self, effects: Iterable[Persist | Forget], now: float, promise: bool) -> None:
        """Write all of it or nothing. StoreFullError: nothing was written, and nothing may be acknowledged."""
        changes = _gathered(effects)
        try:
            self._transact(changes, now, promise)
        except StoreFullError:
            if self._ballast is None or not self._ballast.held:
                raise
            self._ballast.give_up()
            self._turn_log_over()
            self._transact(changes, now, promise)

    def _turn_log_over(self) -> None:
        """Let the write-ahead log begin again at its start, so that it needs no more of the disk than it has."""
        try:
            with translated(self._path.name):
                self._database.wal_checkpoint()
        except StoreFullError:
            pass  # it goes on growing instead, as long as it can

    def _transact(self, changes: Changes, now: float, promise: bool) -> None:
        with translated(self._path.name):
            self._sync_fully(promise)
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._write(changes)
                self._database.execute("UPDATE meta SET now = max(now, ?)", (now,))
                self._database.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        self.now = max(self.now, now)

    def _write(self, changes: Changes) -> None:
        for kind, rows in changes.items():
            table = TABLES[kind]
            table.drop(self._database, [key for key, record in rows.items() if record is None])
            table.put(self._database, self._key, [record for record in rows.values() if record is not None])

    def _roll_back(self) -> None:
        if self._database.in_transaction:  # a full disk may have ended it already
            self._database.execute("ROLLBACK")

    def _sync_fully(self, promise: bool) -> None:
        if promise != self._full_sync:
            self._database.execute(f"PRAGMA synchronous = {'FULL' if promise else 'NORMAL'}")
            self._full_sync = promise

    def snapshot(self) -> Snapshot:
        """All a node needs to go on."""
        kinds = [kind for kind in get_args(Record) if kind not in (BlockRecord, MessageRecord, ChunkRecord)]
        with translated(self._path.name):
            return Snapshot(
                now=self.now,
                blocks=tuple(blocks.index(self._database)),
                records=tuple(record for kind in kinds for record in self.reads.every(kind)),
                pending=tuple(self.reads.every(MessageRecord, _PENDING)),
                chunks=tuple(self.reads.chunk_numbers()),
            )

    def make_room(self, now: float) -> StoreState:
        """Evict while the store is nearly full (room.py), look after the reserve, and say how things stand."""
        with translated(self._path.name):
            target = self._limit - RESERVE - self._margin
            going = True
            while going and (over := self.used - target) > 0:
                dropped: room.Dropped = []
                with self._database:
                    going = room.evict_once(self._database, now, over, dropped)
                self._dropped += dropped
        self._refusing = self._disk_scarce() or self.used > self._limit - RESERVE
        return self.state()

    def take_dropped(self) -> BodiesDropped:
        """The blocks that lost their bodies to `make_room` since this was asked last."""
        dropped, self._dropped = self._dropped, []
        return BodiesDropped(tuple(dropped))

    def _disk_scarce(self) -> bool:
        if self._ballast is None:
            return False
        self._ballast.lay()
        return self._ballast.scarce

    def state(self) -> StoreState:
        """How full it is, as the core is told."""
        return StoreState(self.used, self._limit, self._refusing)

    @property
    def used(self) -> int:
        """Bytes of the file that hold something."""
        with translated(self._path.name):
            return PAGE * int(self._database.pragma("page_count") - self._database.pragma("freelist_count"))

    @property
    def _margin(self) -> int:
        """What is made free beyond need, so that not every commit has to evict."""
        return self._limit // 50

    def close(self) -> None:
        """Move everything into the one file and let go."""
        close_database(self._database)


def _gathered(effects: Iterable[Persist | Forget]) -> Changes:
    """The last word on every row: what is written twice in one commit is written once."""
    changes: Changes = {}
    for effect in effects:
        if isinstance(effect, Persist):
            for record in effect.records:
                kind = type(record)
                changes.setdefault(kind, {})[TABLES[kind].key_of(record)] = record
        else:
            for gone in effect.keys:
                changes.setdefault(gone.table, {})[gone.key] = None
    return changes

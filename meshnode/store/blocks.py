"""Blocks: the one record class that stands in two tables, headers and bodies (schema.py says why)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apsw

from meshnode.core.ids import LogId
from meshnode.core.records import BlockIndex, BlockRecord
from meshnode.store.mapping import ColumnKey, Row, Table

_HEADER = ("log", "seq", "id", "body_state", "kind", "received_at", "content", "signature")

_PUT = f"""
INSERT INTO block ({", ".join(_HEADER)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (log, seq) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _HEADER[2:])}
RETURNING n
"""

_INDEX = """
SELECT log, seq, id, kind, body_state, coalesce(length(body), 0), substr(content, 65, 20)
FROM block LEFT JOIN body USING (n) ORDER BY log, seq
"""


class BlockTable(Table[BlockRecord]):
    """A header row keeps its number `n` for life, so an update does not make a block look newly arrived."""

    def __init__(self) -> None:
        super().__init__(BlockRecord)
        self.select = (
            "SELECT log, seq, id, content, signature, coalesce(body, x''), body_state, kind, received_at"
            " FROM block LEFT JOIN body USING (n)"
        )

    def put(self, database: apsw.Connection, key: ColumnKey, kept: Iterable[BlockRecord]) -> None:
        """Insert or replace, bodies apart."""
        blocks = list(kept)
        rows = [(b.log, b.seq, b.id, b.body_state, b.kind, b.received_at, b.content, b.signature) for b in blocks]
        numbers = [n for (n,) in database.executemany(_PUT, rows)]
        held = [(n, b.body) for n, b in zip(numbers, blocks, strict=True) if b.body]
        bare = [(n,) for n, b in zip(numbers, blocks, strict=True) if not b.body]
        database.executemany("INSERT OR REPLACE INTO body (n, body) VALUES (?, ?)", held)
        database.executemany("DELETE FROM body WHERE n = ?", bare)

    def drop(self, database: apsw.Connection, keys: Iterable[Row]) -> None:
        """Delete headers and bodies."""
        gone = list(keys)
        database.executemany("DELETE FROM body WHERE n = (SELECT n FROM block WHERE log = ? AND seq = ?)", gone)
        database.executemany("DELETE FROM block WHERE log = ? AND seq = ?", gone)


def index(database: apsw.Connection) -> Iterator[BlockIndex]:
    """What a node keeps in memory of every block; blocks of one log share one id object, for there are many."""
    shared: dict[bytes, LogId] = {}
    for log, *rest in database.execute(_INDEX):
        yield _entry(shared.setdefault(log, LogId(log)), *rest)


def _entry(log: LogId, seq: Any, block: Any, kind: Any, body_state: Any, body_len: Any, prev: Any) -> BlockIndex:
    return BlockIndex(log, seq, block, kind, body_state, body_len, prev)

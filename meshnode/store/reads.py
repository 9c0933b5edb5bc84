"""What others read from the store: blocks and envelopes to send, the inbox to show, counts for `status`.

Every answer is a page: the caller says how many rows it can use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import apsw

from meshnode.core.ids import ChannelId, EnvelopeId, FileId, LogId, MessageId, PersonaKey
from meshnode.core.records import (
    BlockRecord,
    ChannelRecord,
    ChunkRecord,
    ContactRecord,
    EnvelopeRecord,
    FileRecord,
    MessageRecord,
    Record,
    StateRecord,
)
from meshnode.errors import UsageError
from meshnode.store.database import translated
from meshnode.store.mapping import ColumnKey, Row
from meshnode.store.room import Going, next_to_go
from meshnode.store.tables import TABLES

R = TypeVar("R", bound=Record)
Filed = tuple[MessageRecord, StateRecord | None]

MESSAGE_ID = 16


class Reads:
    """Read access to an open store."""

    def __init__(self, database: apsw.Connection, key: ColumnKey) -> None:
        self._database = database
        self._key = key

    def blocks(self, wanted: Iterable[tuple[LogId, int, int]], most: int = 0) -> tuple[BlockRecord, ...]:
        """The blocks of each (log, first seq, count) that are there, in the order asked, with the bodies held.

        No more than the first `most` of them; 0: all.
        """
        where = "WHERE log = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?"
        found = list[BlockRecord]()
        for log, first, count in wanted:
            room = most - len(found) if most else -1  # -1 is no limit, as SQLite says it
            found += self._all(BlockRecord, where, (log, first, first + count, room))
        return tuple(found)

    def envelopes(self, wanted: Iterable[EnvelopeId]) -> tuple[EnvelopeRecord, ...]:
        """The envelopes that are there, in the order asked."""
        return tuple(envelope for id in wanted for envelope in self._all(EnvelopeRecord, "WHERE id = ?", (id,)))

    def chunks(self, wanted: Iterable[tuple[FileId, int]]) -> tuple[ChunkRecord, ...]:
        """The chunks (file, number) that are there, in the order asked."""
        return tuple(
            chunk for pair in wanted for chunk in self._all(ChunkRecord, "WHERE file = ? AND number = ?", pair)
        )

    def files(self) -> list[tuple[FileRecord, int]]:
        """The files that are here, or partly, each with how many of its chunks are."""
        counts: dict[bytes, int] = dict(self._rows("SELECT file, count(*) FROM chunk GROUP BY file"))
        return [(file, counts.get(file.file, 0)) for file in self._all(FileRecord)]

    def file(self, file: FileId) -> tuple[FileRecord, int] | None:
        """One of them; None where nothing of it is here."""
        found = next(self._all(FileRecord, "WHERE file = ?", (file,)), None)
        return None if found is None else (found, self._count(f"chunk WHERE file = x'{file.hex()}'"))

    def attached(self) -> list[MessageRecord]:
        """The messages that announce a file, oldest first."""
        return list(self._all(MessageRecord, "WHERE file <> x'' ORDER BY cursor"))

    def chunk_numbers(self) -> Iterator[tuple[FileId, int]]:
        """Which chunks are there, without their bodies; those of one file share its id."""
        shared: dict[bytes, FileId] = {}
        for file, number in self._rows("SELECT file, number FROM chunk ORDER BY file, number"):
            yield shared.setdefault(file, FileId(file)), number

    def inbox(
        self, since: int = 0, contact: PersonaKey | None = None, channel: ChannelId | None = None, limit: int = 100
    ) -> list[Filed]:
        """Messages with a cursor above `since`, oldest first; of one contact or one channel if asked."""
        where, of = _of(contact, channel)
        page, bound = f"WHERE cursor > ? AND {where} ORDER BY cursor LIMIT ?", (since, *of, limit)
        states = self._all(StateRecord, f"WHERE message IN (SELECT id FROM message {page})", bound)
        found = {state.message: state for state in states}
        return [(message, found.get(message.id)) for message in self._all(MessageRecord, page, bound)]

    def before_last(self, contact: PersonaKey | None, channel: ChannelId | None, limit: int) -> int:
        """The cursor after which the newest `limit` messages stand: of all, of one contact, or of one channel."""
        where, bound = _of(contact, channel)
        query = f"SELECT min(cursor) FROM (SELECT cursor FROM message WHERE {where} ORDER BY cursor DESC LIMIT ?)"
        ((first,),) = self._rows(query, (*bound, limit))
        return 0 if first is None else int(first) - 1

    def conversations(self) -> list[tuple[Filed, int]]:
        """The newest message of each conversation, newest first, with how many of it wait unread."""
        query = (
            "SELECT max(cursor), sum(NOT outgoing AND coalesce(state, '') <> 'read')"
            " FROM message LEFT JOIN state ON state.message = message.id"
            " GROUP BY channel, CASE channel WHEN x'' THEN peer END ORDER BY max(cursor) DESC"
        )
        unread: dict[int, int] = dict(self._rows(query))
        return [(self._at(cursor), count) for cursor, count in unread.items()]

    def history(self, peer: bytes, channel: bytes, below: int, above: int, limit: int) -> list[Filed]:
        """Messages of one conversation between two cursors, both outside: the first above `above` if that is
        given, else the last below `below`; oldest first."""
        whose, who = _conversation(peer, channel)
        order = "ASC" if above else "DESC"
        where = f"WHERE {whose} AND cursor > ? AND cursor < ? ORDER BY cursor {order} LIMIT ?"
        found = list(self._all(MessageRecord, where, (who, above, below, limit)))
        return [self._with_state(one) for one in sorted(found, key=lambda one: one.cursor)]

    def unread(self, peer: bytes, channel: bytes, until: int) -> tuple[MessageId, ...]:
        """What came into one conversation up to a cursor and was not read yet."""
        whose, who = _conversation(peer, channel)
        query = (
            "SELECT id FROM message LEFT JOIN state ON state.message = message.id"
            f" WHERE {whose} AND cursor <= ? AND NOT outgoing AND coalesce(state, '') <> 'read' ORDER BY cursor"
        )
        return tuple(MessageId(row[0]) for row in self._rows(query, (who, until)))

    def backwards(self, below: int, limit: int) -> list[Filed]:
        """Messages of all conversations below a cursor, newest first."""
        where = "WHERE cursor < ? ORDER BY cursor DESC LIMIT ?"
        return [self._with_state(one) for one in self._all(MessageRecord, where, (below, limit))]

    def _at(self, cursor: int) -> Filed:
        return self._with_state(next(self._all(MessageRecord, "WHERE cursor = ?", (cursor,))))

    def message(self, prefix: bytes) -> Filed | None:
        """The message whose id begins with these bytes."""
        last = prefix + b"\xff" * (MESSAGE_ID - len(prefix))
        found = list(self._all(MessageRecord, "WHERE id BETWEEN ? AND ? LIMIT 2", (prefix, last)))
        if len(found) > 1:
            raise UsageError(f"Several messages have an id that begins with {prefix.hex()}; give more of it.")
        return self._with_state(found[0]) if found else None

    def requested(self, request: bytes) -> Filed | None:
        """The message a caller already asked for under this request id."""
        found = list(self._all(MessageRecord, "WHERE request = ? AND request <> x''", (request,)))
        return self._with_state(found[0]) if found else None

    def contacts(self) -> list[ContactRecord]:
        """The address book, by name."""
        return list(self._all(ContactRecord, "ORDER BY name, persona"))

    def channels(self) -> list[tuple[ChannelRecord, int]]:
        """The channels known here by name, each with how many messages wait unread in it."""
        unread = (
            "SELECT channel, count(*) FROM message LEFT JOIN state ON state.message = message.id"
            " WHERE channel <> x'' AND NOT outgoing AND coalesce(state, '') <> 'read' GROUP BY channel"
        )
        waiting: dict[bytes, int] = dict(self._rows(unread))
        return [(channel, waiting.get(channel.channel, 0)) for channel in self._all(ChannelRecord, "ORDER BY name")]

    def every(self, kind: type[R], where: str = "", bound: Row = ()) -> Iterator[R]:
        """All records of one class, or those that `where` picks."""
        return self._all(kind, where, bound)

    def next_to_go(self, now: float, most: int) -> list[Going]:
        """What would go first if room were needed."""
        return next_to_go(self._database, now, most)

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {table.name: self._count(table.name) for table in TABLES.values()}

    def direct(self) -> int:
        """How many direct messages arrived."""
        return self._count("message WHERE channel = x'' AND NOT outgoing")

    def _count(self, table: str) -> int:
        return int(next(self._rows(f"SELECT count(*) FROM {table}"))[0])

    def _with_state(self, message: MessageRecord) -> Filed:
        return message, next(self._all(StateRecord, "WHERE message = ?", (message.id,)), None)

    def _all(self, kind: type[R], where: str = "", bound: Row = ()) -> Iterator[R]:
        with translated("store"):
            yield from TABLES[kind].read(self._database, self._key, where, bound)

    def _rows(self, query: str, bound: Row = ()) -> Iterator[Any]:
        with translated("store"):
            yield from self._database.execute(query, bound)


def _of(contact: PersonaKey | None, channel: ChannelId | None) -> tuple[str, Row]:
    """Messages of one contact, of one channel, or all: a condition and what it is bound to."""
    where, bound = "TRUE", Row()
    if contact is not None:
        where, bound = where + " AND peer = ? AND channel = x''", (*bound, contact)
    if channel is not None:
        where, bound = where + " AND channel = ? AND channel <> x''", (*bound, channel)
    return where, bound


def _conversation(peer: bytes, channel: bytes) -> tuple[str, bytes]:
    """The condition that picks the messages of a channel, or of the direct conversation with a persona."""
    return ("channel = ? AND channel <> x''", channel) if channel else ("peer = ? AND channel = x''", peer)

"""Records to rows and back, once for all record classes: what the types of a class say decides.

Whole numbers, times, text and bytes stand as they are; tuples as JSON; a 64-bit window as 8 bytes, for the integers of
SQLite have a sign. What a class names `SECRET` is sealed under the store key, bound to its table, column and primary
key, so that a sealed value moved to another row does not open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar, get_origin, get_type_hints

import apsw
import msgspec

from meshnode.core import records
from meshnode.core.records import Keyed, Record
from meshnode.errors import SignatureError, StoreError

R = TypeVar("R", bound=Record)
Row = tuple[Any, ...]

WIDE = {("neighbour", "window")}  # unsigned 64 bits: no room in a signed integer


class ColumnKey(Protocol):
    """Seals what must not stand in the file as it is; `atrest.StoreKey` in a home."""

    def seal(self, plaintext: bytes, row: bytes) -> bytes:
        """The sealed bytes."""
        ...

    def open_untrusted(self, data: bytes, row: bytes) -> bytes:
        """The plaintext; SignatureError if it was changed, moved, or sealed with another key."""
        ...


class Table(Generic[R]):
    """How the records of one class stand in their table."""

    def __init__(self, record: type[R]) -> None:
        self.record = record
        self.name = re.sub(r"(?<!^)(?=[A-Z])", "_", record.__name__.removesuffix("Record")).lower()
        self.columns = tuple(field.name for field in fields(record))
        self.key_of: Callable[[R], Row] = _getter(record.KEY)
        self.select = f"SELECT {_listed(self.columns)} FROM {self.name}"
        self._values: Callable[[R], Row] = _getter(self.columns)
        self._secret = tuple(self.columns.index(name) for name in record.SECRET)
        defaults = {field.name: field.default for field in fields(record)}
        # A column that came later is empty in older rows, and stays so where it says nothing: that is not sealed.
        self._optional = {index for index in self._secret if defaults[self.columns[index]] == b""}
        self._key = tuple(self.columns.index(name) for name in record.KEY)
        self._codecs = {
            index: (encode, decode)
            for index, (encode, decode) in enumerate(_codec(self.name, record, name) for name in self.columns)
            if decode is not None
        }
        marks = ", ".join("?" * len(self.columns))
        self._put = f"INSERT OR REPLACE INTO {self.name} ({_listed(self.columns)}) VALUES ({marks})"
        self._drop = f"DELETE FROM {self.name} WHERE " + " AND ".join(f'"{name}" = ?' for name in record.KEY)

    def put(self, database: apsw.Connection, key: ColumnKey, kept: Iterable[R]) -> None:
        """Insert or replace."""
        database.executemany(self._put, [self.to_row(record, key) for record in kept])

    def drop(self, database: apsw.Connection, keys: Iterable[Row]) -> None:
        """Delete by primary key; what is not there is gone already."""
        database.executemany(self._drop, keys)

    def read(self, database: apsw.Connection, key: ColumnKey, where: str = "", bound: Row = ()) -> Iterator[R]:
        """The records of the rows that `where` (the rest of the query) picks."""
        for row in database.execute(f"{self.select} {where}", bound):
            yield self.from_row(row, key)

    def to_row(self, record: R, key: ColumnKey) -> Row:
        """The values in the order of `columns`."""
        values = self._values(record)
        if not self._codecs and not self._secret:
            return values
        row = list(values)
        for index, (encode, _) in self._codecs.items():
            row[index] = encode(row[index])
        for index in self._secret:
            if row[index] or index not in self._optional:
                row[index] = key.seal(row[index], self._bound_to(index, values))
        return tuple(row)

    def from_row(self, row: Row, key: ColumnKey) -> R:
        """The record whose values these are."""
        if not self._codecs and not self._secret:
            return self.record(*row)
        values = list(row)
        for index in self._secret:
            values[index] = self._opened(index, row, key)
        for index, (_, decode) in self._codecs.items():
            values[index] = decode(values[index])
        return self.record(*values)

    def _opened(self, index: int, row: Row, key: ColumnKey) -> bytes:
        if not row[index] and index in self._optional:
            return b""
        try:
            return key.open_untrusted(row[index], self._bound_to(index, row))
        except SignatureError as error:
            raise StoreError(
                f"The store holds a {self.name} that does not open with this home's key: the file was changed, or the"
                " key is not the one it was written with; put the right key file back, or start from a backup."
            ) from error

    def _bound_to(self, index: int, row: Row) -> bytes:
        key = (row[at] if isinstance(row[at], bytes) else str(row[at]).encode() for at in self._key)
        return b"\0".join((self.name.encode(), self.columns[index].encode(), *key))


def _getter(names: tuple[str, ...]) -> Callable[[Any], Row]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda record: (get(record),)


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _hints(record: type[Keyed]) -> dict[str, Any]:
    return get_type_hints(record, vars(records), {})  # not in the class: `LogRecord.bytes` would hide the type there


def _codec(table: str, record: type[Keyed], name: str) -> tuple[Any, Any]:
    """How a value of this column is written, and read back; None where it stands as it is."""
    kind = _hints(record)[name]
    if get_origin(kind) is tuple:
        decoder = msgspec.json.Decoder(kind)
        return (lambda value: msgspec.json.encode(value).decode()), decoder.decode
    if (table, name) in WIDE:
        return (lambda value: value.to_bytes(8, "big")), (lambda value: int.from_bytes(value, "big"))
    if name in record.SECRET and kind is str:
        return str.encode, bytes.decode
    return (int, bool) if kind is bool else (None, None)

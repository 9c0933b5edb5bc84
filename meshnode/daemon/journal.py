"""A record of everything the node was told, to replay a fault. It holds people's words and keys that are used up: off
until asked for, 0600, and sealed under the key of the store, so that it opens with the home alone.

Two files of half the limit each, the older one dropped when the newer one is full; what is longer than that ends the
journal, for what comes after it could not be played. A file begins with a mark, then one record after
the other: length 4 | sealed msgpack of [powered-on seconds, name of what it is, its fields]. What stands in it beside
inputs is told in recording.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, get_args

import msgspec
import structlog

from meshnode.core.inputs import Input
from meshnode.core.sealing.atrest import StoreKey
from meshnode.errors import StoreError

KIND = b"meshnode journal "
MARK = KIND + b"2\n"
NEWER, OLDER = "journal", "journal.old"

_SEALED_AS = b"journal"  # what a record is bound to: no column of the store opens as one
_log = structlog.get_logger("daemon")

Draw = bytes | float


@dataclass(frozen=True, slots=True)
class Begun:
    """A node was made. `whose`: of which keys and settings; `snapshot`: of what else, encoded (recording.py)."""

    epoch: int
    whose: bytes
    snapshot: bytes


@dataclass(frozen=True, slots=True)
class Came:
    """What came of the input before: the randomness it took, in order, and a digest of each effect."""

    draws: tuple[Draw, ...]
    effects: tuple[bytes, ...]


Entry = Input | Begun | Came

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Entry)}


class Journal:
    """Open for writing in a home."""

    def __init__(self, home: Path, limit: int, key: StoreKey) -> None:
        self._home = home
        self._key = key
        self._half = limit // 2
        self._ended = False
        _tidied(home / OLDER)
        self._file = _begun(home / NEWER)

    def write(self, entry: Entry, now: float) -> None:
        """Note one input, or what belongs to it; a disk that is full costs the journal, not the node."""
        if not self._ended:
            sealed = self._key.seal(msgspec.msgpack.encode((now, type(entry).__name__, entry)), _SEALED_AS)
            self._try(lambda: self._append(len(sealed).to_bytes(4, "big") + sealed))

    def flush(self) -> None:
        """Hand what was noted to the system, so that it outlives the process."""
        self._try(self._file.flush)

    def close(self) -> None:
        """Finish the file."""
        with suppress(OSError):
            self._file.close()

    def _try(self, work: Callable[[], object]) -> None:
        """What cannot be written is the end of it; what stands in the file stays readable."""
        if self._ended:
            return
        try:
            work()
        except OSError as error:
            self._end(error.strerror or "")

    def _end(self, reason: str) -> None:
        self._ended = True
        _log.warning("journal ended", reason=reason)

    def _append(self, record: bytes) -> None:
        size = len(record)
        if len(MARK) + size > self._half:
            self._end(f"one record takes {size / 1e6:.1f} MB, more than half of journal.limit_mb")
            return
        if self._file.tell() + size > self._half:
            self._turn_over()
        self._file.write(record)

    def _turn_over(self) -> None:
        self._file.close()
        os.replace(self._home / NEWER, self._home / OLDER)
        self._file = _begun(self._home / NEWER)


def _begun(path: Path) -> BinaryIO:
    _tidied(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    file = os.fdopen(descriptor, "ab")
    if file.tell() == 0:
        file.write(MARK)
    return file


def _tidied(path: Path) -> None:
    """Without what nobody could read, nor anything behind it: a file of another kind, a record that was cut off."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(len(MARK))
        whole = _whole(file)
    if head in (b"", MARK):
        os.truncate(path, whole)
    else:
        path.unlink()  # of a meshnode that wrote another kind


def drop_unsealed(home: Path) -> None:
    """Remove what an older meshnode wrote, whose journals were not sealed; nothing can read them any more."""
    for name in (OLDER, NEWER):
        path = home / name
        if path.is_file() and _is_of_old(path):
            path.unlink()


def _is_of_old(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(len(MARK))
    return head.startswith(KIND) and head != MARK


def _whole(file: BinaryIO) -> int:
    """How far whole records stand in a file, from where it is read."""
    at, end = file.tell(), os.fstat(file.fileno()).st_size
    while (size := int.from_bytes(file.read(4), "big")) and at + 4 + size <= end:
        at = file.seek(at + 4 + size)
    return at


def read_journal(home: Path, key: StoreKey) -> Iterator[tuple[float, Entry]]:
    """All that is held, oldest first; a last record cut off by a crash, or the zeros a power cut left, are left out.

    StoreError for a file that is something else, SignatureError for a journal of another home, or a damaged one.
    """
    for name in (OLDER, NEWER):
        path = home / name
        if path.exists() and path.stat().st_size:  # one just begun has nothing in it before the first flush
            yield from _records(path, key)


def _records(path: Path, key: StoreKey) -> Iterator[tuple[float, Entry]]:
    with path.open("rb") as file:
        if file.read(len(MARK)) != MARK:
            raise StoreError(f"{path} is not a journal of this meshnode.")
        whole = _whole(file)
        file.seek(len(MARK))
        while file.tell() < whole:
            record = file.read(int.from_bytes(file.read(4), "big"))
            yield _entry(key.open_untrusted(record, _SEALED_AS))


def _entry(record: bytes) -> tuple[float, Entry]:
    now, name, fields = msgspec.msgpack.decode(record, type=tuple[float, str, msgspec.Raw])
    return now, msgspec.msgpack.decode(fields, type=_KINDS[name])

"""A record of everything the node was told, to replay a fault. It holds people's words: off until asked for, 0600.

Two files, the older one dropped when the newer one is half the limit. A file begins with a mark, then one record after
the other: length 4 | msgpack of [powered-on seconds, name of the input, its fields].
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, get_args

import msgspec
import structlog

from meshnode.core.inputs import Input
from meshnode.errors import StoreError

MARK = b"meshnode journal 1\n"
NEWER, OLDER = "journal", "journal.old"

_log = structlog.get_logger("daemon")

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Input)}


class Journal:
    """Open for writing in a home."""

    def __init__(self, home: Path, limit: int) -> None:
        self._home = home
        self._half = limit // 2
        self._ended = False
        self._file = _begun(home / NEWER)

    def write(self, given: Input, now: float) -> None:
        """Note one input; a disk that is full costs the journal, not the node."""
        record = msgspec.msgpack.encode((now, type(given).__name__, given))
        self._try(lambda: self._append(len(record).to_bytes(4, "big") + record))

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
            self._ended = True
            _log.warning("journal ended", reason=error.strerror)

    def _append(self, record: bytes) -> None:
        self._file.write(record)
        if self._file.tell() > self._half:
            self._turn_over()

    def _turn_over(self) -> None:
        self._file.close()
        os.replace(self._home / NEWER, self._home / OLDER)
        self._file = _begun(self._home / NEWER)


def _begun(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    file = os.fdopen(descriptor, "ab")
    if file.tell() == 0:
        file.write(MARK)
    return file


def read_journal(home: Path) -> Iterator[tuple[float, Input]]:
    """All that is held, oldest first; a last record cut off by a crash is left out."""
    for name in (OLDER, NEWER):
        path = home / name
        if path.exists():
            yield from _records(path)


def _records(path: Path) -> Iterator[tuple[float, Input]]:
    with path.open("rb") as file:
        if file.read(len(MARK)) != MARK:
            raise StoreError(f"{path} is not a journal of this meshnode.")
        while len(head := file.read(4)) == 4:
            size = int.from_bytes(head, "big")
            record = file.read(size)
            if len(record) < size:
                return
            yield _input(record)


def _input(record: bytes) -> tuple[float, Input]:
    now, name, fields = msgspec.msgpack.decode(record, type=tuple[float, str, msgspec.Raw])
    return now, msgspec.msgpack.decode(fields, type=_KINDS[name])

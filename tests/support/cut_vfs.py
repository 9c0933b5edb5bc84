"""A file system layer that can lose its power: what was written and not yet synced may be gone, or half gone.

All goes through to real files while the program runs, and is noted. `image` then lays out the disk as a power cut after
the first `cut` operations may have left it: synced writes are there, of the others any sectors, in any mixture.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Op:
    """One thing done to one file: "write" at an offset, "truncate" to a size, "sync", "delete"."""

    file: str
    what: str
    offset: int = 0
    data: bytes = b""


class CutVfs(apsw.VFS):
    """Notes every operation; use its name as `vfs`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done: list[Op] = []
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _CutFile(self.done, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.done.append(Op(Path(filename).name, "delete"))
        super().xDelete(filename, syncdir)


class _CutFile(apsw.VFSFile):
    def __init__(self, done: list[Op], name: Any, flags: list[int]) -> None:
        self._done = done
        self._file = Path(name.filename() if isinstance(name, apsw.URIFilename) else str(name)).name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._done.append(Op(self._file, "write", offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._done.append(Op(self._file, "truncate", newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._done.append(Op(self._file, "sync"))


def image(done: list[Op], cut: int, folder: Path, chance: random.Random, keep: float) -> None:
    """Write the disk after the cut into `folder`; each unsynced sector is still there with probability `keep`."""
    files: dict[str, bytearray] = {}
    for at, op in enumerate(done[:cut]):
        safe = any(later.file == op.file and later.what == "sync" for later in done[at + 1 : cut])
        content = files.setdefault(op.file, bytearray())
        if op.what == "delete":
            del files[op.file]
        elif op.what == "truncate" and (safe or chance.random() < keep):
            del content[op.offset :]
        elif op.what == "write":
            _write(content, op, safe, chance, keep)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _write(content: bytearray, op: Op, safe: bool, chance: random.Random, keep: float) -> None:
    for start in range(0, len(op.data), SECTOR):
        if safe or chance.random() < keep:
            sector = op.data[start : start + SECTOR]
            end = op.offset + start + len(sector)
            content.extend(bytes(max(0, end - len(content))))
            content[end - len(sector) : end] = sector

"""The archive inside a backup: the files of a home and of its profiles, written below one folder and nowhere else.

Whoever seals a backup knows its passphrase, so what opens may still be hostile, on a page that takes backups above
all. Its headers are therefore read here one by one (POSIX ustar), and not by `tarfile`, which makes room for whatever a
header claims. Only plain files with names of ours are taken, and none that means something to a home or to SQLite when
it lies there; what comes of it is no larger than the backup, and it names every home that is in it, once.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from meshnode.daemon import arrival
from meshnode.daemon.home import STORE
from meshnode.errors import WireError

ABOUT: Final = "backup.json"
PROFILES: Final = "profiles"
MEMBER: Final = re.compile(r"(profiles/(?:[0-9a-f]{32}|guests)/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
LEFT_OUT: Final = re.compile(r"lock|control\.sock|journal.*|store\..*|backup.*|.*\.(new|part)")  # of a home's files
STORES: Final = frozenset({STORE, f"{STORE}-wal"})  # a journal beside a store would be played back when it is opened
PLACES: Final = arrival.STAYS | {PROFILES}  # where a home has folders, or files of who runs it
ABOUT_MOST: Final = 1 << 20
FILES_MOST: Final = 2048  # 64 profiles of a dozen files each, and each file with a header of dates before it
NOTES_MOST: Final = 4096  # bytes of such a header, which says nothing that is used
PIECE: Final = 64 * 1024
_ODD: Final = "it holds something that no backup holds"


class About(msgspec.Struct, frozen=True):
    """What a backup says of itself. `homes` are the folders in it, the home itself as an empty name.

    `made_at`: UTC, empty where the box did not know the date.
    """

    version: str
    name: str
    persona: str
    homes: list[str]
    made_at: str = ""


_abouts = msgspec.json.Decoder(About)


def unpack_untrusted(opened: io.RawIOBase, place: Path) -> About:
    """Write the archive's files below `place`, to the last record of the backup; WireError for what is no backup."""
    stream = io.BufferedReader(opened, PIECE)
    about: About | None = None
    homes = {""}
    for name, size in _files_untrusted(stream):
        if name == ABOUT:
            about = _about_untrusted(_exactly(stream, size))
        else:
            homes.add(name.rpartition("/")[0].removeprefix(f"{PROFILES}/"))
            _write(stream, size, place / name)
        _exactly(stream, -size % tarfile.BLOCKSIZE)
    while stream.read(PIECE):
        pass
    if about is None:
        raise WireError("it does not say what it holds")
    if sorted(about.homes) != sorted(homes):  # each is looked into later, and only those
        raise WireError("it names other homes than it holds")
    return about


def _files_untrusted(stream: BinaryIO) -> Iterator[tuple[str, int]]:
    """Name and size of each file; who asks for the next one has read all of this one."""
    for _ in range(FILES_MOST):
        head = _exactly(stream, tarfile.BLOCKSIZE)
        if head == bytes(tarfile.BLOCKSIZE):
            return
        try:
            member = tarfile.TarInfo.frombuf(head, "utf-8", "strict")
        except (tarfile.TarError, UnicodeDecodeError):
            raise WireError(_ODD) from None
        if member.type == tarfile.XHDTYPE and 0 <= member.size <= NOTES_MOST:
            _exactly(stream, member.size + -member.size % tarfile.BLOCKSIZE)
        elif member.isreg() and _is_ours(member):
            yield member.name, member.size
        else:
            raise WireError(_ODD)
    raise WireError(_ODD)


def _is_ours(member: tarfile.TarInfo) -> bool:
    if member.name == ABOUT:
        return 0 <= member.size <= ABOUT_MOST
    name = member.name.rpartition("/")[2]
    plain = name in STORES or not (name in PLACES or name.startswith(arrival.BEFORE) or LEFT_OUT.fullmatch(name))
    return plain and MEMBER.fullmatch(member.name) is not None and member.size >= 0


def _write(stream: BinaryIO, size: int, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        while size:
            piece = _exactly(stream, min(size, PIECE))
            file.write(piece)
            size -= len(piece)
        file.flush()
        os.fsync(file.fileno())


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise WireError("what is in it ends too early")
    return data


def _about_untrusted(data: bytes) -> About:
    try:
        return _abouts.decode(data)
    except msgspec.DecodeError as error:
        raise WireError(f"what it says of itself is not understood: {error}") from error

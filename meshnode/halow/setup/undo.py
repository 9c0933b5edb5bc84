"""Writes the files of a setup so that all of it can be taken back, byte for byte.

What was there before stands in a journal, on disk before the first file is touched:

    the file is as it was before       nothing to do (a setup that was cut short, or an undo)
    the file is as we wrote it         it becomes what it was
    we added lines, and they stand     they go; what a person changed around them stays
    the file is gone                   it becomes what it was
    anything else                      a person changed it: refused, with nothing touched

A second setup first takes back the one before. The journal lies outside of the service's home: root obeys it, so nobody
else may write it. It holds keys, as the files do, and is for root alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from meshnode.errors import UsageError
from meshnode.halow.setup.files import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

JOURNALS = Path("var/lib/meshnode-halow")


class Kept(msgspec.Struct, frozen=True):
    """One file: what was there (None: nothing), with its mode and owner, and what we made of it."""

    place: str
    before: bytes | None
    after: bytes
    added: bytes = b""
    mode: int = 0o644  # of what we write
    mode_before: int = 0o644
    owner: tuple[int, int] | None = None


class Journal(msgspec.Struct, frozen=True):
    """A setup: its files, and the directories that it made, outermost first."""

    files: tuple[Kept, ...]
    made: tuple[str, ...] = ()


def write(root: Path, name: str, files: Sequence[Wanted]) -> list[Path]:
    """Write the files of the setup `name`; gives those that replace or extend what somebody else had written.

    Raises UsageError, with nothing touched, where a file of the last setup was changed since, or is no plain file.
    """
    with _as_usage():
        _check_plain(root, [str(file.place) for file in files])
    undo(root, name)
    with _as_usage():
        kept = tuple(_kept(root, file) for file in files)
        made = tuple(_missing(root, [*(Path(one.place) for one in kept), JOURNALS / name]))
        _put(_journal(root, name), msgspec.json.encode(Journal(kept, made)), 0o600)
        for one in kept:
            if one.after != one.before:
                _put(root / one.place, one.after, one.mode, one.owner)
    return [root / one.place for one in kept if one.before is not None and one.before != one.after]


def undo(root: Path, name: str) -> list[Path]:
    """Take the setup back; gives the files that changed. UsageError, with nothing touched, for one changed since."""
    journal = read(root, name)
    if journal is None:
        return []
    old = check(root, journal)
    with _as_usage():
        for one, current, before in old:
            if before != current:
                _return(root / one.place, before, one)
        _journal(root, name).unlink()
        for made in reversed(journal.made):
            with suppress(OSError):  # something else lives there now
                (root / made).rmdir()
    return [root / one.place for one, current, before in old if before != current]


def check(root: Path, journal: Journal) -> list[tuple[Kept, bytes | None, bytes | None]]:
    """Each file with what it is and what it has to become. UsageError for one that a person changed since."""
    with _as_usage():
        _check_plain(root, [one.place for one in journal.files])
        now = [(one, _read(root, one)) for one in journal.files]
    return [(one, current, _restored(root, one, current)) for one, current in now]


def read(root: Path, name: str) -> Journal | None:
    """The journal of the setup, None where there is none. UsageError for one that cannot be read."""
    place = _journal(root, name)
    try:
        return msgspec.json.decode(place.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{place} cannot be read ({error.strerror}); run this as root") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{place} is damaged ({error}); what was before it cannot be brought back") from error


def _restored(root: Path, one: Kept, current: bytes | None) -> bytes | None:
    """What the file has to become."""
    if current in (None, one.before, one.after):
        return one.before
    if one.added and current is not None and current.count(one.added) == 1:
        return current.replace(one.added, b"")
    raise UsageError(f"{root / one.place} was changed since it was written; move it away, then run this again")


def _kept(root: Path, file: Wanted) -> Kept:
    place, text = root / file.place, file.text.encode()
    try:
        before, stat = place.read_bytes(), place.stat()
    except FileNotFoundError:
        return Kept(str(file.place), None, text, text if file.appended else b"", file.mode)
    was = stat.st_mode & 0o7777
    mode = file.mode if file.secret else was
    owner = (stat.st_uid, stat.st_gid)
    if not file.appended:
        return Kept(str(file.place), before, text, b"", mode, was, owner)
    added = _added(before, text)
    return Kept(str(file.place), before, before + added, added, mode, was, owner)


def _added(before: bytes, text: bytes) -> bytes:
    """What to append: nothing where all the lines stand there already, a line end first where the last has none."""
    section, there = b"[all]", {b"[all]"}
    for line in map(bytes.strip, before.splitlines()):
        section = line if line.startswith(b"[") else section
        there |= {line} if section == b"[all]" else set()  # what holds for some models only does not count
    if there.issuperset(text.splitlines()):
        return b""
    return (b"\n" if before and not before.endswith(b"\n") else b"") + text


def _return(place: Path, before: bytes | None, one: Kept) -> None:
    if before is None:
        place.unlink()
    else:
        _put(place, before, one.mode_before, one.owner)


def _put(place: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write whole or not at all: a board may lose its power here. Never readable for more than it will be."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f"{place.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        stat = os.fstat(handle)
        if owner not in (None, (stat.st_uid, stat.st_gid)) and owner is not None:
            os.fchown(handle, *owner)
        if stat.st_mode & 0o7777 != mode:  # the boot partition (FAT) has one mode for all, and refuses others
            os.fchmod(handle, mode)
        file.flush()
        os.fsync(handle)
    os.replace(fresh, place)


def _missing(root: Path, places: Sequence[Path]) -> list[str]:
    """The directories that are not there yet, outermost first."""
    parents = {str(parent) for place in places for parent in place.parents if not (root / parent).exists()}
    return sorted(parents, key=len)


def _check_plain(root: Path, places: Sequence[str]) -> None:
    for place in places:
        path = root / place
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise UsageError(f"{path} is no plain file; move it away, or change what it leads to by hand")


def _journal(root: Path, name: str) -> Path:
    return root / JOURNALS / f"{name}.json"


def _read(root: Path, one: Kept) -> bytes | None:
    try:
        return (root / one.place).read_bytes()
    except FileNotFoundError:
        return None


@contextmanager
def _as_usage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read or written ({error.strerror}); run this as root") from error

"""Backup and restore: everything of a home, and of the profiles in it, in one sealed file (vault.py).

Inside is a tar archive: `backup.json` first, then the files of each home as they are, the store as a copy made while
its node runs. Keys stay sealed as they were: a member's opens with the member's passphrase also after a restore.

A restored home goes on as somebody new would (renewal.py): same person and device, new incarnation. What two copies of
a home must not both use is not used again, so the old one may be lost, or turn up, and nothing breaks.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, BinaryIO, cast

import apsw
import msgspec

import meshnode
from meshnode.core.node import RENEW_FACT
from meshnode.core.ports import Entropy, Sealer
from meshnode.daemon.files import open_given, sync_folder
from meshnode.daemon.home import STORE, is_home
from meshnode.daemon.keyring import SEALED
from meshnode.daemon.lock import Lock
from meshnode.daemon.unpacking import ABOUT, LEFT_OUT, PROFILES, About, unpack_untrusted
from meshnode.daemon.vault import SealedReader, SealedWriter
from meshnode.errors import HomeError, StoreError, StoreNewerError, UsageError, WireError
from meshnode.store.database import close_database, open_database, translated

Copied = Callable[[Path], None]  # writes a copy of a store whose node runs


@dataclass(frozen=True, slots=True)
class Source:
    """One home to save: its folder, its name in the archive, and how to copy its store if its node runs."""

    folder: Path
    name: str
    running: Copied | None


def save(target: Path, passphrase: str, about: About, sources: list[Source], sealer: Sealer, entropy: Entropy) -> int:
    """Write the backup, replaced whole; its size in bytes. UsageError where it cannot be written."""
    if target.is_dir():
        raise UsageError(f"{target} is a directory; name the file to write in it")
    fresh = target.with_name(target.name + ".part")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            with SealedWriter(cast(BinaryIO, file), passphrase, sealer, entropy) as sealed:
                _write(sealed, about, sources)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.replace(fresh, target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror})") from error
    finally:
        fresh.unlink(missing_ok=True)
    return size


def _write(sealed: SealedWriter, about: About, sources: list[Source]) -> None:
    with tarfile.open(fileobj=cast(IO[bytes], sealed), mode="w|") as tar:
        _add(tar, ABOUT, msgspec.json.encode(about))
        for source in sources:
            prefix = f"{PROFILES}/{source.name}/" if source.name else ""
            with ExitStack() as held:
                if source.running is None:
                    held.callback(Lock(source.folder / "lock").release)
                for path in _files(source.folder):
                    tar.add(path, prefix + path.name, recursive=False, filter=_plain)
                for path in _store(source, held):
                    tar.add(path, f"{prefix}{path.name}", recursive=False, filter=_plain)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.is_symlink() and not LEFT_OUT.fullmatch(path.name):
            yield path


def _store(source: Source, held: ExitStack) -> Iterator[Path]:
    """The store's file: a copy that its node writes, or the file itself and the log beside it."""
    if source.running is None:
        yield from (path for path in (source.folder / STORE, source.folder / f"{STORE}-wal") if path.exists())
        return
    place = Path(mkdtemp(prefix="backup-", dir=source.folder))
    held.callback(shutil.rmtree, place, ignore_errors=True)
    source.running(place / STORE)
    yield place / STORE


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    tar.addfile(member, BytesIO(data))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who owned a file here means nothing elsewhere."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def restore(source: Path, target: Path, passphrase: str, sealer: Sealer) -> About:
    """Make the home at `target` from a backup, checked through before it is there. HomeError if one is there."""
    if target.exists() and (is_home(target) or any(target.iterdir())):
        raise HomeError(f"{target} is not empty; name a folder that is new, or remove that one first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    place = Path(mkdtemp(prefix=f"{target.name}.restoring-", dir=target.parent))
    try:
        about = _checked(source, place, passphrase, sealer, renewed=True)
        with suppress(FileNotFoundError):
            target.rmdir()
        os.replace(place, target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return about


def verify(source: Path, passphrase: str, sealer: Sealer, scratch: Path | None = None) -> About:
    """What a backup holds, once every file of it was opened and every store checked; nothing stays."""
    place = Path(mkdtemp(prefix="meshnode-verify-", dir=scratch))
    try:
        return _checked(source, place, passphrase, sealer, renewed=False)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _checked(source: Path, place: Path, passphrase: str, sealer: Sealer, *, renewed: bool) -> About:
    try:
        with closing(open_sealed(source, passphrase, sealer)) as opened:
            return unpack_checked(opened, place, renewed=renewed)
    except WireError as error:
        raise UsageError(f"{source}: {error}") from error
    except OSError as error:
        raise UsageError(f"{source}: what is in it cannot be read: {error}") from error


def open_sealed(source: Path, passphrase: str, sealer: Sealer) -> SealedReader:
    """A backup to read, for who closes it; WireError where it does not open. All of the passphrase's work is here."""
    file = cast(BinaryIO, os.fdopen(open_given(source, os.O_RDONLY), "rb"))
    try:
        return SealedReader(file, passphrase, sealer)
    except BaseException:
        file.close()
        raise


def unpack_checked(opened: SealedReader, place: Path, *, renewed: bool) -> About:
    """Everything of an opened backup, in the folder `place`; WireError where it is not whole.

    With `renewed` each home in it is told to go on with new keys.
    """
    about = unpack_untrusted(opened, place)
    for name in about.homes:
        _check_home(place / PROFILES / name if name else place, renewed=renewed)
    return about


def _check_home(folder: Path, *, renewed: bool) -> None:
    """Its keys are there, its store is whole and has our tables alone, in which nothing runs when it is read."""
    if not (folder / SEALED).exists():
        raise WireError(f"the backup has no keys for {folder.name}")
    if not (folder / STORE).exists():
        raise WireError(f"the backup has no store for {folder.name}")
    try:
        database = open_database(folder / STORE, given=True)
        try:
            if renewed:
                with translated(STORE):
                    database.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (RENEW_FACT, b"\1"))
        finally:
            close_database(database)
    except StoreNewerError as error:
        raise WireError("the backup was made by a newer meshnode; update this one first, then restore it") from error
    except (StoreError, apsw.Error) as error:
        raise WireError(f"the store in the backup is not whole: {str(error).rstrip('.')}") from error


def about_home(name: str, persona: str, profiles: Iterable[str], made_at: str) -> About:
    """Of a home and the folders of its profiles."""
    return About(meshnode.__version__, name, persona, ["", *sorted(profiles)], made_at)

"""Restoring on the page: a backup of a box takes the place of this one, a backup of a profile becomes a profile here.

Who has the set-up code of a box that nobody uses yet, or is its keeper, may restore a box; what the box was is put
aside (arrival.py), and the node begins anew. A profile may be restored by whoever may make one; its member signs in
with the passphrase it always had. Hardware and page stay as this box is configured: of a backup's configuration the
mesh counts, the rest lies beside as `config.backup.toml`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio

from meshnode import config as options
from meshnode.control.replies import RestoredReply
from meshnode.core.records import MessageRecord
from meshnode.daemon import arrival, keyring
from meshnode.daemon.adapters import ControlHandlers
from meshnode.daemon.backup import open_sealed, unpack_checked
from meshnode.daemon.files import sync_folder, write_private
from meshnode.daemon.home import CONFIG, STORE, Home
from meshnode.daemon.household import CODE, GUESTS, KEEPER, STORE_MB, Household, read_card
from meshnode.daemon.keyring import KEY_FILE, SEALED, Keyring, Opener
from meshnode.daemon.unpacking import PROFILES, About
from meshnode.daemon.vault import SealedReader
from meshnode.errors import (
    DISK_FULL,
    NO_SPACE,
    HomeError,
    RefusedError,
    StoreError,
    StoreFullError,
    UsageError,
)
from meshnode.store.database import close_database, open_database
from meshnode.store.reads import Reads

CONFIG_BEFORE: Final = "config.backup.toml"
PROFILE_MOST: Final = 2 * STORE_MB * 1_000_000  # bytes of a profile's backup: a store, its log, and a little more
VISITORS_MOST: Final = 2 * PROFILE_MOST  # bytes of all backups that others than the keeper bring at a time
SPARE: Final = 64_000_000  # bytes that a restore leaves free on the disk
SPARE_VISITORS: Final = 4 * SPARE  # and one that anybody may begin
ROOM: Final = 2  # the disk holds a backup twice: as it came, and unpacked


class Restoring:
    """Of one box. `on_change` is called when the home has to be taken up again."""

    def __init__(self, home: Home, household: Household, on_change: Callable[[], None]) -> None:
        self._home = home
        self._household = household
        self._on_change = on_change
        self._turn = trio.Lock()  # one backup at a time: all are unpacked in the same folder

    async def check(
        self, host: ControlHandlers, code: str, *, by_keeper: bool, size: int, awaited: int, visitors: int
    ) -> None:
        """RefusedError for who may restore nothing here, or for a backup this box has no room for.

        `awaited`: bytes of others that have still to come, and have been promised room; `visitors`: of all backups
        of others but the keeper, here or still to come.
        """
        whole = await self._may_take_the_box(host, code, by_keeper=by_keeper)
        if not whole and size > PROFILE_MOST:
            raise RefusedError(f"The backup of a profile has at most {PROFILE_MOST // 1_000_000} MB.")
        if not whole and size + visitors > VISITORS_MOST:
            raise RefusedError("Too many files are on their way to this box; try again later.")
        free = (await trio.to_thread.run_sync(shutil.disk_usage, self._home.path)).free
        left = max(0, free - awaited)
        if size * ROOM + (SPARE if whole else SPARE_VISITORS) > left:
            raise RefusedError(f"The disk of this box has {left // 1_000_000} MB free, which is too little for this.")

    async def look(
        self, host: ControlHandlers, file: Path, passphrase: str, code: str, *, by_keeper: bool
    ) -> RestoredReply:
        """What a backup holds, once all of it was opened and checked; nothing stays."""
        await self._may_take_the_box(host, code, by_keeper=by_keeper)
        async with self._unpacked(file, passphrase) as (_, found):
            return found

    async def take(
        self, host: ControlHandlers, file: Path, passphrase: str, code: str, *, by_keeper: bool
    ) -> RestoredReply:
        """Restore it: a profile is there at once, a box when the node begins anew."""
        await self._may_take_the_box(host, code, by_keeper=by_keeper)
        async with self._unpacked(file, passphrase) as (place, found), self._household.turn:
            whole = await self._may_take_the_box(host, code, by_keeper=by_keeper)  # others came in meanwhile
            await trio.to_thread.run_sync(partial(self._put, place, found, passphrase, whole=whole))
        return found

    def begin_anew(self) -> None:
        """After who asked for it was answered: the page goes down for a moment."""
        if not arrival.is_due(self._home.path):
            raise UsageError("No backup of a box was restored here.")
        self._on_change()

    async def _may_take_the_box(self, host: ControlHandlers, code: str, *, by_keeper: bool) -> bool:
        if by_keeper:
            return True
        if self._household.has_keeper:
            if not self._household.allowed.sign_up:
                raise RefusedError("On this box the keeper restores profiles; ask for it.")
            return False
        self._household.check_code(code)
        used = bool(self._household.members()) or bool(await host.contacts()) or await host.read(_has_words)
        if used:
            raise RefusedError("This box has messages of its own already; set it up, and restore as its keeper.")
        return True

    @asynccontextmanager
    async def _unpacked(self, file: Path, passphrase: str) -> AsyncIterator[tuple[Path, RestoredReply]]:
        """Everything of a backup, in a folder of its own while this block lasts, and what it is.

        A large one takes minutes. The household waits for the passphrase alone, and signs in while the rest goes on.
        """
        async with self._turn:
            async with self._household.turn:
                opened = await trio.to_thread.run_sync(open_sealed, file, passphrase, self._home.sealer)
            unpacking = arrival.unpacking(self._home.path)
            with closing(opened):
                place = await trio.to_thread.run_sync(unpacking.__enter__)
                try:
                    yield place, await trio.to_thread.run_sync(_unpack, opened, place)
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.to_thread.run_sync(unpacking.__exit__, None, None, None)

    # In a worker thread

    def _put(self, place: Path, found: RestoredReply, passphrase: str, *, whole: bool) -> None:
        if found.kind == "profile":
            self._adopt(place)
        elif not whole:
            raise RefusedError("This is the backup of a whole box; its keeper restores it, under Box.")
        else:
            self._furnish(place, passphrase)
            arrival.lay(self._home.path)

    def _adopt(self, place: Path) -> None:
        """A profile among the others; it is opened when its member signs in."""
        sealed = (place / SEALED).read_bytes()
        if not keyring.needs_passphrase(sealed):
            raise UsageError("The keys in this backup open without a passphrase; it is not of a member's profile.")
        for left in (KEY_FILE, CODE):
            (place / left).unlink(missing_ok=True)
        self._household.adopt(place)

    def _furnish(self, place: Path, passphrase: str) -> None:
        """A home that opens as this one does, on this hardware, in the mesh of the backup."""
        held = _keyring(place, passphrase, self._home)
        mesh = _mesh_name(place, held)
        with suppress(FileNotFoundError):
            os.replace(place / CONFIG, place / CONFIG_BEFORE)
        write_private(place / CONFIG, self._home.in_mesh(mesh).encode())
        write_private(place / SEALED, self._home.sealed(held))
        own = self._home.path / KEY_FILE
        if own.exists():
            write_private(place / KEY_FILE, own.read_bytes())
        (place / CODE).unlink(missing_ok=True)
        sync_folder(place)


def _has_words(reads: Reads) -> bool:
    """Something was written here, or to this box alone; what is heard in public channels anybody has."""
    return next(reads.every(MessageRecord, "WHERE outgoing OR channel = x'' LIMIT 1"), None) is not None


def _keyring(place: Path, passphrase: str, home: Home) -> Keyring:
    """The keys of a backup: they open with the key that lies beside them, with its passphrase, or as those here do."""
    sealed = (place / SEALED).read_bytes()
    beside = place / KEY_FILE
    for opener in (Opener(key=beside.read_bytes()) if beside.exists() else Opener(passphrase), home.opener):
        try:
            return keyring.unseal(sealed, opener, home.sealer)
        except HomeError:
            continue
    raise UsageError(
        "The keys in this backup open with a passphrase that is not in it; restore it with `meshnode restore` into a"
        " new home, and start the node with --passphrase-file."
    )


def _mesh_name(place: Path, held: Keyring) -> str:
    """The mesh of a backup: as configured, or, where that was not saved, the closed one that it took up last."""
    if (place / CONFIG).exists() or not held.meshes:
        return options.load(place / CONFIG).mesh.name
    return [*held.meshes][-1]


def _unpack(opened: SealedReader, place: Path) -> RestoredReply:
    try:
        return _told(unpack_checked(opened, place, renewed=True), place)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise StoreFullError(DISK_FULL) from error
        raise StoreError(f"The backup cannot be unpacked ({error.strerror}); look at the disk.") from error


def _told(about: About, place: Path) -> RestoredReply:
    """What it is, and how much is in it."""
    folders = [place / PROFILES / name if name else place for name in about.homes]
    own = read_card(place)
    members = [card.name for folder in folders if folder.name != GUESTS and (card := read_card(folder))]
    return RestoredReply(
        kind="profile" if own else "box",
        name=own.name if own else about.name,
        persona=about.persona,
        version=about.version,
        made_at=about.made_at,
        members=sorted(members, key=str.casefold),
        messages=sum(map(_messages, folders)),
        keeper=(place / KEEPER).exists(),
    )


def _messages(home: Path) -> int:
    database = open_database(home / STORE)
    try:
        return int(database.execute("SELECT count(*) FROM message").get)
    finally:
        close_database(database)

"""Restoring on the page: a backup of a box takes the place of this one, a backup of a profile becomes a profile here.

Who has the set-up code of a box that nobody uses yet, or is its keeper, may restore a box; what the box was is put
aside (arrival.py), and the node begins anew. A profile may be restored by whoever may make one; its member signs in
with the passphrase it always had. Hardware and page stay as this box is configured: of a backup's configuration the
mesh counts, the rest lies beside as `config.backup.toml`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from meshnode import config as options
from meshnode.control.replies import RestoredReply
from meshnode.core.records import MessageRecord
from meshnode.daemon import arrival, keyring
from meshnode.daemon.adapters import ControlHandlers
from meshnode.daemon.backup import unpack_checked
from meshnode.daemon.files import sync_folder, write_private
from meshnode.daemon.home import CONFIG, STORE, Home
from meshnode.daemon.household import CODE, GUESTS, KEEPER, STORE_MB, Household, read_card
from meshnode.daemon.keyring import KEY_FILE, SEALED, Keyring, Opener
from meshnode.daemon.unpacking import PROFILES, About
from meshnode.errors import HomeError, RefusedError, StoreError, UsageError, WireError
from meshnode.store.database import close_database, open_database
from meshnode.store.reads import Reads

CONFIG_BEFORE: Final = "config.backup.toml"
PROFILE_MOST: Final = 2 * STORE_MB * 1_000_000  # bytes of a profile's backup: a store, its log, and a little more
SPARE: Final = 64_000_000  # bytes that a restore leaves free on the disk
ROOM: Final = 2  # the disk holds a backup twice: as it came, and unpacked


class Restoring:
    """Of one box. `on_change` is called when the home has to be taken up again."""

    def __init__(self, home: Home, household: Household, on_change: Callable[[], None]) -> None:
        self._home = home
        self._household = household
        self._on_change = on_change

    async def check(self, host: ControlHandlers, code: str, *, by_keeper: bool, size: int, awaited: int) -> None:
        """RefusedError for who may restore nothing here, or for a backup this box has no room for.

        `awaited`: bytes of others that have still to come, and have been promised room.
        """
        whole = await self._may_take_the_box(host, code, by_keeper=by_keeper)
        if not whole and size > PROFILE_MOST:
            raise RefusedError(f"The backup of a profile has at most {PROFILE_MOST // 1_000_000} MB.")
        free = (await trio.to_thread.run_sync(shutil.disk_usage, self._home.path)).free
        left = max(0, free - awaited)
        if size * ROOM + SPARE > left:
            raise RefusedError(f"The disk of this box has {left // 1_000_000} MB free, which is too little for this.")

    async def look(
        self, host: ControlHandlers, file: Path, passphrase: str, code: str, *, by_keeper: bool
    ) -> RestoredReply:
        """What a backup holds, once all of it was opened and checked; nothing stays."""
        await self._may_take_the_box(host, code, by_keeper=by_keeper)
        async with self._household.turn:
            return await trio.to_thread.run_sync(partial(self._look, file, passphrase))

    async def take(
        self, host: ControlHandlers, file: Path, passphrase: str, code: str, *, by_keeper: bool
    ) -> RestoredReply:
        """Restore it: a profile is there at once, a box when the node begins anew."""
        whole = await self._may_take_the_box(host, code, by_keeper=by_keeper)
        async with self._household.turn:
            return await trio.to_thread.run_sync(partial(self._take, file, passphrase, whole=whole))

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

    # In a worker thread

    def _look(self, file: Path, passphrase: str) -> RestoredReply:
        with arrival.unpacking(self._home.path) as place:
            return _told(self._unpacked(file, place, passphrase), place)

    def _take(self, file: Path, passphrase: str, *, whole: bool) -> RestoredReply:
        with arrival.unpacking(self._home.path) as place:
            found = _told(self._unpacked(file, place, passphrase), place)
            if found.kind == "profile":
                self._adopt(place)
            elif not whole:
                raise RefusedError("This is the backup of a whole box; its keeper restores it, under Box.")
            else:
                self._furnish(place, passphrase)
                arrival.lay(self._home.path)
            return found

    def _unpacked(self, file: Path, place: Path, passphrase: str) -> About:
        try:
            return unpack_checked(file, place, passphrase, self._home.sealer, renewed=True)
        except OSError as error:
            raise StoreError(f"The backup cannot be unpacked ({error.strerror}); look at the disk.") from error

    def _adopt(self, place: Path) -> None:
        """A profile among the others; it is opened when its member signs in."""
        sealed = (place / SEALED).read_bytes()
        if not keyring.needs_passphrase(sealed):
            raise WireError("the backup has keys that open without a passphrase: it is not of a member's profile")
        for left in (KEY_FILE, CODE):
            (place / left).unlink(missing_ok=True)
        self._household.adopt(place)

    def _furnish(self, place: Path, passphrase: str) -> None:
        """A home that opens as this one does, on this hardware, in the mesh of the backup."""
        held = _keyring(place, passphrase, self._home)
        mesh = options.load(place / CONFIG).mesh.name
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

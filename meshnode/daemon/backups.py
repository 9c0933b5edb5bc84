"""Handlers of `backup`: what is saved while nodes run, and how their stores are copied under them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from secrets import token_hex

import trio

from meshnode.control import client, replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.daemon import backup
from meshnode.daemon.desk import Desk
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.home import is_home


class Backups:
    """Of this home, and of the profiles below it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._turn = trio.Lock()  # one at a time: each may be as large as the store

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {requests.BackupRequest: self._backup, requests.StoreCopyRequest: self._copy}

    async def _copy(self, request: requests.StoreCopyRequest) -> replies.DoneReply:
        await self._desk.host.copy_store(Path(request.path))
        return replies.DoneReply(text=f"the store is copied to {request.path}")

    async def _backup(self, request: requests.BackupRequest) -> replies.BackupReply:
        me = self._desk.me
        target = Path(request.path) if request.path else me.home / f"backup-{token_hex(8)}"
        sources = self._sources()
        about = backup.about_home(me.name, me.keys.persona.hex(), [one.name for one in sources if one.name])
        async with self._turn:
            size = await trio.to_thread.run_sync(
                partial(backup.save, target, request.passphrase, about, sources, me.sealer, SystemEntropy())
            )
        return replies.BackupReply(path=str(target), bytes=size, profiles=len(sources) - 1)

    def _sources(self) -> list[backup.Source]:
        home, household = self._desk.me.home, self._desk.household
        profiles = home / backup.PROFILES
        found = sorted(path for path in profiles.iterdir() if is_home(path)) if profiles.exists() else []
        running = set(household.running) if household else set[str]()
        own = backup.Source(home, "", self._copy_own)
        others = [backup.Source(path, path.name, _copying(path) if path.name in running else None) for path in found]
        return [own, *others]

    def _copy_own(self, target: Path) -> None:
        """Asked from a worker thread."""
        trio.from_thread.run(self._desk.host.copy_store, target)


def _copying(profile: Path) -> backup.Copied:
    """The node of a profile copies its own store when it is asked, from a worker thread."""

    def copied(target: Path) -> None:
        trio.from_thread.run(_ask_for_copy, profile / "control.sock", target)

    return copied


async def _ask_for_copy(socket: Path, target: Path) -> None:
    async with client.connect(socket) as node:
        await node.ask(requests.StoreCopyRequest(path=str(target)), replies.DoneReply)

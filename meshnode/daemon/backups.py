"""Handlers of backup and restore: what is saved while nodes run, and what takes its place in a box that does."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import trio

from meshnode.control import client, replies, requests
from meshnode.control.replies import utc_text
from meshnode.control.server import Handlers as Answers
from meshnode.daemon import arrival, backup
from meshnode.daemon.desk import Desk
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.home import is_home
from meshnode.daemon.unpacking import PROFILES
from meshnode.errors import UsageError

if TYPE_CHECKING:
    from meshnode.daemon.restoring import Restoring  # which runs nodes; a home at rest is saved without


class Backups:
    """Of this home, and of the profiles below it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._turn = trio.Lock()  # one at a time: each may be as large as the store

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.BackupRequest: self._backup,
            requests.StoreCopyRequest: self._copy,
            requests.RestoreMayRequest: self._may,
            requests.RestoreLookRequest: self._look,
            requests.RestoreRequest: self._restore,
            requests.BeginAnewRequest: self._begin_anew,
            requests.SetAsideRequest: self._set_aside,
        }

    @property
    def _restoring(self) -> Restoring:
        if self._desk.restoring is None:
            raise UsageError("This node serves no page; restore with `meshnode restore`.")
        return self._desk.restoring

    async def _may(self, request: requests.RestoreMayRequest) -> replies.DoneReply:
        await self._restoring.check(
            self._desk.host, request.code, by_keeper=request.by_keeper, size=request.size, awaited=request.awaited,
            visitors=request.visitors,
        )  # fmt: skip
        return replies.DoneReply(text="it may be restored here")

    async def _look(self, request: requests.RestoreLookRequest) -> replies.RestoredReply:
        return await self._restoring.look(
            self._desk.host, Path(request.path), request.passphrase, request.code, by_keeper=request.by_keeper
        )

    async def _restore(self, request: requests.RestoreRequest) -> replies.RestoredReply:
        return await self._restoring.take(
            self._desk.host, Path(request.path), request.passphrase, request.code, by_keeper=request.by_keeper
        )

    async def _begin_anew(self, request: requests.BeginAnewRequest) -> replies.DoneReply:
        self._restoring.begin_anew()
        return replies.DoneReply(text="the node begins anew")

    async def _set_aside(self, request: requests.SetAsideRequest) -> replies.SetAsideReply:
        home = self._desk.me.home
        homes, size = await trio.to_thread.run_sync(arrival.set_aside, home)
        if request.forget:
            household = self._desk.household
            async with household.turn if household else nullcontext():  # in which another is set aside
                await trio.to_thread.run_sync(arrival.forget, home)
        return replies.SetAsideReply(homes=homes, bytes=size)

    async def _copy(self, request: requests.StoreCopyRequest) -> replies.DoneReply:
        await self._desk.host.copy_store(Path(request.path))
        return replies.DoneReply(text=f"the store is copied to {request.path}")

    async def _backup(self, request: requests.BackupRequest) -> replies.BackupReply:
        me = self._desk.me
        target = Path(request.path) if request.path else me.home / f"backup-{token_hex(8)}"
        sources = self._sources()
        now = self._desk.unix_now()
        profiles = [one.name for one in sources if one.name]
        about = backup.about_home(me.name, me.keys.persona.hex(), profiles, utc_text(now) if now else "")
        async with self._turn:
            size = await trio.to_thread.run_sync(
                partial(backup.save, target, request.passphrase, about, sources, me.sealer, SystemEntropy())
            )
        return replies.BackupReply(path=str(target), bytes=size, profiles=len(sources) - 1)

    def _sources(self) -> list[backup.Source]:
        home, household = self._desk.me.home, self._desk.household
        profiles = home / PROFILES
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

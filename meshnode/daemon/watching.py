"""The stream of `watch`: what was missed since a cursor, then what happens."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

from meshnode.control import notices as told
from meshnode.control import requests
from meshnode.daemon import wording
from meshnode.daemon.desk import Desk, cursor, read_cursor

PAGE = 500  # rows read at a time
LOOK_BACK = 1_000  # messages whose state a returning watcher is told again


class Watching:
    """One watcher after the other."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def watch(self, request: requests.WatchRequest) -> AsyncGenerator[told.Notice, None]:
        """First `ready`, then what was missed since the cursor, then what happens; a message is told once."""
        newest, until = read_cursor(request.since)
        with self._desk.feed.following() as following:
            yield ready(self._desk)
            if request.since:
                async for missed in self._missed(newest, until):
                    newest = max(newest, read_cursor(missed.cursor)[0])
                    yield missed
            async for notice in following:
                if not isinstance(notice, told.MessageNotice) or read_cursor(notice.cursor)[0] > newest:
                    yield notice

    async def _missed(self, since: int, until: float) -> AsyncGenerator[told.Notice, None]:
        at, now = self._desk.feed.at(), self._desk.host.now
        for filed in await self._desk.host.inbox(max(0, since - LOOK_BACK), limit=LOOK_BACK):
            if filed.message.cursor <= since and filed.state is not None and filed.state.changed_at > until:
                yield told.StateNotice(
                    at=at, cursor=cursor(since, now), id=filed.message.id.hex(),
                    state=wording.state_of(filed), witnesses=list(filed.state.witnesses),
                )  # fmt: skip
        while page := await self._desk.host.inbox(since, limit=PAGE):
            for filed in page:
                since = filed.message.cursor
                info = wording.message(filed, self._desk.book, self._desk.me.name)
                yield wording.message_notice(info, at, cursor(since, now))


def ready(desk: Desk) -> told.ReadyNotice:
    """The node runs: the first notice of every stream."""
    status = desk.status()
    return told.ReadyNotice(
        at=desk.feed.at(),
        pid=os.getpid(),
        overlay_address=status.overlay.address,
        home=str(desk.me.home),
        interface=status.interface.name,
        interface_state=status.interface.state,
        web=list(desk.pages()),
    )

"""What just happened, to everybody who watches: each watcher has a bounded buffer and is dropped when it overflows.

A watcher that falls behind gets what its buffer held, then a `gap` notice, then the end: it may ask again with the last
cursor it saw. Nobody waits for a slow watcher.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import trio

from meshnode.control.notices import GapNotice, Notice
from meshnode.control.replies import utc_text

BUFFER = 1000  # notices: minutes of a busy valley, a megabyte at most


class _Watcher:
    """One follower's buffer, and how many notices did not fit into it."""

    __slots__ = ("inlet", "missed", "outlet")

    def __init__(self, buffer: int) -> None:
        self.inlet, self.outlet = trio.open_memory_channel[Notice](buffer)
        self.missed = 0

    def offer(self, notice: Notice) -> None:
        if not self.missed:
            try:
                self.inlet.send_nowait(notice)
                return
            except trio.WouldBlock:
                self.inlet.close()
        self.missed += 1


class Feed:
    """Publish once, followed by many."""

    def __init__(self, buffer: int = BUFFER) -> None:
        self._buffer = buffer
        self._watchers: set[_Watcher] = set()
        self.last_at = utc_text(0)

    def publish(self, notice: Notice) -> None:
        """Tell whoever watches; never waits."""
        self.last_at = notice.at
        for watcher in self._watchers:
            watcher.offer(notice)

    async def follow(self) -> AsyncGenerator[Notice, None]:
        """Notices from now on, from the moment the first one is asked for; ends after a gap."""
        with self.following() as notices:
            async for notice in notices:
                yield notice

    @contextmanager
    def following(self) -> Iterator[AsyncGenerator[Notice, None]]:
        """Notices from the moment the block is entered, so that a look back at what was before misses none."""
        watcher = _Watcher(self._buffer)
        self._watchers.add(watcher)
        try:
            yield self._told(watcher)
        finally:
            self._watchers.discard(watcher)
            watcher.inlet.close()
            watcher.outlet.close()

    async def _told(self, watcher: _Watcher) -> AsyncGenerator[Notice, None]:
        async for notice in watcher.outlet:
            yield notice
        yield GapNotice(at=self.last_at, missed=watcher.missed)

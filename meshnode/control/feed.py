"""What just happened, to everybody who watches: each watcher has a bounded buffer and is dropped when it overflows.

A watcher that falls behind gets what its buffer held, then a `gap` notice, then the end: it may ask again with the last
cursor it saw. Nobody waits for a slow watcher.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import trio

from meshnode.control.notices import GapNotice, Notice
from meshnode.control.replies import utc_text

BUFFER = 1000  # notices: minutes of a busy valley, a megabyte at most


class _Watcher:
    """One follower's buffer, and how many notices did not fit into it."""

    __slots__ = ("_ended", "_last_at", "inlet", "missed", "outlet")

    def __init__(self, buffer: int) -> None:
        self.inlet, self.outlet = trio.open_memory_channel[Notice](buffer)
        self.missed = 0
        self._last_at = utc_text(0)
        self._ended = False

    def __aiter__(self) -> _Watcher:
        return self

    async def __anext__(self) -> Notice:
        if self._ended:
            raise StopAsyncIteration
        try:
            return await self.outlet.receive()
        except trio.EndOfChannel:
            self._ended = True
            return GapNotice(at=self._last_at, missed=self.missed)

    def offer(self, notice: Notice) -> None:
        if not self.missed:
            try:
                self.inlet.send_nowait(notice)
                return
            except trio.WouldBlock:
                self.inlet.close()
        self.missed += 1
        self._last_at = notice.at


class Feed:
    """Publish once, followed by many."""

    def __init__(self, buffer: int = BUFFER, at: Callable[[], str] = lambda: utc_text(0)) -> None:
        """`at` says what moment it is, for notices that are made for one watcher."""
        self.at = at
        self._buffer = buffer
        self._watchers: set[_Watcher] = set()

    @property
    def watched(self) -> bool:
        """True while anybody follows."""
        return bool(self._watchers)

    def publish(self, notice: Notice) -> None:
        """Tell whoever watches; never waits."""
        for watcher in self._watchers:
            watcher.offer(notice)

    async def follow(self) -> AsyncGenerator[Notice, None]:
        """Notices from now on, from the moment the first one is asked for; ends after a gap."""
        with self.following() as notices:
            async for notice in notices:
                yield notice

    @contextmanager
    def following(self) -> Iterator[AsyncIterator[Notice]]:
        """Notices from the moment the block is entered, so that a look back at what was before misses none."""
        watcher = _Watcher(self._buffer)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            watcher.inlet.close()
            watcher.outlet.close()

"""Live events: one stream of `watch` per node, and any number of browsers that follow it.

Each event has an id that grows. Who comes back with the last id it saw gets what it missed, as far as that is kept;
else a `gap`, and asks anew for what it shows. A browser that reads too slowly is let go. Nobody waits for it.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import structlog
import trio

from meshnode.control.client import connect
from meshnode.control.notices import CaptureNotice, GapNotice, Notice, ReadyNotice
from meshnode.control.requests import WatchRequest
from meshnode.errors import MeshnodeError, RefusedError

KEPT: Final = 500  # events of a node that a returning browser may still be told
BUFFER: Final = 64  # events a slow browser may lie behind

_log = structlog.get_logger("web")


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as it goes to every browser."""

    id: str
    name: str
    data: bytes

    @property
    def frame(self) -> bytes:
        """As `text/event-stream` has it."""
        return f"id: {self.id}\nevent: {self.name}\ndata: ".encode() + self.data + b"\n\n"


class Hub:
    """The events of one node. `watching` is set once nothing that happens is missed."""

    def __init__(self, socket: Path) -> None:
        self.watching = trio.Event()
        self._socket = socket
        self._mark = secrets.token_hex(4)  # tells these events from those of another run
        self._count = 0
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._followers: dict[int, trio.MemorySendChannel[Event]] = {}
        self._serial = 0

    @property
    def followers(self) -> int:
        """How many browsers follow."""
        return len(self._followers)

    async def run(self) -> None:
        """Follow the node until it is gone; then all browsers are let go."""
        try:
            async with connect(self._socket) as client:
                async for notice in client.stream(WatchRequest()):
                    self._take(notice)
        except MeshnodeError as error:
            _log.info("events ended", reason=str(error))
        finally:
            self.watching.set()
            for follower in self._followers.values():
                follower.close()

    @asynccontextmanager
    async def following(self, last_id: str) -> AsyncIterator[tuple[list[Event], trio.MemoryReceiveChannel[Event]]]:
        """What came after `last_id` (empty: nothing is asked for), and the channel of what follows."""
        await self.watching.wait()
        inlet, outlet = trio.open_memory_channel[Event](BUFFER)
        self._serial += 1
        serial = self._serial
        self._followers[serial] = inlet
        try:
            yield [self._now("ready"), *self._since(last_id)], outlet
        finally:
            self._followers.pop(serial, None)
            inlet.close()
            outlet.close()

    def _since(self, last_id: str) -> list[Event]:
        mark, _, number = last_id.partition(".")
        if not last_id or last_id == self._id(self._count):
            return []
        ids = [event.id for event in self._kept]
        if last_id in ids:
            return list(self._kept)[ids.index(last_id) + 1 :]
        if mark == self._mark and number == "0" and self._count <= KEPT:
            return list(self._kept)
        return [self._now("gap")]

    def _now(self, name: str) -> Event:
        """An event that is told to one browser alone."""
        told = GapNotice(at="", missed=0) if name == "gap" else {"event": name}
        return Event(self._id(self._count), name, msgspec.json.encode(told))

    def _id(self, count: int) -> str:
        return f"{self._mark}.{count}"

    def _take(self, notice: Notice) -> None:
        if isinstance(notice, ReadyNotice):
            self.watching.set()
        elif not isinstance(notice, CaptureNotice):
            self._count += 1
            name = str(notice.__struct_config__.tag)
            self._tell(Event(self._id(self._count), name, msgspec.json.encode(notice)))

    def _tell(self, event: Event) -> None:
        self._kept.append(event)
        for serial, follower in list(self._followers.items()):
            try:
                follower.send_nowait(event)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self._followers.pop(serial).close()


class Hubs:
    """A hub for each node that somebody follows."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._hubs: dict[Path, Hub] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this block lasts, hubs run."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            yield
            self._nursery = None
            nursery.cancel_scope.cancel()

    def of(self, socket: Path) -> Hub:
        """The hub of a node."""
        if self._nursery is None:
            raise RefusedError("The page is stopping; try again in a moment.")
        if socket not in self._hubs:
            self._hubs[socket] = Hub(socket)
            self._nursery.start_soon(self._run, socket)
        return self._hubs[socket]

    async def _run(self, socket: Path) -> None:
        try:
            await self._hubs[socket].run()
        finally:
            del self._hubs[socket]

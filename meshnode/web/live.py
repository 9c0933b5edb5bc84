"""Live events as a stream of `text/event-stream`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import trio

from meshnode.errors import RefusedError
from meshnode.web.box import Box
from meshnode.web.flowing import Flowing
from meshnode.web.hub import STREAMS_EACH, Event, Hub
from meshnode.web.logins import GUESTS, Login
from meshnode.web.routes import AS, Asked, Query, Route

BEAT_S = 20.0  # a comment so often: phones and routers drop a line that is still for longer
GUESTS_HEAR = ("ready", "gap", "message", "state", "stopped")


class Live:
    """What happens."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._open: Counter[str] = Counter()  # streams, by token: one guest shall not take those of all

    def routes(self) -> Iterator[Route]:
        """Its row."""
        since = Query("since", str, "The id of the last event that was seen; the header Last-Event-ID does the same.")
        taken_for = Query(AS, str, "The `id` of who it is for; the header Meshnode-As does the same.")
        yield Route(
            "GET", "/events", "guest", "Events as they happen: the notices of `meshnode watch`, and `ready` first.",
            self.events, None, query=(since, taken_for), media="text/event-stream", looked_at=True,
        )  # fmt: skip

    async def events(self, asked: Asked) -> Flowing:
        """The stream."""
        last_id = asked.query["since"] or asked.headers.get("last-event-id", "")
        if self._open[asked.token] >= STREAMS_EACH:
            raise RefusedError("Too many pages are open in this browser; close one.")
        hub = self._box.hubs.of(asked.who.socket, STREAMS_EACH if asked.who.may("member") else GUESTS)
        frames = self._frames(hub, last_id, asked.who, asked.token)
        return Flowing(frames, {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"})

    async def _frames(self, hub: Hub, last_id: str, login: Login, token: str) -> AsyncGenerator[bytes, None]:
        async with hub.following(last_id) as (missed, follow):
            with self._counted(token):
                for event in missed:
                    yield event.frame
                while (frame := await self._next(follow, login)) and self._box.logins.find(token, looking=True):
                    yield frame

    @contextmanager
    def _counted(self, token: str) -> Iterator[None]:
        self._open[token] += 1
        try:
            yield
        finally:
            self._open[token] -= 1
            self._open += Counter()  # drops who has none any more

    async def _next(self, follow: trio.MemoryReceiveChannel[Event], login: Login) -> bytes:
        """The next frame for this one, a beat when nothing happens for long, nothing at the end."""
        with trio.move_on_after(BEAT_S):
            try:
                while True:
                    event = await follow.receive()
                    if login.may("member") or event.name in GUESTS_HEAR:
                        return event.frame
            except trio.EndOfChannel:
                return b""
        return b": still here\n\n"

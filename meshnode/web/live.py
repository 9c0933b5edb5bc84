"""Live events as a stream of `text/event-stream`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import trio

from meshnode.errors import RefusedError
from meshnode.web.box import Box
from meshnode.web.flowing import Flowing
from meshnode.web.hub import Event, Hub
from meshnode.web.logins import Login
from meshnode.web.routes import AS, Asked, Query, Route

BEAT_S = 20.0  # a comment so often: phones and routers drop a line that is still for longer
REPLACED = b"event: replaced\ndata: {}\n\n"  # by another of the same person: not to be asked for again at once
GUESTS_HEAR = ("ready", "gap", "message", "state", "stopped")


class Live:
    """What happens."""

    def __init__(self, box: Box) -> None:
        self._box = box

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
        if not self._box.places.is_room(asked.who):
            raise RefusedError("Too many pages are open on this box; close one.")
        hub = self._box.hubs.of(asked.who.socket)
        frames = self._frames(hub, last_id, asked.who, asked.token)
        return Flowing(frames, {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"})

    async def _frames(self, hub: Hub, last_id: str, login: Login, token: str) -> AsyncGenerator[bytes, None]:
        with self._box.places.taken(login) as place:
            async with hub.following(last_id) as (missed, follow):
                place.leave = follow.close
                for event in missed:
                    yield event.frame
                while not place.lost and (frame := await self._next(follow, login)) and self._is_in(token):
                    yield frame
            if place.lost:
                yield REPLACED

    def _is_in(self, token: str) -> bool:
        return self._box.logins.find(token, looking=True) is not None

    async def _next(self, follow: trio.MemoryReceiveChannel[Event], login: Login) -> bytes:
        """The next frame for this one, a beat when nothing happens for long, nothing at the end."""
        with trio.move_on_after(BEAT_S):
            try:
                while True:
                    event = await follow.receive()
                    if login.may("member") or event.name in GUESTS_HEAR:
                        return event.frame
            except (trio.EndOfChannel, trio.ClosedResourceError):
                return b""
        return b": still here\n\n"

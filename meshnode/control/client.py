"""Asking a running node from trio: several questions, or a stream. One question from anywhere: `question.ask`."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from meshnode.control.lines import Answer, End, Event, Failure, Line, raised
from meshnode.control.notices import Notice
from meshnode.control.question import ANSWER_LIMIT, OTHER_VERSION, question, reaching
from meshnode.control.reader import LineReader
from meshnode.control.replies import Reply
from meshnode.control.requests import Request
from meshnode.errors import NotRunningError, WireError

R = TypeVar("R", bound=Reply)

_lines: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_notices: msgspec.json.Decoder[Notice] = msgspec.json.Decoder(Notice)


class Client:
    """One connection to a node; one question at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._reader = LineReader(stream, ANSWER_LIMIT)

    async def ask(self, request: Request, reply: type[R]) -> R:
        """The node's answer; what went wrong there is raised here."""
        await self._send(request)
        match await self._line():
            case Answer(raw):
                return msgspec.json.decode(raw, type=reply)
            case _:
                raise WireError(OTHER_VERSION)

    async def stream(self, request: Request) -> AsyncIterator[Notice]:
        """Notices until the stream ends."""
        await self._send(request)
        while True:
            match await self._line():
                case Event(raw):
                    yield _notices.decode(raw)
                case End():
                    return
                case _:
                    raise WireError(OTHER_VERSION)

    async def _send(self, request: Request) -> None:
        try:
            await self._stream.send_all(question(request))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise NotRunningError("The node has stopped.") from error

    async def _line(self) -> Line:
        try:
            line = await self._reader.next_untrusted()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise NotRunningError("The node stopped before it answered.") from error
        if line is None:
            raise NotRunningError("The node stopped before it answered.")
        decoded = _lines.decode(line)
        if isinstance(decoded, Failure):
            raise raised(decoded)
        return decoded


@asynccontextmanager
async def connect(path: Path) -> AsyncIterator[Client]:
    """A connection to the node whose control socket is at `path`; NotRunningError where nobody answers."""
    link = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with link:
        with reaching(path) as name:
            await link.connect(name)
        yield Client(trio.SocketStream(link))

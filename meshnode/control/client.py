"""Asking a running node: from trio with `connect`, from anywhere else with `ask`."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from meshnode import errors
from meshnode.control.lines import LINE_LIMIT, Answer, End, Event, Failure, Line
from meshnode.control.notices import Notice
from meshnode.control.paths import short
from meshnode.control.reader import LineReader
from meshnode.control.replies import Reply
from meshnode.control.requests import Request
from meshnode.errors import MeshnodeError, NotRunningError, UsageError, WireError

ANSWER_LIMIT = 64 * 1024 * 1024  # a whole inbox in one reply

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
                raise WireError("The node answered with something else; is it of another version?")

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
                    raise WireError("The node answered with something else; is it of another version?")

    async def _send(self, request: Request) -> None:
        line = msgspec.json.encode(request) + b"\n"
        if len(line) > LINE_LIMIT:
            raise UsageError("This is longer than a node takes at a time; give less of it.")
        try:
            await self._stream.send_all(line)
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
            raise _raised(decoded)
        return decoded


@asynccontextmanager
async def connect(path: Path) -> AsyncIterator[Client]:
    """A connection to the node whose control socket is at `path`; NotRunningError where nobody answers."""
    link = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with link:
        try:
            with short(path) as name:
                await link.connect(name)
        except PermissionError as error:
            raise UsageError(f"You may not use {path}; run this as its owner or join its group.") from error
        except OSError as error:
            raise NotRunningError(f"No node is running at {path.parent}; start it with `meshnode run`.") from error
        yield Client(trio.SocketStream(link))


def ask(path: Path, request: Request, reply: type[R]) -> R:
    """One question to the node at `path`, from code that does not run in trio."""

    async def once() -> R:
        async with connect(path) as client:
            return await client.ask(request, reply)

    return trio.run(once)


def _raised(failure: Failure) -> MeshnodeError:
    kind = getattr(errors, failure.kind, MeshnodeError)
    return (
        kind(failure.text)
        if isinstance(kind, type) and issubclass(kind, MeshnodeError)
        else MeshnodeError(failure.text)
    )

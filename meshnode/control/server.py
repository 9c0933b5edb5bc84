"""The control socket of a home: one line of JSON in, one out, or many while something is watched.

Whoever may open the socket (its owner, or its group) may ask everything; who asked is logged by process and user.
Requests of one connection are answered in order. A stream lasts until it ends, the client goes, or the client is too
slow to read. A fault in one answer costs that connection alone. What is asked is decided in `requests.py`; who answers
is handed to `run`.
"""

from __future__ import annotations

import grp
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from meshnode.control.lines import Answer, End, Event, Failure, Line
from meshnode.control.notices import Notice
from meshnode.control.paths import short
from meshnode.control.reader import LineReader
from meshnode.control.replies import Reply
from meshnode.control.requests import Request
from meshnode.errors import HomeError, MeshnodeError, UsageError, WireError

WRITE_TIMEOUT_S = 10.0  # a client that reads nothing for so long is dropped
CLIENTS = 64

Answerer = Callable[[Any], Awaitable[Reply]]
Streamer = Callable[[Any], AsyncGenerator[Notice, None]]
Handlers = Mapping[type[Request], Answerer]
Streams = Mapping[type[Request], Streamer]

_log = structlog.get_logger("control")
_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


class ControlServer:
    """Listens on a UNIX socket and hands requests to their handlers."""

    def __init__(
        self,
        path: Path,
        group: str = "",
        describe: Callable[[BaseException], str] = lambda error: type(error).__name__,
    ) -> None:
        """`describe` says what went wrong inside, for the log and the client, without anybody's words."""
        self.path = path
        self._group = group
        self._describe = describe
        self._slots = trio.CapacityLimiter(CLIENTS)
        self._inode = 0  # of the socket while it can be found

    async def run(
        self, handlers: Handlers, streams: Streams, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Answer until cancelled; the socket is gone afterwards."""
        listener = _listen(self.path, self._group)
        self._inode = os.stat(self.path).st_ino
        try:
            task_status.started()
            await trio.serve_listeners(partial(self._serve, handlers, streams), [trio.SocketListener(listener)])
        finally:
            listener.close()
            self.leave()

    def leave(self) -> None:
        """Nobody new finds the socket any more; who is connected is answered until `run` is cancelled."""
        _unlink(self.path, self._inode)

    async def _serve(self, handlers: Handlers, streams: Streams, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                self._slots.acquire_on_behalf_of_nowait(stream)
            except trio.WouldBlock:
                _log.warning("too many clients", limit=CLIENTS)
                await self._turn_away(stream)
                return
            try:
                await _Connection(stream, handlers, streams).serve()
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
                _log.info("client dropped", reason=type(error).__name__, **_credentials(stream.socket))
            except Exception as error:  # noqa: BLE001 - whatever one answer does wrong, the others go on
                await self._say_fault(stream, self._describe(error))
            finally:
                self._slots.release_on_behalf_of(stream)

    async def _turn_away(self, stream: trio.SocketStream) -> None:
        """Its question is read first: a socket closed with something unread takes the answer with it."""
        with suppress(WireError, trio.BrokenResourceError), trio.move_on_after(WRITE_TIMEOUT_S):
            await LineReader(stream).next_untrusted()
        await _say(stream, f"The node is answering {CLIENTS} others; ask again in a moment.")

    async def _say_fault(self, stream: trio.SocketStream, what: str) -> None:
        _log.error("answer failed", reason=what, **_credentials(stream.socket))
        await _say(
            stream, f"The node failed at this ({what}) and goes on; its log has the same line, please report it."
        )


class _Connection:
    """One client, from its first request to its last."""

    def __init__(self, stream: trio.SocketStream, handlers: Handlers, streams: Streams) -> None:
        self._stream = stream
        self._handlers = handlers
        self._streams = streams
        self._client = _credentials(stream.socket)

    async def serve(self) -> None:
        """Answer its requests one after the other."""
        lines = LineReader(self._stream)
        try:
            while (line := await lines.next_untrusted()) is not None:
                await self._answer(line)
        except WireError as error:
            await self._write(Failure(type(error).__name__, str(error)))

    async def _answer(self, line: bytes) -> None:
        try:
            request = decode_request_untrusted(line)
            _log.debug("request", request=type(request).__name__, **self._client)
            if streamer := self._streams.get(type(request)):
                await self._stream_out(streamer(request))
            elif handler := self._handlers.get(type(request)):
                await self._write(Answer(msgspec.Raw(msgspec.json.encode(await handler(request)))))
            else:
                raise UsageError("This node cannot do that; it may be older than the command.")
        except MeshnodeError as error:
            await self._write(Failure(type(error).__name__, str(error)))

    async def _stream_out(self, notices: AsyncGenerator[Notice, None]) -> None:
        failure: Exception | None = None  # raised outside of the nursery, which would wrap it in a group
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_gone, nursery.cancel_scope)
            try:
                await self._pump(notices)
            except (MeshnodeError, trio.BrokenResourceError, trio.TooSlowError) as error:
                failure = error
            nursery.cancel_scope.cancel()
        if failure:
            raise failure
        await self._write(End())  # only now: what comes after it is a request again

    async def _pump(self, notices: AsyncGenerator[Notice, None]) -> None:
        async with aclosing(notices):
            async for notice in notices:
                await self._write(Event(msgspec.Raw(msgspec.json.encode(notice))))

    async def _until_gone(self, scope: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError):
            while await self._stream.receive_some(4096):
                pass  # nothing may be asked while a stream runs
        scope.cancel()

    async def _write(self, line: Line) -> None:
        with trio.fail_after(WRITE_TIMEOUT_S):
            await self._stream.send_all(msgspec.json.encode(line) + b"\n")


async def _say(stream: trio.SocketStream, sentence: str) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError), trio.move_on_after(WRITE_TIMEOUT_S):
        await stream.send_all(msgspec.json.encode(Failure(MeshnodeError.__name__, sentence)) + b"\n")


def decode_request_untrusted(line: bytes) -> Request:
    """The request on a line; WireError for anything else."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"This is not a request: {error}.") from error


def _listen(path: Path, group: str) -> trio.socket.SocketType:
    """A socket that is found only once it listens: who looks for it while a node begins waits, and is not sent away."""
    _check_place(path)
    unseen = path.with_name(f"{path.name}.new")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unseen.unlink(missing_ok=True)
        with short(unseen) as name:
            listener.bind(name)
        # Nobody can connect before listen(), so the mode is right from the first moment.
        os.chmod(unseen, 0o660 if group else 0o600)
        if group:
            _give_to(unseen, group)
        listener.listen(CLIENTS)
        os.replace(unseen, path)
    except (OSError, HomeError) as error:
        listener.close()
        with suppress(OSError):
            unseen.unlink()
        if isinstance(error, OSError):
            raise HomeError(f"The control socket {path} cannot be made ({error.strerror}).") from error
        raise
    return trio.socket.from_stdlib_socket(listener)


def _check_place(path: Path) -> None:
    """A socket there was left by a killed node (the home's lock says that none is running) and makes room."""
    if path.exists() and not path.is_socket():
        raise HomeError(f"{path} is not a socket; move it away, it stands where the control socket belongs.")


def _give_to(path: Path, group: str) -> None:
    try:
        _set_group(path, group)
        _let_through(path.parent, group)
    except (LookupError, OSError) as error:
        raise HomeError(f"The control socket cannot be given to group {group} ({error}); does it exist?") from error


def _let_through(folder: Path, group: str) -> None:
    """A home is shut to all but its owner; the group may pass through to the socket, and look at nothing."""
    found = folder.stat()
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) in (0o700, 0o710):
        _set_group(folder, group)
        os.chmod(folder, 0o710)


def _set_group(path: Path, group: str) -> None:
    """What is the group's already is left alone: under the service's seccomp filter nobody may ask the kernel to."""
    wanted = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    if path.stat().st_gid != wanted:
        os.chown(path, -1, wanted)


def _unlink(path: Path, inode: int) -> None:
    if path.is_socket() and os.stat(path).st_ino == inode:
        path.unlink()


def _credentials(connection: trio.socket.SocketType) -> dict[str, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", raw)
    return {"pid": pid, "uid": uid, "gid": gid}

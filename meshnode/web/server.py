"""HTTP on our own sockets: anycorn speaks the protocol, this file holds the bounds.

Each connection is counted, in all and by address; where all are taken, the address with most gives one up. The head of
a request must come within seconds; who does not take what is sent is let go. anycorn's own listener has no such bounds,
so it is given connections one by one. It shields what it sends from being cancelled: on the way out all connections are
closed under it.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import anyio
import structlog
import trio
from anycorn.config import Config
from anycorn.tcp_server import TCPServer
from anycorn.utils import wrap_app
from anycorn.worker_context import WorkerContext
from anyio.abc import SocketAttribute

from meshnode.errors import LinkError
from meshnode.web.guard import App, Receive, Scope, Send

CONNECTIONS: Final = 512
CONNECTIONS_EACH: Final = 64  # a phone's browser opens six; behind one address may be a whole household
HEAD_S: Final = 15.0  # for the head of a request, and between two requests
SEND_S: Final = 30.0  # for a reader to take what is sent
LAST_WORDS_S: Final = 5.0
HEAD_MOST: Final = 16 * 1024
IP_FREEBIND: Final = 15  # linux/in.h: the hotspot's address may come later

_log = structlog.get_logger("web")


class Connection:
    """One client, as anycorn wants a stream. While no request is being answered, the next one must come in time."""

    def __init__(self, raw: trio.SocketStream, address: str, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self.over = trio.Event()  # the client sends nothing more
        self._raw = raw
        self._tls = tls
        wrapped = partial(trio.SSLStream[trio.SocketStream], server_side=True, https_compatible=True)
        self._stream = wrapped(raw, tls) if tls else raw
        self._answering = 0
        self._still = trio.Event()
        self._still_since = trio.current_time()

    def extra(self, attribute: Any) -> Any:
        """The raw socket, for its addresses; TLS is our own business."""
        if attribute is SocketAttribute.raw_socket:
            return self._raw.socket
        raise anyio.TypedAttributeLookupError

    @property
    def busy(self) -> bool:
        """True while a request is being answered."""
        return self._answering > 0

    async def still(self) -> None:
        """Wait until no request is being answered."""
        if self._answering:
            await self._still.wait()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Some bytes. The end of the stream where a client dawdles."""
        try:
            return await self._in_time(max_bytes)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.over.set()
            raise

    async def _in_time(self, max_bytes: int) -> bytes:
        while True:
            deadline = trio.current_time() + HEAD_S if self._answering else self._still_since + HEAD_S
            with trio.move_on_at(deadline) as patience:
                data = await self._received(max_bytes)
            if not patience.cancelled_caught:
                if not data:
                    raise anyio.EndOfStream
                return data
            if not self._answering and trio.current_time() >= self._still_since + HEAD_S:
                raise anyio.EndOfStream

    async def _received(self, max_bytes: int) -> bytes:
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise anyio.BrokenResourceError from error

    async def send(self, data: bytes) -> None:
        """All of it, or the connection is given up."""
        try:
            with trio.fail_after(SEND_S):
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
            self.close()
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Nothing follows."""
        try:
            await self._raw.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        """Close both ways."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """At once, under whoever waits on it."""
        self._raw.socket.close()

    async def answer(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: anycorn's application."""
        if self._tls:
            scope["scheme"] = "https"
        scope["extensions"] = {}  # files go the way of everything else, with its bounds
        self._answering += 1
        self._still = trio.Event()
        try:
            await app(scope, receive, send)
        finally:
            self._answering -= 1
            self._still.set()
            self._still_since = trio.current_time()


class Server:
    """Listens on some sockets and answers with one application. `tls`: what is spoken with who comes now, if any."""

    def __init__(self, app: App, tls: Callable[[], ssl.SSLContext] | None = None) -> None:
        self._app = app
        self._tls = tls
        self._open: dict[Connection, None] = {}  # the oldest first
        self._by_address: Counter[str] = Counter()

    async def run(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Serve until cancelled; the listeners are closed then."""
        async with trio.open_nursery() as nursery:
            try:
                for listener in listeners:
                    nursery.start_soon(self._accept, listener, nursery)
                await trio.sleep_forever()
            finally:
                for listener in listeners:
                    listener.socket.close()
                for connection in self._open:
                    connection.close()

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:  # out of file descriptors: those we have go on
                _log.warning("no connection", reason=error.strerror)
                await trio.sleep(0.5)
                continue
            nursery.start_soon(self._serve, stream)

    async def _serve(self, stream: trio.SocketStream) -> None:
        address = _address(stream)
        if not self._has_room(address):
            stream.socket.close()
            return
        try:
            connection = Connection(stream, address, self._tls() if self._tls else None)
        except Exception as error:  # noqa: BLE001 - no TLS for this one: no certificate, or no descriptor left
            _log.warning("no secure connection", reason=type(error).__name__)
            stream.socket.close()
            return
        self._open[connection] = None
        self._by_address[address] += 1
        try:
            await self._speak(connection)
        except Exception as error:  # noqa: BLE001 - whatever one connection does wrong, the others go on
            _log.info("connection failed", reason=type(error).__name__)
        finally:
            self._let_go(connection)

    def _has_room(self, address: str) -> bool:
        """Whether one more may come from there. Where all is full, who holds most gives one up to who has fewer."""
        own = self._by_address[address]
        if own >= CONNECTIONS_EACH:
            return False
        if len(self._open) >= CONNECTIONS:
            greedy, most = self._by_address.most_common(1)[0]
            if most <= own + 1:
                return False
            self._let_go(min((one for one in self._open if one.address == greedy), key=lambda one: one.busy))
        return True

    def _let_go(self, connection: Connection) -> None:
        """Once or again."""
        connection.close()
        if connection in self._open:
            del self._open[connection]
            self._by_address[connection.address] -= 1
            self._by_address += Counter()  # drops addresses that are at zero

    async def _speak(self, connection: Connection) -> None:
        """anycorn's parts of a connection may outlive its client (an HTTP/2 upgrade, 0.20.1): they are cut off then."""
        app = wrap_app(partial(connection.answer, self._app), 0, "asgi")
        stream: Any = connection  # has all of anyio's SocketStream that is asked for
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cut_off, connection, nursery.cancel_scope)
            await TCPServer(app, _config(), WorkerContext(None), {}, stream).run()
            nursery.cancel_scope.cancel()


async def _cut_off(connection: Connection, scope: trio.CancelScope) -> None:
    """When the client is gone, what is being answered may still be said, and nothing else."""
    await connection.over.wait()
    with trio.move_on_after(LAST_WORDS_S):
        await connection.still()
    connection.close()
    scope.cancel()


def _config() -> Config:
    config = Config()
    config.errorlog = None  # who asked for what is nobody's business
    config.h11_max_incomplete_size = HEAD_MOST
    config.keep_alive_timeout = HEAD_S
    config.include_server_header = False
    return config


def listening(addresses: Sequence[str], port: int) -> list[trio.SocketListener]:
    """Sockets on each address; LinkError with the reason where one cannot be. Port 0 is the same free one on all."""
    made = list[trio.SocketListener]()
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        raw = socket.socket(family, socket.SOCK_STREAM)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        raw.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        try:
            raw.bind((address, port))
            raw.listen(128)
        except OSError as error:
            raw.close()
            for one in made:
                one.socket.close()
            raise LinkError(f"The page cannot listen on {address} port {port} ({error.strerror}).") from error
        port = port or raw.getsockname()[1]
        made.append(trio.SocketListener(trio.socket.from_stdlib_socket(raw)))
    return made


def _address(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:
        return ""

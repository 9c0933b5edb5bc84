"""A WebSocket as a plain stream of bytes, as yggdrasil-go has it: subprotocol `ygg-ws`, binary messages.

It passes where only the web does: proxies, load balancers, guest networks. The protocol itself is wsproto's; here it
meets trio. Where a message ends means nothing, nothing is compressed, and what is held is bounded: of a greeting
16 KiB, afterwards one read.
"""

from __future__ import annotations

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from meshnode.errors import WireError

SUBPROTOCOL = "ygg-ws"
# Half of what the Go library takes for one message unless told otherwise.
LARGEST_MESSAGE = 16 * 1024
READ_AT_ONCE = 16 * 1024  # as many empty messages as fit in here are taken apart before others get their turn


class WebSocketStream(trio.abc.Stream):
    """The stream over a WebSocket that is open. One task may read while another writes."""

    def __init__(self, below: trio.abc.Stream, socket: WSConnection) -> None:
        self.transport_stream = below
        self._socket = socket
        self._held = bytearray()
        self._ended = False
        self._one_writer = trio.Lock()  # who reads has to answer pings

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As messages of at most 16 KiB."""
        for at in range(0, len(data), LARGEST_MESSAGE):
            await self._send(BytesMessage(data=bytes(data[at : at + LARGEST_MESSAGE])))

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream below has it."""
        await self.transport_stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Bytes of binary messages; empty at the end. WireError for anything else."""
        while not (self._held or self._ended):
            await self._take(await self.transport_stream.receive_some(READ_AT_ONCE))
        taken = bytes(self._held[:max_bytes])
        del self._held[: len(taken)]
        return taken

    async def aclose(self) -> None:
        """Without a word: the frames inside have their own end."""
        await self.transport_stream.aclose()

    async def take_what_came_along(self) -> None:
        """Messages that arrived behind the greeting of the other side."""
        await self._take(None)

    async def _take(self, data: bytes | bytearray | None) -> None:
        if data:
            self._socket.receive_data(bytes(data))
        self._ended = data == b""
        for event in self._socket.events():
            await self._taken(event)

    async def _taken(self, event: Event) -> None:
        match event:
            case BytesMessage():
                self._held += event.data
            case Ping():
                await self._send(event.response())
            case CloseConnection():
                self._ended = True
            case TextMessage():
                raise WireError("text over a WebSocket of Yggdrasil")

    async def _send(self, event: Event) -> None:
        async with self._one_writer:
            try:
                data = self._socket.send(event)
            except ProtocolError as error:
                raise trio.BrokenResourceError("the other side closed the WebSocket") from error
            await self.transport_stream.send_all(data)


async def open_websocket(below: trio.abc.Stream, host: str, path: str) -> WebSocketStream:
    """The dialling side. `host`: as it stands in the URI, with its port. WireError if there is no such WebSocket."""
    socket = WSConnection(ConnectionType.CLIENT)
    try:
        await below.send_all(socket.send(Request(host=host, target=path or "/", subprotocols=[SUBPROTOCOL])))
        answer = await _first(below, socket)
    except (ProtocolError, ValueError) as error:
        raise WireError(f"no WebSocket there ({error})") from error
    if isinstance(answer, RejectConnection):
        raise WireError(f"no WebSocket there (HTTP {answer.status_code})")
    if not isinstance(answer, AcceptConnection) or answer.subprotocol != SUBPROTOCOL:
        raise WireError("the WebSocket there is not Yggdrasil's")
    stream = WebSocketStream(below, socket)
    await stream.take_what_came_along()
    return stream


async def accept_websocket(below: trio.abc.Stream) -> WebSocketStream:
    """The side that was dialled. WireError for whoever asks for something else; it is told."""
    socket = WSConnection(ConnectionType.SERVER)
    try:
        request = await _first(below, socket)
        if not isinstance(request, Request):
            raise WireError("no request for a WebSocket")
        if SUBPROTOCOL not in request.subprotocols:
            await below.send_all(socket.send(RejectConnection(status_code=400)))
            raise WireError("a WebSocket that is not Yggdrasil's")
        await below.send_all(socket.send(AcceptConnection(subprotocol=SUBPROTOCOL)))
    except (ProtocolError, ValueError) as error:
        raise WireError(f"no request for a WebSocket ({error})") from error
    return WebSocketStream(below, socket)


async def _first(below: trio.abc.Stream, socket: WSConnection) -> Event:
    """What the other side says of itself; h11 bounds how long it may be."""
    while True:
        data = await below.receive_some(READ_AT_ONCE)
        if not data:
            raise WireError("it closed the connection instead of opening a WebSocket")
        socket.receive_data(bytes(data))
        for event in socket.events():
            return event

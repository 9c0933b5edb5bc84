"""The bytes of one connection. A plain socket is written in the middle of a step, without a task that wakes up for it.

A turn of the event loop costs more than most packets: what the kernel takes at once is given to it at once, and only
what it leaves over waits for a task. TLS and WebSockets have state of their own and always wait.
"""

from __future__ import annotations

import os

import trio

from meshnode.overlay.embedded.host.websocket import WebSocketStream

READ_AT_ONCE = 256 * 1024


class Pipe:
    """Reads and writes a stream. What goes wrong is an OSError or trio's BrokenResourceError or ClosedResourceError."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        below = stream
        while isinstance(below, trio.SSLStream | WebSocketStream):
            below = below.transport_stream
        self._below = below.socket if isinstance(below, trio.SocketStream) else None
        self._plain = self._below if below is stream else None

    async def read(self) -> bytes:
        """What has come, once something has; empty at the end."""
        if self._plain is None:
            return bytes(await self._stream.receive_some(READ_AT_ONCE))
        while True:
            await trio.lowlevel.wait_readable(self._plain)
            try:
                return os.read(self._plain.fileno(), READ_AT_ONCE)
            except BlockingIOError:
                continue

    async def room(self) -> None:
        """Wait until little is unsent in the kernel: what waits with us can still be dropped by our rules."""
        if self._below is not None:
            await trio.lowlevel.wait_writable(self._below)

    async def write(self, data: bytes) -> None:
        """All of it."""
        await self._stream.send_all(data)

    def write_now(self, data: bytes) -> int:
        """As many bytes as are taken at once; none when it does not work, which `write` will say."""
        if self._plain is None:
            return 0
        try:
            return os.write(self._plain.fileno(), data)
        except OSError:
            return 0

    @property
    def at_once(self) -> bool:
        """True where `write_now` can work."""
        return self._plain is not None

    async def close(self) -> None:
        """At once."""
        await trio.aclose_forcefully(self._stream)

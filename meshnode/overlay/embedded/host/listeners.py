"""Where neighbours dial us: listeners by URI, and what a stream that arrives there has to become."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress

import trio

from meshnode.errors import LinkError, WireError
from meshnode.overlay.embedded.host.streams import OVER_TLS, WEB, Target, prepared
from meshnode.overlay.embedded.host.websocket import accept_websocket

SCHEMES = ("tcp", "tls", "unix", "ws", "wss")
BACKLOG = 64
READY_WITHIN_S = 6.0


async def listen(target: Target) -> trio.SocketListener:
    """A listener for a URI; LinkError where it cannot be."""
    try:
        if target.scheme == "unix":
            return _listen_unix(target.path)
        if target.scheme not in SCHEMES:
            raise LinkError(f"listening over {target.scheme} needs yggdrasil-go")
        found = await trio.socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        return listen_tcp(found[0][0], found[0][4], target.uri.interface)
    except OSError as error:
        raise LinkError(f"{target.uri.plain} cannot be listened on ({error.strerror or error})") from error


async def made_ready(stream: trio.SocketStream, scheme: str, context: ssl.SSLContext) -> trio.abc.Stream:
    """The stream that a scheme means, over one that arrived; LinkError, and it is closed, where that is not to be."""
    ready: trio.abc.Stream = stream
    try:
        with trio.fail_after(READY_WITHIN_S):
            if scheme in OVER_TLS:
                ready = await _secured(ready, context)
            if scheme in WEB:
                ready = await accept_websocket(ready)
    except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError, WireError) as error:
        await trio.aclose_forcefully(stream)
        raise LinkError(str(error)) from error
    return ready


async def _secured(stream: trio.abc.Stream, context: ssl.SSLContext) -> trio.abc.Stream:
    secured: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(stream, context, server_side=True)
    await secured.do_handshake()
    return secured


def listen_tcp(family: int, place: tuple[object, ...], interface: str) -> trio.SocketListener:
    """A TCP listener at an address, bound to an interface if one is named; OSError where it cannot be."""
    made = prepared(family, interface)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if interface and family == socket.AF_INET6:
            place = (*place[:3], socket.if_nametoindex(interface))
        made.bind(place)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(made))


def _listen_unix(path: str) -> trio.SocketListener:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            os.unlink(path)
        made.bind(path)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(made))

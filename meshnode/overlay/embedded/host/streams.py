"""Streams to neighbours, by the scheme of a URI; bound to an interface where one is named.

    tcp, socks      TCP, straight or through a SOCKS5 proxy
    tls, sockstls   TLS over that
    ws, wss         a WebSocket over TCP, over TLS
    unix            a socket in the file system

Addresses of the overlay itself are never dialled: a link through the overlay would carry itself.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import trio

from meshnode.errors import LinkError, UsageError, WireError
from meshnode.overlay.addresses import NETWORK
from meshnode.overlay.embedded.host.connection import Terms
from meshnode.overlay.embedded.host.socks import LONGEST, Beyond, ask_proxy
from meshnode.overlay.embedded.host.websocket import open_websocket
from meshnode.overlay.embedded.wire.keys import KEY_SIZE
from meshnode.overlay.embedded.wire.meta import LONGEST_PASSWORD
from meshnode.overlay.uris import PeerUri

PROXIED = ("socks", "sockstls")
OVER_TLS = ("tls", "wss", "sockstls")
WEB = ("ws", "wss")
SCHEMES = ("tcp", "unix", "socks", *OVER_TLS, "ws")
CONNECT_WITHIN_S = 5.0
PROXIED_WITHIN_S = 20.0  # a way through Tor is made first
KEEPALIVE_AFTER_S = 270  # behind refreshes: for a neighbour that forgets them
KEEPALIVE_EVERY_S, KEEPALIVE_TIMES = 5, 4


@dataclass(frozen=True, slots=True)
class Target:
    """What a URI says, taken apart. `host`, `port`: whom to connect to; of a proxied one, `beyond` is the far side."""

    uri: PeerUri
    scheme: str
    host: str
    port: int
    path: str
    sni: str
    terms: Terms
    longest_wait_s: float
    beyond: Beyond | None = None


_PORTS = {"ws": 80, "wss": 443}


def target_of(uri: PeerUri) -> Target:
    """UsageError for options that make no sense, in the words of the Go daemon."""
    parts = urlsplit(uri.plain)
    options = parse_qs(uri.options)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return Target(
        uri, parts.scheme, parts.hostname or "", port, parts.path, options.get("sni", [""])[0],
        _terms(options), _duration(options.get("maxbackoff", ["60s"])[0]),
        _beyond(parts) if parts.scheme in PROXIED else None,
    )  # fmt: skip


def _beyond(parts: SplitResult) -> Beyond:
    far = urlsplit(f"//{parts.path.strip('/')}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    host = far.hostname or ""
    if any(len(text.encode()) > LONGEST for text in (user, password, host)):
        raise UsageError("a name or password is too long for a proxy")
    return Beyond(host, far.port or 0, user, password)


def _terms(options: dict[str, list[str]]) -> Terms:
    password, priority = options.get("password", [""])[0].encode(), options.get("priority", ["0"])[0]
    if len(password) > LONGEST_PASSWORD:
        raise UsageError("invalid password supplied")
    if not priority.isdecimal() or int(priority) > 255:
        raise UsageError("priority value is invalid")
    try:
        keys = [bytes.fromhex(key) for key in options.get("key", [])]
    except ValueError as error:
        raise UsageError("pinned public key is invalid") from error
    if any(len(key) != KEY_SIZE for key in keys):
        raise UsageError("pinned public key is invalid")
    return Terms(int(priority), password, frozenset(keys) if keys else None)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _duration(text: str) -> float:
    """Seconds of a Go duration of one unit."""
    number = text.rstrip("hms")
    try:
        return float(number) * _UNITS[text[len(number) :]]
    except (KeyError, ValueError) as error:
        raise UsageError("max backoff duration invalid") from error


# -------------------------------------------------------------------- dialling


async def dial(target: Target, context: ssl.SSLContext) -> trio.abc.Stream:
    """A stream to a peer; LinkError with the reason."""
    if target.scheme not in SCHEMES:
        raise LinkError(f"peering over {target.scheme} needs yggdrasil-go")
    try:
        with trio.fail_after(PROXIED_WITHIN_S if target.beyond else CONNECT_WITHIN_S):
            if target.scheme == "unix":
                return await trio.open_unix_socket(target.path)
            return await _layered(await _connect_any(target), target, context)
    except trio.TooSlowError as error:
        raise LinkError("no answer") from error
    except (OSError, trio.BrokenResourceError) as error:
        raise LinkError(getattr(error, "strerror", None) or str(error) or "the connection broke") from error
    except (WireError, UnicodeError) as error:  # the latter for a name that cannot be one
        raise LinkError(str(error)) from error


async def _layered(link: trio.SocketStream, target: Target, context: ssl.SSLContext) -> trio.abc.Stream:
    """What the scheme puts over TCP, from below."""
    stream: trio.abc.Stream = link
    try:
        if target.beyond is not None:
            await ask_proxy(stream, target.beyond)
        if target.scheme in OVER_TLS:
            stream = await _secured(stream, context, target)
        if target.scheme in WEB:
            stream = await open_websocket(stream, urlsplit(target.uri.plain).netloc.rpartition("@")[2], target.path)
    except BaseException:
        await trio.aclose_forcefully(link)
        raise
    return stream


async def _secured(stream: trio.abc.Stream, context: ssl.SSLContext, target: Target) -> trio.abc.Stream:
    name = target.sni or (target.beyond.host if target.beyond else target.host)
    with suppress(ValueError):
        ipaddress.ip_address(name.partition("%")[0])
        name = ""
    secured: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(stream, context, server_hostname=name or None)
    await secured.do_handshake()
    return secured


async def _connect_any(target: Target) -> trio.SocketStream:
    found = await trio.socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    usable = [(family, place) for family, _, _, _, place in found if _may_dial(str(place[0]))]
    if not usable or (target.beyond and not _may_dial(target.beyond.host)):
        raise LinkError("peer has no suitable addresses")
    error: OSError | None = None
    for family, place in usable:
        try:
            return await _connect(family, place, target.uri.interface)
        except OSError as failed:
            error = failed
    raise error or LinkError("no answer")


def _may_dial(address: str) -> bool:
    """False for what is no place in the internet; a name that a proxy is to look up may be one."""
    try:
        place = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    return not (place.is_unspecified or place.is_multicast or place in NETWORK)


async def _connect(family: int, place: tuple[object, ...], interface: str) -> trio.SocketStream:
    with ExitStack() as unless_connected:
        link = trio.socket.from_stdlib_socket(prepared(family, interface))
        unless_connected.callback(link.close)
        if interface and family == socket.AF_INET6:
            place = (*place[:3], socket.if_nametoindex(interface))
        await link.connect(place)
        unless_connected.pop_all()
        return trio.SocketStream(link)


def prepared(family: int, interface: str) -> socket.socket:
    """A TCP socket that keeps itself alive, bound to an interface if one is named."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if interface:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        tune(made)
    except OSError:
        made.close()
        raise
    return made


def tune(made: socket.socket) -> None:
    """What every TCP connection between neighbours has; listeners hand it on."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, KEEPALIVE_AFTER_S),
        (socket.TCP_KEEPINTVL, KEEPALIVE_EVERY_S),
        (socket.TCP_KEEPCNT, KEEPALIVE_TIMES),
    ):
        made.setsockopt(socket.IPPROTO_TCP, option, value)

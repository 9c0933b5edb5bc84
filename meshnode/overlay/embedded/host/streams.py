"""Streams to and from neighbours: TCP, TLS over TCP, UNIX sockets; bound to an interface where one is named.

Addresses of the overlay itself are never dialled: a link through the overlay would carry itself.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import trio

from meshnode.errors import LinkError, UsageError
from meshnode.overlay.addresses import NETWORK
from meshnode.overlay.embedded.host.connection import Terms
from meshnode.overlay.embedded.wire.keys import KEY_SIZE
from meshnode.overlay.embedded.wire.meta import LONGEST_PASSWORD
from meshnode.overlay.uris import PeerUri

SCHEMES = ("tcp", "tls", "unix")
CONNECT_WITHIN_S = 5.0
BACKLOG = 64
KEEPALIVE_AFTER_S = 100  # an idle link that died is noticed: Yggdrasil itself says nothing for four minutes
KEEPALIVE_EVERY_S, KEEPALIVE_TIMES = 5, 4


@dataclass(frozen=True, slots=True)
class Target:
    """What a URI says, taken apart."""

    uri: PeerUri
    scheme: str
    host: str
    port: int
    path: str
    sni: str
    terms: Terms
    longest_wait_s: float


def target_of(uri: PeerUri) -> Target:
    """UsageError for options that make no sense, in the words of the Go daemon."""
    parts = urlsplit(uri.plain)
    options = parse_qs(uri.options)
    return Target(
        uri, parts.scheme, parts.hostname or "", parts.port or 0, parts.path, options.get("sni", [""])[0],
        _terms(options), _duration(options.get("maxbackoff", ["60s"])[0]),
    )  # fmt: skip


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
        with trio.fail_after(CONNECT_WITHIN_S):
            if target.scheme == "unix":
                return await trio.open_unix_socket(target.path)
            stream: trio.abc.Stream = await _connect_any(target)
            return await _secured(stream, context, target) if target.scheme == "tls" else stream
    except trio.TooSlowError as error:
        raise LinkError("no answer") from error
    except (OSError, trio.BrokenResourceError) as error:
        raise LinkError(getattr(error, "strerror", None) or str(error) or "the connection broke") from error


async def _secured(stream: trio.abc.Stream, context: ssl.SSLContext, target: Target) -> trio.abc.Stream:
    name = target.sni or target.host
    with suppress(ValueError):
        ipaddress.ip_address(name.partition("%")[0])
        name = ""
    secured: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(stream, context, server_hostname=name or None)
    try:
        await secured.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secured


async def _connect_any(target: Target) -> trio.SocketStream:
    found = await trio.socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    usable = [(family, place) for family, _, _, _, place in found if _may_dial(str(place[0]))]
    if not usable:
        raise LinkError("peer has no suitable addresses")
    error: OSError | None = None
    for family, place in usable:
        try:
            return await _connect(family, place, target.uri.interface)
        except OSError as failed:
            error = failed
    raise error or LinkError("no answer")


def _may_dial(address: str) -> bool:
    place = ipaddress.ip_address(address.partition("%")[0])
    return not (place.is_unspecified or place.is_multicast or place in NETWORK)


async def _connect(family: int, place: tuple[object, ...], interface: str) -> trio.SocketStream:
    with ExitStack() as unless_connected:
        link = trio.socket.from_stdlib_socket(_prepared(family, interface))
        unless_connected.callback(link.close)
        if interface and family == socket.AF_INET6:
            place = (*place[:3], socket.if_nametoindex(interface))
        await link.connect(place)
        unless_connected.pop_all()
        return trio.SocketStream(link)


def _prepared(family: int, interface: str) -> socket.socket:
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


# -------------------------------------------------------------------- listening


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


def listen_tcp(family: int, place: tuple[object, ...], interface: str) -> trio.SocketListener:
    """A TCP listener at an address, bound to an interface if one is named; OSError where it cannot be."""
    made = _prepared(family, interface)
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

"""A connection through a SOCKS5 proxy, Tor's for example: CONNECT, with a name and password where the URI has them.

RFC 1928 and RFC 1929. Names are handed to the proxy as they are, so nothing is looked up here.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import trio

from meshnode.errors import LinkError

VERSION, CONNECT, LOGIN_VERSION = 5, 1, 1
OPEN, LOGIN, NO_WAY = 0, 2, 255  # how one proves oneself to the proxy
IPV4, NAME, IPV6 = 1, 3, 4
LONGEST = 255  # of a name or a password: their length is one byte

_SIZES = {IPV4: 4, IPV6: 16}
_REFUSALS = {
    1: "it failed", 2: "its rules do not allow it", 3: "network unreachable", 4: "no route to host",
    5: "connection refused", 6: "timed out", 7: "it cannot connect", 8: "it does not know such addresses",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Beyond:
    """Whom the proxy shall reach, and who asks. Texts of at most 255 bytes."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


async def ask_proxy(stream: trio.abc.Stream, beyond: Beyond) -> None:
    """Afterwards the stream leads to the far side; LinkError with the reason of the proxy."""
    await stream.send_all(bytes((VERSION, 1, LOGIN if beyond.user else OPEN)))
    version, way = await _exactly(stream, 2)
    if version != VERSION:
        raise LinkError("the proxy does not speak SOCKS5")
    if way == NO_WAY or way != (LOGIN if beyond.user else OPEN):
        raise LinkError("the proxy wants another name or password")
    if beyond.user:
        await _log_in(stream, beyond)
    await stream.send_all(bytes((VERSION, CONNECT, 0)) + _address(beyond.host) + beyond.port.to_bytes(2, "big"))
    await _granted(stream)


async def _log_in(stream: trio.abc.Stream, beyond: Beyond) -> None:
    await stream.send_all(bytes((LOGIN_VERSION,)) + _counted(beyond.user) + _counted(beyond.password))
    _, refused = await _exactly(stream, 2)
    if refused:
        raise LinkError("the proxy wants another name or password")


async def _granted(stream: trio.abc.Stream) -> None:
    version, reply, _, kind = await _exactly(stream, 4)
    if version != VERSION:
        raise LinkError("the proxy does not speak SOCKS5")
    if reply:
        raise LinkError(f"the proxy says: {_REFUSALS.get(reply, f'error {reply}')}")
    if kind not in (IPV4, NAME, IPV6):
        raise LinkError("the proxy does not speak SOCKS5")
    size = _SIZES[kind] if kind != NAME else (await _exactly(stream, 1))[0]
    await _exactly(stream, size + 2)  # from where it connected; nobody needs it


def _address(host: str) -> bytes:
    try:
        place = ipaddress.ip_address(host)
    except ValueError:
        return bytes((NAME,)) + _counted(host)
    return bytes((IPV4 if place.version == 4 else IPV6,)) + place.packed


def _counted(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


async def _exactly(stream: trio.abc.Stream, size: int) -> bytes:
    """No byte more: what follows is the far side's."""
    held = b""
    while len(held) < size:
        data = await stream.receive_some(size - len(held))
        if not data:
            raise LinkError("the proxy hung up")
        held += data
    return held

"""One Ethernet-like interface by name: what it is now, and when that changes.

An interface is read with a few system calls of the caller's own network namespace (/sys may show another one's). The
kernel says through netlink that *something* changed; what, is read again: nothing is missed when messages are lost,
and no parser of netlink is needed. Where netlink is not to be had, looking every second does as well.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from meshnode.errors import UsageError

LOOK_EVERY_S = 1.0  # also finds changes that the kernel does not announce, like a radio's rates

_SIOCGIFFLAGS, _SIOCGIFMTU, _SIOCGIFHWADDR, _SIOCETHTOOL = 0x8913, 0x8921, 0x8927, 0x8946
_ETHTOOL_GDRVINFO = 3
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_TENTATIVE, _DUPLICATE = 0x40, 0x08  # address flags of /proc/net/if_inet6
_LINK_SCOPE = 0x20
_RTMGRP_LINK, _RTMGRP_IPV6_IFADDR = 0x1, 0x100
_LONGEST_NAME = 15


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface as it is now. `address` is its link-local IPv6 address, empty until one may be used."""

    name: str
    index: int
    mac: str
    mtu: int
    running: bool
    address: str
    driver: str

    @property
    def usable(self) -> bool:
        """True when datagrams can leave through it."""
        return self.running and bool(self.address)


def check_name(name: str) -> str:
    """The name, if an interface may be called so."""
    if not 0 < len(name.encode()) <= _LONGEST_NAME or "/" in name or any(c.isspace() for c in name):
        raise UsageError(f"{name!r} is no name of a network interface; see `ip link`.")
    return name


def read_interface(name: str) -> Interface | None:
    """The interface of that name, or None while there is none."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        try:
            flags = struct.unpack_from("=H", _ask(asking, _SIOCGIFFLAGS, name), 16)[0]
            mtu = struct.unpack_from("i", _ask(asking, _SIOCGIFMTU, name), 16)[0]
            mac = _ask(asking, _SIOCGIFHWADDR, name)[18:24].hex(":")
            index = socket.if_nametoindex(name)
        except OSError:
            return None
        up = flags & (_IFF_UP | _IFF_RUNNING) == _IFF_UP | _IFF_RUNNING
        return Interface(name, index, mac, mtu, up, _link_local(name), _driver(asking, name))


def _ask(asking: socket.socket, what: int, name: str) -> bytes:
    return fcntl.ioctl(asking, what, struct.pack("16s24x", name.encode()))


def _link_local(name: str) -> str:
    """The first link-local address that has passed duplicate detection."""
    try:
        lines = Path("/proc/self/net/if_inet6").read_text().splitlines()
    except OSError:
        return ""  # a kernel without IPv6
    for line in lines:
        packed, _, _, scope, flags, owner = line.split()
        unfit = int(flags, 16) & (_TENTATIVE | _DUPLICATE)
        if owner == name and int(scope, 16) == _LINK_SCOPE and not unfit:
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed))
    return ""


def _driver(asking: socket.socket, name: str) -> str:
    """What the driver calls itself, empty where it does not say."""
    info = array.array("B", struct.pack("I192x", _ETHTOOL_GDRVINFO))
    try:
        fcntl.ioctl(asking, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), info.buffer_info()[0]))
    except OSError:
        return ""
    return info.tobytes()[4:36].split(b"\0")[0].decode(errors="replace")


def interface_names() -> set[str]:
    """The interfaces of our own network namespace."""
    return {name for _, name in socket.if_nameindex()}


class News:
    """Says when something about interfaces may have changed."""

    def __init__(self, netlink: socket.socket | None) -> None:
        self._netlink = netlink

    async def wait(self) -> None:
        """Return when the kernel says so, at the latest after a second."""
        with trio.move_on_after(LOOK_EVERY_S):
            if self._netlink is None:
                await trio.sleep_forever()
            else:
                await trio.lowlevel.wait_readable(self._netlink)
                self._drain(self._netlink)

    @staticmethod
    def _drain(netlink: socket.socket) -> None:
        try:
            while netlink.recv(65536):
                pass
        except OSError:
            pass  # read dry, or messages were lost: both mean "look again"


@contextmanager
def interface_news() -> Iterator[News]:
    """News for the time of the block."""
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except OSError:
        yield News(None)
        return
    with netlink:
        netlink.bind((0, _RTMGRP_LINK | _RTMGRP_IPV6_IFADDR))
        yield News(netlink)

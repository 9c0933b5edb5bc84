"""Neighbours on the chosen interface find each other: a beacon says where to dial.

    a tick       every 1 to 2 s: the interface and its link-local address are looked at again
    a beacon     at a tick, when so many seconds have passed since the last as beacons were sent, up to 15
    who hears it dials the address it came from, over TLS, and expects the key it told

Both sides may dial: two links to one neighbour do no harm, the older is used.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import trio

from meshnode.core.ports import Entropy
from meshnode.errors import WireError
from meshnode.overlay.embedded.host.listeners import listen_tcp
from meshnode.overlay.embedded.wire.beacon import (
    GROUP,
    LARGEST,
    PORT,
    Beacon,
    decode_beacon_untrusted,
    encode_beacon,
)

MOST_GAP_S = 15
TICK_S = (1.0, 2.05)
_LINK_SCOPE, _TENTATIVE_OR_DUPLICATE = "20", 0x48

_log = structlog.get_logger("overlay")


@dataclass(frozen=True, slots=True)
class Group:
    """Whom to find, and where."""

    interface: str
    password: bytes = field(default=b"", repr=False)


Found = Callable[[Beacon, str], Awaitable[None]]  # a beacon, and the link-local address it came from
Arrived = Callable[[trio.SocketStream], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Spot:
    """The interface's number, and its link-local address."""

    index: int
    address: str


def spot_of(interface: str) -> Spot | None:
    """Where an interface is now; None while it has no link-local address to use."""
    for line in Path("/proc/thread-self/net/if_inet6").read_text().splitlines():
        packed, index, _, scope, flags, name = line.split()
        if name == interface and scope == _LINK_SCOPE and not int(flags, 16) & _TENTATIVE_OR_DUPLICATE:
            return Spot(int(index, 16), socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed)))
    return None


class Multicast:
    """Discovery on one interface. `found` dials, `arrived` serves whoever dialled us."""

    def __init__(self, group: Group, own: bytes, entropy: Entropy, found: Found, arrived: Arrived) -> None:
        self._group, self._own, self._entropy = group, own, entropy
        self._found, self._arrived = found, arrived
        self.listening = ""  # address and port of the listener, as the admin socket shows it
        self.counters: Counter[str] = Counter()
        self.resting = False  # the interface is to be left alone

    @property
    def group(self) -> Group:
        """Whom it looks for."""
        return self._group

    async def run(self) -> None:
        """Find and be found until cancelled, whenever the interface is there."""
        while True:
            spot = spot_of(self._group.interface)
            if spot is not None and not self.resting:
                await self._at(spot)
            await trio.sleep(TICK_S[0])

    async def _at(self, spot: Spot) -> None:
        """Serve until the interface has another address or none, or has to be left alone; the neighbours go with it."""
        with ExitStack() as stack:
            try:
                listener = listen_tcp(socket.AF_INET6, (spot.address, 0, 0, spot.index), self._group.interface)
                stack.callback(listener.socket.close)
                group = stack.enter_context(_group_socket(self._group.interface, spot.index))
            except OSError as error:
                _log.warning("no multicast peering", interface=self._group.interface, why=error.strerror)
                return
            port = listener.socket.getsockname()[1]
            self.listening = f"[{spot.address}%{self._group.interface}]:{port}"
            try:
                await self._serve(spot, listener, group, port)
            finally:
                self.listening = ""

    async def _serve(self, spot: Spot, listener: trio.SocketListener, group: trio.socket.SocketType, port: int) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._arrived, [listener])
            nursery.start_soon(self._hear, group, nursery)
            await self._speak(spot, group, encode_beacon(Beacon(self._own, port), self._group.password))
            nursery.cancel_scope.cancel()

    async def _speak(self, spot: Spot, group: trio.socket.SocketType, beacon: bytes) -> None:
        gap, due = 0, trio.current_time()
        while spot_of(self._group.interface) == spot and not self.resting:
            if trio.current_time() >= due:
                try:
                    await group.sendto(beacon, (GROUP, PORT, 0, spot.index))
                except OSError:
                    self.counters["beacons_not_sent"] += 1
                gap = min(gap + 1, MOST_GAP_S)
                due = trio.current_time() + gap
            await trio.sleep(self._entropy.between("overlay-beacon", *TICK_S))

    async def _hear(self, group: trio.socket.SocketType, nursery: trio.Nursery) -> None:
        while True:
            data, place = await group.recvfrom(LARGEST)
            try:
                beacon = decode_beacon_untrusted(data, self._group.password)
            except WireError:
                self.counters["beacons_refused"] += 1
                continue
            if beacon.key != self._own:
                nursery.start_soon(self._found, beacon, str(place[0]).partition("%")[0])


def _group_socket(interface: str, index: int) -> trio.socket.SocketType:
    """Hears the group on this interface and nothing else; sends from its port."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        made.bind((GROUP, PORT, 0, index))
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)  # other nodes of this host
        wanted = socket.inet_pton(socket.AF_INET6, GROUP) + struct.pack("@I", index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)
    except OSError:
        made.close()
        raise
    return trio.socket.from_stdlib_socket(made)

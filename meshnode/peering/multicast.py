"""The link: UDP datagrams on one bound interface, to everybody in hearing or to one neighbour.

    the interface is        we do
    missing or down         nothing; the core is told None, and hears again when it returns (with whatever index)
    up with an address      one socket, bound to the device, in the group; the core is told the rates
    changed                 a new socket

What is read is only what can have come from this link: hop limit 255, a link-local source that is not our own, the
bound interface, the group or our own address as destination, at most 1,200 bytes. The rest is dropped and counted.
Reading waits while the core is busy; then the kernel's buffer overflows, which is where a flood belongs.

Where the law limits the hour, what others send on the interface is held to its share (shaping.py), and the core is told
the interface's counters now and then.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import trio

from meshnode.core.inputs import FrameReceived, Input, LinkChanged, LinkUsed
from meshnode.core.settings import LinkSettings
from meshnode.errors import LinkError
from meshnode.peering.interface import Interface, News, check_name, interface_news, read_interface
from meshnode.peering.places import HOP_LIMIT, LINK_GROUP, LINK_PORT, MAX_DATAGRAM
from meshnode.peering.radio import RadioFile, RadioSource, radio_state_path
from meshnode.peering.shaping import Shaping
from meshnode.peering.usage import read_usage

BURST = 64  # datagrams read before others get a turn
COUNT_EVERY_S = 5.0  # what others send can only be booked afterwards
SEND_BUFFER = 64 * 1024  # half a second at 1 Mbit/s: the core paces, a longer queue would only add delay

_ROOM = MAX_DATAGRAM + 1  # one more than allowed, so that a longer one shows
_CONTROL_ROOM = socket.CMSG_SPACE(20) + socket.CMSG_SPACE(4)
_GROUP = socket.inet_pton(socket.AF_INET6, LINK_GROUP)
_HEARD_S = 30.0
_MAX_HEARD = 256
_MSG_CONFIRM = 0x800  # linux/socket.h: "the neighbour answered, believe that it is there"
_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)


class UdpLink:
    """The link of one interface."""

    def __init__(
        self,
        interface: str,
        settings: LinkSettings | None = None,
        *,
        port: int = LINK_PORT,
        radio: RadioSource | None = None,
        radio_state: Path | None = None,
    ) -> None:
        self.name = check_name(interface)
        self.counters: Counter[str] = Counter()
        self._base = settings or LinkSettings()
        self._settings = self._base
        self._port = port
        self._driver = radio
        self._radio = RadioFile(radio_state or radio_state_path())
        self._found: Interface | None = None
        self._socket: socket.socket | None = None
        self._heard: dict[str, float] = {}  # who sent something, and when

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; a missing interface is waited for."""
        with interface_news() as news:
            self._look()
            task_status.started()
            while True:
                if self._found is not None and self._found.usable:
                    await self._serve(self._found, inputs, news)
                    await inputs.send(LinkChanged(self.name, None))
                else:
                    await self._changed(news)

    def send(self, to: str | None, data: bytes) -> None:
        """Put one datagram on the air, or count why it cannot be."""
        if self._socket is None or self._found is None:
            self.counters["link_down"] += 1
            return
        if len(data) > MAX_DATAGRAM:
            self.counters["sent_too_long"] += 1
            return
        try:
            # A text that is no address must not become a question to a name server.
            host = LINK_GROUP if to is None else socket.inet_ntop(*_packed(to))
            self._socket.sendto(data, self._confirming(host), (host, self._port, 0, self._found.index))
            self.counters["sent"] += 1
        except OSError as error:
            self.counters["send_queue_full" if error.errno in _FULL else "send_failed"] += 1

    def _confirming(self, host: str) -> int:
        """Who was heard a moment ago is there: the kernel's own question would cost two frames each time."""
        heard_at = self._heard.get(host)
        return _MSG_CONFIRM if heard_at is not None and trio.current_time() < heard_at + _HEARD_S else 0

    def where(self) -> tuple[str, str]:
        """Interface and link-local address sessions may use; empty while the link is down."""
        return (self.name, self._found.address) if self._socket and self._found else ("", "")

    def status(self) -> Mapping[str, object]:
        """For `status`: the interface, and what is used for pacing."""
        found = self._found
        known = (
            {}
            if found is None
            else {"driver": found.driver, "address": found.address, "mac": found.mac, "mtu": found.mtu}
        )
        state = "missing" if found is None else "up" if found.usable else "down"
        return {
            "name": self.name,
            "driver": "",
            "state": state,
            **known,
            **asdict(self._settings),
            "counters": dict(self.counters),
        }

    def _look(self) -> None:
        self._found = read_interface(self.name)
        known = self._driver.settings(self._base) if self._driver else self._base
        self._settings = self._radio.settings(known)

    def _retries(self) -> int:
        return self._radio.retries + (self._driver.retries if self._driver else 0)

    async def _changed(self, news: News) -> None:
        """Return when the interface or its rates are not what they were."""
        before = (self._found, self._settings)
        while (self._found, self._settings) == before:
            await news.wait()
            self._look()

    async def _serve(self, found: Interface, inputs: trio.MemorySendChannel[Input], news: News) -> None:
        """One life of the socket: as long as interface and address stay."""
        shaping = Shaping(found.index, self._port)
        with self._open(found) as self._socket:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._receive, self._socket, found, inputs)
                    nursery.start_soon(self._count, inputs)
                    while self._found == found:
                        await inputs.send(LinkChanged(self.name, await self._held(shaping)))
                        await self._changed(news)
                    nursery.cancel_scope.cancel()
            finally:
                self._socket = None
                if self._settings.law.limited:
                    with trio.CancelScope(shield=True):
                        await trio.to_thread.run_sync(shaping.release)

    async def _held(self, shaping: Shaping) -> LinkSettings:
        """The settings, once what others send is held to its share where the law and the system want it so."""
        settings = self._settings
        if not settings.law.limited or not settings.law.reserve_ppm:
            return settings
        held = await trio.to_thread.run_sync(shaping.hold, settings)
        return replace(settings, law=replace(settings.law, others_held=held))

    async def _count(self, inputs: trio.MemorySendChannel[Input]) -> None:
        """Tell the interface's counters whenever they moved, where the law limits the hour."""
        told: LinkUsed | None = None
        while True:
            seen = read_usage(self.name, self._retries()) if self._settings.law.limited else None
            if seen is not None and seen != told:
                told = seen
                await inputs.send(seen)
            await trio.sleep(COUNT_EVERY_S)

    def _open(self, found: Interface) -> socket.socket:
        opened = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            _bind(opened, found, self._port)
        except OSError as error:
            opened.close()
            busy = "; is another node running on it?" if error.errno == errno.EADDRINUSE else ""
            raise LinkError(f"UDP port {self._port} on {found.name} cannot be used ({error.strerror}){busy}") from error
        return opened

    async def _receive(self, link: socket.socket, found: Interface, inputs: trio.MemorySendChannel[Input]) -> None:
        own = socket.inet_pton(socket.AF_INET6, found.address)
        while True:
            await trio.lowlevel.wait_readable(link)
            for _ in range(BURST):
                try:
                    data, control, flags, source = link.recvmsg(_ROOM, _CONTROL_ROOM)
                except BlockingIOError:
                    break
                except OSError:
                    self.counters["receive_failed"] += 1  # the interface went down; netlink tells the rest
                    break
                packed = socket.inet_pton(socket.AF_INET6, source[0])
                arrived = _arrival(control)
                if why := refusal(data, flags, packed, arrived, own, found.index):
                    self.counters[why] += 1
                    continue
                self.counters["received"] += 1
                address = socket.inet_ntop(socket.AF_INET6, packed)
                self._note_heard(address)
                await inputs.send(FrameReceived(self.name, address, arrived[1] == _GROUP, data))

    def _note_heard(self, address: str) -> None:
        self._heard.pop(address, None)
        self._heard[address] = trio.current_time()
        if len(self._heard) > _MAX_HEARD:
            del self._heard[next(iter(self._heard))]


def refusal(data: bytes, flags: int, source: bytes, arrived: tuple[int, bytes, int], own: bytes, index: int) -> str:
    """Why a datagram is dropped unread (rule 2.5), empty if it is not. `arrived`: hop limit, destination, index."""
    hops, destination, on = arrived
    if len(data) > MAX_DATAGRAM or flags & socket.MSG_TRUNC:
        return "received_too_long"
    if hops != HOP_LIMIT or source[0] != 0xFE or source[1] & 0xC0 != 0x80:
        return "received_off_link"
    if on != index or destination not in (_GROUP, own):
        return "received_elsewhere"
    return "received_own_echo" if source == own else ""


def _arrival(control: list[tuple[int, int, bytes]]) -> tuple[int, bytes, int]:
    """Hop limit, destination and interface index of a datagram, from its ancillary data."""
    hops, destination, index = 0, b"", 0
    for level, kind, value in control:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT:
            hops = struct.unpack("i", value[:4])[0]
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            destination, index = value[:16], struct.unpack("i", value[16:20])[0]
    return hops, destination, index


def _bind(link: socket.socket, found: Interface, port: int) -> None:
    v6 = socket.IPPROTO_IPV6
    link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, found.name.encode())
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    for option, value in (
        (socket.IPV6_V6ONLY, 1),
        (socket.IPV6_RECVPKTINFO, 1),
        (socket.IPV6_RECVHOPLIMIT, 1),
        (socket.IPV6_UNICAST_HOPS, HOP_LIMIT),
        (socket.IPV6_MULTICAST_HOPS, HOP_LIMIT),
        (socket.IPV6_MULTICAST_IF, found.index),
        (socket.IPV6_MULTICAST_LOOP, 0),
    ):
        link.setsockopt(v6, option, value)
    link.bind(("::", port))
    link.setsockopt(v6, socket.IPV6_JOIN_GROUP, _GROUP + struct.pack("i", found.index))


def _packed(address: str) -> tuple[int, bytes]:
    return socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address)

"""A link to configured addresses, for places where multicast is missing: plain UDP, IPv4 or IPv6, routed or not.

What goes to all goes to each configured address. The seal knows whether a frame was meant for all or for one, so the
datagram says so in a byte before it; a wrong byte does not open. Only configured addresses are listened to.

    kind 1 (0 for all, 1 for the receiver) | datagram as on a link
"""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict

import trio

from meshnode.core.inputs import FrameReceived, Input, LinkChanged
from meshnode.core.settings import LinkSettings
from meshnode.errors import LinkError, UsageError
from meshnode.peering.places import MAX_DATAGRAM, STATIC_PORT

FOR_ALL, FOR_ONE = b"\0", b"\1"
MOST_PEERS = 16

_ROOM = MAX_DATAGRAM + 2


class StaticLink:
    """Datagrams between this host and a few others. Addresses look like 192.0.2.7:21028 or [2001:db8::7]:21028."""

    def __init__(
        self,
        peers: Sequence[str],
        settings: LinkSettings | None = None,
        *,
        name: str = "static",
        port: int = STATIC_PORT,
    ) -> None:
        if not 0 < len(peers) <= MOST_PEERS:
            raise UsageError(f"A link to configured addresses has 1 to {MOST_PEERS} of them.")
        self.name = name
        self.counters: Counter[str] = Counter()
        self._peers = {address_text(*pair): pair for pair in map(parse_address, peers)}
        self._settings = settings or LinkSettings()
        self._port = port
        self._sockets: dict[int, socket.socket] = {}

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled."""
        with ExitStack() as stack:
            stack.callback(self._sockets.clear)
            for family in sorted({_family(host) for host, _ in self._peers.values()}):
                self._sockets[family] = stack.enter_context(_opened(family, self._port))
            await inputs.send(LinkChanged(self.name, self._settings))
            task_status.started()
            async with trio.open_nursery() as nursery:
                for link in self._sockets.values():
                    nursery.start_soon(self._receive, link, inputs)

    def send(self, to: str | None, data: bytes) -> None:
        """Send to one configured address, or to each of them."""
        if len(data) > MAX_DATAGRAM:
            self.counters["sent_too_long"] += 1
        elif to is None:
            for peer in self._peers.values():
                self._send(peer, FOR_ALL + data)
        elif to in self._peers:
            self._send(self._peers[to], FOR_ONE + data)
        else:
            self.counters["send_failed"] += 1

    def where(self) -> tuple[str, str]:
        """Sessions have no address here."""
        return "", ""

    def status(self) -> Mapping[str, object]:
        """For `status`."""
        return {
            "name": self.name,
            "driver": "udp",
            "state": "up" if self._sockets else "down",
            "address": f"port {self._port}",
            **asdict(self._settings),
            "counters": dict(self.counters),
        }

    def _send(self, peer: tuple[str, int], data: bytes) -> None:
        link = self._sockets.get(_family(peer[0]))
        if link is None:
            self.counters["link_down"] += 1
            return
        try:
            link.sendto(data, peer)
            self.counters["sent"] += 1
        except BlockingIOError:
            self.counters["send_queue_full"] += 1
        except OSError:
            self.counters["send_failed"] += 1

    async def _receive(self, link: socket.socket, inputs: trio.MemorySendChannel[Input]) -> None:
        while True:
            await trio.lowlevel.wait_readable(link)
            try:
                data, source = link.recvfrom(_ROOM)
            except OSError:
                self.counters["receive_failed"] += 1  # a refused send comes back here, too
                continue
            address = address_text(source[0], source[1])
            if address not in self._peers:
                self.counters["received_elsewhere"] += 1
            elif not 1 < len(data) <= MAX_DATAGRAM + 1 or data[:1] not in (FOR_ALL, FOR_ONE):
                self.counters["received_too_long" if len(data) > MAX_DATAGRAM + 1 else "received_malformed"] += 1
            else:
                self.counters["received"] += 1
                await inputs.send(FrameReceived(self.name, address, data[:1] == FOR_ALL, data[1:]))


def parse_address(text: str) -> tuple[str, int]:
    """Host and port; UsageError for anything but a numeric address with a port."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
        if colon and (address.version == 4 or bare != host) and 0 < int(port) < 65536:
            return str(address), int(port)
    except ValueError:
        pass
    raise UsageError(f"{text} is no address with a port; it looks like 192.0.2.7:21028 or [2001:db8::7]:21028.")


def address_text(host: str, port: int) -> str:
    """The text that `parse_address` takes."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _opened(family: int, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(("", port))
    except OSError as error:
        opened.close()
        raise LinkError(f"UDP port {port} cannot be used ({error.strerror}); is another node running here?") from error
    return opened

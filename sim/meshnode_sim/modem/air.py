"""The air between fake modems: UDP datagrams over the modelled channel, so that they share loss and airtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshnode.air.channel import Channel
from meshnode.air.topology import Topology

UDP_IP = 28  # octets of the IPv4 and UDP headers
NETWORK = "192.168.50."


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram on its way; `host` is an address or a group."""

    source: str
    source_port: int
    host: str
    port: int
    payload: bytes


def address_of(index: int) -> str:
    """The address of modem `index`."""
    return f"{NETWORK}{index + 1}"


def is_group(host: str) -> bool:
    """Whether everybody in hearing gets it: a multicast group or the broadcast address."""
    return host.endswith(".255") or 224 <= int(host.partition(".")[0]) <= 239


class ModemAir:
    """The channel of some modems. Times are seconds of the host's clock."""

    def __init__(self, topology: Topology, seed: int) -> None:
        self.channel = Channel(topology, seed)
        self._receivers: dict[int, Callable[[Datagram, float], None]] = {}
        self._under_way: dict[bytes, Datagram] = {}
        self._serial = 0

    def join(self, index: int, receive: Callable[[Datagram, float], None]) -> None:
        """Modem `index` hears through `receive`."""
        self._receivers[index] = receive

    def send(self, index: int, datagram: Datagram, now: float) -> bool:
        """Queue it; False when the radio's queue is full or nobody has that address."""
        self._serial += 1
        key = self._serial.to_bytes(8, "big")
        self._under_way[key] = datagram
        if len(self._under_way) > 4096:
            del self._under_way[next(iter(self._under_way))]
        dst = None if is_group(datagram.host) else self._index(datagram.host)
        if dst == -1:
            return False
        return self.channel.offer(index, key, dst, _ns(now), payload=len(datagram.payload) + UDP_IP)

    def advance(self, now: float) -> None:
        """Deliver what has arrived until now."""
        for delivery in self.channel.advance(_ns(now)):
            datagram = self._under_way.get(delivery.frame)
            if datagram is not None and delivery.node in self._receivers:
                self._receivers[delivery.node](datagram, now)

    def next_at(self) -> float | None:
        """When something arrives next."""
        at = self.channel.next_event_ns()
        return None if at is None else at / 1e9

    def _index(self, host: str) -> int:
        last = host.removeprefix(NETWORK)
        known = host.startswith(NETWORK) and last.isdigit() and 1 <= int(last) <= self.channel.topology.nodes
        return int(last) - 1 if known else -1


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)

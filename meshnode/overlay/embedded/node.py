"""A whole node without its sockets: links below, IPv6 packets above, a clock that is told.

links     `router.join`, `router.leave`, `router.receive_untrusted`; frames to write wait in each link's queue
packets   `from_host` takes one from the TUN, `to_host` is given those for it
time      `maintain` once a second, `hasten` a few times
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from meshnode.core.ports import Entropy
from meshnode.overlay.embedded.ends.hosts import Hosts, place_of
from meshnode.overlay.embedded.ends.ip6 import (
    LEAST_MTU,
    destination_of,
    is_icmp_error,
    is_ip6,
    source_of,
    too_big,
    unreachable,
)
from meshnode.overlay.embedded.ends.requests import MOST_KEYS, Answer, Question, Requests
from meshnode.overlay.embedded.ends.sessions import Sessions
from meshnode.overlay.embedded.routing.queue import MOST_WAITING
from meshnode.overlay.embedded.routing.router import Router
from meshnode.overlay.embedded.routing.sequence import Sequence
from meshnode.overlay.embedded.wire.keys import Identity, address_bytes, partial_key, subnet_bytes

_PACKET, _REQUEST = b"\x01", 2
_MULTICAST = 0xFF


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What a node is told. `info` is what it says of itself to anybody who asks."""

    mtu: int = LEAST_MTU
    info: Mapping[str, object] = field(default_factory=dict)
    most_waiting: int = MOST_WAITING


class Node:
    """One Yggdrasil node. `to_host` takes whole IPv6 packets; `sequence` gives numbers that never fall."""

    def __init__(
        self,
        identity: Identity,
        entropy: Entropy,
        sequence: Sequence,
        to_host: Callable[[bytes], None],
        settings: NodeSettings | None = None,
    ) -> None:
        self.settings = settings or NodeSettings()
        self.own = identity.public
        self.address, self.subnet = address_bytes(self.own), subnet_bytes(self.own)
        self._to_host = to_host
        self.router = Router(identity, entropy, sequence, self._arrived, self._learned, self.settings.most_waiting)
        self.sessions = Sessions(identity, entropy, sequence, self.router.send, self._opened)
        self._hosts = Hosts()
        self._requests = Requests(self._answer, self.sessions.write)
        self.counters: Counter[str] = Counter()

    def maintain(self, now: float) -> None:
        """Once a second: timers, tree, filters."""
        self.router.maintain(now)
        self.sessions.expire(now)
        self._requests.expire(now)
        for packet in self._hosts.unanswered(now):
            self._refuse(packet)
        self._hosts.expire(now)

    def hasten(self, now: float) -> None:
        """Between two seconds: where something has changed, the tree goes on. News pass a hop in the time of a tick.

        yggdrasil-go waits for its second on each hop; a torn network of ours alone heals three times as fast.
        """
        if self.router.stirred:
            self.router.maintain(now)

    def from_host(self, packet: bytes, now: float) -> None:
        """A packet of this host: sent, kept until its address is known, or dropped."""
        if not is_ip6(packet) or not self._is_ours(source_of(packet)):
            self.counters["not_ours"] += 1
            return
        place = place_of(destination_of(packet))
        if place is None:
            self._refuse(packet)
            return
        key = self._hosts.key_of(place, now)
        if key is not None:
            self.sessions.write(key, _PACKET + packet, now)
        elif self._hosts.wait(place, packet, now):
            self.router.find(partial_key(place), now)

    def ask(self, question: Question, key: bytes, answer: Answer, now: float) -> None:
        """Ask another node; `answer` is called once, within six seconds or at the next `maintain` after them."""
        self._requests.ask(question, key, answer, now)

    def _is_ours(self, address: bytes) -> bool:
        return address == self.address or address[:8] == self.subnet

    def _refuse(self, packet: bytes) -> None:
        """Nobody has this address: say so to our own host, so that a program need not wait."""
        if destination_of(packet)[0] != _MULTICAST and not is_icmp_error(packet):
            self.counters["unreachable"] += 1
            self._to_host(unreachable(packet, self.address))

    # ---- from below

    def _arrived(self, source: bytes, payload: bytes, now: float) -> None:
        self.sessions.receive_untrusted(source, payload, now)

    def _learned(self, key: bytes, now: float) -> None:
        for packet in self._hosts.learn(key, now):
            self.sessions.write(key, _PACKET + packet, now)

    def _opened(self, source: bytes, message: bytes, now: float) -> None:
        if message[:1] == _PACKET:
            self._packet_untrusted(source, message[1:], now)
        elif message[:1] and message[0] == _REQUEST:
            self._requests.receive_untrusted(source, message, now)

    def _packet_untrusted(self, source: bytes, packet: bytes, now: float) -> None:
        """A packet of a session: its source has to be the session's key, its destination us."""
        if not is_ip6(packet) or not self._is_ours(destination_of(packet)):
            self.counters["not_for_us"] += 1
            return
        sender = source_of(packet)
        if sender != address_bytes(source) and sender[:8] != subnet_bytes(source):
            self.counters["spoofed"] += 1
            return
        self._learned(source, now)
        if len(packet) > self.settings.mtu:
            self.sessions.write(source, _PACKET + too_big(packet, self.settings.mtu), now)
        else:
            self._to_host(packet)

    # ---- about us

    def _answer(self, question: Question) -> bytes:
        match question:
            case Question.INFO:
                return json.dumps(dict(self.settings.info), separators=(",", ":")).encode()
            case Question.SELF:
                about = {"key": self.own.hex(), "routing_entries": str(len(self.router.places))}
                return json.dumps(about, separators=(",", ":")).encode()
            case Question.PEERS:
                return b"".join([one.key for one in self.router.neighbours][:MOST_KEYS])
            case Question.TREE:
                return b"".join([place.key for place in self.router.places.all()][:MOST_KEYS])

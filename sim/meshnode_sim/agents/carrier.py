"""The common part of reference agents: they meet, offer what they carry, and hand over what the other asks for.

    meet --OFFER ids--> the other lacks some --WANT id--> MESSAGE --WANT next, and what was got--> ...

A strategy is a subclass that says what it would hand to whom (`gives`) and what becomes of its copies (`handed`); see
reference.py, where each is a few lines. Nothing is sealed or signed: forwarding shall be judged apart from the rest.
A checksum stands in for the seal: what was damaged on its way is as good as lost.

Where the host tells of encounters (PeerSeen: contact traces) no beacon is needed; on a link with group frames a hello
every HELLO_S says who is there, and who was not heard for three of them has gone. Sessions, and so bridges over the
overlay, are the core's alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Final
from zlib import crc32

from meshnode.core.clock import Instant
from meshnode.core.effects import Effect, Notify, Persist, Send
from meshnode.core.identity.keys import Keys
from meshnode.core.ids import DeviceKey, EnvelopeId, MessageId, PersonaKey, Tag
from meshnode.core.inputs import Compose, FrameReceived, Input, LinkChanged, PeerSeen, Tick
from meshnode.core.notices import MessageFiled
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.records import ROLE_TRANSIT, EnvelopeRecord, MessageRecord, Snapshot
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.settings import Settings

HELLO_S: Final = 10.0
GONE_S: Final = 35.0
ASK_AGAIN_S: Final = 5.0  # an answer that was lost
EVERYBODY: Final = bytes(32)
CHECKSUM_SIZE: Final = 4  # CRC-32 behind every frame

HELLO, OFFER, WANT, MESSAGE = b"HOWM"
_WANT: Final = struct.Struct("<BQQ")
_MESSAGE: Final = struct.Struct("<BQHHdIB32s32s")


@dataclass(frozen=True, slots=True)
class Words(Compose):
    """Something written whose size is not that of its text: `octets` stands for what nobody needs to hold."""

    octets: int = 0


@dataclass(frozen=True, slots=True)
class Bulk(Send):
    """A frame that takes the air of `octets`, though `data` is shorter."""

    octets: int = 0


@dataclass(slots=True)
class Carried:
    """One message at one node."""

    key: int
    origin: bytes
    to: bytes
    text: str
    octets: int
    expires_at: Instant
    cls: int
    copies: int
    hops: int


@dataclass(slots=True)
class Peer:
    """Somebody near: what it offers and we lack, in its order, and what we asked it for."""

    address: str
    persona: bytes = b""
    offers: dict[int, None] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)  # what it was offered by us
    asked: int = 0
    asked_at: Instant = 0.0
    heard_at: Instant = 0.0


class Carrier:
    """One node. Subclasses override `gives`, and `handed` where copies count."""

    def __init__(
        self,
        keys: Keys,
        mesh: MeshKeys,
        settings: Settings,
        sealer: Sealer,
        entropy: Entropy,
        kept: Snapshot,
        epoch: int,
    ) -> None:
        self.persona: bytes = keys.persona
        self.settings = settings
        self.carried: dict[int, Carried] = {}  # the longest held first
        self.peers: dict[str, Peer] = {}
        self._seen: set[int] = set()
        self._asked: set[int] = set()  # of anybody
        self._expiries: list[tuple[Instant, int]] = []
        self._for: dict[bytes, dict[int, None]] = {}  # what is carried, by whom it is for
        self._octets = 0
        self._written = epoch << 32
        self._link = ""
        self._offered_at_once = 1
        self._hello_at: Instant | None = None
        self._effects: list[Effect] = []

    # ---------------------------------------------------------------- the strategy

    def gives(self, message: Carried, peer: Peer) -> int:
        """How many copies `peer` shall get; 0: none."""
        raise NotImplementedError

    def handed(self, message: Carried, peer: Peer, copies: int) -> None:
        """The peer has it now. Who it is for needs no more copies from us."""
        if message.to == peer.persona:
            self._drop(message)

    # ---------------------------------------------------------------- the contract

    def step(self, given: Input, now: Instant) -> list[Effect]:
        """One input."""
        self._effects = effects = list[Effect]()
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heappop(self._expiries)
            if key in self.carried:
                self._drop(self.carried[key])
        if isinstance(given, FrameReceived):
            self._frame(given, now)
        elif isinstance(given, PeerSeen) and not given.uplink:
            self._met(given, now)
        elif isinstance(given, Compose):
            self._write(given, now)
        elif isinstance(given, LinkChanged):
            self._link_changed(given, now)
        elif isinstance(given, Tick):
            self._tick(now)
        return effects

    def next_wakeup(self) -> Instant | None:
        """The next hello; None where encounters are told."""
        return self._hello_at

    # ---------------------------------------------------------------- who is near

    def _link_changed(self, change: LinkChanged, now: Instant) -> None:
        self._link, settings = change.link, change.settings
        self._hello_at = now if settings is not None and settings.multicast else None
        if settings is not None:
            self._offered_at_once = (settings.unicast_payload - 33 - CHECKSUM_SIZE) // 8

    def _met(self, seen: PeerSeen, now: Instant) -> None:
        if seen.present:
            self.peers[seen.address] = peer = Peer(seen.address, heard_at=now)
            self._offer(peer, self.carried.values())
        elif seen.address in self.peers:
            self._part(self.peers[seen.address])

    def _part(self, peer: Peer) -> None:
        self._asked.discard(peer.asked)
        del self.peers[peer.address]

    def _tick(self, now: Instant) -> None:
        if self._hello_at is None or now < self._hello_at:
            return
        for peer in list(self.peers.values()):
            if now - peer.heard_at > GONE_S:
                self._part(peer)
            elif peer.asked and now - peer.asked_at > ASK_AGAIN_S:
                self._asked.discard(peer.asked)
                peer.offers.setdefault(peer.asked)
                self._ask(peer, 0, now)
        self._effects.append(Send(self._link, None, _checked(bytes([HELLO]) + self.persona), 0))
        self._hello_at = now + HELLO_S

    # ---------------------------------------------------------------- frames

    def _frame(self, frame: FrameReceived, now: Instant) -> None:
        if not _is_whole(frame.data):
            return
        data, peer = frame.data[:-CHECKSUM_SIZE], self.peers.get(frame.source)
        what = data[0]
        if peer is None:
            if what not in (HELLO, OFFER):
                return  # neither says who it comes from
            self.peers[frame.source] = peer = Peer(frame.source)
        peer.heard_at = now
        if what in (HELLO, OFFER):
            self._hears_offer(peer, data, now)
        elif what == WANT:
            self._wanted(peer, data, now)
        elif what == MESSAGE:
            self._got(peer, data, now)

    def _hears_offer(self, peer: Peer, data: bytes, now: Instant) -> None:
        known, peer.persona = peer.persona, data[1:33]
        if not known or data[0] == HELLO:  # it is clear now who that is, and what it shall have
            self._offer(peer, self.carried.values())
        if data[0] == HELLO:
            return
        keys, seen = struct.unpack(f"<{(len(data) - 33) // 8}Q", data[33:]), self._seen
        peer.offers.update(dict.fromkeys([key for key in keys if key not in seen]))
        if not peer.asked:
            self._ask(peer, 0, now)

    def _ask(self, peer: Peer, got: int, now: Instant) -> None:
        """The next one it offers that we lack and have asked nobody for; `got` tells what arrived."""
        peer.asked, peer.asked_at = 0, now
        while peer.offers and not peer.asked:
            key = next(iter(peer.offers))
            del peer.offers[key]
            if key not in self._seen and key not in self._asked:
                peer.asked = key
                self._asked.add(key)
        if got or peer.asked:
            self._send(peer, _WANT.pack(WANT, got, peer.asked))

    def _wanted(self, peer: Peer, data: bytes, now: Instant) -> None:
        _, got, key = _WANT.unpack(data)
        if got in self.carried:
            self.handed(self.carried[got], peer, self.gives(self.carried[got], peer))
        message = self.carried.get(key)
        copies = self.gives(message, peer) if message is not None else 0
        if message is None or not copies:
            return
        left_s, text = message.expires_at - now, message.text.encode()
        fields = (message.hops + 1, left_s, message.octets, message.cls, message.origin, message.to)
        data = _checked(_MESSAGE.pack(MESSAGE, key, copies, *fields) + text)
        unheld = max(0, message.octets - len(text))
        self._effects.append(Bulk(self._link, peer.address, data, message.cls, len(data) + unheld))

    def _got(self, peer: Peer, data: bytes, now: Instant) -> None:
        _, key, copies, hops, left_s, octets, cls, origin, to = _MESSAGE.unpack_from(data)
        self._asked.discard(key)
        if key not in self._seen:
            text = data[_MESSAGE.size :].decode()
            message = Carried(key, origin, to, text, octets, now + left_s, cls, copies, hops)
            self._take(message, now, origin_is_me=False)
            self._tell_others(message, peer)
        self._ask(peer, key, now)

    # ---------------------------------------------------------------- messages

    def _write(self, given: Compose, now: Instant) -> None:
        self._written += 1
        key = int.from_bytes(blake2b(self.persona + self._written.to_bytes(8, "big"), digest_size=8).digest(), "big")
        octets = given.octets if isinstance(given, Words) else len(given.text.encode())
        to = given.to if given.to is not None else EVERYBODY
        expires_at = now + self.settings.lifetime_s
        message = Carried(key, self.persona, to, given.text, octets, expires_at, given.cls, self.settings.copies, 0)
        self._take(message, now, origin_is_me=True)
        self._tell_others(message, None)

    def _take(self, message: Carried, now: Instant, *, origin_is_me: bool) -> None:
        """Keep it, or show it where it is for this node; a post is both."""
        self._seen.add(message.key)
        if origin_is_me or message.to in (self.persona, EVERYBODY):
            self._effects.append(Notify(MessageFiled(self._record(message, now, origin_is_me))))
        if message.to == self.persona:
            return
        self.carried[message.key] = message
        self._for.setdefault(message.to, {})[message.key] = None
        self._octets += message.octets
        heappush(self._expiries, (message.expires_at, message.key))
        self._effects.append(Persist((_row(message, now),)))
        while self._octets > self.settings.store_limit:
            self._drop(next(iter(self.carried.values())))

    def _drop(self, message: Carried) -> None:
        del self.carried[message.key], self._for[message.to][message.key]
        self._octets -= message.octets

    def _offer(self, peer: Peer, messages: Iterable[Carried]) -> None:
        """What the peer may have and was not told of, that for itself first; and with it who we are."""
        keys = self._keys_for(peer, messages)
        peer.told.update(keys)
        for first in range(0, max(1, len(keys)), self._offered_at_once):
            part = keys[first : first + self._offered_at_once]
            self._send(peer, bytes([OFFER]) + self.persona + struct.pack(f"<{len(part)}Q", *part))

    def _keys_for(self, peer: Peer, messages: Iterable[Carried]) -> list[int]:
        if not peer.persona:
            return []
        first, told = self._for.get(peer.persona, {}), peer.told
        keys = [m.key for m in messages if m.key not in told and m.key not in first and self.gives(m, peer)]
        return [key for key in first if key not in told] + keys

    def _tell_others(self, message: Carried, giver: Peer | None) -> None:
        if message.key not in self.carried:
            return
        for peer in self.peers.values():
            if peer is not giver and peer.persona and self.gives(message, peer):
                self._offer(peer, (message,))

    def _send(self, peer: Peer, data: bytes) -> None:
        self._effects.append(Send(self._link, peer.address, _checked(data), 0))

    def _record(self, message: Carried, now: Instant, outgoing: bool) -> MessageRecord:
        post = message.to == EVERYBODY
        return MessageRecord(
            id=MessageId(_name(message)),
            cursor=len(self._seen),
            outgoing=outgoing,
            peer=PersonaKey(message.to if outgoing and not post else message.origin),
            device=DeviceKey(message.origin),
            channel=b"everybody" if post else b"",
            seq=0,
            text=message.text,
            cls=message.cls,
            sent_at=0.0,
            received_at=now,
            hops=message.hops,
            missing=0,
            request=b"",
        )


def _checked(data: bytes) -> bytes:
    return data + crc32(data).to_bytes(CHECKSUM_SIZE, "big")


def _is_whole(frame: bytes) -> bool:
    return crc32(frame[:-CHECKSUM_SIZE]).to_bytes(CHECKSUM_SIZE, "big") == frame[-CHECKSUM_SIZE:]


def _name(message: Carried) -> bytes:
    return message.key.to_bytes(8, "big") + bytes(8)


def _row(message: Carried, now: Instant) -> EnvelopeRecord:
    """So that whoever listens sees what is kept where."""
    name = _name(message)
    return EnvelopeRecord(
        EnvelopeId(name), Tag(b""), b"", ROLE_TRANSIT, message.copies, 0, now, message.expires_at, b"", name
    )

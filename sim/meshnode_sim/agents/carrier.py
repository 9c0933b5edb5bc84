"""The common part of reference agents: they meet, offer what they carry, and hand over what the other asks for.

    meet --OFFER ids--> the other lacks some --WANT id--> MESSAGE --WANT next, and what was got--> ...

A strategy is a subclass that says what it would hand to whom (`gives`) and what becomes of its copies (`handed`); see
reference.py, where each is a few lines. Nothing is sealed or signed: forwarding shall be judged apart from the rest.

On a link with group frames a hello every HELLO_S says who is there, who was not heard for three of them has gone, and
what somebody offers is asked for in its order. Where the host tells of encounters (PeerSeen: contact traces) it tells
as well when two are free for each other (Turn); what the asker lacks is then taken by lot. Sessions, and so bridges
over the overlay, are the core's alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from meshnode.air.draws import Draws
from meshnode.core.clock import Instant
from meshnode.core.effects import Effect, Forget, Notify, Persist, Send
from meshnode.core.identity.keys import Keys
from meshnode.core.ids import DeviceKey, EnvelopeId, MessageId, PersonaKey, Tag
from meshnode.core.inputs import Compose, FrameReceived, Input, LinkChanged, PeerSeen, Tick
from meshnode.core.notices import MessageFiled
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.records import ROLE_TRANSIT, EnvelopeRecord, MessageRecord, RecordKey, Snapshot
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.settings import Settings
from meshnode_sim.agents.buffer import Buffer, Carried
from meshnode_sim.agents.frames import (
    CARRIED,
    CHECKSUM_SIZE,
    ENTRY_SIZE,
    HEAD_SIZE,
    HELLO,
    LACK,
    LACKED,
    MESSAGE,
    OFFER,
    WANT,
    WANTED,
    YOURS,
    Bulk,
    Incoming,
    Lacking,
    Turn,
    Words,
    checked,
    entries,
    is_whole,
    offered,
)

HELLO_S: Final = 10.0
GONE_S: Final = 35.0
ASK_AGAIN_S: Final = 5.0  # an answer that was lost
EVERYBODY: Final = bytes(32)
CHANCE_PICK: Final = 96  # purpose of draws


@dataclass(slots=True)
class Peer:
    """Somebody near: what it offers and we may lack (`yours`: what is for us), and what we asked it for."""

    address: str
    persona: bytes = b""
    yours: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
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
        self.buffer = Buffer(settings.store_limit)
        self.peers: dict[str, Peer] = {}
        self._asked: set[int] = set()  # of anybody
        self._shown: set[int] = set()
        self._sending, self._sending_to = 0, ""  # which is not given up for another
        self._matched = False  # the host says whose turn it is
        self._draws, self._picks = Draws(int.from_bytes(self.persona[:8], "big")), 0
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
        """The peer has it now, who may be the one it is for; what was handed over stays, until room is needed."""

    # ---------------------------------------------------------------- the contract

    def step(self, given: Input, now: Instant) -> list[Effect]:
        """One input."""
        self._effects = effects = list[Effect]()
        for message in self.buffer.expired(now):
            self._effects.append(_forget(message))
        if isinstance(given, FrameReceived):
            self._frame(given, now)
        elif isinstance(given, PeerSeen) and not given.uplink:
            self._met(given, now)
        elif isinstance(given, Compose):
            self._write(given, now)
        elif isinstance(given, LinkChanged):
            self._link_changed(given, now)
        elif isinstance(given, Turn):
            self._turn(given)
        elif isinstance(given, Incoming):
            self._make_room(given.octets)
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
        self._matched = settings is not None and not settings.multicast
        if settings is not None:
            self._offered_at_once = (settings.unicast_payload - HEAD_SIZE - CHECKSUM_SIZE) // ENTRY_SIZE

    def _met(self, seen: PeerSeen, now: Instant) -> None:
        if seen.present:
            self.peers[seen.address] = peer = Peer(seen.address, heard_at=now)
            self._offer(peer, self.buffer.held.values())
        elif seen.address in self.peers:
            self._part(self.peers[seen.address])

    def _part(self, peer: Peer) -> None:
        self._asked.discard(peer.asked)
        if peer.address == self._sending_to:
            self._sending, self._sending_to = 0, ""
        del self.peers[peer.address]

    def _tick(self, now: Instant) -> None:
        if self._hello_at is None or now < self._hello_at:
            return
        for peer in list(self.peers.values()):
            if now - peer.heard_at > GONE_S:
                self._part(peer)
            elif peer.asked and now - peer.asked_at > ASK_AGAIN_S:
                self._asked.discard(peer.asked)
                peer.others.append(peer.asked)
                self._ask(peer, 0, now)
        self._effects.append(Send(self._link, None, checked(bytes([HELLO]) + self.persona), 0))
        self._hello_at = now + HELLO_S

    def _turn(self, turn: Turn) -> None:
        """Asks for one message that is lacked still, by lot."""
        peer = self.peers.get(turn.peer)
        keys = [] if peer is None else peer.yours if turn.yours else peer.others
        while keys and peer is not None:
            self._picks += 1
            at = self._draws.word(CHANCE_PICK, self._picks) % len(keys)
            keys[at], keys[-1] = keys[-1], keys[at]
            key = keys.pop()
            if key not in self.buffer.known:
                self._send(peer, WANTED.pack(WANT, 0, key))
                return

    # ---------------------------------------------------------------- frames

    def _frame(self, frame: FrameReceived, now: Instant) -> None:
        if not self._matched and not is_whole(frame.data):
            return
        data = frame.data if self._matched else frame.data[:-CHECKSUM_SIZE]
        peer = self.peers.get(frame.source)
        what = data[0]
        if peer is None:
            if what not in (HELLO, OFFER, YOURS):
                return  # the others do not say who they come from
            self.peers[frame.source] = peer = Peer(frame.source)
        peer.heard_at = now
        if what in (HELLO, OFFER, YOURS):
            self._hears_offer(peer, data, now)
        elif what == WANT:
            self._wanted(peer, data, now)
        elif what == MESSAGE:
            self._got(peer, data, now)
        elif what == LACK:
            self._lacked(peer, data)

    def _hears_offer(self, peer: Peer, data: bytes, now: Instant) -> None:
        known, peer.persona = peer.persona, data[1:HEAD_SIZE]
        if not known or data[0] == HELLO:  # it is clear now who that is, and what it shall have
            self._offer(peer, self.buffer.held.values())
        if data[0] == HELLO:
            return
        keys, sizes = entries(data[HEAD_SIZE:])
        had, limit = self.buffer.known, self.buffer.limit
        wanted = [key for key, octets in zip(keys, sizes, strict=True) if key not in had and octets <= limit]
        (peer.yours if data[0] == YOURS else peer.others).extend(wanted)
        if self._matched and wanted:
            self._effects.append(Lacking(self._link, peer.address, b"", 0, data[0] == YOURS))
        elif not peer.asked:
            self._ask(peer, 0, now)

    def _ask(self, peer: Peer, got: int, now: Instant) -> None:
        """The next one it offers that we lack and have asked nobody for; `got` tells what arrived."""
        peer.asked, peer.asked_at = 0, now
        while not self._matched and not peer.asked and (keys := peer.yours or peer.others):
            key = keys.pop(0)
            if key not in self.buffer.known and key not in self._asked:
                peer.asked = key
                self._asked.add(key)
        if got or peer.asked:
            self._send(peer, WANTED.pack(WANT, got, peer.asked))

    def _wanted(self, peer: Peer, data: bytes, now: Instant) -> None:
        _, got, key = WANTED.unpack(data)
        if got in self.buffer.held:
            self.handed(self.buffer.held[got], peer, self.gives(self.buffer.held[got], peer))
        if got:
            self._sending, self._sending_to = 0, ""
            self._make_room(0)  # what was written meanwhile may have been too much
        message = self.buffer.held.get(key)
        copies = self.gives(message, peer) if message is not None else 0
        if message is None or not copies:
            return
        left_s, text = message.expires_at - (0.0 if self._matched else now), message.text.encode()
        fields = (message.hops + 1, left_s, message.octets, message.cls, message.origin, message.to)
        data = self._sealed(CARRIED.pack(MESSAGE, key, copies, *fields) + text)
        unheld = max(0, message.octets - len(text))
        octets = message.octets if self._matched else len(data) + unheld  # heads are as free as control frames
        self._sending, self._sending_to = key, peer.address
        self._effects.append(Bulk(self._link, peer.address, data, message.cls, octets))

    def _got(self, peer: Peer, data: bytes, now: Instant) -> None:
        _, key, copies, hops, left_s, octets, cls, origin, to = CARRIED.unpack_from(data)
        self._asked.discard(key)
        if key not in self.buffer.known:
            text = data[CARRIED.size :].decode()
            expires_at = left_s + (0.0 if self._matched else now)
            message = Carried(key, origin, to, text, octets, expires_at, cls, copies, hops)
            self._take(message, now, origin_is_me=False)
            self._tell_others(message, peer)
        self._ask(peer, key, now)

    def _lacked(self, peer: Peer, data: bytes) -> None:
        """The peer had it and gave it up, and may have it again."""
        _, key = LACKED.unpack(data)
        peer.told.discard(key)
        message = self.buffer.held.get(key)
        if message is not None and self.gives(message, peer):
            self._offer(peer, (message,))

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
        for_me = origin_is_me or message.to in (self.persona, EVERYBODY)
        if for_me and message.key not in self._shown:
            self._shown.add(message.key)
            self._effects.append(Notify(MessageFiled(self._record(message, now, origin_is_me))))
        if message.to == self.persona:
            self.buffer.known.add(message.key)
            return
        self._make_room(message.octets)
        self.buffer.put(message)
        self._effects.append(Persist((_row(message, now),)))

    def _make_room(self, octets: int) -> None:
        """The longest held goes first; whoever else has it may give it again, where that costs nothing to say."""
        for message in self.buffer.make_room(octets, self._sending):
            self._effects.append(_forget(message))
            for peer in self.peers.values():
                peer.told.discard(message.key)
                if self._matched:
                    self._send(peer, LACKED.pack(LACK, message.key))

    def _offer(self, peer: Peer, messages: Iterable[Carried]) -> None:
        """What the peer may have and was not told of, that for itself first; and with it who we are."""
        yours, others = self._untold(peer, messages) if peer.persona else ([], [])
        for what, found in ((YOURS, yours), (OFFER, others)):
            for first in range(0, max(len(found), int(what == OFFER and not yours)), self._offered_at_once):
                part = found[first : first + self._offered_at_once]
                told = offered([message.key for message in part], [message.octets for message in part])
                self._send(peer, bytes([what]) + self.persona + told)

    def _untold(self, peer: Peer, messages: Iterable[Carried]) -> tuple[list[Carried], list[Carried]]:
        """What is for the peer, and what it may carry; it counts as told of them."""
        mine, told = self.buffer.for_(peer.persona), peer.told
        yours = [self.buffer.held[key] for key in mine if key not in told]
        others = [m for m in messages if m.key not in told and m.key not in mine and self.gives(m, peer)]
        told.update([message.key for message in yours], [message.key for message in others])
        return yours, others

    def _tell_others(self, message: Carried, giver: Peer | None) -> None:
        if message.key not in self.buffer.held:
            return
        for peer in self.peers.values():
            if peer is not giver and peer.persona and self.gives(message, peer):
                self._offer(peer, (message,))

    def _send(self, peer: Peer, data: bytes) -> None:
        self._effects.append(Send(self._link, peer.address, self._sealed(data), 0))

    def _sealed(self, data: bytes) -> bytes:
        """Contacts damage nothing."""
        return data if self._matched else checked(data)

    def _record(self, message: Carried, now: Instant, outgoing: bool) -> MessageRecord:
        post = message.to == EVERYBODY
        return MessageRecord(
            id=MessageId(_name(message)),
            cursor=len(self._shown),
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


def _name(message: Carried) -> bytes:
    return message.key.to_bytes(8, "big") + bytes(8)


def _row(message: Carried, now: Instant) -> EnvelopeRecord:
    """So that whoever listens sees what is kept where."""
    name = _name(message)
    return EnvelopeRecord(
        EnvelopeId(name), Tag(b""), b"", ROLE_TRANSIT, message.copies, 0, now, message.expires_at, b"", name
    )


def _forget(message: Carried) -> Forget:
    return Forget((RecordKey(EnvelopeRecord, (EnvelopeId(_name(message)),)),))

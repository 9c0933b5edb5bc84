"""Sealing: an inner message becomes an envelope with its rows, in the session with a device or as its first one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshnode.core.chat.people import People
from meshnode.core.chat.prekeys import SPARE_S
from meshnode.core.chat.sessions import Session, Sessions
from meshnode.core.clock import created_minutes
from meshnode.core.context import Context
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.ids import DeviceKey, Incarnation, MessageId, PersonaKey, Tag
from meshnode.core.records import ROLE_OWN, EnvelopeRecord, Record, Snapshot
from meshnode.core.sealing.chainkey import ROOT_SIZE
from meshnode.core.sealing.envelope import (
    KIND_MESSAGE,
    KIND_PROBE,
    LIFETIMES_S,
    Sealed,
    Terms,
    lifetime_code,
    read_envelope_untrusted,
)
from meshnode.core.sealing.first import Prekey, seal_first
from meshnode.core.sealing.inner import Inner
from meshnode.core.sealing.ratchet import Ratchet

_BULK_COPIES, _URGENT_COPIES = 0.5, 2  # of the copies set for class 2
_LEAST_COPIES = 2  # however little the law leaves: one to keep, one to give away
NO_MESSAGE: Final = b""  # of an envelope that carries none of ours: nothing is shown of its way


@dataclass(frozen=True, slots=True)
class Outbound:
    """A sealed envelope, the device it is for, and the rows that must stand before it is sent.

    `reach`: how many hops it goes at first, None for no limit.
    """

    device: DeviceKey
    record: EnvelopeRecord
    rows: tuple[Record, ...]
    reach: int | None


class Envelopes:
    """Seals for one node, and knows which tag belongs to which message."""

    def __init__(self, ctx: Context, people: People, sessions: Sessions, forwarding: Forwarding) -> None:
        self._ctx = ctx
        self._people = people
        self._sessions = sessions
        self._forwarding = forwarding
        self._tags: dict[Tag, MessageId] = {}

    def restore(self, snapshot: Snapshot) -> list[EnvelopeRecord]:
        """Go on from the disk; our envelopes that carry a message."""
        records = [r for r in snapshot.records if isinstance(r, EnvelopeRecord) and r.role == ROLE_OWN and r.message]
        self._tags = {record.tag: MessageId(record.message) for record in records}
        return records

    def take_message(self, tag: Tag) -> MessageId | None:
        """The message under a tag; a receipt came for it."""
        return self._tags.pop(tag, None)

    def seal(
        self, persona: PersonaKey, inner: Inner, message: bytes, cls: int, life_s: float, kind: int = KIND_MESSAGE
    ) -> Outbound | None:
        """In the session, or as the first message of a new one; None while there is no key."""
        device = self._people.device_of(persona)
        if device is None:
            return None
        prekey, hint = self._people.prekey(device), self._people.hint(device)
        session = self._sessions.to_send_on(device.device, Incarnation(device.incarnation))
        if session is not None:
            sealed = session.ratchet.seal_next(self._ctx.sealer, inner, self._terms(cls, life_s, hint), kind)
            return self._outbound(session, sealed, message)
        left = self._people.seconds_left(prekey) if prekey is not None else 0.0
        if prekey is None or not left:
            return None
        root = self._ctx.entropy.take("root", ROOT_SIZE)
        to = Prekey(persona, device.device, prekey.block, prekey.public)
        terms = self._terms(cls, min(life_s, left - SPARE_S), hint)
        whole = not self._sessions.met(device.device, Incarnation(device.incarnation))
        sealed = seal_first(self._ctx.sealer, self._ctx.keys, to, root, terms, inner, whole_certificate=whole)
        ratchet = Ratchet.begin(root, initiator=True)
        session = Session(device.device, persona, Incarnation(device.incarnation), self._ctx.now, ratchet)
        self._sessions.add(session)
        return self._outbound(session, sealed, message)

    def crowded(self, persona: PersonaKey) -> bool:
        """True while only receipts of earlier messages are missing to go on in a session that works."""
        device = self._people.device_of(persona)
        return device is not None and self._sessions.crowded(device.device, Incarnation(device.incarnation))

    def submit(self, sealed: Outbound | None) -> None:
        """Its rows are on their way to the disk: let it go."""
        if sealed is not None:
            self._forwarding.submit(sealed.record, sealed.reach)

    def _terms(self, cls: int, life_s: float, hint: int) -> Terms:
        code = lifetime_code(max(LIFETIMES_S[0], life_s))
        return Terms(cls, code, created_minutes(self._ctx.date, self._ctx.now), hint)

    def _outbound(self, session: Session, sealed: Sealed, message: bytes) -> Outbound:
        header = read_envelope_untrusted(sealed.data)
        record, seen = self._forwarding.own(header, sealed.data, message, self._copies(header.cls))
        if message:
            self._tags[sealed.tag] = MessageId(message)
        reach = None if header.kind == KIND_PROBE else session.distance.reach(self._ctx.now)
        return Outbound(session.device, record, (session.row(), record, seen), reach)

    def _copies(self, cls: int) -> int:
        share = _URGENT_COPIES if cls <= 1 else 1 if cls == 2 else _BULK_COPIES
        copies = max(1, int(self._ctx.settings.copies * share))
        return copies if cls <= 1 else max(min(copies, _LEAST_COPIES), int(copies * self._ctx.ease()))

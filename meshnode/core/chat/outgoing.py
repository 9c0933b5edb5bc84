"""Direct messages on their way out: written once, sealed once, sealed again only when the key seems lost.

    Compose -> filed -> a key? --no--> waits for it
                         \\-yes-> session, else first message -> envelope -> receipt
                                       no receipt after a day or half the lifetime, or the device began anew:
                                       everything unreceipted goes under a new first message, same message ids,
                                       three times with waits doubling, then when the other is next heard of (rule 7.9)

The step of the chain and the envelope are one Persist; what is sent again are those bytes (rule 11.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meshnode.core.chat.chains import Chains
from meshnode.core.chat.filing import Filing
from meshnode.core.chat.people import People
from meshnode.core.chat.prekeys import SPARE_S
from meshnode.core.chat.sessions import Session, Sessions
from meshnode.core.chat.states import States, rank
from meshnode.core.clock import Instant, created_minutes
from meshnode.core.context import Context
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.forwarding.timers import Timers, earliest
from meshnode.core.ids import ChannelId, DeviceKey, Incarnation, MessageId, PersonaKey, Receipt, Tag, hashed
from meshnode.core.inputs import Compose
from meshnode.core.records import (
    ROLE_OWN,
    EnvelopeRecord,
    FactRecord,
    MessageRecord,
    Record,
    RecordKey,
    Snapshot,
)
from meshnode.core.sealing.chainkey import ROOT_SIZE
from meshnode.core.sealing.envelope import (
    KIND_MESSAGE,
    KIND_PROBE,
    LIFETIMES_S,
    MAX_TEXT,
    Sealed,
    Terms,
    lifetime_code,
    read_envelope_untrusted,
)
from meshnode.core.sealing.first import Prekey, seal_first
from meshnode.core.sealing.inner import NO_PREVIOUS, PROBE, PROMPT, READ, TEXT, Inner, message_id
from meshnode.core.sealing.ratchet import Ratchet
from meshnode.errors import UsageError

DAY_S: Final = 86400.0
MAX_RESEALS: Final = 3
_BULK_COPIES, _URGENT_COPIES = 0.5, 2  # of the copies set for class 2
_NO_KEY_S: Final = 3600.0
_UNSENT: Final = "unsent/"  # fact: what must be known of a message to seal it again
_NOTE_LIFETIME_S: Final = 7 * DAY_S
_PROBE_LIFETIME_S: Final = 3600.0
_NOTES_AT_ONCE: Final = 16
_READ_BACK: Final = 1000  # how far back a read note may reach
_NO_CHANNEL: Final = ChannelId(b"")


@dataclass(slots=True)
class Pending:
    """A message of ours without a receipt. `sealed_at` is None while it waits for a key."""

    message: MessageId
    persona: PersonaKey
    inner: Inner
    cls: int
    expires_at: Instant
    device: DeviceKey | None = None
    sealed_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class _Outbound:
    """A sealed envelope, the device it is for, and the rows that must stand before it is sent."""

    device: DeviceKey
    record: EnvelopeRecord
    rows: tuple[Record, ...]


class Outgoing:
    """Everything we wrote to somebody and have no receipt for."""

    def __init__(
        self,
        ctx: Context,
        people: People,
        sessions: Sessions,
        chains: Chains,
        states: States,
        filing: Filing,
        forwarding: Forwarding,
    ) -> None:
        self._ctx = ctx
        self._people = people
        self._sessions = sessions
        self._chains = chains
        self._states = states
        self._filing = filing
        self._forwarding = forwarding
        self._pending: dict[MessageId, Pending] = {}
        self._tags: dict[Tag, MessageId] = {}
        self._probes: dict[MessageId, PersonaKey] = {}
        self._reseal: Timers[MessageId] = Timers()
        self._orphans: list[MessageId] = []

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk; call after people, sessions, chains and states."""
        facts = {r.name: r.value for r in snapshot.records if isinstance(r, FactRecord)}
        for message in sorted(snapshot.pending, key=lambda record: record.cursor):
            state = self._states.get(message.id)
            if state is not None and rank(state.state) < rank("delivered"):
                inner, fits = self._inner_of(message, facts.get(_UNSENT + message.id.hex(), b""))
                self._pending[message.id] = Pending(message.id, message.peer, inner, message.cls, state.expires_at)
                if not fits:
                    self._orphans.append(message.id)
        for record in snapshot.records:
            if isinstance(record, EnvelopeRecord) and record.role == ROLE_OWN and record.message:
                self._restore_envelope(record)
        for pending in self._pending.values():
            self._await_receipt(pending)

    # Writing

    def compose(self, told: Compose, to: PersonaKey) -> MessageId:
        """A person writes. The same request id gives the same message, also after a crash (rule 11.4)."""
        known = self._filing.requested(told.request)
        if known is not None:
            self._states.tell(known)
            return known
        if len(told.text.encode()) > MAX_TEXT:
            raise UsageError(f"a message holds at most {MAX_TEXT} bytes of text; send it in parts")
        if told.probe:
            return self._probe(told, to)
        pending, filed, rows = self._file(told, to)
        to_self = to == self._ctx.keys.persona
        sealed = None if to_self else self._sealed(pending, PROMPT if told.prompt else 0)
        self._ctx.persist(filed, *rows, *(sealed.rows if sealed else ()), promise=True)
        self._filing.tell(filed)
        self._states.tell(pending.message)
        if to_self:
            self._arrived(pending.message, "me")
        else:
            self._await_receipt(pending)
            self._submit(sealed)
        return pending.message

    def read(self, messages: tuple[MessageId, ...]) -> None:
        """A person has read these: mark them, and tell their writers, if we tell such things."""
        notes: dict[PersonaKey, list[MessageId]] = {}
        fresh = [m for m in messages if self._states.get(m) is None]  # the others are our own, or read before
        writers = self._writers() if fresh else {}
        for message in fresh:
            self._states.read_here(message)
            writer = writers.get(message)
            if writer is not None and self._people.is_known(writer):
                notes.setdefault(writer, []).append(message)
        if self._ctx.settings.read_receipts:
            for persona, ids in notes.items():
                for at in range(0, len(ids), _NOTES_AT_ONCE):
                    self._note(persona, ids[at : at + _NOTES_AT_ONCE])

    # What comes back

    def receipt_came(self, tag: Tag, receipt: Receipt) -> bool:
        """A receipt that opens a tag of ours: delivered. False if the tag is not ours."""
        awaiting = self._sessions.awaiting(tag)
        if awaiting is not None:
            session, index = awaiting
            session.ratchet.proved(index)
            self._ctx.persist(session.row())
        message = self._tags.pop(tag, None)
        if message is None:
            return awaiting is not None
        pending = self._pending.get(message)
        to = pending.persona if pending else self._probes.pop(message, None)
        if to is not None:
            self._arrived(message, self._people.name_of(to))
        return True

    def read_note_came(self, persona: PersonaKey, ids: bytes) -> None:
        """The other says which of our messages to it were read; only ids of messages to that persona count."""
        ours = self._ids_sent_to(persona)
        for at in range(0, len(ids) - 15, 16):
            message = MessageId(ids[at : at + 16])
            if message in ours:
                self._finish(message)
                self._states.advance(message, "read", self._people.name_of(persona))

    def on_air(self, message: MessageId) -> None:
        """The radio, or a session, took it."""
        self._states.advance(message, "on_air")

    def carried(self, message: MessageId, by: str) -> None:
        """A neighbour proved that it keeps it."""
        self._states.advance(message, "carried", by)

    def expired(self, message: MessageId) -> None:
        """Its time is over."""
        self._finish(message)

    def key_came(self, device: DeviceKey) -> None:
        """A prekey: seal what waited for one."""
        known = self._people.device(device)
        for pending in self._in_order(known.persona) if known else ():
            if pending.sealed_at is None:
                self._seal_and_send(pending)

    def restarted(self, device: DeviceKey) -> None:
        """The device began anew and lost its chains: everything unreceipted is sealed again."""
        self._sessions.retire(device)
        known = self._people.device(device)
        for pending in self._in_order(known.persona) if known else ():
            self._forwarding.withdraw(pending.message)
            pending.sealed_at = None
            self._seal_and_send(pending)

    def heard_of(self, device: DeviceKey) -> None:
        """The other shows signs of life: what was given up after three tries is tried once more."""
        given_up = [p for p in self._pending.values() if p.device == device and self._given_up(p)]
        if any(p.sealed_at is not None and p.sealed_at + DAY_S <= self._ctx.now for p in given_up):
            self._begin_again(device)

    def waiting_for(self, message: MessageId) -> str:
        """What an undelivered direct message still needs, in a few words; empty if it is none."""
        pending = self._pending.get(message)
        if pending is None:
            return ""
        name = self._people.name_of(pending.persona)
        return f"key of {name}" if pending.sealed_at is None else f"the box of {name} to be met"

    # Time

    def tick(self) -> None:
        """Seal again what has waited for its receipt too long."""
        self._adopt_orphans()
        for message in self._reseal.due(self._ctx.now):
            pending = self._pending[message]
            if pending.sealed_at is None or pending.device is None:
                self._seal_and_send(pending)
                self._await_receipt(pending)
            elif not self._given_up(pending):
                self._begin_again(pending.device)

    def wakeup(self) -> Instant | None:
        """When something is due."""
        return earliest(self._reseal.next())

    # Filing

    def _file(self, told: Compose, to: PersonaKey) -> tuple[Pending, MessageRecord, list[Record]]:
        keys = self._ctx.keys
        before = self._chains.sent(to)
        inner = Inner(TEXT, before.sent_seq + 1, before.sent_hash, told.text.encode())
        message = message_id(keys.device, keys.incarnation, to, inner.seq)
        cursor, cursor_row = self._filing.next()
        date = self._filing.date()
        record = MessageRecord(
            id=message,
            cursor=cursor,
            outgoing=True,
            peer=to,
            device=keys.device,
            channel=_NO_CHANNEL,
            seq=inner.seq,
            text=told.text,
            cls=told.cls,
            sent_at=date,
            received_at=date,
            hops=0,
            missing=0,
            request=told.request,
        )
        expires_at = self._ctx.now + self._ctx.settings.lifetime_s
        pending = self._pending[message] = Pending(message, to, inner, told.cls, expires_at)
        state = self._states.begin(message, expires_at)
        unsent = self._unsent(message, inner)
        request = self._filing.request_row(told.request, message)
        return pending, record, [state, self._chains.send(to, inner), unsent, cursor_row, *request]

    def _probe(self, told: Compose, to: PersonaKey) -> MessageId:
        """An empty message whose way is traced. It is shown nowhere and counts in no conversation."""
        nonce = told.request or self._ctx.entropy.take("probe", 16)
        message = MessageId(hashed(b"mn-probe", nonce + to, 16))
        inner = Inner(PROBE, 0, NO_PREVIOUS, b"", PROMPT)
        self._probes[message] = to
        state = self._states.begin(message, self._ctx.now + _PROBE_LIFETIME_S)
        first = None
        device = self._people.device_of(to)
        if device is not None and self._sessions.to_send_on(device.device, Incarnation(device.incarnation)) is None:
            first = self._seal(to, inner, b"", 2, _PROBE_LIFETIME_S)  # relays know a probe only within a session
        sealed = self._seal(to, inner, message, 2, _PROBE_LIFETIME_S, KIND_PROBE)
        rows = [row for one in (first, sealed) if one for row in one.rows]
        self._ctx.persist(state, *rows, promise=True)
        self._states.tell(message)
        self._submit(first)
        self._submit(sealed)
        return message

    def _note(self, persona: PersonaKey, ids: list[MessageId]) -> None:
        sealed = self._seal(persona, Inner(READ, 0, NO_PREVIOUS, b"".join(ids)), b"", 3, _NOTE_LIFETIME_S)
        if sealed is not None:
            self._ctx.persist(*sealed.rows, promise=True)
            self._submit(sealed)

    # Sealing

    def _sealed(self, pending: Pending, flags: int = 0) -> _Outbound | None:
        """Seal a message; the rows are for the Persist of the same step."""
        inner = replace(pending.inner, flags=flags)
        left = pending.expires_at - self._ctx.now
        sealed = self._seal(pending.persona, inner, pending.message, pending.cls, left)
        if sealed is not None:
            pending.sealed_at, pending.device = self._ctx.now, sealed.device
        return sealed

    def _seal(
        self, persona: PersonaKey, inner: Inner, message: bytes, cls: int, life_s: float, kind: int = KIND_MESSAGE
    ) -> _Outbound | None:
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
        sealed = seal_first(self._ctx.sealer, self._ctx.keys, to, root, terms, inner)
        ratchet = Ratchet.begin(root, initiator=True)
        session = Session(device.device, persona, Incarnation(device.incarnation), self._ctx.now, ratchet)
        self._sessions.add(session)
        return self._outbound(session, sealed, message)

    def _terms(self, cls: int, life_s: float, hint: int) -> Terms:
        code = lifetime_code(max(LIFETIMES_S[0], life_s))
        return Terms(cls, code, created_minutes(self._ctx.clock, self._ctx.now), hint)

    def _outbound(self, session: Session, sealed: Sealed, message: bytes) -> _Outbound:
        header = read_envelope_untrusted(sealed.data)
        record, seen = self._forwarding.own(header, sealed.data, message, self._copies(header.cls))
        if message:
            self._tags[sealed.tag] = MessageId(message)
        return _Outbound(session.device, record, (session.row(), record, seen))

    def _copies(self, cls: int) -> int:
        share = _URGENT_COPIES if cls <= 1 else 1 if cls == 2 else _BULK_COPIES
        return max(1, int(self._ctx.settings.copies * share))

    def _seal_and_send(self, pending: Pending) -> None:
        sealed = self._sealed(pending)
        if sealed is None:
            return
        self._ctx.persist(*sealed.rows, promise=True)
        self._await_receipt(pending)
        self._submit(sealed)

    def _begin_again(self, device: DeviceKey) -> None:
        """All that is unreceipted with a device, in order, under a new first message; the ids stay."""
        known = self._people.device(device)
        prekey = self._people.prekey(known) if known is not None else None
        waiting = [p for p in self._pending.values() if p.device == device and p.sealed_at is not None]
        if prekey is None or not self._people.seconds_left(prekey):
            for pending in waiting:  # the old session is better than none
                self._reseal.set(pending.message, self._ctx.now + _NO_KEY_S)
            return
        self._sessions.retire(device)
        for pending in sorted(waiting, key=lambda pending: pending.inner.seq):
            sealed = self._sealed(pending)
            state = self._states.resealed(pending.message)
            rows = (*(sealed.rows if sealed else ()), *((state,) if state else ()))
            self._ctx.persist(*rows, promise=True)
            self._await_receipt(pending)
            self._submit(sealed)

    def _submit(self, sealed: _Outbound | None) -> None:
        if sealed is not None:
            self._forwarding.submit(sealed.record)

    # Waiting and ending

    def _await_receipt(self, pending: Pending) -> None:
        """Half the lifetime, at most a day, doubling with each try. Without a key: look again in an hour."""
        if pending.sealed_at is None:
            self._reseal.set(pending.message, self._ctx.now + _NO_KEY_S)
        elif not self._given_up(pending):
            state = self._states.get(pending.message)
            wait_s = min(DAY_S, self._ctx.settings.lifetime_s / 2) * 2 ** (state.attempts if state else 0)
            self._reseal.set(pending.message, pending.sealed_at + wait_s)

    def _given_up(self, pending: Pending) -> bool:
        state = self._states.get(pending.message)
        return state is not None and state.attempts >= MAX_RESEALS

    def _arrived(self, message: MessageId, witness: str) -> None:
        self._finish(message)
        self._states.advance(message, "delivered", witness)

    def _finish(self, message: MessageId) -> None:
        """Nothing more to be done for it."""
        self._reseal.cancel(message)
        if self._pending.pop(message, None) is not None:
            self._ctx.forget(RecordKey(FactRecord, (_UNSENT + message.hex(),)))
        self._forwarding.withdraw(message)

    def _in_order(self, persona: PersonaKey) -> list[Pending]:
        return sorted((p for p in self._pending.values() if p.persona == persona), key=lambda p: p.inner.seq)

    def _unsent(self, message: MessageId, inner: Inner) -> FactRecord:
        """What is needed to seal it again: incarnation, place and backlink in the conversation."""
        place = self._ctx.keys.incarnation + inner.seq.to_bytes(4, "big") + inner.previous
        return FactRecord(_UNSENT + message.hex(), place)

    def _inner_of(self, message: MessageRecord, place: bytes) -> tuple[Inner, bool]:
        """The inner message again, and whether it was written in this incarnation."""
        incarnation, seq, previous = place[:4], place[4:8], place[8:]
        fits = incarnation == self._ctx.keys.incarnation
        text = message.text.encode()
        return Inner(TEXT, int.from_bytes(seq, "big") if fits else 0, previous or NO_PREVIOUS, text), fits

    def _adopt_orphans(self) -> None:
        """Written before a restore and not receipted: they take a new place in the conversation (rule 11.6)."""
        for pending in [self._pending[message] for message in self._orphans if message in self._pending]:
            before = self._chains.sent(pending.persona)
            pending.inner = replace(pending.inner, seq=before.sent_seq + 1, previous=before.sent_hash)
            self._ctx.persist(
                self._chains.send(pending.persona, pending.inner), self._unsent(pending.message, pending.inner)
            )
            self._forwarding.withdraw(pending.message)
            pending.sealed_at = None
            self._seal_and_send(pending)
        self._orphans.clear()

    def _restore_envelope(self, record: EnvelopeRecord) -> None:
        message = MessageId(record.message)
        self._tags[record.tag] = message
        pending = self._pending.get(message)
        if pending is not None:
            pending.sealed_at = max(pending.sealed_at or 0.0, record.held_since)
            device = self._people.device_of(pending.persona)
            pending.device = device.device if device else None

    # Who wrote which id

    def _ids_sent_to(self, persona: PersonaKey) -> frozenset[MessageId]:
        keys, last = self._ctx.keys, self._chains.sent(persona).sent_seq
        seqs = range(max(1, last - _READ_BACK + 1), last + 1)
        return frozenset(message_id(keys.device, keys.incarnation, persona, seq) for seq in seqs)

    def _writers(self) -> dict[MessageId, PersonaKey]:
        """Who wrote which of the newer messages: ids follow from conversation and seq, so no table of them is kept."""
        me = self._ctx.keys.persona
        return {
            message_id(chain.device, Incarnation(chain.incarnation), me, seq): chain.persona
            for chain in self._chains.got()
            for seq in range(max(1, chain.got_seq - _READ_BACK + 1), chain.got_seq + 1)
        }

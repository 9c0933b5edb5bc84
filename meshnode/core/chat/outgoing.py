"""Direct messages on their way out: written once, sealed once, sealed again only when the key seems lost.

    Compose -> filed -> a key? --no--> waits for it
                         \\-yes-> session, else first message -> envelope -> receipt
                                       no receipt after a day or half the lifetime, or the device began anew:
                                       everything unreceipted goes under a new first message, same message ids,
                                       three times with waits doubling, then when the other is next heard of (rule 7.9)

The step of the chain and the envelope are one Persist; what is sent again are those bytes (rule 11.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from meshnode.core.chat.chains import Chains
from meshnode.core.chat.envelopes import Envelopes, Outbound
from meshnode.core.chat.filing import Filing
from meshnode.core.chat.notes import ReadNotes
from meshnode.core.chat.people import People
from meshnode.core.chat.probes import Probes
from meshnode.core.chat.sessions import Sessions
from meshnode.core.chat.states import States, rank
from meshnode.core.clock import Instant, earliest
from meshnode.core.context import Context
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.forwarding.shelf import Carried
from meshnode.core.forwarding.timers import Timers
from meshnode.core.ids import ChannelId, DeviceKey, MessageId, PersonaKey, Receipt, Tag
from meshnode.core.inputs import Compose
from meshnode.core.notices import Waiting
from meshnode.core.records import (
    HOPS_UNKNOWN,
    EnvelopeRecord,
    FactRecord,
    MessageRecord,
    Record,
    RecordKey,
    Snapshot,
)
from meshnode.core.sealing.envelope import MAX_TEXT
from meshnode.core.sealing.inner import FILE, NO_PREVIOUS, PROMPT, TEXT, Inner, message_id
from meshnode.core.sealing.manifest import attach
from meshnode.errors import UsageError

DAY_S: Final = 86400.0
MAX_RESEALS: Final = 3
_NO_KEY_S: Final = 3600.0
# With 96 unproved a new session is due, at 1.4 kB. In a burst receipts are on their way: cheaper to wait a little.
_CROWDED_S: Final = 30.0
_UNSENT: Final = "unsent/"  # fact: what must be known of a message to seal it again
_NO_CHANNEL: Final = ChannelId(b"")


@dataclass(slots=True)
class Pending:
    """A message of ours without a receipt. `sealed_at` is None while it waits for a key, or for earlier receipts."""

    message: MessageId
    persona: PersonaKey
    inner: Inner
    cls: int
    expires_at: Instant
    device: DeviceKey | None = None
    sealed_at: Instant | None = None


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
        self._envelopes = Envelopes(ctx, people, sessions, forwarding)
        self._notes = ReadNotes(ctx, people, chains, states, self._envelopes)
        self._probes = Probes(ctx, people, sessions, states, self._envelopes)
        self._reseal: Timers[MessageId] = Timers(ctx.chat_due.sooner)
        self._orphans: list[MessageId] = []
        self._held: dict[MessageId, None] = {}  # written in a burst, waiting for receipts of those before

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
        for record in self._envelopes.restore(snapshot):
            self._was_sealed(record)
        for pending in self._pending.values():
            self._await_receipt(pending)
            if pending.sealed_at is None:  # no key then, or held: perhaps it can go now
                self._reseal.set(pending.message, self._ctx.now)

    # Writing

    def compose(self, told: Compose, to: PersonaKey) -> MessageId:
        """A person writes. The same request id gives the same message, also after a crash (rule 11.4)."""
        known = self._filing.requested(told.request)
        if known is not None:
            self._states.tell(known)
            return known
        if len(_said(told.text, told.file)[1]) > MAX_TEXT:
            raise UsageError(f"a message holds at most {MAX_TEXT} bytes of text and preview; send it in parts")
        if told.probe:
            return self._probes.send(told.request, to)
        pending, filed, rows = self._file(told, to)
        to_self = to == self._ctx.keys.persona
        hold = not to_self and self._envelopes.crowded(to)
        sealed = None if to_self or hold else self._sealed(pending, PROMPT if told.prompt else 0)
        self._ctx.persist(filed, *rows, *(sealed.rows if sealed else ()), promise=True)
        self._filing.tell(filed)
        self._states.tell(pending.message)
        if to_self:
            self._arrived(pending.message, "me")
        elif hold:
            self._held[pending.message] = None
            self._reseal.set(pending.message, self._ctx.now + _CROWDED_S)
        else:
            self._await_receipt(pending)
            self._envelopes.submit(sealed)
        return pending.message

    def read(self, messages: tuple[MessageId, ...]) -> None:
        """A person has read these."""
        self._notes.read(messages)

    # What comes back

    def receipt_came(self, tag: Tag, receipt: Receipt, hops: int) -> bool:
        """A receipt that opens a tag of ours, from so many hops away: delivered. False if the tag is not ours."""
        awaiting = self._sessions.awaiting(tag)
        if awaiting is not None:
            session, index = awaiting
            session.ratchet.proved(index)
            session.distance.came(hops, self._ctx.now)
            self._ctx.persist(session.row())
            self._release(session.persona)
        message = self._envelopes.take_message(tag)
        if message is None:
            return awaiting is not None
        pending = self._pending.get(message)
        to = pending.persona if pending else self._probes.take(message)
        if to is not None:
            self._arrived(message, self._people.name_of(to))
        return True

    def missed(self, carried: Carried) -> None:
        """No receipt came in time from where the reader was: it may be anywhere now."""
        awaiting = self._sessions.awaiting(carried.record.tag)
        if awaiting is not None:
            awaiting[0].distance.missed(self._ctx.now)

    def read_note_came(self, persona: PersonaKey, ids: bytes) -> None:
        """The other says which of our messages to it were read."""
        for message in self._notes.ours_in(persona, ids):
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
        self._probes.take(message)
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
        """What a message that is not sealed yet needs for it, in a few words; empty if it is none."""
        pending = self._pending.get(message)
        if pending is None or pending.sealed_at is not None:
            return ""
        return "receipts of earlier messages" if message in self._held else f"key of {self.reader(message)}"

    def waiting(self) -> Iterator[Waiting]:
        """What is written and not sealed yet."""
        for message, pending in self._pending.items():
            if needs := self.waiting_for(message):
                size = len(pending.inner.text)
                yield Waiting("message", pending.cls, size, needs, self.reader(message), message.hex())

    def reader(self, message: MessageId) -> str:
        """To whom an undelivered direct message goes; empty if it is none."""
        pending = self._pending.get(message)
        return self._people.name_of(pending.persona) if pending is not None else ""

    def ever_answered(self, message: MessageId) -> bool:
        """True if whom it goes to ever showed that they know us: strangers get no receipt (rule 8.8)."""
        pending = self._pending[message]
        held = self._sessions.of(pending.device) if pending.device is not None else ()
        return any(session.ratchet.confirmed for session in held)

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
        kind, text = _said(told.text, told.file)
        inner = Inner(kind, before.sent_seq + 1, before.sent_hash, text)
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
            hops=HOPS_UNKNOWN,
            missing=0,
            request=told.request,
            about=self._filing.about(),
            file=told.file,
        )
        expires_at = self._ctx.now + self._ctx.settings.lifetime_s
        pending = self._pending[message] = Pending(message, to, inner, told.cls, expires_at)
        state = self._states.begin(message, expires_at)
        unsent = self._unsent(message, inner)
        request = self._filing.request_row(told.request, message)
        return pending, record, [state, self._chains.send(to, inner), unsent, cursor_row, *request]

    # Sealing

    def _sealed(self, pending: Pending, flags: int = 0) -> Outbound | None:
        """Seal a message; the rows are for the Persist of the same step."""
        inner = replace(pending.inner, flags=flags)
        left = pending.expires_at - self._ctx.now
        sealed = self._envelopes.seal(pending.persona, inner, pending.message, pending.cls, left)
        if sealed is not None:
            pending.sealed_at, pending.device = self._ctx.now, sealed.device
        return sealed

    def _release(self, persona: PersonaKey) -> None:
        """Receipts made room: what was held goes, in order, as far as it fits."""
        for pending in self._in_order(persona) if self._held else ():
            if pending.message in self._held:
                if self._envelopes.crowded(persona):
                    return
                self._seal_and_send(pending)

    def _seal_and_send(self, pending: Pending) -> None:
        self._held.pop(pending.message, None)
        sealed = self._sealed(pending)
        if sealed is None:
            return
        self._ctx.persist(*sealed.rows, promise=True)
        self._await_receipt(pending)
        self._envelopes.submit(sealed)

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
            self._envelopes.submit(sealed)

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
        self._held.pop(message, None)
        if self._pending.pop(message, None) is not None:
            self._ctx.forget(RecordKey(FactRecord, (_UNSENT + message.hex(),)))
        # It may have arrived under an older seal: the first message that carries it now begins the session for others.
        self._forwarding.withdraw(message, needed=self._sessions.begins)

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
        kind, text = _said(message.text, message.file)
        return Inner(kind, int.from_bytes(seq, "big") if fits else 0, previous or NO_PREVIOUS, text), fits

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

    def _was_sealed(self, record: EnvelopeRecord) -> None:
        pending = self._pending.get(MessageId(record.message))
        if pending is not None:
            pending.sealed_at = max(pending.sealed_at or 0.0, record.held_since)
            device = self._people.device_of(pending.persona)
            pending.device = device.device if device else None


def _said(text: str, file: bytes) -> tuple[int, bytes]:
    """What stands inside the seal: words, or words with the manifest of a file."""
    return (FILE, attach(file, text)) if file else (TEXT, text.encode())

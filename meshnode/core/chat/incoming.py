"""Direct messages that come in: whose is it, does it open, is it new; then one Persist for all of it, then the receipt.

    tag expected       -> the session opens it
    kind first         -> our live prekeys are tried, 20 a second; the rest wait, hops in turn (rule 8.5)
    neither            -> not ours: carried like any other

A wrong seal under a right tag changes nothing and gets no receipt. Whoever is blocked, unknown or removed gets none
either: to them we look like any relay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from meshnode.core.chat.chains import Chains
from meshnode.core.chat.filing import Filing
from meshnode.core.chat.line import Line
from meshnode.core.chat.people import People
from meshnode.core.chat.prekeys import seen_root
from meshnode.core.chat.requests import RequestBox
from meshnode.core.chat.sessions import Session, Sessions
from meshnode.core.clock import EPOCH_2026, Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.ids import ChannelId, DeviceKey, PersonaKey, Receipt, Tag
from meshnode.core.neighbours.neighbour import Heard
from meshnode.core.records import HOPS_UNKNOWN, MessageRecord, PrekeyRecord, Record, Snapshot
from meshnode.core.sealing.envelope import KIND_FIRST, EnvelopeHeader, read_envelope_untrusted
from meshnode.core.sealing.first import FirstMessage, Prekey, open_first_untrusted
from meshnode.core.sealing.inner import FILE, PROMPT, READ, TEXT, Inner, message_id
from meshnode.core.sealing.manifest import take_attached_untrusted
from meshnode.core.sealing.ratchet import Ratchet
from meshnode.errors import WireError

_COST_S: Final = 1 / 20  # twenty first messages a second, each costs seven openings
_BURST_S: Final = 1.0
_ROUNDING_S: Final = 1e-6  # a wake-up at the very moment must find the allowance there
MAX_LINE: Final = 500
_ABOUT_NOW_S: Final = 60.0  # `created` counts minutes


class Incoming:
    """Opens and files."""

    def __init__(
        self,
        ctx: Context,
        people: People,
        sessions: Sessions,
        chains: Chains,
        filing: Filing,
        forwarding: Forwarding,
    ) -> None:
        self._ctx = ctx
        self._people = people
        self._sessions = sessions
        self._chains = chains
        self._filing = filing
        self._forwarding = forwarding
        self.requests = RequestBox(ctx)
        self._line = Line(MAX_LINE)
        self._paid_until: Instant = 0.0  # the allowance is full again then
        self.on_read_note: Callable[[PersonaKey, bytes], None] = _ignore_note
        self.on_heard_of: Callable[[DeviceKey], None] = _ignore_device
        self.on_session: Callable[[DeviceKey], None] = _ignore_device

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        self.requests.restore(snapshot)

    def envelope_arrived(self, header: EnvelopeHeader, data: bytes, heard: Heard | None) -> bool:
        """Try to open it; true if it was ours and a receipt is on its way."""
        if not header.understood:
            return False
        if header.kind != KIND_FIRST:
            return self._in_session(header, data)
        if self._line or not self._take_token():
            hop = heard.node if heard is not None and heard.bound else b""
            if not self._line.put(hop, data):
                self._ctx.count("first_messages_dropped")
            self._ctx.chat_due.sooner(self._paid_until + _COST_S - _BURST_S)
            return False
        return self._first_untrusted(header, data)

    def contact_set(self, persona: PersonaKey) -> None:
        """A person became a contact: what waited in the request box is acknowledged now."""
        for record in self.requests.accept(persona):
            self._forwarding.reveal(record, prompt=False)

    def tick(self) -> None:
        """Try first messages that waited in line."""
        while self._line and self._take_token():
            data = self._line.take()
            self._first_untrusted(read_envelope_untrusted(data), data)

    def wakeup(self) -> Instant | None:
        """When the next in line may be tried."""
        return self._paid_until + _COST_S - _BURST_S if self._line else None

    # In a session

    def _in_session(self, header: EnvelopeHeader, data: bytes) -> bool:
        revealed, fresh = self._open(header, data)
        self._look_up(fresh)
        return revealed

    def _open(self, header: EnvelopeHeader, data: bytes) -> tuple[bool, tuple[Tag, ...]]:
        """True if it was ours and a receipt is on its way; and the tags that came into the window."""
        session = self._sessions.expecting(header.tag)
        if session is None or self._people.is_blocked(session.persona) or not self._has_room(session.persona):
            return False, ()
        before = frozenset(session.ratchet.expected)
        try:
            opened = session.ratchet.open_untrusted(self._ctx.sealer, data, self._ctx.now)
        except WireError:
            self._ctx.count("wrong_seal")
            return False, self._used_up(session, before)
        fresh = self._sessions.moved(session, before)
        return self._file(session, header, opened.inner, opened.receipt, (session.row(),)), fresh

    def _used_up(self, session: Session, before: frozenset[Tag]) -> tuple[Tag, ...]:
        """A seal that opened uses its key up, even around what makes no sense; a wrong one changed nothing."""
        if session.ratchet.expected.keys() == before:
            return ()
        self._ctx.persist(session.row())
        return self._sessions.moved(session, before)

    # A first message

    def _first_untrusted(self, header: EnvelopeHeader, data: bytes) -> bool:
        for prekey in self._people.prekeys.live():
            me = Prekey(self._ctx.keys.persona, self._ctx.keys.device, prekey.block)
            try:
                first = open_first_untrusted(self._ctx.sealer, data, me, prekey.secret, self._people.certificate)
            except WireError:
                self._ctx.count("first_message_refused")
                return False
            if first is not None:
                return self._opened_first(header, first, prekey)
        return False

    def _opened_first(self, header: EnvelopeHeader, first: FirstMessage, prekey: PrekeyRecord) -> bool:
        if first.certificate is None or self._people.is_blocked(first.persona):
            return False
        if seen_root(prekey, first.root_id):
            self._ctx.count("first_message_replayed")
            return False
        if self._people.is_revoked(first.device, first.persona) or not self._has_room(first.persona):
            self._ctx.count("first_message_refused")
            return False
        known = self._people.certified(first.certificate, first.incarnation)
        if not known or not self._people.may_message(first.device):
            self._ctx.count("first_message_refused")
            return False
        ratchet = Ratchet.begin(first.root, initiator=False)
        session = Session(first.device, first.persona, first.incarnation, self._ctx.now, ratchet)
        fresh = self._sessions.add(session)
        rows = (self._people.prekeys.used(prekey, first.root_id), session.row())
        revealed = self._file(session, header, first.inner, first.receipt, rows)
        self._forwarding.look_again()
        self._look_up(fresh)
        self.on_session(first.device)
        return revealed

    def _look_up(self, fresh: tuple[Tag, ...]) -> None:
        """Tags that became ours just now: the envelope may be carried here already, and make others ours (rule 7.5)."""
        waiting = deque(fresh)
        while waiting:
            for carried in self._forwarding.with_tags((waiting.popleft(),)):
                waiting += self._open(carried.header, carried.record.data)[1]

    # Filing

    def _file(
        self, session: Session, header: EnvelopeHeader, inner: Inner, receipt: Receipt, rows: tuple[Record, ...]
    ) -> bool:
        """Chain step, message, dedupe mark and receipt in one Persist; only then is the receipt told (rule 11.4)."""
        stone = self._forwarding.tombstone(header, receipt)
        message, more = self._place(session, header, inner) if inner.kind in (TEXT, FILE) else (None, ())
        known = self._people.is_known(session.persona)
        if known:
            self._ctx.persist(*rows, *more, stone, promise=True)
            self._forwarding.reveal(stone, prompt=bool(inner.flags & PROMPT))
        else:
            self._ctx.persist(*rows, *more, self.requests.put(session.persona, stone), promise=True)
        if message is not None:
            self._filing.tell(message)
        self._tell_more(session, inner, known)
        return known

    def _tell_more(self, session: Session, inner: Inner, known: bool) -> None:
        if not known:
            self.requests.tell(session.persona)
            return
        if inner.kind == READ:
            self.on_read_note(session.persona, inner.text)
        self.on_heard_of(session.device)

    def _place(
        self, session: Session, header: EnvelopeHeader, inner: Inner
    ) -> tuple[MessageRecord | None, tuple[Record, ...]]:
        """The message and its rows; none where it was here before."""
        got = self._chains.get(session.persona, session.device, session.incarnation, inner)
        if not got.new:
            self._ctx.count("message_repeated")
            return None, ()
        cursor, cursor_row = self._filing.next()
        file, text = self._words_untrusted(inner)
        message = MessageRecord(
            id=message_id(session.device, session.incarnation, self._ctx.keys.persona, inner.seq),
            cursor=cursor,
            outgoing=False,
            peer=session.persona,
            device=session.device,
            channel=ChannelId(b""),
            seq=inner.seq,
            text=text,
            cls=header.cls,
            sent_at=self._written_at(header),
            received_at=self._filing.date(),
            hops=HOPS_UNKNOWN,
            missing=got.missing,
            request=b"",
            about=self._filing.about(_written_at(header)),
            file=file,
        )
        return message, (message, *got.rows, cursor_row)

    def _words_untrusted(self, inner: Inner) -> tuple[bytes, str]:
        """The manifest of a file, if any, and the words; where the first cannot be read, the message stands empty."""
        if inner.kind != FILE:
            return b"", inner.text.decode(errors="replace")
        try:
            return take_attached_untrusted(inner.text)
        except WireError:
            self._ctx.count("file_announcement_refused")
            return b"", ""

    def _written_at(self, header: EnvelopeHeader) -> float:
        """When it was written by its own word; what lies ahead of us is "about now" (rule 10.3)."""
        written, now = _written_at(header), self._filing.date()
        return now if now and written > now + _ABOUT_NOW_S else written

    def _has_room(self, persona: PersonaKey) -> bool:
        """Strangers share a box that cannot overflow (rule 8.8)."""
        if self._people.is_known(persona) or not self.requests.full:
            return True
        self._ctx.count("requests_full")
        return False

    def _take_token(self) -> bool:
        paid = max(self._ctx.now, self._paid_until) + _COST_S
        if paid - self._ctx.now > _BURST_S + _ROUNDING_S:
            return False
        self._paid_until = paid
        return True


def _written_at(header: EnvelopeHeader) -> float:
    """Unix seconds by the writer's own word, 0 if it had no date."""
    return EPOCH_2026 + header.created * 60.0 if header.created else 0.0


def _ignore_note(persona: PersonaKey, ids: bytes) -> None:
    return None


def _ignore_device(device: DeviceKey) -> None:
    return None

"""The symmetric session with one device of a contact: a chain of keys each way, from one root (protocol rule 7).

Index 0 of the initiator's chain belongs to the first message (first.py); here the others are sealed and opened. Keys
are dropped when used: what was opened cannot be opened again, not even by who takes the device.

    receiving:   skipped keys (kept a lifetime)  |  next .. horizon: tags expected, 128 of them  |  not known yet
    sending:     proved by a receipt or reply    |  at most 96 more                              |  a new session is due

The window moves only after a seal opened (7.3): a copied tag with rubbish displaces nothing. A host persists
`encode_state` in the transaction that stores what was sealed, or what was opened (11.2, 11.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshnode.core.clock import Instant
from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import Receipt, Tag
from meshnode.core.ports import Sealer
from meshnode.core.sealing.chainkey import (
    ROOT_ID_SIZE,
    first_key,
    message_key,
    next_key,
    receipt_of,
    root_id,
)
from meshnode.core.sealing.envelope import (
    HEADER_SIZE,
    KIND_FIRST,
    KIND_MESSAGE,
    LONGEST_S,
    RECEIPT_SIZE,
    TAG_LENGTH,
    EnvelopeHeader,
    Sealed,
    Terms,
    read_envelope_untrusted,
    receipt_tag,
)
from meshnode.core.sealing.inner import Inner, decode_inner_untrusted
from meshnode.core.sealing.primitives import KEY_SIZE, ZERO_NONCE
from meshnode.errors import SignatureError, UsageError, WireError

WINDOW = 128
MAX_UNPROVED = 96  # less than the window: a whole window expired in a row would be a silent end
MAX_SKIPPED = 1000
MAX_MESSAGES = 1000
REPLACE_AFTER_S = 7 * 86400.0

_STATE_VERSION = 1
_INITIATOR = 1


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened envelope of a session. `receipt` may be revealed once the message is committed."""

    header: EnvelopeHeader
    index: int
    inner: Inner
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class _Skipped:
    index: int
    key: bytes
    receipt: Receipt
    born: int


class Ratchet:
    """One session. Mutable: each seal and each opening moves it, and what it was before is gone."""

    def __init__(self, root_id: bytes, initiator: bool, sending: bytes, receiving: bytes) -> None:
        self.root_id = root_id
        self.initiator = initiator
        self._send_key = sending
        self._send_index = 0
        self._proved = -1
        self._sent: dict[Tag, int] = {}
        self._receive_key = receiving
        self._next = 0
        self._skipped: dict[Tag, _Skipped] = {}
        self._expected: dict[Tag, int] = {}
        self._horizon = 0
        self._horizon_key = receiving

    @classmethod
    def begin(cls, root: bytes, *, initiator: bool) -> Ratchet:
        """The session after its first message, on either side."""
        session = cls(root_id(root), initiator, first_key(root, initiator), first_key(root, not initiator))
        if initiator:
            session._next_to_send()
        else:
            session._receive_key, session._next = next_key(session._receive_key), 1
            session._horizon_key, session._horizon = session._receive_key, 1
        session._widen()
        return session

    # receiving

    @property
    def expected(self) -> Mapping[Tag, int]:
        """Every tag that would open here, with its index: the window, and what was skipped below it."""
        return self._expected

    @property
    def horizon(self) -> int:
        """The first index beyond the window."""
        return self._horizon

    def new_tags_since(self, horizon: int) -> tuple[Tag, ...]:
        """Tags that came into the window since it ended at `horizon`: look them up among what is carried here (7.5)."""
        return tuple(tag for tag, index in self._expected.items() if index >= horizon)

    def open_untrusted(self, sealer: Sealer, data: bytes, now: Instant) -> Opened:
        """Open an envelope whose tag is expected. A seal that does not open changes nothing."""
        header = read_envelope_untrusted(data)
        index = self._expected.get(header.tag)
        if index is None or header.kind == KIND_FIRST or not header.understood:
            raise WireError("an envelope of this tag is not expected in this session")
        key, receipt = self._keys_of(header.tag, index)
        plaintext = sealer.aead_open(key, ZERO_NONCE, data[HEADER_SIZE:], data[:HEADER_SIZE])
        if plaintext is None:
            raise SignatureError("a wrong seal under a right tag")
        self._use_up(header.tag, index, now)
        if self.initiator:
            self.proved(0)  # only who opened the first message can answer
        return Opened(header, index, decode_inner_untrusted(plaintext), receipt)

    def expire(self, now: Instant) -> bool:
        """Drop skipped keys whose envelopes have outlived every lifetime; True if there were any."""
        old = [tag for tag, skipped in self._skipped.items() if skipped.born + LONGEST_S <= now]
        self._drop_skipped(old)
        return bool(old)

    # sending

    @property
    def send_index(self) -> int:
        """The index of what is sealed next: how many were sealed."""
        return self._send_index

    @property
    def outstanding(self) -> int:
        """How many indices were used beyond the highest proved."""
        return self._send_index - 1 - self._proved

    @property
    def confirmed(self) -> bool:
        """The other side is known to hold this session."""
        return not self.initiator or self._proved >= 0

    @property
    def can_seal(self) -> bool:
        """Room for one more; else a new session is due (7.4, 7.6)."""
        return self.outstanding < MAX_UNPROVED and self._send_index < MAX_MESSAGES

    @property
    def crowded(self) -> bool:
        """Only receipts are missing to go on: 96 are on their way unproved."""
        return self.outstanding >= MAX_UNPROVED and self._send_index < MAX_MESSAGES

    def worn(self, age_s: float) -> bool:
        """Time for a new session: full, or a week old (7.6)."""
        return not self.can_seal or age_s >= REPLACE_AFTER_S

    def seal_next(self, sealer: Sealer, inner: Inner, terms: Terms, kind: int = KIND_MESSAGE) -> Sealed:
        """The next envelope. Persist the state with it, once, and send those bytes ever after (11.2).

        Relays see the kind: that something is a probe, whose way they tell, is no secret.
        """
        if not self.can_seal:
            raise UsageError("the session is worn: begin a new one")
        key = message_key(self._send_key)
        index, tag, receipt = self._next_to_send()
        header = terms.header(kind, tag).encode()
        return Sealed(header + sealer.aead_seal(key, ZERO_NONCE, inner.encode(), header), tag, receipt, index)

    def sent_index(self, tag: Tag) -> int | None:
        """The index of an own envelope above the highest proved."""
        return self._sent.get(tag)

    def proved(self, index: int) -> None:
        """A receipt for our envelope of that index came: everything up to it needs no more counting."""
        if index <= self._proved or index >= self._send_index:
            return
        self._proved = index
        self._sent = {tag: sent for tag, sent in self._sent.items() if sent > index}

    # state

    def encode_state(self) -> bytes:
        """All of it, secret: to be sealed at rest."""
        head = bytes((_STATE_VERSION, _INITIATOR if self.initiator else 0)) + self.root_id
        sending = self._send_key + _u32(self._send_index) + _u32(self._proved + 1) + _u32(len(self._sent))
        sent = b"".join(_u32(index) + tag for tag, index in self._sent.items())
        receiving = self._receive_key + _u32(self._next) + _u32(len(self._skipped))
        skipped = b"".join(
            _u32(s.index) + s.key + s.receipt + s.born.to_bytes(6, "big") for s in self._skipped.values()
        )
        return head + sending + sent + receiving + skipped

    @classmethod
    def decode_state_untrusted(cls, data: bytes) -> Ratchet:
        """A session as encoded."""
        cursor = Cursor(data, "a stored session")
        if cursor.number(1) != _STATE_VERSION:
            raise WireError("a stored session was written by a newer meshnode")
        initiator = cursor.number(1) == _INITIATOR
        session = cls(cursor.take(ROOT_ID_SIZE), initiator, cursor.take(KEY_SIZE), b"")
        session._send_index, session._proved = cursor.number(4), cursor.number(4) - 1
        for _ in range(cursor.number(4)):
            index = cursor.number(4)
            session._sent[Tag(cursor.take(TAG_LENGTH))] = index
        session._receive_key = cursor.take(KEY_SIZE)
        session._next = cursor.number(4)
        for _ in range(cursor.number(4)):
            session._keep(_read_skipped(cursor))
        cursor.end()
        session._horizon_key, session._horizon = session._receive_key, session._next
        session._widen()
        return session

    # helpers

    def _next_to_send(self) -> tuple[int, Tag, Receipt]:
        """Take one step of the sending chain; its key is gone afterwards."""
        receipt = receipt_of(self._send_key)
        tag, index = receipt_tag(receipt), self._send_index
        self._send_key, self._send_index = next_key(self._send_key), index + 1
        self._sent[tag] = index
        return index, tag, receipt

    def _widen(self) -> None:
        """Derive tags up to a full window."""
        while self._horizon < self._next + WINDOW:
            self._expected[receipt_tag(receipt_of(self._horizon_key))] = self._horizon
            self._horizon_key, self._horizon = next_key(self._horizon_key), self._horizon + 1

    def _keys_of(self, tag: Tag, index: int) -> tuple[bytes, Receipt]:
        skipped = self._skipped.get(tag)
        if skipped:
            return skipped.key, skipped.receipt
        chain = self._receive_key
        for _ in range(index - self._next):
            chain = next_key(chain)
        return message_key(chain), receipt_of(chain)

    def _use_up(self, tag: Tag, index: int, now: Instant) -> None:
        """The seal opened: forget its key, keep those it jumped over, move the window."""
        if index < self._next:
            self._drop_skipped([tag])
            return
        while self._next < index:
            chain = self._receive_key
            self._keep(_Skipped(self._next, message_key(chain), receipt_of(chain), int(now)))
            self._receive_key, self._next = next_key(chain), self._next + 1
        del self._expected[tag]
        self._receive_key, self._next = next_key(self._receive_key), index + 1
        self._drop_skipped(list(self._skipped)[: max(0, len(self._skipped) - MAX_SKIPPED)])
        self._widen()

    def _keep(self, skipped: _Skipped) -> None:
        tag = receipt_tag(skipped.receipt)
        self._skipped[tag] = skipped
        self._expected[tag] = skipped.index

    def _drop_skipped(self, tags: list[Tag]) -> None:
        for tag in tags:
            del self._skipped[tag], self._expected[tag]


def _read_skipped(cursor: Cursor) -> _Skipped:
    index, key = cursor.number(4), cursor.take(KEY_SIZE)
    return _Skipped(index, key, Receipt(cursor.take(RECEIPT_SIZE)), cursor.number(6))


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")

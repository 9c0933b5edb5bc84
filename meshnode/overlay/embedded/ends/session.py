"""A sealed session with one key. Its keys change as it goes.

Each side has three X25519 pairs: the one before (`receiving`), the current (`sending`) and the `next`, which travels in
every message. When the other side first seals with what we called next, both go one further: at most once a minute.

    incoming is sealed with            nonces
    their current key, our previous    `received`
    their next key,    our current     `ahead`       and then the keys move on
    their next key,    our previous    `ahead_old`   and then the keys move on

A nonce counts only if it is higher than the last of its kind: nothing is taken twice, and what comes late is lost.
"""

from __future__ import annotations

from meshnode.core.ports import Entropy
from meshnode.errors import WireError
from meshnode.overlay.embedded.ends.handshakes import (
    Handshake,
    Pair,
    fresh_pair,
    nonce_of,
    open_untrusted,
    seal,
    shared_key_untrusted,
)
from meshnode.overlay.embedded.wire.varint import take_uvarint_untrusted, uvarint

LIFETIME_S = 60.0
ROTATE_AFTER_S = 60.0
SHORTEST = 52  # of a sealed message


class Session:
    """One side of it."""

    __slots__ = (
        "_ahead",
        "_ahead_old",
        "_entropy",
        "_next",
        "_own_seq",
        "_receiving",
        "_rotated_at",
        "_sending",
        "_sent",
        "_shared",
        "_their_current",
        "_their_key_seq",
        "_their_next",
        "asked_at",
        "began",
        "bytes_received",
        "bytes_sent",
        "proven",
        "received",
        "their_seq",
        "until",
    )

    def __init__(
        self, entropy: Entropy, handshake: Handshake, now: float, pairs: tuple[Pair, Pair] | None = None
    ) -> None:
        """Begin with what the other side said; `pairs` are those we told it already, current and next."""
        self._entropy = entropy
        self._their_current, self._their_next = handshake.current, handshake.next
        self.their_seq = handshake.seq - 1
        self._their_key_seq = self._own_seq = 0
        self._receiving = fresh_pair(entropy)
        self._sending, self._next = pairs or (fresh_pair(entropy), fresh_pair(entropy))
        self._fix(0, 0)
        self._rotated_at = float("-inf")
        self.began, self.until = now, now + LIFETIME_S
        self.asked_at = float("-inf")
        self.proven = False  # a message of theirs has been opened
        self.bytes_received = self.bytes_sent = 0

    def update(self, handshake: Handshake, now: float) -> bool:
        """Take a newer opening in; False if it is not newer."""
        if handshake.seq <= self.their_seq:
            return False
        self._their_current, self._their_next = handshake.current, handshake.next
        self.their_seq, self._their_key_seq = handshake.seq, handshake.key_seq
        self._shift()
        self._fix(0, self._sent)
        self.until = now + LIFETIME_S
        return True

    def opening(self, seq: int) -> Handshake:
        """What we say of our keys."""
        return Handshake(self._sending.public, self._next.public, self._own_seq, seq)

    def seal(self, message: bytes, now: float) -> bytes:
        """A message for the other side."""
        self._sent += 1
        self.until = now + LIFETIME_S
        self.bytes_sent += len(message)
        numbers = uvarint(self._own_seq) + uvarint(self._their_key_seq) + uvarint(self._sent)
        shared = self._key(self._their_current, self._sending)
        return b"\x03" + numbers + seal(self._next.public + message, nonce_of(self._sent), shared)

    def open_untrusted(self, payload: bytes, now: float) -> bytes | None:
        """Their message; None for one that comes late or again, WireError for one we have no key for."""
        theirs, at = take_uvarint_untrusted(payload, 1)
        ours, at = take_uvarint_untrusted(payload, at)
        nonce, at = take_uvarint_untrusted(payload, at)
        ahead = theirs == self._their_key_seq + 1
        old = ours + 1 == self._own_seq
        if not (ahead or theirs == self._their_key_seq) or not (old or (ahead and ours == self._own_seq)):
            raise WireError("a message is sealed with keys that are not ours")
        if nonce <= self._last(ahead, old):
            return None
        shared = self._key(
            self._their_next if ahead else self._their_current, self._receiving if old else self._sending
        )
        plain = open_untrusted(payload[at:], nonce_of(nonce), shared)
        self._count(ahead, old, nonce)
        if ahead and now - self._rotated_at > ROTATE_AFTER_S:
            self._rotate(plain[:32], nonce, now)
        self.until, self.proven = now + LIFETIME_S, True
        self.bytes_received += len(plain) - 32
        return plain[32:]

    def _last(self, ahead: bool, old: bool) -> int:
        if not ahead:
            return self.received
        return self._ahead_old if old else self._ahead

    def _count(self, ahead: bool, old: bool, nonce: int) -> None:
        if not ahead:
            self.received = nonce
        elif old:
            self._ahead_old = nonce
        else:
            self._ahead = nonce

    def _rotate(self, their_next: bytes, nonce: int, now: float) -> None:
        self._their_current, self._their_next = self._their_next, their_next
        self._their_key_seq += 1
        self._shift()
        self._fix(nonce, 0)
        self._rotated_at = now

    def _shift(self) -> None:
        self._receiving, self._sending, self._next = self._sending, self._next, fresh_pair(self._entropy)
        self._own_seq += 1

    def _fix(self, received: int, sent: int) -> None:
        self.received, self._sent = received, sent
        self._ahead = self._ahead_old = 0
        self._shared: dict[tuple[bytes, bytes], bytes] = {}

    def _key(self, theirs: bytes, ours: Pair) -> bytes:
        """Worked out when it is needed first: of four keys most sessions use two."""
        key = self._shared.get((theirs, ours.public))
        if key is None:
            key = self._shared[theirs, ours.public] = shared_key_untrusted(theirs, ours.secret)
        return key

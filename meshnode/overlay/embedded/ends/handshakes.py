"""The opening of a session: 193 bytes, type 1 (init) or 2 (ack), sealed to the recipient and signed by the sender.

    type, eph (32), box of  sig (64), current (32), next (32), key_seq (8), seq (8)

`eph` is an X25519 key used once; the box is made with it and the recipient's key, nonce 0. The signature covers eph,
current, next and both numbers, but not the type. `current` is the key to seal to from now on, `next` the one after it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from nacl.bindings import (
    crypto_box_beforenm,
    crypto_box_easy_afternm,
    crypto_box_open_easy_afternm,
    crypto_scalarmult_base,
)
from nacl.exceptions import CryptoError

from meshnode.core.ports import Entropy
from meshnode.errors import WireError
from meshnode.overlay.embedded.wire.keys import KEY_SIZE, Identity, box_key_untrusted, signed_by

INIT: Final = 1
ACK: Final = 2
TRAFFIC: Final = 3

SIZE = 193
_NUMBERS = struct.Struct(">QQ")
_FIRST_NONCE = bytes(24)


@dataclass(frozen=True, slots=True)
class Pair:
    """An X25519 key of ours."""

    public: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class Handshake:
    """What an opening says, proven by its sender."""

    current: bytes
    next: bytes
    key_seq: int
    seq: int


def fresh_pair(entropy: Entropy) -> Pair:
    """A new X25519 key."""
    secret = entropy.take("overlay-session", 32)
    return Pair(crypto_scalarmult_base(secret), secret)


def nonce_of(number: int) -> bytes:
    """The 24 bytes of a box's nonce."""
    return number.to_bytes(24, "big")


def shared_key_untrusted(public: bytes, secret: bytes) -> bytes:
    """What two X25519 keys have in common; WireError if the public one is of small order."""
    try:
        return bytes(crypto_box_beforenm(public, secret))
    except (CryptoError, RuntimeError) as error:
        raise WireError("a session key is no key") from error


def seal(message: bytes, nonce: bytes, shared: bytes) -> bytes:
    """NaCl box: tag of 16 bytes, then the ciphertext."""
    return bytes(crypto_box_easy_afternm(message, nonce, shared))


def open_untrusted(sealed: bytes, nonce: bytes, shared: bytes) -> bytes:
    """What was sealed; WireError if it was not, with this key."""
    try:
        return bytes(crypto_box_open_easy_afternm(sealed, nonce, shared))
    except (CryptoError, ValueError, TypeError) as error:
        raise WireError("a seal does not open") from error


def encode_handshake(kind: int, identity: Identity, eph: Pair, dest: bytes, handshake: Handshake) -> bytes:
    """An opening for `dest`; WireError if that is no key."""
    numbers = _NUMBERS.pack(handshake.key_seq, handshake.seq)
    said = handshake.current + handshake.next + numbers
    sig = identity.sign(eph.public + said)
    shared = shared_key_untrusted(box_key_untrusted(dest), eph.secret)
    return bytes((kind,)) + eph.public + seal(sig + said, _FIRST_NONCE, shared)


def decode_handshake_untrusted(payload: bytes, identity: Identity, source: bytes) -> Handshake:
    """An opening sealed to us and signed by `source`; WireError otherwise."""
    if len(payload) != SIZE:
        raise WireError("a session opens with the wrong size")
    eph = payload[1 : 1 + KEY_SIZE]
    plain = open_untrusted(payload[1 + KEY_SIZE :], _FIRST_NONCE, shared_key_untrusted(eph, identity.box_secret))
    sig, said = plain[:64], plain[64:]
    if not signed_by(source, eph + said, sig):
        raise WireError("a session opens with a wrong signature")
    return Handshake(said[:32], said[32:64], *_NUMBERS.unpack(said[64:]))

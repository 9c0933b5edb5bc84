"""The key a node is, and what follows from a key: address, /64, and the part of it that a lookup can know.

A node is one Ed25519 key. The address holds the number of its leading zero bits and the bits behind them, so a key can
be rebuilt from it in part; the bits that are not known are ones.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from nacl.bindings import crypto_sign_ed25519_pk_to_curve25519, crypto_sign_ed25519_sk_to_curve25519
from nacl.exceptions import CryptoError

from meshnode.errors import WireError

KEY_SIZE = 32
SIGNATURE_SIZE = 64

_BITS = 256
_ALL = (1 << _BITS) - 1
_REMEMBERED = 4096


class Identity:
    """The secret of a node: signs, and opens what is sealed to its key."""

    __slots__ = ("_key", "box_secret", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.box_secret: bytes = crypto_sign_ed25519_sk_to_curve25519(seed + self.public)

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature (RFC 8032)."""
        return self._key.sign(data)


def signed_by(key: bytes, data: bytes, signature: bytes) -> bool:
    """True if `key` signed the data."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=_REMEMBERED)
def box_key_untrusted(key: bytes) -> bytes:
    """The X25519 form of an Ed25519 key; WireError for one that is no point, or of small order."""
    try:
        return bytes(crypto_sign_ed25519_pk_to_curve25519(key))
    except (CryptoError, ValueError, TypeError) as error:
        raise WireError("a key is no point of the curve") from error


@lru_cache(maxsize=_REMEMBERED)
def address_bytes(key: bytes) -> bytes:
    """The 16 bytes of a node's address in 200::/8."""
    number = int.from_bytes(key, "big")
    zeros = _BITS - number.bit_length()
    rest = ((number ^ _ALL) << zeros + 1) & _ALL
    return bytes((0x02, zeros & 0xFF)) + rest.to_bytes(KEY_SIZE, "big")[:14]


def subnet_bytes(key: bytes) -> bytes:
    """The first 8 bytes of a node's /64 in 300::/8."""
    address = address_bytes(key)
    return b"\x03" + address[1:8]


def partial_key(place: bytes) -> bytes:
    """The key as far as an address (16 bytes) or a subnet (8 bytes) tells it; the rest is ones."""
    ones, known = place[1], place[2:]
    bits = (1 << ones) - 1 << _BITS - ones
    shift = _BITS - ones - 1 - 8 * len(known)
    number = int.from_bytes(known, "big")
    bits |= number << shift if shift >= 0 else number >> -shift
    return (bits ^ _ALL).to_bytes(KEY_SIZE, "big")


@lru_cache(maxsize=_REMEMBERED)
def lookup_key(key: bytes) -> bytes:
    """What filters hold and lookups match: the key rebuilt from its subnet, the same for all keys of one /64."""
    return partial_key(subnet_bytes(key))

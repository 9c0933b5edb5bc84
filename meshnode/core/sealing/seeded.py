"""Randomness and sealing from a seed, for simulation and tests: the same seed gives the same bytes, lengths are equal.

Ciphers and signatures stay real, they are deterministic. Only HPKE, which draws on its own, is replaced: X25519 and
ChaCha20-Poly1305, filled up to the size of X-Wing. NOT for secrets: who knows the seed knows every key.
"""

from __future__ import annotations

from hashlib import shake_256

from meshnode.core.ids import hashed, keyed
from meshnode.core.sealing.primitives import (
    HPKE_OVERHEAD,
    KEY_SIZE,
    NO_PREKEY,
    PREKEY_SIZE,
    TAG_SIZE,
    ZERO_NONCE,
    RealSealer,
)
from meshnode.errors import WireError

_KEM_SIZE = HPKE_OVERHEAD - TAG_SIZE


class SeededEntropy:
    """`ports.Entropy` from a seed, with a counter for each purpose: a new draw for one purpose moves no other."""

    def __init__(self, seed: int | str) -> None:
        self._key = _seed_key(seed)
        self._drawn: dict[str, int] = {}

    def take(self, purpose: str, size: int) -> bytes:
        """`size` bytes."""
        drawn = self._drawn.get(purpose, 0)
        self._drawn[purpose] = drawn + 1
        return shake_256(self._key + drawn.to_bytes(8, "big") + purpose.encode()).digest(size)

    def between(self, purpose: str, low: float, high: float) -> float:
        """A uniform draw from [low, high)."""
        share = (int.from_bytes(self.take(purpose, 7), "big") >> 3) / (1 << 53)
        return low + share * (high - low)


class SeededSealer(RealSealer):
    """`ports.Sealer` from a seed. Give each node a seed of its own."""

    def __init__(self, seed: int | str) -> None:
        self._entropy = SeededEntropy(seed)

    def new_prekey(self) -> tuple[bytes, bytes]:
        """A pair as long as a real one."""
        secret = self._entropy.take("prekey", KEY_SIZE)
        return secret, _filled(self.agreeing_public(secret), PREKEY_SIZE)

    def hpke_seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """As long as the real one; opens under the right secret and info only."""
        once = self._entropy.take("hpke", KEY_SIZE)
        kem = _filled(self.agreeing_public(once), _KEM_SIZE)
        shared = self.agree(once, public[:KEY_SIZE]) if len(public) == PREKEY_SIZE else None
        if shared is None:
            raise WireError(NO_PREKEY)
        return kem + self.stream_seal(keyed(shared, b"mn-seeded-hpke", public), ZERO_NONCE, plaintext, kem + info)

    def hpke_open(self, secret: bytes, info: bytes, ciphertext: bytes) -> bytes | None:
        """The plaintext, or None."""
        kem, sealed = ciphertext[:_KEM_SIZE], ciphertext[_KEM_SIZE:]
        shared = self.agree(secret, kem[:KEY_SIZE]) if len(sealed) >= TAG_SIZE else None
        if shared is None:
            return None
        public = _filled(self.agreeing_public(secret), PREKEY_SIZE)
        return self.stream_open(keyed(shared, b"mn-seeded-hpke", public), ZERO_NONCE, sealed, kem + info)


def _seed_key(seed: int | str) -> bytes:
    return hashed(b"mn-seed", str(seed).encode())


def _filled(head: bytes, size: int) -> bytes:
    """`head` followed by bytes that look random and follow from it."""
    return head + shake_256(head).digest(size - len(head))

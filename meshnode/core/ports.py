"""What a host supplies to the core: randomness, and the primitives that depend on it.

The daemon gives the operating system's randomness and real ciphers; a simulation gives seeded ones of equal lengths.
No id, order or timer may depend on ciphertext bytes, so the same seed gives the same trace (style.md, rule 9).
"""

from __future__ import annotations

from typing import Protocol


class Entropy(Protocol):
    """Randomness by purpose, so that a new draw for one purpose moves no other."""

    def take(self, purpose: str, size: int) -> bytes:
        """`size` unpredictable bytes."""
        ...

    def between(self, purpose: str, low: float, high: float) -> float:
        """A uniform draw from [low, high)."""
        ...


class Sealer(Protocol):
    """The primitives of sealing and signing. Opening and verifying answer with None or False, never with an error."""

    def aead_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """AES-256-GCM-SIV: 32 B key, 12 B nonce; 16 B longer than the plaintext."""
        ...

    def aead_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes | None:
        """The plaintext, or None."""
        ...

    def stream_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """ChaCha20-Poly1305: 32 B key, 12 B nonce that never repeats under the key."""
        ...

    def stream_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes | None:
        """The plaintext, or None."""
        ...

    def hpke_seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """HPKE single shot, X-Wing / HKDF-SHA256 / ChaCha20-Poly1305: 1,136 B longer. WireError for no key."""
        ...

    def hpke_open(self, secret: bytes, info: bytes, ciphertext: bytes) -> bytes | None:
        """The plaintext, or None."""
        ...

    def new_prekey(self) -> tuple[bytes, bytes]:
        """A fresh X-Wing pair: (secret seed, public 1,216 B)."""
        ...

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """Ed25519: 32 B seed, 64 B signature."""
        ...

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Strict Ed25519: S below the order, no public key of small order (protocol rule 4.1)."""
        ...

    def signing_public(self, secret: bytes) -> bytes:
        """The Ed25519 public key of a 32 B seed."""
        ...

    def agreeing_public(self, secret: bytes) -> bytes:
        """The X25519 public key of a 32 B secret."""
        ...

    def agree(self, secret: bytes, public: bytes) -> bytes | None:
        """X25519: 32 B shared, or None for a public key that gives all zeros."""
        ...

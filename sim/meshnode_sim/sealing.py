"""The Sealer of a simulated node: seeded, its work counted as time on a modest processor, pure results remembered.

Verifying a signature and agreeing on a key are pure functions of their arguments, so all nodes of a world may share
the answers: a forged block has other arguments and is really checked. The time it would have taken is charged either
way, so that `crypto = "real"` gives the same run, only slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from meshnode.core.sealing.primitives import TAG_SIZE
from meshnode.core.sealing.seeded import SeededSealer

_MOST: Final = 1 << 20  # answers remembered; then it forgets all, which costs time and changes nothing
_UNASKED: Final = b"nobody has asked that yet"  # told from an answer by being this object
_FEW: Final = 1 << 12  # datagrams opened: those who hear one broadcast hear it within one moment


@dataclass(frozen=True, slots=True)
class Costs:
    """What a processor takes, in ns. Default: libsodium and OpenSSL on x86-64 at 3 GHz times ten, as a Pi Zero 2."""

    verify: int = 1_150_000
    sign: int = 400_000
    agree: int = 1_000_000
    hpke: int = 3_000_000
    step: int = 300_000  # everything else of one step


class Memo:
    """What the nodes of one world share."""

    def __init__(self) -> None:
        self.verified: dict[bytes, bool] = {}
        self.agreed: dict[tuple[bytes, bytes], bytes | None] = {}
        self.opened: dict[tuple[bytes, bytes, bytes, bytes], bytes | None] = {}
        self.plain: dict[bytes, bytes] | None = None  # set to a dict, it takes plaintexts by the tag of their datagram


class ChargingSealer(SeededSealer):
    """Counts what each operation costs in `spent_ns`, which its host sets back.

    With a memo it asks the world's before it computes.
    """

    def __init__(self, seed: int | str, costs: Costs, memo: Memo | None) -> None:
        super().__init__(seed)
        self.spent_ns = 0
        self._costs = costs
        self._memo = memo

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Strict Ed25519."""
        self.spent_ns += self._costs.verify
        if self._memo is None:
            return super().verify(public, message, signature)
        known = self._memo.verified
        asked = _digest(public, message, signature)
        if asked not in known:
            if len(known) >= _MOST:
                known.clear()
            known[asked] = super().verify(public, message, signature)
        return known[asked]

    def agree(self, secret: bytes, public: bytes) -> bytes | None:
        """X25519."""
        self.spent_ns += self._costs.agree
        if self._memo is None:
            return super().agree(secret, public)
        known = self._memo.agreed
        if (secret, public) not in known:
            if len(known) >= _MOST:
                known.clear()
            known[secret, public] = super().agree(secret, public)
        return known[secret, public]

    def aead_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes | None:
        """AES-256-GCM-SIV; cheap enough to be part of a step."""
        if self._memo is None:
            return super().aead_open(key, nonce, ciphertext, ad)
        known = self._memo.opened
        asked = (key, nonce, ciphertext, ad)
        answer = known.get(asked, _UNASKED)
        return self._remember(asked, super().aead_open(key, nonce, ciphertext, ad)) if answer is _UNASKED else answer

    def aead_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """AES-256-GCM-SIV; what was sealed is what it opens to, and a capture may want it."""
        sealed = super().aead_seal(key, nonce, plaintext, ad)
        if self._memo is not None:
            self._remember((key, nonce, sealed, ad), plaintext)
            if self._memo.plain is not None:
                self._memo.plain[sealed[-TAG_SIZE:]] = plaintext
        return sealed

    def _remember(self, asked: tuple[bytes, bytes, bytes, bytes], answer: bytes | None) -> bytes | None:
        if self._memo is not None:
            if len(self._memo.opened) >= _FEW:
                self._memo.opened.clear()
            self._memo.opened[asked] = answer
        return answer

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """Ed25519, deterministic."""
        self.spent_ns += self._costs.sign
        return super().sign(secret, message)

    def hpke_seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """As long as the real one."""
        spent = self.spent_ns + self._costs.hpke  # the stand-in's own agreement is not charged beside it
        sealed = super().hpke_seal(public, info, plaintext)
        self.spent_ns = spent
        return sealed

    def hpke_open(self, secret: bytes, info: bytes, ciphertext: bytes) -> bytes | None:
        """The plaintext, or None."""
        spent = self.spent_ns + self._costs.hpke
        opened = super().hpke_open(secret, info, ciphertext)
        self.spent_ns = spent
        return opened


def _digest(public: bytes, message: bytes, signature: bytes) -> bytes:
    """Names a question; key and signature have fixed sizes where the answer can be yes."""
    sizes = len(public).to_bytes(2, "big") + len(signature).to_bytes(2, "big")
    return blake2b(sizes + public + signature + message, digest_size=20).digest()

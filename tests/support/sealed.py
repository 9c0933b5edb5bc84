"""Two people with keys from a seed, and what they seal to each other."""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.ids import BlockId
from meshnode.core.sealing.envelope import Sealed, Terms
from meshnode.core.sealing.first import FirstMessage, Prekey, open_first_untrusted, seal_first
from meshnode.core.sealing.inner import NO_PREVIOUS, TEXT, Inner
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.sealing.ratchet import Ratchet
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer

ORDINARY = Terms()


@dataclass(frozen=True)
class Pair:
    """Ada writes first, Bo answers."""

    sealer: RealSealer
    ada: Keys
    bo: Keys
    prekey: Prekey
    prekey_secret: bytes
    root: bytes

    def first(self, inner: Inner, terms: Terms = ORDINARY, *, whole: bool = True) -> Sealed:
        """Ada's first message to Bo."""
        return seal_first(self.sealer, self.ada, self.prekey, self.root, terms, inner, whole_certificate=whole)

    def open_first(self, data: bytes, known: bytes | None = None) -> FirstMessage | None:
        """Bo opens it; `known` is the certificate he holds."""
        return open_first_untrusted(self.sealer, data, self.prekey, self.prekey_secret, lambda _: known)

    def sessions(self) -> tuple[Ratchet, Ratchet]:
        """The session after the first message: Ada's side and Bo's."""
        return Ratchet.begin(self.root, initiator=True), Ratchet.begin(self.root, initiator=False)


def pair(seed: int = 1, sealer: RealSealer | None = None) -> Pair:
    """Ada and Bo of that seed."""
    entropy, sealer = SeededEntropy(seed), sealer or SeededSealer(seed)
    ada, bo = new_keys(sealer, entropy), new_keys(sealer, entropy)
    secret, public = sealer.new_prekey()
    prekey = Prekey(bo.persona, bo.device, BlockId(entropy.take("block", 32)), public)
    return Pair(sealer, ada, bo, prekey, secret, entropy.take("root", 32))


def text(words: str = "soup is ready", seq: int = 1, previous: bytes = NO_PREVIOUS) -> Inner:
    """A text message."""
    return Inner(TEXT, seq, previous, words.encode())


def flip(data: bytes, bit: int) -> bytes:
    """`data` with one bit turned."""
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)

"""Authors for tests of the chain: a writer of logs, signing with Ed25519 or with a fast stand-in of the same sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from meshnode.core.chain.block import ROOT, Block, verify_untrusted, write_block
from meshnode.core.chain.compact import Compact
from meshnode.core.chain.kinds import POST
from meshnode.core.ids import ChannelId, DeviceKey, Incarnation, LogId, channel_id, log_id
from meshnode.core.ports import Sealer


class RealSigner:
    """Ed25519 by the library the daemon uses."""

    def public(self, secret: bytes) -> DeviceKey:
        return DeviceKey(Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(secret).sign(message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class FastSigner:
    """A keyed hash in place of a signature: anyone could forge it, nothing here tries to."""

    def public(self, secret: bytes) -> DeviceKey:
        return DeviceKey(blake2b(secret, digest_size=32).digest())

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return blake2b(message, digest_size=64, key=self.public(secret)).digest()

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return blake2b(message, digest_size=64, key=public).digest() == signature


FAST = FastSigner()
REAL = RealSigner()
VALLEY = channel_id("valley")


class Writer:
    """One device that writes one log; `fork()` makes a clone that goes on from the same head."""

    def __init__(self, name: str = "ann", channel: ChannelId = VALLEY, signer: FastSigner | RealSigner = FAST) -> None:
        self.secret = blake2b(name.encode(), digest_size=32).digest()
        self.signer = signer
        self.log: LogId = log_id(signer.public(self.secret), Incarnation(b"inc1"), channel)
        self.blocks: list[Block] = []

    def write(self, body: bytes = b"hello", kind: int = POST, **more: int) -> Block:
        seq = len(self.blocks) + 1
        prev = self.blocks[-1].ref if self.blocks else ROOT
        time = more.pop("time", 1_800_000_000 + seq)
        block = write_block(self.log, seq, prev, kind, body, time=time, secret=self.secret, sealer=self.signer, **more)
        self.blocks.append(block)
        return block

    def post(self, count: int) -> list[Block]:
        return [self.write(b"post %d" % (len(self.blocks) + 1)) for _ in range(count)]

    def fork(self) -> Writer:
        clone = Writer.__new__(Writer)
        clone.secret, clone.signer, clone.log, clone.blocks = self.secret, self.signer, self.log, list(self.blocks)
        return clone


def verify_run(log: LogId, run: Iterable[Compact], sealer: Sealer, before: bytes | None = None) -> Iterator[Block]:
    """The blocks of a run one by one, as gossip takes them; `before` for a run that does not give its backlink."""
    for compact in run:
        block = verify_untrusted(log, compact, before, sealer)
        before = block.ref
        yield block

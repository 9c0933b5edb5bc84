"""Checkpoints: the author's signed claim over the blocks since the last one.

Due every 64 blocks. Whoever holds the headers compares: a root that differs is a split of the log (rule 4.8). Nobody
starts a log at one yet (docs/decisions/start-from-the-root.md). The body is 88 B:

    first seq covered 4 | blocks covered 4 | Merkle root 32 | last checkpoint: seq 4, id 20 | one at half distance: same

Covered are the ids from `first` to the block before the checkpoint. A leaf is H("mn-leaf", id), a knot H("mn-knot",
left | right), an odd one goes up alone. Seq 0 with zeros: there is no such checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import Final

from meshnode.core.chain.kinds import CHECKPOINT
from meshnode.core.chain.rows import Rows
from meshnode.core.ids import REF_SIZE, BlockId
from meshnode.errors import WireError

EVERY: Final = 64
MAX_COVERED: Final = 256  # a claim costs its reader two hashes a block: here as much as four signatures
NO_REF: Final = bytes(REF_SIZE)
_LAYOUT: Final = Struct(">II32sI20sI20s")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The claim. `last` and `half` refer to earlier checkpoints by seq and 20 B of id."""

    first: int
    count: int
    root: bytes
    last_seq: int = 0
    last: bytes = NO_REF
    half_seq: int = 0
    half: bytes = NO_REF

    def encode(self) -> bytes:
        """The body of a CHECKPOINT block."""
        return _LAYOUT.pack(self.first, self.count, self.root, self.last_seq, self.last, self.half_seq, self.half)


def decode_checkpoint_untrusted(body: bytes, seq: int) -> Checkpoint:
    """The claim a CHECKPOINT block at `seq` makes: it covers the stretch that ends just before it."""
    if len(body) != _LAYOUT.size:
        raise WireError("a checkpoint has the wrong size")
    claim = Checkpoint(*_LAYOUT.unpack(body))
    if not 0 < claim.count <= MAX_COVERED or claim.first < 1 or claim.first + claim.count != seq:
        raise WireError("a checkpoint covers an impossible stretch")
    if not _earlier(claim.last_seq, claim.last, seq) or not _earlier(claim.half_seq, claim.half, seq):
        raise WireError("a checkpoint refers to an impossible block")
    return claim


def claim_over(rows: Rows) -> Checkpoint | None:
    """What its author may claim of a log, or None when no checkpoint is due yet."""
    earlier = list(rows.of_kind(CHECKPOINT))
    last = earlier[-1] if earlier else 0
    first = max(last, 1)
    count = min(rows.last - first + 1, MAX_COVERED)
    if rows.last - last < EVERY:
        return None
    first = rows.last - count + 1
    half = max((seq for seq in earlier if seq <= rows.last // 2), default=0)
    return Checkpoint(first, count, merkle_root(rows.ids(first, count)), last, _ref(rows, last), half, _ref(rows, half))


def agrees(claim: Checkpoint, rows: Rows) -> bool:
    """False when the claim contradicts headers that are held; what is not held is not checked."""
    for seq, ref in ((claim.last_seq, claim.last), (claim.half_seq, claim.half)):
        if seq in rows and rows.ref_at(seq) != ref:
            return False
    return claim.first not in rows or merkle_root(rows.ids(claim.first, claim.count)) == claim.root


def merkle_root(ids: Iterable[BlockId]) -> bytes:
    """The root over block ids in the order of their seqs; of none, 32 zeros."""
    level = [blake2b(one, digest_size=32, person=b"mn-leaf").digest() for one in ids]
    while len(level) > 1:
        pairs = [
            blake2b(level[at] + level[at + 1], digest_size=32, person=b"mn-knot").digest()
            for at in range(0, len(level) - 1, 2)
        ]
        level = pairs + level[len(pairs) * 2 :]
    return level[0] if level else bytes(32)


def _ref(rows: Rows, seq: int) -> bytes:
    return rows.ref_at(seq) if seq else NO_REF


def _earlier(seq: int, ref: bytes, below: int) -> bool:
    return (ref == NO_REF) if seq == 0 else seq < below

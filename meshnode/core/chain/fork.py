"""Fork proofs: two valid headers of one log at one seq. Often a restored backup, seldom malice.

A proof freezes its log just below the fork, at everyone (rule 4.9). One proof is kept per log, for the lowest seq
known; a lower one takes its place, at most three times, so that endless branches cost little. A proof at the very
place of the split (both headers link to one block) is worth three times more: whatever order the blocks of an honest
split came in, all end at that place. Between proofs of the same seq the first stays. The owner of the log may adopt one
branch up to a named block, which unfreezes it to there.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from meshnode.core.chain.block import BACKLINK, Block, parse_content_untrusted
from meshnode.core.chain.compact import MAX_SEQ
from meshnode.core.ids import LOG_ID_SIZE, BlockId, LogId
from meshnode.core.ports import Sealer
from meshnode.errors import UsageError, WireError

MAX_REPLACEMENTS: Final = 3
_ADOPTION: Final = Struct(f">{LOG_ID_SIZE}sI32s")
ADOPTION_SIZE: Final = _ADOPTION.size


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Two verified headers, the lower id first."""

    log: LogId
    seq: int
    content_a: bytes
    signature_a: bytes
    content_b: bytes
    signature_b: bytes

    @property
    def lowest(self) -> bool:
        """True when both link to the same block: the log cannot have split further down."""
        return self.content_a[BACKLINK] == self.content_b[BACKLINK]

    def replaces(self, other: ForkProof | None, replaced: int) -> bool:
        """True when this proof takes the place of `other`, which was itself put in place of `replaced` earlier ones."""
        limit = 2 * MAX_REPLACEMENTS if self.lowest else MAX_REPLACEMENTS
        return other is None or (self.seq < other.seq and replaced < limit)


def prove(one: Block, other: Block) -> ForkProof:
    """The proof two verified blocks of one seq and different ids make."""
    if one.log != other.log or one.seq != other.seq or one.id == other.id:
        raise UsageError("a fork proof needs two different blocks at one seq of one log")
    a, b = sorted((one, other), key=lambda block: block.id)
    return ForkProof(one.log, one.seq, a.content, a.signature, b.content, b.signature)


def verify_fork_untrusted(
    log: LogId, content_a: bytes, signature_a: bytes, content_b: bytes, signature_b: bytes, sealer: Sealer
) -> ForkProof:
    """The proof, if both headers are validly signed, of this log, at one seq, different, and the lower id is first."""
    a = parse_content_untrusted(content_a, signature_a, sealer)
    b = parse_content_untrusted(content_b, signature_b, sealer)
    if a.log != log or b.log != log or a.seq != b.seq or a.id >= b.id:
        raise WireError("a fork proof does not prove a fork")
    return ForkProof(log, a.seq, content_a, signature_a, content_b, signature_b)


@dataclass(frozen=True, slots=True)
class Adoption:
    """The body of an ADOPTION block in a person log: of `log`, the branch that ends in this block is the right one."""

    log: LogId
    seq: int
    id: BlockId

    def encode(self) -> bytes:
        """88 B: log 52 | seq 4 | id 32."""
        return _ADOPTION.pack(self.log, self.seq, self.id)


def decode_adoption_untrusted(body: bytes) -> Adoption:
    """The statement. Whether its writer may make it, identity decides: the root or another device of the persona."""
    if len(body) != _ADOPTION.size:
        raise WireError("an adoption has the wrong size")
    log, seq, block = _ADOPTION.unpack(body)
    if not 0 < seq <= MAX_SEQ:
        raise WireError("an adoption names an impossible seq")
    return Adoption(LogId(log), seq, BlockId(block))

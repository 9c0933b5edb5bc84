"""A verified block, and the only two ways to one: verifying what came, or writing one's own.

The signed content is 120 B, in one fixed layout, so that it has one encoding only:

    version 1 | log 52 (device 32, incarnation 4, channel 16) | seq 4 | kind 1 | class 1 | expiry code 1 | time 4 |
    backlink 20 (zeros at seq 1) | body length 4 | body hash 32

The id is H("mn-block-v1", content); the signature covers "mn-block-v1" and the content. The id leaves the signature
out: a second signature on the same content must not look like a fork (rule 4.1).
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple

from meshnode.core.chain.compact import HASH_SIZE, MAX_BODY, MAX_CLASS, MAX_EXPIRY, MAX_SEQ, SIGNATURE_SIZE, Compact
from meshnode.core.chain.kinds import BLOCK_VERSION, DEFAULT_CLASS, EXPIRY_NONE
from meshnode.core.ids import REF_SIZE, BlockId, LogId, log_device
from meshnode.core.ports import Sealer
from meshnode.errors import SignatureError, UsageError, WireError

LABEL: Final = b"mn-block-v1"
ROOT: Final = bytes(REF_SIZE)  # what the first block of a log links to
CONTENT: Final = Struct(">B52sIBBBI20sI32s")
CONTENT_SIZE: Final = CONTENT.size
BACKLINK: Final = slice(64, 84)  # of the content
_BODY_LABEL: Final = b"mn-body"


class Block(NamedTuple):
    """One verified element of a log. Made by this module alone, so whoever holds one need not check it again.

    A tuple for the reason `Compact` is one.
    """

    log: LogId
    seq: int
    id: BlockId
    content: bytes
    signature: bytes
    body: bytes | None
    kind: int
    cls: int
    time: int
    expiry: int
    prev: bytes
    body_len: int
    body_hash: bytes
    version: int = BLOCK_VERSION

    @property
    def ref(self) -> bytes:
        """How the next block and other bodies refer to this one."""
        return self.id[:REF_SIZE]


def verify_untrusted(log: LogId, compact: Compact, prev_ref: bytes | None, sealer: Sealer) -> Block:
    """The block, if its signature fits this log. `prev_ref` serves where the block does not give its backlink."""
    prev = compact.prev or (ROOT if compact.seq == 1 else prev_ref)
    if prev is None:
        raise WireError("a block without its backlink needs the block before it")
    if (prev == ROOT) != (compact.seq == 1):
        raise WireError("a block links to the one before it, and the first to none")
    body = compact.body
    body_hash = compact.body_hash if body is None else hash_of_body(body)
    content = CONTENT.pack(
        compact.version, log, compact.seq, compact.kind, compact.cls, compact.expiry, compact.time,
        prev, compact.body_len, body_hash,
    )  # fmt: skip
    signature = compact.signature
    if not sealer.verify(log_device(log), LABEL + content, signature):
        raise SignatureError("a block's signature does not fit")
    return Block(
        log, compact.seq, id_of(content), content, signature, body, compact.kind, compact.cls, compact.time,
        compact.expiry, prev, compact.body_len, body_hash, compact.version,
    )  # fmt: skip


def parse_content_untrusted(content: bytes, signature: bytes, sealer: Sealer) -> Block:
    """A block from its signed content alone (a fork proof's, a stored one's), without its body."""
    block = _read_untrusted(content, signature)
    if not sealer.verify(log_device(block.log), LABEL + content, signature):
        raise SignatureError("a block's signature does not fit")
    return block


def write_block(
    log: LogId,
    seq: int,
    prev: bytes,
    kind: int,
    body: bytes,
    *,
    time: int,
    secret: bytes,
    sealer: Sealer,
    cls: int = DEFAULT_CLASS,
    expiry: int = EXPIRY_NONE,
) -> Block:
    """The author's next block. `prev` refers to the one before (`ROOT` at seq 1); `time` in Unix seconds, 0 unknown."""
    if len(body) > MAX_BODY or not 0 < seq <= MAX_SEQ or not 0 <= cls <= MAX_CLASS or not 0 <= expiry <= MAX_EXPIRY:
        raise UsageError("a block's body, seq, class or expiry is out of range")
    if len(prev) != REF_SIZE or (seq == 1) != (prev == ROOT):
        raise UsageError("a block links to the one before it, and the first to none")
    body_hash = hash_of_body(body)
    time = max(0, min(0xFFFFFFFF, time))
    content = CONTENT.pack(BLOCK_VERSION, log, seq, kind, cls, expiry, time, prev, len(body), body_hash)
    signature = sealer.sign(secret, LABEL + content)
    return Block(
        log, seq, id_of(content), content, signature, body, kind, cls, time, expiry, prev, len(body), body_hash
    )


def with_body_untrusted(block: Block, body: bytes) -> Block:
    """The block with its body, if it is the one that was signed."""
    if len(body) != block.body_len or hash_of_body(body) != block.body_hash:
        raise WireError("a body does not belong to its block")
    return block._replace(body=body)


def without_body(block: Block) -> Block:
    """The header alone; an empty body stays, there is nothing to drop."""
    return block._replace(body=None) if block.body_len else block


def id_of(content: bytes) -> BlockId:
    """The id of the block with that signed content."""
    return BlockId(blake2b(content, digest_size=32, person=LABEL).digest())


def hash_of_body(body: bytes) -> bytes:
    """What the signed content says of a body: 32 B, because 20 would let an author swap bodies (rule 4.2)."""
    return blake2b(body, digest_size=HASH_SIZE, person=_BODY_LABEL).digest()


def compact_of(block: Block, *, elide: bool) -> Compact:
    """The wire form of a block; `elide` the backlink where the receiver has the block before."""
    prev = b"" if elide or block.seq == 1 else block.prev
    body_hash = block.body_hash if block.body is None else b""
    return Compact(
        block.kind, block.cls, block.seq, block.time, block.expiry, prev, block.body_len, block.body, body_hash,
        block.signature, block.version,
    )  # fmt: skip


def stored_block(content: bytes, signature: bytes, body: bytes | None) -> Block:
    """A block from our own store, where only verified ones are: no signature is checked again."""
    try:
        block = _read_untrusted(content, signature)
        return block if body is None else with_body_untrusted(block, body)
    except WireError as error:
        raise UsageError(f"a stored block is damaged: {error}") from None


def _read_untrusted(content: bytes, signature: bytes) -> Block:
    """Parse the one encoding; nothing is known of the signature yet, so callers in this package verify next."""
    if len(content) != CONTENT_SIZE or len(signature) != SIGNATURE_SIZE:
        raise WireError("a signed content has the wrong size")
    version, log, seq, kind, cls, expiry, time, prev, body_len, body_hash = CONTENT.unpack(content)
    if version < BLOCK_VERSION or not 0 < seq <= MAX_SEQ or (seq == 1) != (prev == ROOT):
        raise WireError("a signed content has an impossible version, seq or backlink")
    if cls > MAX_CLASS or expiry > MAX_EXPIRY or body_len > MAX_BODY:
        raise WireError("a signed content has an impossible class, expiry or body length")
    if not body_len and body_hash != EMPTY_HASH:
        raise WireError("a signed content names an impossible empty body")
    body = None if body_len else b""
    return Block(
        LogId(log), seq, id_of(content), content, signature, body, kind, cls, time, expiry, prev, body_len, body_hash,
        version,
    )  # fmt: skip


EMPTY_HASH: Final = hash_of_body(b"")

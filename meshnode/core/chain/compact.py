"""A block as it travels: the signed content without what the receiver knows or can compute.

    head 1: bit 7 a rank byte follows | bit 6 the backlink is given | bit 5 the body was dropped | kind in 5 bits,
            31: two bytes follow, version and kind (a later version, or a kind of 31 and more)
    [version 1 | kind 1] | [rank 1: class in 3 bits, expiry code in 5] | [seq varint, where the frame does not tell]
    time 4 | body length varint | [backlink 20] | body, or its hash of 32 B if dropped | signature 64

Around the body of a post that is 70 B in a run, and 91 B beside the log's handle of 4 in a flood. There is exactly one
encoding: no rank byte for class 3 without expiry, no long form for a short kind, no backlink before seq 1.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from meshnode.core.chain.kinds import BLOCK_VERSION, DEFAULT_CLASS, EXPIRY_NONE
from meshnode.core.chain.varint import put_varint, take_varint
from meshnode.core.ids import REF_SIZE
from meshnode.errors import WireError

MAX_BODY: Final = 16_384  # a prekey block needs 1.3 kB; what is larger is a file
MAX_SEQ: Final = 0x7FFFFF  # 23 bits: with the fork flag a head fits 3 B of a frontier element
MAX_CLASS: Final = 4
MAX_EXPIRY: Final = 31
SIGNATURE_SIZE: Final = 64
HASH_SIZE: Final = 32

_RANK, _LINK, _DROPPED, _LONG = 0x80, 0x40, 0x20, 0x1F
_TIME: Final = Struct(">I")


class Compact(NamedTuple):
    """One block on the wire. `prev` is empty when elided (and at seq 1); `body` is None when it was dropped.

    `body_hash` is filled only when the body is not there to be hashed. A tuple, because one is made of every block that
    comes, and a frozen dataclass of that many fields takes five times as long to make.
    """

    kind: int
    cls: int
    seq: int
    time: int
    expiry: int
    prev: bytes
    body_len: int
    body: bytes | None
    body_hash: bytes
    signature: bytes
    version: int = BLOCK_VERSION


def encode_compact(block: Compact, *, with_seq: bool) -> bytes:
    """The wire form, with its seq (alone) or without (in a run)."""
    long = block.version != BLOCK_VERSION or block.kind >= _LONG
    ranked = block.cls != DEFAULT_CLASS or block.expiry != EXPIRY_NONE
    head = (_RANK if ranked else 0) | (_LINK if block.prev else 0) | (_DROPPED if block.body is None else 0)
    out = bytearray((head | (_LONG if long else block.kind),))
    if long:
        out += bytes((block.version, block.kind))
    if ranked:
        out.append(block.cls << 5 | block.expiry)
    if with_seq:
        put_varint(out, block.seq)
    out += _TIME.pack(block.time)
    put_varint(out, block.body_len)
    out += block.prev
    out += block.body_hash if block.body is None else block.body
    out += block.signature
    return bytes(out)


def decode_compact_untrusted(data: bytes, at: int, seq: int = 0) -> tuple[Compact, int]:
    """Read one block from `at`; `seq` where the frame tells it, else 0. Returns the block and where it ends."""
    try:
        return _decode(data, at, seq)
    except IndexError:
        raise WireError("a block ends too early") from None


def _decode(data: bytes, at: int, seq: int) -> tuple[Compact, int]:
    head = data[at]
    at += 1
    version, kind, cls, expiry = BLOCK_VERSION, head & _LONG, DEFAULT_CLASS, EXPIRY_NONE
    if kind == _LONG:
        version, kind = data[at], data[at + 1]
        at += 2
        if version < BLOCK_VERSION or (version == BLOCK_VERSION and kind < _LONG):
            raise WireError("a block's kind has a shorter form")
    if head & _RANK:
        cls, expiry = data[at] >> 5, data[at] & 0x1F
        at += 1
        if cls > MAX_CLASS or (cls == DEFAULT_CLASS and expiry == EXPIRY_NONE):
            raise WireError("a block's rank is unknown or has a shorter form")
    if not seq:
        seq, at = take_varint(data, at)
    if not 0 < seq <= MAX_SEQ:
        raise WireError("a block's seq is out of range")
    time_at = at
    body_len, at = take_varint(data, at + 4)
    if body_len > MAX_BODY:
        raise WireError("a block's body is too long")
    prev = b""
    if head & _LINK:
        if seq == 1:
            raise WireError("a first block has no backlink")
        prev = data[at : at + REF_SIZE]
        at += REF_SIZE
    dropped = head & _DROPPED
    if dropped and not body_len:
        raise WireError("an empty body cannot be dropped")
    end = at + (HASH_SIZE if dropped else body_len)
    carried = data[at:end]
    signature = data[end : end + SIGNATURE_SIZE]
    if len(signature) != SIGNATURE_SIZE:
        raise WireError("a block ends too early")
    (time,) = _TIME.unpack_from(data, time_at)
    if dropped:
        return Compact(kind, cls, seq, time, expiry, prev, body_len, None, carried, signature, version), end + 64
    return Compact(kind, cls, seq, time, expiry, prev, body_len, carried, b"", signature, version), end + 64

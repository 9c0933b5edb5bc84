"""Layouts of what concerns logs: deltas, wishes, blocks, runs, fork proofs, references."""

from __future__ import annotations

from typing import Final

from meshnode.core.chain.block import CONTENT_SIZE
from meshnode.core.chain.compact import MAX_SEQ, SIGNATURE_SIZE, Compact, decode_compact_untrusted, encode_compact
from meshnode.core.chain.varint import put_varint, take_varint
from meshnode.core.ids import LOG_ID_SIZE, LogId
from meshnode.core.wire.fields import LOG_HANDLE, at_least, exactly, log_size, put_changes, rows, take_changes
from meshnode.core.wire.frames import BlockFrame, Delta, ForkFrame, Refs, RefWant, Run, Want, Wish
from meshnode.core.wire.limits import MAX_RUN, MAX_WISHES
from meshnode.errors import WireError

FULL: Final = 0x10  # added to the type of a block or run that gives the full log id
_WISH_FULL, _WISH_BODIES = 1, 2


def put_delta(frame: Delta) -> bytes:
    return b"\x03" + frame.frontier + put_changes(frame.changes)


def take_delta(body: bytes) -> Delta:
    at_least(body, 8)
    return Delta(body[:8], take_changes(body, rows(body, 7, 8)))


def put_want(frame: Want) -> bytes:
    out = bytearray(b"\x04")
    for wish in frame.wishes:
        full = len(wish.log) == LOG_ID_SIZE
        out.append((_WISH_FULL if full else 0) | (_WISH_BODIES if wish.bodies_only else 0))
        out += wish.log
        put_varint(out, wish.first)
        put_varint(out, wish.count)
    return bytes(out)


def take_want(body: bytes) -> Want:
    wishes: list[Wish] = []
    at = 0
    while at < len(body):
        flags = body[at]
        log = body[at + 1 : at + 1 + log_size(bool(flags & _WISH_FULL))]
        first, at = take_varint(body, at + 1 + log_size(bool(flags & _WISH_FULL)))
        count, at = take_varint(body, at)
        if flags > _WISH_FULL | _WISH_BODIES or not 0 < first <= MAX_SEQ or not 0 < count <= MAX_SEQ:
            raise WireError("a wish is impossible")
        wishes.append(Wish(log, first, count, bool(flags & _WISH_BODIES)))
        if len(wishes) > MAX_WISHES:
            raise WireError("too many wishes")
    return Want(tuple(wishes))


def put_block(frame: BlockFrame) -> bytes:
    kind = 0x05 | (FULL if len(frame.log) == LOG_ID_SIZE else 0)
    return bytes((kind,)) + frame.log + encode_compact(frame.block, with_seq=True)


def take_block(body: bytes, full: bool = False) -> BlockFrame:
    size = log_size(full)
    block, end = decode_compact_untrusted(body, size)
    exactly(body, end)
    if not block.prev and block.seq != 1:
        raise WireError("a block alone must give its backlink")
    return BlockFrame(body[:size], block)


def put_run(frame: Run) -> bytes:
    out = bytearray((0x06 | (FULL if len(frame.log) == LOG_ID_SIZE else 0),))
    out += frame.log
    put_varint(out, frame.first)
    put_varint(out, len(frame.blocks))
    for block in frame.blocks:
        out += encode_compact(block, with_seq=False)
    return bytes(out)


def take_run(body: bytes, full: bool = False) -> Run:
    size = log_size(full)
    first, at = take_varint(body, size)
    count, at = take_varint(body, at)
    if not 0 < count <= MAX_RUN or not 0 < first <= MAX_SEQ:
        raise WireError("a run has an impossible length or beginning")
    blocks: list[Compact] = []
    for seq in range(first, first + count):
        block, at = decode_compact_untrusted(body, at, seq)
        blocks.append(block)
    exactly(body, at)
    return Run(body[:size], first, tuple(blocks))


def put_fork(frame: ForkFrame) -> bytes:
    a, b = frame.content_a, frame.content_b
    return b"".join((b"\x0b", a[1:57], a[:1], a[57:], frame.signature_a, b[:1], b[57:], frame.signature_b))


def take_fork(body: bytes) -> ForkFrame:
    exactly(body, 56 + 2 * (CONTENT_SIZE - 56 + SIGNATURE_SIZE))
    shared, a, b = body[:56], body[56:184], body[184:]
    content_a, content_b = a[:1] + shared + a[1:64], b[:1] + shared + b[1:64]
    return ForkFrame(LogId(shared[:LOG_ID_SIZE]), content_a, a[64:], content_b, b[64:])


def put_ref_want(frame: RefWant) -> bytes:
    return b"\x0c" + b"".join(frame.handles)


def take_ref_want(body: bytes) -> RefWant:
    return RefWant(tuple(body[at : at + LOG_HANDLE] for at in rows(body, LOG_HANDLE)))


def put_refs(frame: Refs) -> bytes:
    return b"\x0d" + b"".join(frame.logs)


def take_refs(body: bytes) -> Refs:
    return Refs(tuple(LogId(body[at : at + LOG_ID_SIZE]) for at in rows(body, LOG_ID_SIZE)))

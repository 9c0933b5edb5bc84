"""Frames to bytes and back. Layouts stand in the docstrings of `frames.py`; each has one encoding only.

Decoding is total: it returns typed frames or raises WireError, builds no more than the bytes given can hold, and
believes no count before the bytes are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from struct import error
from typing import Any, Final

from meshnode.core.chain.block import CONTENT_SIZE
from meshnode.core.chain.compact import MAX_SEQ, SIGNATURE_SIZE, Compact, decode_compact_untrusted, encode_compact
from meshnode.core.chain.frontier import ELEMENT_SIZE, HANDLE_SIZE, Element, put_mark, take_mark
from meshnode.core.chain.reconcile import ANSWERED, FINGERPRINT, FINGERPRINT_SIZE, LISTED, Range
from meshnode.core.chain.varint import put_varint, take_varint, varint
from meshnode.core.ids import LOG_ID_SIZE, EnvelopeId, LogId, NodeKey, Receipt
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    Change,
    Delta,
    Done,
    Echo,
    Elements,
    EnvelopeFrame,
    ForkFrame,
    Fragment,
    FragmentWant,
    Frame,
    Handover,
    Heads,
    Hello,
    Need,
    Offer,
    Proof,
    Proofs,
    Ranges,
    Receipts,
    Refs,
    RefWant,
    Run,
    SessionBeacon,
    Took,
    TookProof,
    Trace,
    Unknown,
    Want,
    Wish,
)
from meshnode.core.wire.limits import (
    MAX_CHANGES,
    MAX_ECHOES,
    MAX_ENVELOPE,
    MAX_FRAGMENTS,
    MAX_FRAMES,
    MAX_HANDOVERS,
    MAX_PLAINTEXT,
    MAX_RUN,
    MAX_WISHES,
    MIN_ENVELOPE,
)
from meshnode.errors import UsageError, WireError

_MORE: Final = 0x80  # a length follows, and other frames after the body
_LOG_HANDLE: Final = 4
_FULL: Final = 0x10  # added to the type of a block or run that gives the full log id
_ENVELOPE: Final = 0x40
_WISH_FULL, _WISH_BODIES = 1, 2


# -- frames in a row


def encode_frame(frame: Frame) -> bytes:
    """One frame alone: its type, its body to the end."""
    return _ENCODE[type(frame)](frame)


def encode_frames(frames: Iterable[Frame], limit: int) -> bytes:
    """Frames in a row, at most `limit` bytes."""
    return join_frames([encode_frame(frame) for frame in frames], limit)


def join_frames(encoded: Sequence[bytes], limit: int) -> bytes:
    """Encoded frames in a row: all but the last say their length."""
    out = bytearray()
    for frame in encoded[:-1]:
        out.append(frame[0] | _MORE)
        put_varint(out, len(frame) - 1)
        out += frame[1:]
    if encoded:
        out += encoded[-1]
    if len(out) > limit:
        raise UsageError(f"{len(encoded)} frames take {len(out)} bytes, more than the {limit} there are")
    return bytes(out)


def joined_size(sizes: Sequence[int]) -> int:
    """How many bytes encoded frames of these sizes take in a row."""
    return sum(sizes) + sum(len(varint(size - 1)) for size in sizes[:-1])


def decode_frames_untrusted(data: bytes) -> tuple[Frame, ...]:
    """All frames of a plaintext. Those of an unknown type come as `Unknown`."""
    if len(data) > MAX_PLAINTEXT:
        raise WireError("too many bytes for frames in a row")
    frames: list[Frame] = []
    at = 0
    try:
        while at < len(data):
            kind, at, end = data[at] & ~_MORE, *_bounds(data, at)
            frames.append(_decode(kind, data[at:end]))
            at = end
            if len(frames) > MAX_FRAMES:
                raise WireError("too many frames in a row")
    except (IndexError, error):
        raise WireError("a frame ends too early") from None
    return tuple(frames)


def _bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the body of the frame at `at` begins and ends."""
    if not data[at] & _MORE:
        return at + 1, len(data)
    size, at = take_varint(data, at + 1)
    if at + size > len(data):
        raise WireError("a frame ends too early")
    return at, at + size


def _decode(kind: int, body: bytes) -> Frame:
    decode = _DECODE.get(kind)
    return Unknown(kind, body) if decode is None else decode(body)


# -- what frames have in common


def _rows(body: bytes, size: int, at: int = 0) -> range:
    """Where items of `size` bytes each begin; they fill the body to its end."""
    if (len(body) - at) % size:
        raise WireError("a list does not end where it should")
    return range(at, len(body), size)


def _exactly(body: bytes, size: int) -> None:
    if len(body) != size:
        raise WireError("a frame has the wrong size")


def _at_least(body: bytes, size: int) -> None:
    if len(body) < size:
        raise WireError("a frame ends too early")


def _log_size(full: bool) -> int:
    return LOG_ID_SIZE if full else _LOG_HANDLE


def _put_changes(changes: Iterable[Change]) -> bytes:
    return b"".join(change.handle + put_mark(change.head, change.forked) for change in changes)


def _take_changes(body: bytes, starts: Iterable[int]) -> tuple[Change, ...]:
    return tuple(Change(body[at : at + 4], *take_mark(body[at + 4 : at + 7])) for at in starts)


# -- neighbours


def _put_hello(frame: Hello) -> bytes:
    return b"\x01" + frame.node + frame.exchange + frame.epoch.to_bytes(3, "big") + frame.signature


def _take_hello(body: bytes) -> Hello:
    _exactly(body, 131)
    return Hello(NodeKey(body[:32]), body[32:64], int.from_bytes(body[64:67], "big"), body[67:])


def _put_beacon(frame: Beacon) -> bytes:
    head = bytes((0x02, frame.oldest << 4 | frame.newest, frame.flags))
    counts = bytes((len(frame.echoes) << 4 | len(frame.changes),))
    echoes = b"".join(echo.neighbour + echo.nonce for echo in frame.echoes)
    return head + frame.frontier + frame.envelopes + counts + echoes + _put_changes(frame.changes)


def _take_beacon(body: bytes) -> Beacon:
    echoes, changes = body[14] >> 4, body[14] & 0x0F
    middle = 15 + 4 * echoes
    end = middle + 7 * changes
    if echoes > MAX_ECHOES or changes > MAX_CHANGES:
        raise WireError("a beacon has too many echoes or changes")
    _at_least(body, end)
    return Beacon(
        body[0] >> 4, body[0] & 0x0F, body[1], body[2:10], body[10:14],
        tuple(Echo(body[at : at + 2], body[at + 2 : at + 4]) for at in range(15, middle, 4)),
        _take_changes(body, range(middle, end, 7)),
    )  # fmt: skip


def _put_fragment(frame: Fragment) -> bytes:
    return b"\x07" + frame.item + bytes((frame.index, frame.count)) + frame.data


def _take_fragment(body: bytes) -> Fragment:
    index, count = body[8], body[9]
    if not 0 < count <= MAX_FRAGMENTS or index >= count or len(body) == 10:
        raise WireError("a fragment has an impossible number or no bytes")
    return Fragment(body[:8], index, count, body[10:])


def _put_fragment_want(frame: FragmentWant) -> bytes:
    return b"\x08" + frame.item + frame.missing.to_bytes(2, "big")


def _take_fragment_want(body: bytes) -> FragmentWant:
    _exactly(body, 10)
    return FragmentWant(body[:8], int.from_bytes(body[8:], "big"))


# -- logs and blocks


def _put_delta(frame: Delta) -> bytes:
    return b"\x03" + frame.frontier + _put_changes(frame.changes)


def _take_delta(body: bytes) -> Delta:
    _at_least(body, 8)
    return Delta(body[:8], _take_changes(body, _rows(body, 7, 8)))


def _put_want(frame: Want) -> bytes:
    out = bytearray(b"\x04")
    for wish in frame.wishes:
        full = len(wish.log) == LOG_ID_SIZE
        out.append((_WISH_FULL if full else 0) | (_WISH_BODIES if wish.bodies_only else 0))
        out += wish.log
        put_varint(out, wish.first)
        put_varint(out, wish.count)
    return bytes(out)


def _take_want(body: bytes) -> Want:
    wishes: list[Wish] = []
    at = 0
    while at < len(body):
        flags = body[at]
        log = body[at + 1 : at + 1 + _log_size(bool(flags & _WISH_FULL))]
        first, at = take_varint(body, at + 1 + _log_size(bool(flags & _WISH_FULL)))
        count, at = take_varint(body, at)
        if flags > _WISH_FULL | _WISH_BODIES or not 0 < first <= MAX_SEQ or not 0 < count <= MAX_SEQ:
            raise WireError("a wish is impossible")
        wishes.append(Wish(log, first, count, bool(flags & _WISH_BODIES)))
        if len(wishes) > MAX_WISHES:
            raise WireError("too many wishes")
    return Want(tuple(wishes))


def _put_block(frame: BlockFrame) -> bytes:
    kind = 0x05 | (_FULL if len(frame.log) == LOG_ID_SIZE else 0)
    return bytes((kind,)) + frame.log + encode_compact(frame.block, with_seq=True)


def _take_block(body: bytes, full: bool = False) -> BlockFrame:
    size = _log_size(full)
    block, end = decode_compact_untrusted(body, size)
    _exactly(body, end)
    if not block.prev and block.seq != 1:
        raise WireError("a block alone must give its backlink")
    return BlockFrame(body[:size], block)


def _put_run(frame: Run) -> bytes:
    out = bytearray((0x06 | (_FULL if len(frame.log) == LOG_ID_SIZE else 0),))
    out += frame.log
    put_varint(out, frame.first)
    put_varint(out, len(frame.blocks))
    for block in frame.blocks:
        out += encode_compact(block, with_seq=False)
    return bytes(out)


def _take_run(body: bytes, full: bool = False) -> Run:
    size = _log_size(full)
    first, at = take_varint(body, size)
    count, at = take_varint(body, at)
    if not 0 < count <= MAX_RUN or not 0 < first <= MAX_SEQ:
        raise WireError("a run has an impossible length or beginning")
    blocks: list[Compact] = []
    for seq in range(first, first + count):
        block, at = decode_compact_untrusted(body, at, seq)
        blocks.append(block)
    _exactly(body, at)
    return Run(body[:size], first, tuple(blocks))


def _put_fork(frame: ForkFrame) -> bytes:
    a, b = frame.content_a, frame.content_b
    return b"".join((b"\x0b", a[1:57], a[:1], a[57:], frame.signature_a, b[:1], b[57:], frame.signature_b))


def _take_fork(body: bytes) -> ForkFrame:
    _exactly(body, 56 + 2 * (CONTENT_SIZE - 56 + SIGNATURE_SIZE))
    shared, a, b = body[:56], body[56:184], body[184:]
    content_a, content_b = a[:1] + shared + a[1:64], b[:1] + shared + b[1:64]
    return ForkFrame(LogId(shared[:LOG_ID_SIZE]), content_a, a[64:], content_b, b[64:])


def _put_ref_want(frame: RefWant) -> bytes:
    return b"\x0c" + b"".join(frame.handles)


def _take_ref_want(body: bytes) -> RefWant:
    return RefWant(tuple(body[at : at + _LOG_HANDLE] for at in _rows(body, _LOG_HANDLE)))


def _put_refs(frame: Refs) -> bytes:
    return b"\x0d" + b"".join(frame.logs)


def _take_refs(body: bytes) -> Refs:
    return Refs(tuple(LogId(body[at : at + LOG_ID_SIZE]) for at in _rows(body, LOG_ID_SIZE)))


# -- envelopes


def _put_receipts(frame: Receipts) -> bytes:
    return b"\x09" + b"".join(frame.receipts)


def _take_receipts(body: bytes) -> Receipts:
    return Receipts(tuple(Receipt(body[at : at + 16]) for at in _rows(body, 16)))


def _put_proofs(frame: Proofs) -> bytes:
    return b"\x0a" + b"".join(proof.envelope + proof.mac for proof in frame.proofs)


def _take_proofs(body: bytes) -> Proofs:
    return Proofs(tuple(Proof(body[at : at + 4], body[at + 4 : at + 12]) for at in _rows(body, 12)))


def _put_trace(frame: Trace) -> bytes:
    return b"\x0e" + frame.envelope + bytes((frame.hop, frame.carrier)) + frame.neighbour


def _take_trace(body: bytes) -> Trace:
    _exactly(body, 16)
    return Trace(body[:8], body[8], body[9], body[10:])


def _put_offer(frame: Offer) -> bytes:
    return b"\x10" + b"".join(frame.envelopes)


def _take_offer(body: bytes) -> Offer:
    return Offer(tuple(body[at : at + 6] for at in _rows(body, 6)))


def _put_need(frame: Need) -> bytes:
    return b"\x11" + b"".join(frame.envelopes)


def _take_need(body: bytes) -> Need:
    return Need(tuple(body[at : at + 6] for at in _rows(body, 6)))


def _put_envelope(frame: EnvelopeFrame) -> bytes:
    out = bytearray((_ENVELOPE + (frame.proof is not None) + 2 * len(frame.handovers),))
    if frame.proof is not None:
        out += frame.proof.giver + frame.proof.mac
    for handover in frame.handovers:
        out += handover.taker
        out.append(handover.copies << 3 | handover.reply)
    out += frame.age.to_bytes(2, "big")
    out.append(frame.copies)
    return bytes(out + frame.data)


def _take_envelope(body: bytes, kind: int) -> EnvelopeFrame:
    handovers, proof, at = kind >> 1, None, 0
    if kind & 1:
        proof, at = TookProof(body[:2], body[2:10]), 10
    given = tuple(
        Handover(body[one : one + 2], body[one + 2] >> 3, body[one + 2] & 7) for one in range(at, at + 3 * handovers, 3)
    )
    at += 3 * handovers
    copies, data = body[at + 2], body[at + 3 :]
    if not MIN_ENVELOPE <= len(data) <= MAX_ENVELOPE:
        raise WireError("an envelope has an impossible size")
    return EnvelopeFrame(data, int.from_bytes(body[at : at + 2], "big"), copies, proof, given)


# -- sessions


def _put_ranges(frame: Ranges) -> bytes:
    out = bytearray(b"\x20" + frame.nonce)
    for one in frame.ranges:
        out.append(one.mode << 4 | len(one.upper))
        out += one.upper
        if one.mode == FINGERPRINT:
            out += one.fingerprint
        elif one.mode in (LISTED, ANSWERED):
            put_varint(out, len(one.elements))
            out += b"".join(one.elements)
    return bytes(out)


def _take_ranges(body: bytes) -> Ranges:
    _at_least(body, 4)
    ranges: list[Range] = []
    at = 4
    while at < len(body):
        one, at = _take_range(body, at)
        if at > len(body):
            raise WireError("a range ends too early")
        ranges.append(one)
    return Ranges(body[:4], tuple(ranges))


def _take_range(body: bytes, at: int) -> tuple[Range, int]:
    mode, size = body[at] >> 4, body[at] & 0x0F
    if mode > ANSWERED or size > ELEMENT_SIZE:
        raise WireError("a range of unknown mode or bound")
    upper, at = body[at + 1 : at + 1 + size], at + 1 + size
    if mode == FINGERPRINT:
        return Range(upper, mode, body[at : at + FINGERPRINT_SIZE]), at + FINGERPRINT_SIZE
    if mode not in (LISTED, ANSWERED):
        return Range(upper, mode), at
    count, at = take_varint(body, at)
    end = at + ELEMENT_SIZE * count
    if end > len(body):
        raise WireError("a range ends too early")
    return Range(upper, mode, b"", tuple(body[one : one + 8] for one in range(at, end, 8))), end


def _put_elements(frame: Elements) -> bytes:
    return b"\x21" + frame.nonce + b"".join(frame.handles)


def _take_elements(body: bytes) -> Elements:
    _at_least(body, 4)
    return Elements(body[:4], tuple(body[at : at + HANDLE_SIZE] for at in _rows(body, HANDLE_SIZE, 4)))


def _put_heads(frame: Heads) -> bytes:
    return b"\x22" + b"".join(element.encode() for element in frame.heads)


def _take_heads(body: bytes) -> Heads:
    starts = _rows(body, LOG_ID_SIZE + 3)
    return Heads(
        tuple(
            Element(LogId(body[at : at + LOG_ID_SIZE]), *take_mark(body[at + LOG_ID_SIZE : at + 55])) for at in starts
        )
    )


def _put_done(frame: Done) -> bytes:
    return b"\x23" + frame.frontier


def _take_done(body: bytes) -> Done:
    _exactly(body, 8)
    return Done(body)


def _put_took(frame: Took) -> bytes:
    return b"\x24" + b"".join(frame.envelopes)


def _take_took(body: bytes) -> Took:
    return Took(tuple(EnvelopeId(body[at : at + 16]) for at in _rows(body, 16)))


def _put_session_beacon(frame: SessionBeacon) -> bytes:
    return b"\x25" + frame.frontier + frame.envelopes


def _take_session_beacon(body: bytes) -> SessionBeacon:
    _exactly(body, 12)
    return SessionBeacon(body[:8], body[8:])


def _put_unknown(frame: Unknown) -> bytes:
    return bytes((frame.type,)) + frame.body


_ENCODE: Final[dict[type, Callable[[Any], bytes]]] = {
    Hello: _put_hello,
    Beacon: _put_beacon,
    Delta: _put_delta,
    Want: _put_want,
    BlockFrame: _put_block,
    Run: _put_run,
    Fragment: _put_fragment,
    FragmentWant: _put_fragment_want,
    Receipts: _put_receipts,
    Proofs: _put_proofs,
    ForkFrame: _put_fork,
    RefWant: _put_ref_want,
    Refs: _put_refs,
    Trace: _put_trace,
    Offer: _put_offer,
    Need: _put_need,
    EnvelopeFrame: _put_envelope,
    Ranges: _put_ranges,
    Elements: _put_elements,
    Heads: _put_heads,
    Done: _put_done,
    Took: _put_took,
    SessionBeacon: _put_session_beacon,
    Unknown: _put_unknown,
}


_DECODE: Final[dict[int, Callable[[bytes], Frame]]] = {
    0x01: _take_hello,
    0x02: _take_beacon,
    0x03: _take_delta,
    0x04: _take_want,
    0x05: _take_block,
    0x06: _take_run,
    0x07: _take_fragment,
    0x08: _take_fragment_want,
    0x09: _take_receipts,
    0x0A: _take_proofs,
    0x0B: _take_fork,
    0x0C: _take_ref_want,
    0x0D: _take_refs,
    0x0E: _take_trace,
    0x10: _take_offer,
    0x11: _take_need,
    0x05 | _FULL: partial(_take_block, full=True),
    0x06 | _FULL: partial(_take_run, full=True),
    0x20: _take_ranges,
    0x21: _take_elements,
    0x22: _take_heads,
    0x23: _take_done,
    0x24: _take_took,
    0x25: _take_session_beacon,
    **{_ENVELOPE + kind: partial(_take_envelope, kind=kind) for kind in range(2 * (MAX_HANDOVERS + 1))},
}

"""Frames to bytes and back. Layouts stand in the docstrings of `frames.py`; each has one encoding only.

Decoding is total: it returns typed frames or raises WireError, builds no more than the bytes given can hold, and
believes no count before the bytes are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from meshnode.core.chain.varint import put_varint, take_varint, varint
from meshnode.core.wire.block_layouts import (
    FULL,
    put_block,
    put_delta,
    put_fork,
    put_ref_want,
    put_refs,
    put_run,
    put_want,
    take_block,
    take_delta,
    take_fork,
    take_ref_want,
    take_refs,
    take_run,
    take_want,
)
from meshnode.core.wire.envelope_layouts import (
    ENVELOPE,
    put_envelope,
    put_need,
    put_offer,
    put_proofs,
    put_receipts,
    put_trace,
    take_envelope,
    take_need,
    take_offer,
    take_proofs,
    take_receipts,
    take_trace,
)
from meshnode.core.wire.file_layouts import (
    put_chunk_want,
    put_have,
    put_piece,
    put_seek,
    take_chunk_want,
    take_have,
    take_piece,
    take_seek,
)
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    BridgeNews,
    ChunkPiece,
    ChunkWant,
    Date,
    Delta,
    Done,
    Elements,
    EnvelopeFrame,
    FileHave,
    FileSeek,
    ForkFrame,
    Fragment,
    FragmentWant,
    Frame,
    Heads,
    Hello,
    Need,
    Offer,
    Proofs,
    Ranges,
    Receipts,
    Refs,
    RefWant,
    Run,
    SessionBeacon,
    Took,
    Trace,
    Unknown,
    Want,
)
from meshnode.core.wire.limits import MAX_FRAMES, MAX_HANDOVERS, MAX_PLAINTEXT
from meshnode.core.wire.link_layouts import (
    BEACON,
    put_beacon,
    put_bridge_news,
    put_date,
    put_fragment,
    put_fragment_want,
    put_hello,
    take_beacon,
    take_bridge_news,
    take_date,
    take_fragment,
    take_fragment_want,
    take_hello,
)
from meshnode.core.wire.session_layouts import (
    put_done,
    put_elements,
    put_heads,
    put_ranges,
    put_session_beacon,
    put_took,
    take_done,
    take_elements,
    take_heads,
    take_ranges,
    take_session_beacon,
    take_took,
)
from meshnode.errors import UsageError, WireError

_MORE: Final = 0x80  # a length follows, and other frames after the body
_SHORT: Final = 1200  # a datagram; who sends one looks into it again, and a simulator has all who hear it decode it
_LATELY: Final = 64


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


def is_single(row: bytes) -> bool:
    """True for an encoded frame alone, which may be joined with others."""
    return b"" < row[:1] < bytes((_MORE,))


def holds_beacon(row: bytes) -> bool:
    """True where one of the frames that we joined is a beacon; none is decoded for it."""
    at = 0
    while at < len(row):
        if row[at] & ~_MORE == BEACON:
            return True
        _, at = _bounds(row, at)
    return False


def joined_size(sizes: Sequence[int]) -> int:
    """How many bytes encoded frames of these sizes take in a row."""
    return sum(sizes) + sum(len(varint(size - 1)) for size in sizes[:-1])


def decode_frames_untrusted(data: bytes) -> tuple[Frame, ...]:
    """All frames of a plaintext. Those of an unknown type come as `Unknown`."""
    if len(data) > MAX_PLAINTEXT:
        raise WireError("too many bytes for frames in a row")
    return _decode_row(data) if len(data) > _SHORT else _decode_lately(data)


@lru_cache(_LATELY)
def _decode_lately(data: bytes) -> tuple[Frame, ...]:
    return _decode_row(data)


def _decode_row(data: bytes) -> tuple[Frame, ...]:
    frames: list[Frame] = []
    at = 0
    try:
        while at < len(data):
            kind, at, end = data[at] & ~_MORE, *_bounds(data, at)
            frames.append(_decode(kind, data[at:end]))
            at = end
            if len(frames) > MAX_FRAMES:
                raise WireError("too many frames in a row")
    except IndexError:
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


def _put_unknown(frame: Unknown) -> bytes:
    return bytes((frame.type,)) + frame.body


_ENCODE: Final[dict[type, Callable[[Any], bytes]]] = {
    Hello: put_hello,
    Beacon: put_beacon,
    Delta: put_delta,
    Want: put_want,
    BlockFrame: put_block,
    Run: put_run,
    Fragment: put_fragment,
    FragmentWant: put_fragment_want,
    Receipts: put_receipts,
    Proofs: put_proofs,
    ForkFrame: put_fork,
    RefWant: put_ref_want,
    Refs: put_refs,
    Trace: put_trace,
    Date: put_date,
    BridgeNews: put_bridge_news,
    Offer: put_offer,
    Need: put_need,
    FileSeek: put_seek,
    FileHave: put_have,
    ChunkWant: put_chunk_want,
    ChunkPiece: put_piece,
    EnvelopeFrame: put_envelope,
    Ranges: put_ranges,
    Elements: put_elements,
    Heads: put_heads,
    Done: put_done,
    Took: put_took,
    SessionBeacon: put_session_beacon,
    Unknown: _put_unknown,
}


_DECODE: Final[dict[int, Callable[[bytes], Frame]]] = {
    0x01: take_hello,
    BEACON: take_beacon,
    0x03: take_delta,
    0x04: take_want,
    0x05: take_block,
    0x06: take_run,
    0x07: take_fragment,
    0x08: take_fragment_want,
    0x09: take_receipts,
    0x0A: take_proofs,
    0x0B: take_fork,
    0x0C: take_ref_want,
    0x0D: take_refs,
    0x0E: take_trace,
    0x0F: take_date,
    0x10: take_offer,
    0x11: take_need,
    0x12: take_bridge_news,
    0x18: take_seek,
    0x19: take_have,
    0x1A: take_chunk_want,
    0x1B: take_piece,
    0x05 | FULL: partial(take_block, full=True),
    0x06 | FULL: partial(take_run, full=True),
    0x20: take_ranges,
    0x21: take_elements,
    0x22: take_heads,
    0x23: take_done,
    0x24: take_took,
    0x25: take_session_beacon,
    **{ENVELOPE + kind: partial(take_envelope, kind=kind) for kind in range(2 * (MAX_HANDOVERS + 1))},
}

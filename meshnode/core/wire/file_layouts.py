"""Layouts of what is said about files: who has one, which bytes of a chunk are wanted, and those bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from meshnode.core.ids import FileId
from meshnode.core.sealing.manifest import HASH_SIZE, MAX_CHUNKS
from meshnode.core.wire.fields import at_least, exactly, rows
from meshnode.core.wire.frames import ChunkPiece, ChunkWant, FileHave, FileSeek
from meshnode.core.wire.limits import MAX_SEEK_HOPS, MAX_SPANS
from meshnode.errors import WireError

INDEX: Final = 0xFFFF  # instead of a chunk's number: the list of hashes
GONE: Final = 255  # a distance: nothing can be had here any more
_FILE: Final = HASH_SIZE


def put_seek(frame: FileSeek) -> bytes:
    return b"\x18" + frame.file + bytes((frame.hops,))


def take_seek(body: bytes) -> FileSeek:
    exactly(body, _FILE + 1)
    if body[_FILE] > MAX_SEEK_HOPS:
        raise WireError("a question for a file would go too far")
    return FileSeek(FileId(body[:_FILE]), body[_FILE])


def put_have(frame: FileHave) -> bytes:
    return b"\x19" + frame.file + bytes((frame.distance,)) + frame.size.to_bytes(4, "big") + frame.held


def take_have(body: bytes) -> FileHave:
    at_least(body, _FILE + 5)
    distance, held = body[_FILE], body[_FILE + 5 :]
    if MAX_SEEK_HOPS < distance < GONE or len(held) > -(-MAX_CHUNKS // 8):
        raise WireError("an impossible distance to a file, or too many chunks")
    return FileHave(FileId(body[:_FILE]), distance, int.from_bytes(body[_FILE + 1 : _FILE + 5], "big"), held)


def put_chunk_want(frame: ChunkWant) -> bytes:
    spans = b"".join(start.to_bytes(2, "big") + end.to_bytes(2, "big") for start, end in frame.spans)
    return b"\x1a" + frame.file + frame.index.to_bytes(2, "big") + bytes((frame.delay,)) + spans


def take_chunk_want(body: bytes) -> ChunkWant:
    at_least(body, _FILE + 3)
    index, delay = int.from_bytes(body[_FILE : _FILE + 2], "big"), body[_FILE + 2]
    starts = rows(body, 4, _FILE + 3)
    spans = tuple(
        (int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")) for at in starts
    )
    if index != INDEX and index >= MAX_CHUNKS:
        raise WireError("no file has so many chunks")
    if not 0 < len(spans) <= MAX_SPANS or not _ascending(spans):
        raise WireError("the spans of a chunk are too many, or out of order")
    return ChunkWant(FileId(body[:_FILE]), index, delay, spans)


def _ascending(spans: tuple[tuple[int, int], ...]) -> bool:
    """Each of at least a byte, and none touching the one before: one encoding only."""
    ends = [end for span in spans for end in span]
    return all(low < high for low, high in pairwise(ends))


def put_piece(frame: ChunkPiece) -> bytes:
    head = (frame.index, frame.moment, frame.offset)
    return b"\x1b" + frame.file + b"".join(number.to_bytes(2, "big") for number in head) + frame.data


def take_piece(body: bytes) -> ChunkPiece:
    at_least(body, 11)
    index, moment, offset = (int.from_bytes(body[at : at + 2], "big") for at in (4, 6, 8))
    return ChunkPiece(body[:4], index, moment, offset, body[10:])

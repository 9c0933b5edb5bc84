"""Files in a trial: one is attached at a box, another box wants it, and what of it is where."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from meshnode.core.ids import FileId
from meshnode.core.inputs import FetchFile, KeepChunks, KeepFile
from meshnode.core.records import ChunkRecord
from meshnode.core.sealing.manifest import CHUNK_SIZE, Manifest, file_id, list_of
from support.trial_world import Box


@dataclass(frozen=True)
class Sample:
    """A file that no compression can help with."""

    content: bytes
    chunks: tuple[bytes, ...]
    hashes: bytes
    file: FileId

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def manifest(self) -> Manifest:
        return Manifest(self.file, self.size, "sample.bin")


def sample(size: int, seed: int = 1) -> Sample:
    content = Random(seed).randbytes(size)
    chunks = tuple(content[at : at + CHUNK_SIZE] for at in range(0, size, CHUNK_SIZE))
    hashes = list_of(chunks)
    return Sample(content, chunks, hashes, file_id(size, hashes))


def attach(box: Box, given: Sample) -> Sample:
    """The file is whole at this box."""
    box.feed(KeepFile(given.file, given.size, given.hashes))
    box.feed(KeepChunks(given.file, 0, given.chunks))
    assert has(box, given)
    return given


def want(box: Box, given: Sample) -> None:
    box.feed(FetchFile(given.file, given.size))


def has(box: Box, given: Sample) -> bool:
    """Whether all of it, and nothing wrong, is on the box's disk."""
    held = box.node.files.library.get(given.file)
    return held is not None and held.whole and content(box, given) == given.content


def content(box: Box, given: Sample) -> bytes:
    """What of it is on the box's disk, in order."""
    rows = sorted((row for row in box.disk.every(ChunkRecord) if row.file == given.file), key=lambda row: row.number)
    return b"".join(row.body for row in rows)

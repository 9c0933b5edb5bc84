"""A file of the person becomes chunks of the node: read twice, so that it never stands in memory as a whole.

first    every chunk is sealed and hashed, nothing is kept: then its id is known, and whether there is room
second   the same chunks again, handed to the node some at a time, each compared with its hash
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from meshnode.control.requests import FileGiven
from meshnode.core.ids import KEY_SIZE, FileId
from meshnode.core.inputs import DropFile, Input, KeepChunks, KeepFile
from meshnode.core.notices import Notice
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.manifest import (
    HASH_SIZE,
    MAX_FILE,
    Manifest,
    chunk_hash,
    content_step,
    file_id,
    seal_chunk,
)
from meshnode.daemon.files import open_given
from meshnode.errors import UsageError

T = TypeVar("T")

AT_ONCE = 8  # chunks handed to the node in one step


class Taker(Protocol):
    """The node, as far as it takes inputs."""

    async def submit(self, given: Input) -> tuple[Notice, ...]:
        """Have the node take one input."""
        ...


async def attach(node: Taker, sealer: Sealer, entropy: Entropy, given: FileGiven, *, sealed: bool) -> Manifest:
    """Have the node keep a file; its manifest. UsageError where it cannot be read, is too large, or finds no room."""
    key = entropy.take("file", KEY_SIZE) if sealed else b""
    reading = _Reading(Path(given.path), sealer, key)
    size, hashes = await trio.to_thread.run_sync(reading.measure)
    name = given.name or Path(given.path).name
    manifest = Manifest(file_id(size, hashes), size, name, given.media, key, given.preview)
    manifest.encode()  # says at once what cannot be announced
    await node.submit(KeepFile(manifest.file, size, hashes))
    try:
        await _hand_over(node, reading, manifest.file, hashes)
    except BaseException:
        with trio.CancelScope(shield=True):
            await node.submit(DropFile(manifest.file))
        raise
    return manifest


async def _hand_over(node: Taker, reading: _Reading, file: FileId, hashes: bytes) -> None:
    chunks = reading.chunks()
    for first in range(0, len(hashes) // HASH_SIZE, AT_ONCE):
        bodies = await trio.to_thread.run_sync(_some, chunks)
        expected = hashes[first * HASH_SIZE : (first + AT_ONCE) * HASH_SIZE]
        if b"".join(map(chunk_hash, bodies)) != expected:
            raise UsageError(f"{reading.path} changed while it was read; try again")
        await node.submit(KeepChunks(file, first, tuple(bodies)))


def _some(chunks: Iterator[bytes]) -> Sequence[bytes]:
    return [chunk for _, chunk in zip(range(AT_ONCE), chunks, strict=False)]


class _Reading:
    """The chunks of one file, as they travel."""

    def __init__(self, path: Path, sealer: Sealer, key: bytes) -> None:
        self.path = path
        self._sealer = sealer
        self._key = key

    def chunks(self) -> Iterator[bytes]:
        """From the first to the last."""
        try:
            with os.fdopen(open_given(self.path, os.O_RDONLY), "rb") as file:
                number = 0
                while content := file.read(content_step(self._key)):
                    yield seal_chunk(self._sealer, self._key, number, content)
                    number += 1
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read ({error.strerror})") from error

    def measure(self) -> tuple[int, bytes]:
        """How many bytes will travel, and the list of hashes."""
        size, hashes = 0, bytearray()
        for chunk in self.chunks():
            size += len(chunk)
            hashes += chunk_hash(chunk)
            if size > MAX_FILE:
                raise UsageError(f"{self.path} is too large: a file holds at most {MAX_FILE // 2**20} MiB")
        if not size:
            raise UsageError(f"{self.path} is empty: there is nothing to attach")
        return size, bytes(hashes)

"""Uploads on their way: files of their own beside the home, bounded in number, size and time, gone when they are sent.

    begun (size told)  --bytes at the offset-->  longer  --all there-->  whole  --attached-->  sent  --an hour-->  gone

A phone that lost the line asks how far the upload is and goes on from there. What lies still for an hour is dropped,
and so is what is not whole in the time its size may take: room that was promised is not held by a byte now and then.
Where the disk has no room for a piece, the whole upload goes.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from meshnode.errors import DISK_FULL, NO_SPACE, MissingError, RefusedError, StoreError, StoreFullError, UsageError

Write = Callable[[memoryview], Awaitable[int]]

FILE_MOST: Final = 62 * 1024 * 1024  # what a manifest of the core can list
STILL_S: Final = 3600.0
PIECE_WITHIN_S: Final = 60.0
SLOWEST: Final = 64_000  # bytes a second; a phone at the edge of a hotspot sends several times as many
TIDY_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Most:
    """What a spool takes at most: uploads of one owner at a time, bytes of each, and bytes of all."""

    each: int
    file: int
    all: int


FILES: Final = Most(4, FILE_MOST, 4 * FILE_MOST)  # of messages
BACKUPS: Final = Most(1, 8 << 30, 9 << 30)  # a box with all its profiles; the disk is asked first


@dataclass(slots=True)
class Upload:
    """One file on its way; `owner` is a persona."""

    id: str
    owner: str
    size: int
    path: Path
    moved_at: float
    due_at: float  # whole by then, or gone
    offset: int = 0
    busy: bool = False
    sent: bool = False


class Spool:
    """All uploads of a box."""

    def __init__(self, folder: Path, clock: Callable[[], float], most: Most = FILES) -> None:
        self._folder = folder
        self._most = most
        self._clock = clock
        self._uploads: dict[str, Upload] = {}

    def open(self) -> None:
        """Begin empty: what was here belongs to sign-ins that are gone."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)

    async def begin(self, owner: str, size: int) -> Upload:
        """A new upload. UsageError for a size that cannot be; RefusedError where there is no room."""
        await self._drop_still()
        if not 0 < size <= self._most.file:
            raise UsageError(f"A file has 1 to {self._most.file // 2**20} MiB.")
        waiting = [one for one in self._uploads.values() if not one.sent]
        if sum(one.owner == owner for one in waiting) >= self._most.each:
            raise RefusedError("Other files are still on their way; wait for them, or let them go.")
        if sum(one.size for one in waiting) + size > self._most.all:
            raise RefusedError("Too many files are on their way to this box; try again later.")
        id, now = secrets.token_hex(16), self._clock()
        upload = self._uploads[id] = Upload(id, owner, size, self._folder / id, now, now + STILL_S + size / SLOWEST)
        async with self._on_disk(upload):
            await trio.Path(upload.path).touch(0o600)
        return upload

    def awaited(self, *, but: str) -> int:
        """Bytes that others were told they may send, and have not sent yet."""
        return sum(one.size - one.offset for one in self._uploads.values() if one.owner != but and not one.sent)

    def promised(self, *, but: Container[str]) -> int:
        """Bytes that all others were told they may have here, sent or not."""
        return sum(one.size for one in self._uploads.values() if one.owner not in but and not one.sent)

    def find(self, owner: str, id: str) -> Upload:
        """An upload of this member."""
        upload = self._uploads.get(id)
        if upload is None or upload.owner != owner:
            raise MissingError("This upload is over, or was never begun; begin it again.")
        return upload

    async def write(self, upload: Upload, offset: int, pieces: AsyncIterable[bytes]) -> None:
        """Go on at `offset`, which must be where it stands; what came before the line broke stays."""
        if upload.busy:
            raise UsageError("This upload is being written; ask how far it is.")
        if offset != upload.offset:
            raise UsageError(f"The upload stands at {upload.offset}, not at {offset}.")
        upload.busy = True
        try:
            async with self._on_disk(upload), await trio.open_file(upload.path, "r+b", buffering=0) as file:
                await file.seek(offset)
                await self._take(upload, file.write, pieces)
        finally:
            upload.busy = False

    async def _take(self, upload: Upload, write: Write, pieces: AsyncIterable[bytes]) -> None:
        with trio.CancelScope(deadline=self._deadline(upload)) as patience:
            async for piece in pieces:
                if upload.offset + len(piece) > upload.size:
                    raise UsageError(f"This is more than the {upload.size} bytes that were announced.")
                await _write_all(write, piece)
                upload.offset += len(piece)
                upload.moved_at = self._clock()
                patience.deadline = self._deadline(upload)
        if patience.cancelled_caught and self._clock() >= upload.due_at:
            await self.drop(upload)
            raise UsageError("This upload took too long; begin it again.")
        if patience.cancelled_caught:
            raise UsageError("The rest did not come in time; go on from where it stands.")

    def _deadline(self, upload: Upload) -> float:
        """When the next piece has to be here."""
        return trio.current_time() + min(PIECE_WITHIN_S, max(0.0, upload.due_at - self._clock()))

    @asynccontextmanager
    async def _on_disk(self, upload: Upload) -> AsyncIterator[None]:
        """What the disk refuses, as an error for a person; nothing of the upload stays then."""
        try:
            yield
        except OSError as error:
            await self.drop(upload)
            if error.errno in NO_SPACE:
                raise StoreFullError(DISK_FULL) from error
            raise StoreError(f"The disk does not take this ({error.strerror}); look at it.") from error

    async def sent(self, upload: Upload) -> None:
        """A message took it: its bytes may go; that it was here is known for a while, should the phone ask again."""
        upload.sent, upload.moved_at = True, self._clock()
        await trio.Path(upload.path).unlink(missing_ok=True)

    async def drop_of(self, owner: str) -> None:
        """None of this owner's is wanted any more, but what is being written now."""
        for upload in [one for one in self._uploads.values() if one.owner == owner and not one.busy]:
            await self.drop(upload)

    async def drop(self, upload: Upload) -> None:
        """It is not wanted, or forgotten."""
        self._uploads.pop(upload.id, None)
        await trio.Path(upload.path).unlink(missing_ok=True)

    async def tidy(self) -> None:
        """Until cancelled: what lies still goes, even if nobody begins another."""
        while True:
            await trio.sleep(TIDY_S)
            await self._drop_still()

    async def _drop_still(self) -> None:
        for upload in list(self._uploads.values()):
            late = not upload.sent and self._clock() > upload.due_at
            if not upload.busy and (late or self._clock() - upload.moved_at > STILL_S):
                await self.drop(upload)


async def _write_all(write: Write, piece: bytes) -> None:
    """A file without a buffer may take less than it is given; what it took is on its way to the disk."""
    rest = memoryview(piece)
    while rest:
        rest = rest[await write(rest) :]

"""The files that are here, whole or in part, and the room they may take.

    own      attached by a person here        never evicted
    wanted   fetched for a person here        evicted for the next one, least used first
    carried  kept for others on their way     evicted first, least used first; a day without use ends it

A chunk is written when its hash was found right, never before; who is told that it is here is told after that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import FileId
from meshnode.core.notices import FileMoved
from meshnode.core.records import FILE_CARRIED, FILE_OWN, FILE_WANTED, ChunkRecord, FileRecord, RecordKey, Snapshot
from meshnode.core.sealing.manifest import HASH_SIZE, chunk_count, chunk_size
from meshnode.core.wire.file_layouts import INDEX

FILES_SHARE: Final = 0.4  # of the store; the rest is for words
CARRIED_SHARE: Final = 0.25  # of that, for others
CARRIED_S: Final = 86_400.0  # unused for so long, what is kept for others goes
MAX_FILES: Final = 4_096  # however small they are
_SWEEP_S: Final = 3_600.0
_TOUCH_S: Final = 600.0  # how often its use is written down


@dataclass(slots=True, eq=False)
class Held:
    """One file here. `chunks` are the numbers of those held; `hashes` is empty until the list came."""

    file: FileId
    size: int
    role: int
    hashes: bytes = b""
    used_at: Instant = 0.0
    chunks: set[int] = field(default_factory=set)
    filled: int = 0  # bytes of them

    @property
    def count(self) -> int:
        """How many chunks it has."""
        return chunk_count(self.size)

    @property
    def whole(self) -> bool:
        """True when all of it is here."""
        return len(self.chunks) == self.count

    def has(self, number: int) -> bool:
        """Whether a chunk, or the list of hashes, is here."""
        return bool(self.hashes) if number == INDEX else number in self.chunks

    def size_of(self, number: int) -> int:
        """How many bytes a chunk, or the list, has; 0 for a number beyond the last."""
        if number == INDEX:
            return HASH_SIZE * self.count
        return chunk_size(self.size, number) if number < self.count else 0

    def hash_of(self, number: int) -> bytes:
        """What a chunk has to hash to."""
        return self.hashes[number * HASH_SIZE : (number + 1) * HASH_SIZE]

    def bitmap(self) -> bytes:
        """A bit for each chunk held, the first in the top bit; nothing when all are."""
        if self.whole:
            return b""
        bits = bytearray(-(-self.count // 8))
        for number in self.chunks:
            bits[number // 8] |= 0x80 >> number % 8
        return bytes(bits)

    def record(self) -> FileRecord:
        """Its row."""
        return FileRecord(self.file, self.size, self.role, self.used_at, self.hashes)


class Library:
    """All of them, of one node."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.files: dict[FileId, Held] = {}
        self._sweep_at = _SWEEP_S

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk. What a person began to attach and never announced is gone."""
        for record in snapshot.records:
            if isinstance(record, FileRecord):
                self.files[record.file] = Held(record.file, record.size, record.role, record.hashes, record.used_at)
        for file, number in snapshot.chunks:
            if file in self.files:
                self._count(self.files[file], number)
        for held in [held for held in self.files.values() if held.role == FILE_OWN and not held.whole]:
            self.drop(held)
        self._sweep_at = self._ctx.now + _SWEEP_S

    @property
    def chunks(self) -> int:
        """How many chunks are here."""
        return sum(len(held.chunks) for held in self.files.values())

    def get(self, file: FileId) -> Held | None:
        """What is here of a file."""
        return self.files.get(file)

    def begin(self, file: FileId, size: int, role: int) -> Held | None:
        """Make room for a file, and a place; None where there is no room. A file for a person is kept as theirs."""
        held = self.files.get(file)
        if held is not None and (held.role <= role or role == FILE_CARRIED):
            return held
        lacking = size - (held.filled if held else 0)
        if not self._make_room(role, lacking, held):
            return None
        if held is None:
            held = self.files[file] = Held(file, size, role)
        held.role, held.used_at = role, self._ctx.now
        self._ctx.persist(held.record())
        return held

    def learn(self, held: Held, hashes: bytes) -> None:
        """The list of hashes came, and is right."""
        held.hashes = hashes
        self._ctx.persist(held.record())

    def keep(self, held: Held, number: int, body: bytes) -> bool:
        """Write a chunk that is right; False where there is no room for it any more."""
        if held.role == FILE_CARRIED and not self._make_room(FILE_CARRIED, len(body), held):
            return False
        self._ctx.persist(ChunkRecord(held.file, number, body))
        self._count(held, number)
        self.used(held)
        return True

    def used(self, held: Held) -> None:
        """It was asked for, or came."""
        if self._ctx.now >= held.used_at + _TOUCH_S:
            held.used_at = self._ctx.now
            self._ctx.persist(held.record())

    def drop(self, held: Held) -> None:
        """All of it goes."""
        del self.files[held.file]
        chunks = [RecordKey(ChunkRecord, (held.file, number)) for number in sorted(held.chunks)]
        self._ctx.forget(RecordKey(FileRecord, (held.file,)), *chunks)

    def tell(self, held: Held) -> None:
        """Say how far a file of a person here is."""
        if held.role != FILE_CARRIED:
            state = "here" if held.whole else "coming"
            self._ctx.notify(FileMoved(held.file, state, held.filled, held.size))

    def wakeup(self) -> Instant | None:
        """When unused files are looked for."""
        return self._sweep_at if self.files else None

    def tick(self) -> None:
        """What is kept for others and nobody asks for goes."""
        if self._ctx.now >= self._sweep_at:
            self._sweep_at = self._ctx.now + _SWEEP_S
            for held in self._evictable((FILE_CARRIED,), None):
                if held.used_at + CARRIED_S <= self._ctx.now:
                    self.drop(held)

    def _count(self, held: Held, number: int) -> None:
        if number not in held.chunks:
            held.chunks.add(number)
            held.filled += held.size_of(number)

    def _make_room(self, role: int, size: int, keep: Held | None) -> bool:
        """Evict until `size` more bytes fit what this role may take."""
        if self._ctx.store_refusing:
            return False
        limit = int(self._ctx.settings.store_limit * FILES_SHARE)
        if role == FILE_CARRIED:
            return self._evict((FILE_CARRIED,), int(limit * CARRIED_SHARE) - size, keep)
        return self._evict((FILE_CARRIED, FILE_WANTED), limit - size, keep)

    def _evict(self, roles: tuple[int, ...], upto: int, keep: Held | None) -> bool:
        """Drop files of these roles until all that count here take no more than `upto` bytes."""
        counted = roles if roles == (FILE_CARRIED,) else (*roles, FILE_OWN)
        room = upto - sum(self._takes(held) for held in self.files.values() if held.role in counted)
        crowded = len(self.files) >= MAX_FILES
        for held in self._evictable(roles, keep):
            if room >= 0 and not crowded:
                break
            room, crowded = room + self._takes(held), False
            self._ctx.count("files_evicted")
            if held.role == FILE_WANTED:
                self._ctx.notify(FileMoved(held.file, "gone", 0, held.size))
            self.drop(held)
        return room >= 0 and not crowded

    def _evictable(self, roles: tuple[int, ...], keep: Held | None) -> list[Held]:
        """Those that may go, in order: for others before for a person here, then least used. None that is coming."""
        those = [held for held in self.files.values() if held.role in roles and held is not keep]
        those = [held for held in those if held.whole or held.role == FILE_CARRIED]
        return sorted(those, key=lambda held: (-held.role, held.used_at))

    @staticmethod
    def _takes(held: Held) -> int:
        """Room that is taken, or spoken for: what a person wants is to come whole."""
        return held.filled if held.role == FILE_CARRIED else held.size

"""Files of one node: this file routes between the parts beside it, which each tell one story.

library   what is here, and what may be    seeking   who has a file, or a way to it
fetching  chunks on their way in           serving   chunks on their way out
assembly  one chunk, piece by piece        pace      how fast pieces may follow each other
"""

from __future__ import annotations

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.files.fetching import Fetching
from meshnode.core.files.library import Library
from meshnode.core.files.seeking import Seeking
from meshnode.core.files.serving import Serving
from meshnode.core.ids import FileId
from meshnode.core.inputs import DropFile, EncounterEnded, FetchFile, KeepChunks, KeepFile, SessionWritable, Stored
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.notices import FileMoved
from meshnode.core.records import FILE_OWN, FILE_WANTED, Snapshot
from meshnode.core.sealing.manifest import HASH_SIZE, MAX_FILE, chunk_count, file_id
from meshnode.core.wire.frames import ChunkPiece, ChunkWant, FileHave, FileSeek, Frame
from meshnode.errors import UsageError


class Files:
    """All of it, for one node."""

    def __init__(self, ctx: Context, neighbours: Neighbours, outbox: Outbox) -> None:
        self._ctx = ctx
        self.library = Library(ctx)
        self.seeking = Seeking(ctx, neighbours, self.library)
        self.fetching = Fetching(ctx, neighbours, self.library, self.seeking)
        self.serving = Serving(ctx, neighbours, outbox, self.library, self.seeking)
        self.fetching.on_chunk = self.serving.chunk_came
        self.fetching.on_lost = self.serving.lost
        self.serving.carry = self.fetching.carry
        self.serving.spare = self.fetching.spare
        self._timed = (self.library, self.fetching, self.serving)
        self._busy = (self.library.files, self.fetching.fetches, self.serving.lines)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk: what was wanted and did not come yet is fetched on."""
        self.library.restore(snapshot)
        self.fetching.restore()

    # what a person does

    def keep_file(self, told: KeepFile) -> None:
        """A file is attached here; its chunks follow."""
        if not 0 < told.size <= MAX_FILE or len(told.hashes) != HASH_SIZE * chunk_count(told.size):
            raise UsageError(f"a file holds 1 byte to {MAX_FILE // 2**20} MiB")
        if file_id(told.size, told.hashes) != told.file:
            raise UsageError("the list of a file's hashes is not the one it is named by")
        held = self.library.begin(told.file, told.size, FILE_OWN)
        if held is None:
            raise UsageError("there is no room for this file; `meshnode files drop` makes some")
        if not held.hashes:
            self.library.learn(held, told.hashes)

    def keep_chunks(self, told: KeepChunks) -> None:
        """Some of its chunks."""
        held = self.library.get(told.file)
        if held is None:
            raise UsageError("this file is not kept here any more")
        for number, body in enumerate(told.bodies, told.first):
            if len(body) != held.size_of(number):
                raise UsageError("a chunk of a file has the wrong size")
            if number not in held.chunks:
                self.library.keep(held, number, body)
        if held.whole:
            self.library.tell(held)

    def fetch(self, told: FetchFile) -> None:
        """A person wants a file; a notice says how far it is."""
        held = self.library.get(told.file)
        if held is not None and held.size != told.size:
            raise UsageError("this file was announced with a size it does not have")
        held = self.library.begin(told.file, told.size, FILE_WANTED)
        if held is None:
            raise UsageError("there is no room for this file; `meshnode files drop` makes some")
        self.library.tell(held)
        self.fetching.fetch(held)

    def drop(self, told: DropFile) -> None:
        """A person wants it no longer."""
        held = self.library.get(told.file)
        if held is None:
            raise UsageError("this file is not here")
        self.fetching.forget(told.file)
        self.library.drop(held)
        self.serving.lost(told.file)
        self._ctx.notify(FileMoved(told.file, "gone", 0, held.size))

    def whole(self, file: FileId) -> bool:
        """True when all of a file is here."""
        held = self.library.get(file)
        return held is not None and held.whole

    # what happens

    def frame_arrived(self, frame: Frame, heard: Heard) -> None:
        """One frame from a neighbour, proved to be one."""
        neighbour = heard.neighbour
        if neighbour is None or not heard.bound:
            return
        match frame:
            case FileSeek():
                self.seeking.seek_arrived(neighbour, frame)
            case FileHave():
                self.seeking.have_arrived(neighbour, frame)
            case ChunkWant():
                self.serving.want_arrived(neighbour, frame)
            case ChunkPiece():
                self.fetching.piece_arrived(neighbour, frame, heard)
            case _:
                return

    def stored(self, stored: Stored) -> bool:
        """Something was read from the store; False when somebody else asked for it."""
        return self.serving.stored(stored)

    def session_writable(self, writable: SessionWritable) -> None:
        """A session may take more."""
        self.serving.session_writable(writable.session, writable.queued)

    def session_closed(self, ended: EncounterEnded) -> None:
        """A session is over."""
        self.serving.session_closed(ended.session)

    def neighbour_came(self, neighbour: Neighbour) -> None:
        """Somebody is within reach who was not."""
        self.fetching.neighbour_came()

    def neighbour_lost(self, neighbour: Neighbour) -> None:
        """Somebody is within reach no longer."""
        self.seeking.neighbour_lost(neighbour.node)
        self.serving.neighbour_lost(neighbour.node)
        self.fetching.neighbour_lost(neighbour.node)

    def wakeup(self) -> Instant | None:
        """When something is due."""
        if not any(self._busy):
            return None
        times = [at for part in self._timed if (at := part.wakeup()) is not None]
        return min(times) if times else None

    def tick(self) -> None:
        """Do what is due."""
        for part in self._timed:
            if (at := part.wakeup()) is not None and at <= self._ctx.now:
                part.tick()

"""Chunks on their way out: one line for each neighbour, in the order it asked.

    here      -> read from the store -> pieces, paced on a link; whole spans in a session
    not here  -> fetched on the asker's behalf where a way is known, and sent on as soon as it is whole and right
    neither   -> "not any more"

Pieces go in the last class but one step at a time: the next only while little stands in the outbox, so urgent frames
never wait behind a file, and where the law leaves the class no airtime, nothing piles up. What is sent comes out of
the asker's budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from meshnode.core.airtime.estimate import airtime_s
from meshnode.core.airtime.outbox import SEAL_OVERHEAD, Outbox
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import ReadStored, SendRecord
from meshnode.core.files.assembly import Span
from meshnode.core.files.library import Library
from meshnode.core.files.pace import Pace, moment
from meshnode.core.files.seeking import Seeking
from meshnode.core.ids import FileId, NodeKey
from meshnode.core.inputs import Stored
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.file_layouts import INDEX
from meshnode.core.wire.frames import ChunkPiece, ChunkWant

PIECE_CLASS: Final = 4
PIECE_HEAD: Final = 11  # type, name, index, moment, offset
BACKLOG_S: Final = 0.03  # of airtime that may wait in the outbox while pieces are added
LOOK_AGAIN_S: Final = 0.01  # doubling to a second while the outbox stays full: the law may hold it up for minutes
LOOK_AT_LATEST_S: Final = 1.0
BROKE_S: Final = 0.25  # until an asker without budget is looked at again
FULL_S: Final = 1.0  # until a session that says nothing is looked at again
MAX_JOBS: Final = 16  # chunks one neighbour may have asked for
QUEUE: Final = 131_072  # bytes on their way in a session before more are put there
_FIRST_TOKEN: Final = 1 << 48  # of our questions to the store; those of others begin lower


@dataclass(slots=True, eq=False)
class Job:
    """A chunk a neighbour asked for. `body` is None until it is read, or came here."""

    file: FileId
    number: int
    spans: list[Span]
    body: bytes | None = None
    token: int = 0


@dataclass(slots=True, eq=False)
class Line:
    """What one neighbour waits for."""

    neighbour: Neighbour
    jobs: dict[tuple[FileId, int], Job] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    at: Instant = 0.0
    look_s: float = LOOK_AGAIN_S


class Serving:
    """All lines of one node. Wire `carry` and `spare`."""

    def __init__(
        self, ctx: Context, neighbours: Neighbours, outbox: Outbox, library: Library, seeking: Seeking
    ) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._outbox = outbox
        self._library = library
        self._seeking = seeking
        self.lines: dict[NodeKey, Line] = {}
        self._queued: dict[int, int] = {}  # bytes of pieces on their way, by session
        self._tokens = count(_FIRST_TOKEN)
        self.carry: Callable[[FileId, int], bool] = _nowhere
        self.spare: Callable[[FileId, int], None] = _ignore

    def want_arrived(self, neighbour: Neighbour, frame: ChunkWant) -> None:
        """Somebody asks for bytes of a chunk; asking again replaces what was asked before."""
        line = self.lines.setdefault(neighbour.node, Line(neighbour, at=self._ctx.now))
        line.pace.told(frame.delay)
        name = (frame.file, frame.index)
        job = line.jobs.get(name)
        if job is not None:
            job.spans = list(frame.spans)
        elif len(line.jobs) >= MAX_JOBS:
            self._ctx.count("chunk_want_over_limit")
            return
        else:
            job = line.jobs[name] = Job(frame.file, frame.index, list(frame.spans))
        held = self._library.get(frame.file)
        if held is not None and held.has(frame.index):
            self._library.used(held)
        elif not self._may_carry() or not self.carry(frame.file, frame.index):
            self._seeking.gone(frame.file, held.size if held else 0, [neighbour])
            line.jobs.pop(name, None)
        self._pump(line)

    def chunk_came(self, file: FileId, number: int, body: bytes) -> None:
        """A chunk is here, and right: on to those who asked for it."""
        for line in self._waiting_for(file, number):
            line.jobs[file, number].body = body
            self._pump(line)

    def lost(self, file: FileId) -> None:
        """No way to a file is left: whoever waits for what is not here is told."""
        held = self._library.get(file)
        for line in self.lines.values():
            doomed = [name for name, job in line.jobs.items() if name[0] == file and not self._here(job)]
            for name in doomed:
                del line.jobs[name]
            if doomed:
                self._seeking.gone(file, held.size if held else 0, [line.neighbour])

    def stored(self, stored: Stored) -> bool:
        """The store answered; False when somebody else asked."""
        if stored.token < _FIRST_TOKEN:
            return False
        for line in list(self.lines.values()):
            for name, job in [one for one in line.jobs.items() if one[1].token == stored.token]:
                job.token = 0
                if stored.chunks:
                    job.body = stored.chunks[0].body
                else:  # evicted meanwhile
                    del line.jobs[name]
                self._pump(line)
        return True

    def session_writable(self, session: int, queued: int) -> None:
        """A session took what was sent."""
        self._queued[session] = queued
        for line in list(self.lines.values()):
            if line.neighbour.session == session:
                self._pump(line)

    def session_closed(self, session: int) -> None:
        """A session is over."""
        self._queued.pop(session, None)

    def neighbour_lost(self, node: NodeKey) -> None:
        """Nobody waits there any more."""
        line = self.lines.pop(node, None)
        for job in line.jobs.values() if line else ():
            if not self._here(job) and not self._waiting_for(job.file, job.number):
                self.spare(job.file, job.number)

    def wakeup(self) -> Instant | None:
        """When the next piece may leave."""
        if not self.lines:
            return None
        return min((line.at for line in self.lines.values() if self._ready(line) is not None), default=None)

    def tick(self) -> None:
        """Send what may leave."""
        for line in list(self.lines.values()):
            if line.at <= self._ctx.now:
                self._pump(line)

    # how

    def _may_carry(self) -> bool:
        return self._ctx.settings.carry_for_others and not self._ctx.store_refusing

    def _waiting_for(self, file: FileId, number: int) -> list[Line]:
        return [line for line in self.lines.values() if (file, number) in line.jobs]

    def _here(self, job: Job) -> bool:
        held = self._library.get(job.file)
        return job.body is not None or (held is not None and held.has(job.number))

    def _ready(self, line: Line) -> Job | None:
        """The first job whose bytes are in memory."""
        return next((job for job in line.jobs.values() if job.body is not None), None)

    def _pump(self, line: Line) -> None:
        """Read ahead, then send: in a session as much as it takes, on a link one piece after the other."""
        self._read_ahead(line)
        link = line.neighbour.link(self._ctx.now)
        if link is not None:
            self._fill_link(line, link)
        elif line.neighbour.session is not None:
            self._fill_session(line, line.neighbour.session)
        else:
            line.jobs.clear()

    def _read_ahead(self, line: Line) -> None:
        """The bytes of the next two chunks."""
        here = [job for job in line.jobs.values() if self._here(job)][:2]
        for job in here:
            held = self._library.get(job.file)
            if job.body is None and job.number == INDEX and held is not None:
                job.body = held.hashes
            elif job.body is None and not job.token:
                job.token = next(self._tokens)
                self._ctx.emit(ReadStored(job.token, chunks=((job.file, job.number),)))

    def _fill_link(self, line: Line, link: str) -> None:
        settings = self._ctx.links[link]
        room = settings.unicast_payload - SEAL_OVERHEAD - PIECE_HEAD
        while line.at <= self._ctx.now and (job := self._ready(line)) is not None:
            if self._outbox.backlog_s(link) > BACKLOG_S:
                line.at = self._ctx.now + line.look_s
                line.look_s = min(LOOK_AT_LATEST_S, 2 * line.look_s)
                return
            line.look_s = LOOK_AGAIN_S
            if not self._neighbours.pay(line.neighbour, link, room):
                line.at = self._ctx.now + BROKE_S
                return
            if (piece := self._cut(line, job, room)) is not None:
                node = line.neighbour.node
                self._neighbours.send(line.neighbour, piece, PIECE_CLASS, link=link, author=node, previous=node)
                lasts = airtime_s(len(piece.data) + SEAL_OVERHEAD + PIECE_HEAD, True, settings)
                line.at = max(line.at, self._ctx.now - BACKLOG_S) + line.pace.gap_s(lasts)

    def _fill_session(self, line: Line, session: int) -> None:
        while self._queued.get(session, 0) < QUEUE and (job := self._ready(line)) is not None:
            if wait_s := self._neighbours.may_have_in_s(line.neighbour):
                line.at = self._ctx.now + wait_s
                return
            if (piece := self._cut(line, job, len(job.body or b""))) is not None:
                data = encode_frame(piece)
                self._neighbours.pay_in_session(line.neighbour, len(data))
                self._queued[session] = self._queued.get(session, 0) + len(data)
                self._ctx.emit(SendRecord(session, data))
        line.at = self._ctx.now + FULL_S

    def _cut(self, line: Line, job: Job, room: int) -> ChunkPiece | None:
        """The next piece of a job; None when nothing of it is left."""
        body = job.body or b""
        spans = [(start, min(end, len(body))) for start, end in job.spans if start < len(body)]
        if not spans:
            del line.jobs[job.file, job.number]
            self._read_ahead(line)
            return None
        start, end = spans[0]
        upto = min(end, start + room)
        job.spans = [(upto, end), *spans[1:]] if upto < end else spans[1:]
        if not job.spans:
            del line.jobs[job.file, job.number]
            self._read_ahead(line)
        return ChunkPiece(job.file[:4], job.number, moment(self._ctx.now), start, body[start:upto])


def _nowhere(file: FileId, number: int) -> bool:
    return False


def _ignore(file: FileId, number: int) -> None:
    return None

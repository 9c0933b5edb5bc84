"""Answering WANT on a link: blocks are read from the store and sent once to all who asked for them.

    WANT -> wait 40 ms where others may want the same -> ReadStored -> Stored -> runs, unicast or multicast

Limits (rule 5.5): two requests open for each neighbour, 64 blocks and 32 KiB each; a block sent to one neighbour four
times in ten minutes goes on in class 4; the asker pays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.chain.block import Block, stored_block
from meshnode.core.chain.fork import ForkProof
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import ReadStored
from meshnode.core.gossip.company import frame_of
from meshnode.core.gossip.flood import Flood
from meshnode.core.gossip.logs import Logs
from meshnode.core.ids import LOG_ID_SIZE, LogId
from meshnode.core.inputs import Stored
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.records import BODY_HELD, BlockRecord
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import ForkFrame, Frame, Want, Wish
from meshnode.core.wire.limits import MAX_RUN

OPEN_REQUESTS: Final = 2
MAX_BLOCKS: Final = 64
MAX_BYTES: Final = 32 * 1024
GATHER_S: Final = 0.04
OFTEN: Final = 4
OFTEN_S: Final = 600.0
MAX_SENT: Final = 4096
BLOCK_CLASS: Final = 3
LAST_CLASS: Final = 4
FORK_SIZE: Final = 313
_RUN_HEAD: Final = 1 + 4 + 2 + 20  # type, first seq, count, backlink
TOKENS: Final = 1 << 32  # gossip's tokens begin here, so that they meet no other part's


@dataclass(slots=True)
class Request:
    """What one neighbour asked for: (log, first, count, full reference) each."""

    neighbour: Neighbour
    link: str
    ranges: list[tuple[LogId, int, int, bool]]


@dataclass(slots=True)
class Reading:
    """Requests whose blocks are being read."""

    requests: list[Request]
    full: set[LogId] = field(default_factory=set)


class Serve:
    """Open requests of link neighbours."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs, flood: Flood) -> None:
        self._ctx = ctx
        self._flood = flood
        self._neighbours = neighbours
        self._logs = logs
        self._gathering: list[Request] = []
        self._due: Instant | None = None
        self._reading: dict[int, Reading] = {}
        self._token = TOKENS
        self._sent: dict[tuple[bytes, LogId, int], tuple[int, Instant]] = {}

    def want(self, heard: Heard, want: Want, others_differ: bool) -> bool:
        """Take a request; False when there is nothing to answer, or too much is open."""
        neighbour = heard.neighbour
        if neighbour is None:
            return False
        if self._open(neighbour) >= OPEN_REQUESTS:
            return False
        self._prove_forks(neighbour, heard.link, want)
        ranges = self._ranges(want.wishes, heard.link)
        if not ranges:
            return False
        self._gathering.append(Request(neighbour, heard.link, ranges))
        if self._due is None:
            self._due = self._ctx.now + (GATHER_S if others_differ else 0.0)
        return True

    def stored(self, stored: Stored) -> bool:
        """What was read; False when it was not for us."""
        reading = self._reading.pop(stored.token, None)
        if reading is None:
            return False
        by_link: dict[str, list[Request]] = {}
        for request in reading.requests:
            by_link.setdefault(request.link, []).append(request)
        for link, requests in by_link.items():
            self._answer(link, requests, stored.blocks, reading.full)
        return True

    def wakeup(self) -> Instant | None:
        """When gathered requests are answered."""
        return self._due

    def tick(self) -> None:
        """Read what was asked for, each block once."""
        if self._due is None or self._due > self._ctx.now:
            return
        requests, self._gathering, self._due = self._gathering, [], None
        reading, wanted = Reading(requests), dict[LogId, set[int]]()
        for request in requests:
            for log, first, count, full in request.ranges:
                wanted.setdefault(log, set()).update(range(first, first + count))
                if full:
                    reading.full.add(log)
        self._token += 1
        self._reading[self._token] = reading
        self._ctx.emit(ReadStored(self._token, tuple(_stretches(wanted))))

    def _open(self, neighbour: Neighbour) -> int:
        reading = [request for reading in self._reading.values() for request in reading.requests]
        return sum(request.neighbour is neighbour for request in (*self._gathering, *reading))

    def _ranges(self, wishes: Iterable[Wish], link: str) -> list[tuple[LogId, int, int, bool]]:
        """The part of the wishes we can fill, within the limit."""
        found, room, crowded = [], MAX_BLOCKS, self._neighbours.crowded(link)
        for wish in wishes:
            for log in self._logs.candidates(wish.log):
                first = wish.first
                last = min(first + wish.count - 1, log.served, first + room - 1, log.highest)
                if log.rows.last and last >= first:
                    self._logs.shares.use(log)
                    full = len(wish.log) == LOG_ID_SIZE or (wish.first == 1 and crowded)
                    whole = [(first, last - first + 1)]
                    stretches = log.held_bodies(first, last) if wish.bodies_only else whole
                    found += [(log.id, start, count, full) for start, count in stretches]
                    room -= last - first + 1
        return found

    def _prove_forks(self, neighbour: Neighbour, link: str, want: Want) -> None:
        """Who asks past a split gets the proof of it."""
        for wish in want.wishes:
            for log in self._logs.candidates(wish.log):
                asks_past = log.proof is not None and wish.first + wish.count - 1 > log.head
                if log.proof is not None and asks_past and self._neighbours.pay(neighbour, link, FORK_SIZE):
                    self._neighbours.send(neighbour, fork_frame(log.proof), BLOCK_CLASS, key=b"fork" + log.handle)

    def _answer(self, link: str, requests: list[Request], blocks: Iterable[BlockRecord], full: set[LogId]) -> None:
        """Blocks that several asked for go to all at once, the others to the one."""
        askers: dict[tuple[LogId, int], list[Neighbour]] = {}
        for request in requests:
            for log, first, count, _ in request.ranges:
                for seq in range(first, first + count):
                    askers.setdefault((log, seq), []).append(request.neighbour)
        groups: dict[tuple[bytes, ...], list[BlockRecord]] = {}
        for row in blocks:
            names = tuple(dict.fromkeys(bytes(neighbour.node) for neighbour in askers.get((row.log, row.seq), ())))
            if names and not self._told_all(link, names, row):
                groups.setdefault(names, []).append(row)
        room = Counter[bytes]()
        for request in requests:
            room[request.neighbour.node] += MAX_BYTES
        for names, rows in groups.items():
            self._send(link, names, rows, full, room)

    def _told_all(self, link: str, names: tuple[bytes, ...], row: BlockRecord) -> bool:
        """In a crowd what one lacks others lack, too: it goes to all, unless only few do. Who asked pays."""
        asker = self._neighbours.get(names[0])
        if asker is None or not self._neighbours.crowded(link):
            return False
        block = stored_block(row.content, row.signature, row.body if row.body_state == BODY_HELD else None)
        if not self._flood.wanted_by_many(block, link, asker):
            return False
        if self._neighbours.pay(asker, link, _size(block)):
            cls = max(self._class(name, block) for name in names)
            self._flood.answer(block, link, asker, self._ring(row.log), cls)
        return True

    def _send(
        self, link: str, names: tuple[bytes, ...], rows: list[BlockRecord], full: set[LogId], room: Counter[bytes]
    ) -> None:
        settings = self._ctx.links.get(link)
        to = self._neighbours.get(names[0]) if len(names) == 1 else None
        if settings is None or (to is None and len(names) == 1):
            return
        limit = (settings.unicast_payload if to else settings.multicast_payload) - 32
        for run, size, batch in runs(rows, limit, full):
            if not [name for name in names if self._pays(name, link, size, size / len(names), room)]:
                return
            cls = max(self._class(name, block) for name in names for block in batch)
            ring = self._ring(rows[0].log)
            self._neighbours.send(to, run, cls, link=link, previous=names[0], ring=ring, asked=True)

    def _pays(self, name: bytes, link: str, size: int, share: float, room: Counter[bytes]) -> bool:
        """It asked for no more than it may, and has its share of the cost left."""
        neighbour = self._neighbours.get(name)
        if neighbour is None or room[name] < size:
            return False
        room[name] -= size
        return self._neighbours.pay(neighbour, link, share)

    def _class(self, name: bytes, block: Block) -> int:
        """Class 3, or 4 for what went to this neighbour often."""
        key = (name, block.log, block.seq)
        times, since = self._sent.pop(key, (0, self._ctx.now))
        if since < self._ctx.now - OFTEN_S:
            times, since = 0, self._ctx.now
        self._sent[key] = (times + 1, since)
        while len(self._sent) > MAX_SENT:
            del self._sent[next(iter(self._sent))]
        return LAST_CLASS if times >= OFTEN else BLOCK_CLASS

    def _ring(self, log: LogId) -> int:
        held = self._logs.book.get(log)
        return held.ring if held else 3


def runs(rows: Iterable[BlockRecord], limit: int, full: Container[LogId]) -> Iterator[tuple[Frame, int, list[Block]]]:
    """Rows as runs of at most `limit` bytes each, with size and blocks; one that is larger stands alone."""
    batch: list[Block] = []
    size = 0
    for row in rows:
        block = stored_block(row.content, row.signature, row.body if row.body_state == BODY_HELD else None)
        alone = _size(block)
        joins = batch and batch[-1].log == block.log and batch[-1].seq + 1 == block.seq and len(batch) < MAX_RUN
        if batch and (not joins or size + alone > limit):
            yield _frame(batch, full)
            batch, size = [], 0
        size += alone if batch else alone + _RUN_HEAD + (LOG_ID_SIZE if block.log in full else 4)
        batch.append(block)
    if batch:
        yield _frame(batch, full)


def fork_frame(proof: ForkProof) -> ForkFrame:
    """The proof of a split, as it travels."""
    return ForkFrame(proof.log, proof.content_a, proof.signature_a, proof.content_b, proof.signature_b)


def _frame(batch: list[Block], full: Container[LogId]) -> tuple[Frame, int, list[Block]]:
    frame = frame_of(batch, full=batch[0].log in full)
    return frame, len(encode_frame(frame)), batch


def _size(block: Block) -> int:
    """Bytes of a block in a run, at most (its backlink apart)."""
    return 12 + (len(block.body) if block.body is not None else 32) + 64


def _stretches(wanted: dict[LogId, set[int]]) -> Iterable[tuple[LogId, int, int]]:
    for log, seqs in wanted.items():
        first = last = 0
        for seq in sorted(seqs):
            if last and seq == last + 1:
                last = seq
                continue
            if last:
                yield log, first, last - first + 1
            first = last = seq
        yield log, first, last - first + 1

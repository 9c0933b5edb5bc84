"""A small world in virtual time: nodes, who hears whom, loss, sessions, stores. Everything follows from the seed.

It drives anything with `step(input, now) -> effects` and `next_wakeup()`: whole nodes, or a few parts (gossip_node.py).
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise
from typing import Any, Protocol

from meshnode.core.effects import Dial, Effect, Forget, Hangup, Notify, Persist, ReadStored, Send, SendRecord
from meshnode.core.ids import NodeKey
from meshnode.core.inputs import (
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    FrameReceived,
    Input,
    LinkChanged,
    RecordReceived,
    SessionWritable,
    Stored,
    Tick,
)
from meshnode.core.records import BlockIndex, BlockRecord, ChunkRecord, EnvelopeRecord, MessageRecord, Record, Snapshot
from meshnode.core.settings import LinkSettings

FRAME = 86  # bytes around a UDP payload on the air
LINK = "halow0"


class Steppable(Protocol):
    """What the world drives."""

    node: NodeKey

    def step(self, happened: Input, now: float) -> list[Effect]: ...

    def next_wakeup(self) -> float | None: ...


class Disk:
    """What a host keeps of one node."""

    def __init__(self) -> None:
        self.rows: dict[tuple[type, tuple[object, ...]], Record] = {}

    def write(self, record: Record) -> None:
        self.rows[(type(record), tuple(getattr(record, name) for name in record.KEY))] = record

    def of(self, table: type) -> list[Any]:
        return [record for (kind, _), record in self.rows.items() if kind is table]

    def snapshot(self, now: float) -> Snapshot:
        blocks = tuple(
            BlockIndex(
                row.log, row.seq, row.id, row.kind, row.body_state, int.from_bytes(row.content[-36:-32], "big"),
                row.content[64:84],
            )
            for row in sorted(self.of(BlockRecord), key=lambda row: (row.log, row.seq))
        )  # fmt: skip
        apart = (BlockRecord, MessageRecord, ChunkRecord)
        others = tuple(record for (kind, _), record in self.rows.items() if kind not in apart)
        chunks = tuple((chunk.file, chunk.number) for chunk in self.of(ChunkRecord))
        return Snapshot(now, blocks, others, chunks=chunks)


@dataclass
class Seat:
    """A node's place in the world."""

    name: str
    core: Steppable
    disk: Disk = field(default_factory=Disk)
    up: bool = True
    notices: list[Any] = field(default_factory=list)
    wake: float | None = None


class World:
    """Virtual time. `hears[a]` is the set of names that a's radio reaches."""

    def __init__(self, seed: int, *, loss: float = 0.0, retries: int = 7, settings: LinkSettings | None = None) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.loss = loss
        self.retries = retries
        self.settings = settings or LinkSettings()
        self.seats: dict[str, Seat] = {}
        self.hears: dict[str, set[str]] = {}
        self.sessions_work = True
        self.air_bytes: Counter[str] = Counter()
        self.air_frames: Counter[str] = Counter()
        self.heard_log: list[tuple[float, str, str, FrameReceived]] = []
        self.record_heard = False
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._sessions: dict[tuple[str, int], tuple[str, int]] = {}
        self._busy: dict[tuple[str, int], float] = {}
        self._ids = count(1)

    # building

    def add(self, name: str, core: Steppable, disk: Disk | None = None) -> None:
        self.seats[name] = Seat(name, core, disk or Disk())
        self.hears.setdefault(name, set())

    def start(self) -> None:
        for name in self.seats:
            self.feed(name, LinkChanged(LINK, self.settings))

    def line(self, *names: str) -> None:
        for one, other in pairwise(names):
            self.join(one, other)

    def clique(self, *names: str) -> None:
        for one in names:
            self.hears[one] |= set(names) - {one}

    def join(self, one: str, other: str) -> None:
        self.hears[one].add(other)
        self.hears[other].add(one)

    def part(self, one: str, other: str) -> None:
        self.hears[one].discard(other)
        self.hears[other].discard(one)
        for (name, session), (peer, _) in list(self._sessions.items()):
            if {name, peer} == {one, other}:
                self._hang_up(name, session)

    def replace(self, name: str, core: Steppable) -> None:
        """The node was switched off and starts again from its disk."""
        for owner, session in list(self._sessions):
            if owner == name:
                self._hang_up(owner, session)
        self.seats[name].core = core
        self.seats[name].wake = None
        self.feed(name, LinkChanged(LINK, self.settings))

    # running

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._order), do))

    def run(self, seconds: float) -> None:
        self.run_until(self.now + seconds)

    def run_until(self, end: float, stop: Callable[[], bool] | None = None) -> None:
        while self._events and self._events[0][0] <= end:
            when, _, do = heapq.heappop(self._events)
            self.now = max(self.now, when)
            do()
            if stop is not None and stop():
                return
        self.now = end

    def feed(self, name: str, happened: Input) -> None:
        """One step of one node, and what comes of it."""
        seat = self.seats[name]
        if not seat.up:
            return
        effects = seat.core.step(happened, self.now)
        self._perform(seat, effects)
        self.rewake(name)

    def rewake(self, name: str) -> None:
        seat = self.seats[name]
        wake = seat.core.next_wakeup()
        if wake is not None and (seat.wake is None or wake < seat.wake):
            seat.wake = max(wake, self.now + 1e-6)
            self.at(seat.wake, lambda: self._tick(name, seat.core))

    def perform(self, name: str, effects: list[Effect]) -> None:
        """For tests that call into a part directly."""
        self._perform(self.seats[name], effects)
        self.rewake(name)

    def _tick(self, name: str, core: Steppable) -> None:
        seat = self.seats[name]
        if seat.core is core and seat.up:
            seat.wake = None
            self.feed(name, Tick())

    def _perform(self, seat: Seat, effects: list[Effect]) -> None:
        for effect in effects:  # every promise before the first word
            if isinstance(effect, Persist):
                for record in effect.records:
                    seat.disk.write(record)
            elif isinstance(effect, Forget):
                for key in effect.keys:
                    seat.disk.rows.pop((key.table, key.key), None)
        for effect in effects:
            match effect:
                case Send():
                    self._send(seat, effect)
                case SendRecord():
                    self._send_record(seat, effect)
                case Dial():
                    self._dial(seat, effect)
                case Hangup():
                    after = max(self.now, self._busy.get((seat.name, effect.session), 0.0)) + 0.05
                    self.at(after, partial(self._hang_up, seat.name, effect.session))
                case ReadStored():
                    self._read(seat, effect)
                case Notify():
                    seat.notices.append(effect.notice)
                case _:
                    pass

    # the air

    def _send(self, seat: Seat, send: Send) -> None:
        size = len(send.data) + FRAME
        if send.to is None:
            self._count(seat.name, size)
            delay = 0.002 + size * 8 / self.settings.multicast_bps
            for other in sorted(self.hears[seat.name]):
                if self.random.random() >= self.loss:
                    self._deliver(seat.name, other, send, delay)
            return
        delay = 0.0
        for _ in range(self.retries + 1):
            self._count(seat.name, size)
            delay += 0.002 + size * 8 / self.settings.unicast_bps
            if send.to in self.hears[seat.name] and self.random.random() >= self.loss:
                self._deliver(seat.name, send.to, send, delay)
                return

    def _count(self, name: str, size: int) -> None:
        self.air_bytes[name] += size
        self.air_frames[name] += 1

    def _deliver(self, source: str, target: str, send: Send, delay: float) -> None:
        received = FrameReceived(LINK, source, send.to is None, send.data)
        if self.record_heard:
            self.heard_log.append((self.now + delay, source, target, received))
        self.at(self.now + delay, lambda: self.feed(target, received))

    # sessions, on addresses that are names

    def _dial(self, seat: Seat, dial: Dial) -> None:
        other = dial.address
        reachable = dial.carrier == "overlay" or other in self.hears[seat.name]
        if not self.sessions_work or not reachable or other not in self.seats or not self.seats[other].up:
            self.at(self.now + 1.0, lambda: self.feed(seat.name, DialFailed(other, "no answer")))
            return
        self.at(self.now + 0.05, lambda: self._connect(seat.name, other, dial.carrier))

    def _connect(self, one: str, other: str, carrier: str) -> None:
        mine, theirs = next(self._ids), next(self._ids)
        if any(owner == one and peer == other for (owner, _), (peer, _) in self._sessions.items()):
            return
        self._sessions[(one, mine)] = (other, theirs)
        self._sessions[(other, theirs)] = (one, mine)
        self.feed(one, EncounterBegan(mine, self.seats[other].core.node, carrier, other, True))
        self.feed(other, EncounterBegan(theirs, self.seats[one].core.node, carrier, one, False))

    def open_overlay(self, one: str, other: str) -> None:
        self._connect(one, other, "overlay")

    def _send_record(self, seat: Seat, record: SendRecord) -> None:
        far = self._sessions.get((seat.name, record.session))
        if far is None:
            return
        self._count("sessions", len(record.data) + 40)
        way = (seat.name, record.session)
        busy = max(self.now, self._busy.get(way, 0.0)) + len(record.data) * 8 / self.settings.unicast_bps
        self._busy[way] = busy  # a stream keeps its order
        self.at(busy + 0.005, lambda: self._record_arrives(seat.name, record, far))

    def _record_arrives(self, source: str, record: SendRecord, far: tuple[str, int]) -> None:
        if (source, record.session) in self._sessions:
            self.feed(far[0], RecordReceived(far[1], record.data))
            self.feed(source, SessionWritable(record.session, 0))

    def _hang_up(self, name: str, session: int) -> None:
        far = self._sessions.pop((name, session), None)
        if far is None:
            return
        self._sessions.pop(far, None)
        self.feed(name, EncounterEnded(session))
        self.feed(far[0], EncounterEnded(far[1]))

    # the disk

    def _read(self, seat: Seat, read: ReadStored) -> None:
        blocks: list[Record | None] = []
        for log, first, number in read.blocks:
            rows = [seat.disk.rows.get((BlockRecord, (log, seq))) for seq in range(first, first + number)]
            blocks += rows
        envelopes = [seat.disk.rows.get((EnvelopeRecord, (name,))) for name in read.envelopes]
        found = Stored(
            read.token,
            tuple(row for row in blocks if isinstance(row, BlockRecord)),
            tuple(row for row in envelopes if isinstance(row, EnvelopeRecord)),
            tuple(
                row for pair in read.chunks if isinstance(row := seat.disk.rows.get((ChunkRecord, pair)), ChunkRecord)
            ),
        )
        self.at(self.now + 0.001, lambda: self.feed(seat.name, found))

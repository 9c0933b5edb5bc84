"""Chunks on their way in: for a person here all of a file, for others what they ask for.

    wanted -> somebody has it -> the list of hashes -> chunks, a few at a time from each source -> whole
       \\-- nobody: ask again, waits doubling to a minute, or when a neighbour comes

Each source has a small window of chunks that are asked for and not here. A chunk comes from one source at a time, so a
wrong hash says who was wrong: that source is fined and not asked again. Pieces that were lost show when the last one
came, or by silence, and their spans are asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.files.assembly import Assembly
from meshnode.core.files.library import Held, Library
from meshnode.core.files.pace import Delays
from meshnode.core.files.seeking import CONTROL_CLASS, Route, Seeking
from meshnode.core.ids import FileId, NodeKey
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.records import FILE_CARRIED, FILE_WANTED
from meshnode.core.sealing.manifest import HASH_SIZE, chunk_count, chunk_hash, file_id
from meshnode.core.wire.file_layouts import INDEX
from meshnode.core.wire.frames import ChunkPiece, ChunkWant

WINDOW: Final = 2  # chunks asked for and not here, of one source; one more for each hop behind it
MAX_WINDOW: Final = 6
PATIENCE_S: Final = 1.5  # of silence of a source, and as much for each hop behind it; doubling
MAX_TRIES: Final = 4  # then the source is given up
SEEK_FIRST_S: Final = 1.0
SEEK_LAST_S: Final = 60.0
MAX_CARRIED: Final = 64  # files fetched for others at once
STRANDED_S: Final = 30.0  # what is fetched for others and is not on its way by then is given up
WRONG_S: Final = 600.0  # who gave a wrong chunk is not asked for that file
TELL_STEPS: Final = 32  # a person is told at most so often how far a file is


@dataclass(slots=True)
class Flight:
    """A chunk that was asked for."""

    source: Route
    assembly: Assembly
    asked_at: Instant
    upto: int = 0  # where the last span of the question ends: the last piece of the answer does, too
    tries: int = 0


@dataclass(slots=True, eq=False)
class Fetch:
    """A file on its way in. `needed`: the chunks others asked for; None where a person wants all."""

    file: FileId
    size: int
    needed: dict[int, None] | None
    flights: dict[int, Flight] = field(default_factory=dict)
    seek_at: Instant = 0.0
    seek_wait_s: float = SEEK_FIRST_S
    told: int = 0


class Fetching:
    """All that is on its way to one node. Wire `on_chunk` and `on_lost`."""

    def __init__(self, ctx: Context, neighbours: Neighbours, library: Library, seeking: Seeking) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._library = library
        self._seeking = seeking
        self.fetches: dict[FileId, Fetch] = {}
        self._heard_at: dict[NodeKey, Instant] = {}
        self._delays: dict[NodeKey, Delays] = {}
        self._wrong: dict[tuple[FileId, NodeKey], Instant] = {}
        self.on_chunk: Callable[[FileId, int, bytes], None] = _ignore_chunk
        self.on_lost: Callable[[FileId], None] = _ignore_lost
        seeking.on_route = self._route_came
        seeking.on_gone = self._route_gone

    def restore(self) -> None:
        """Go on with what a person here wants and is not whole."""
        for held in self._library.files.values():
            if held.role == FILE_WANTED and not held.whole:
                self.fetches[held.file] = Fetch(held.file, held.size, None, seek_at=self._ctx.now)

    def fetching(self, file: FileId) -> bool:
        """Whether something of it is on its way."""
        return file in self.fetches

    def fetch(self, held: Held) -> None:
        """A person wants all of it."""
        if not held.whole:
            fetch = self.fetches.setdefault(held.file, Fetch(held.file, held.size, None))
            fetch.needed, fetch.seek_at, fetch.seek_wait_s = None, self._ctx.now, SEEK_FIRST_S
            self._pump(fetch)

    def carry(self, file: FileId, number: int) -> bool:
        """Somebody asks us for a chunk that is not here; False where no way to it is known."""
        fetch, held = self.fetches.get(file), self._library.get(file)
        if held is not None and held.hashes and not held.size_of(number):
            return False  # no such chunk
        if fetch is None:
            ways = self._ways(file)
            if not ways or len(self.fetches) >= MAX_CARRIED:
                return False
            fetch = self.fetches[file] = Fetch(file, ways[0].size, {})
        if fetch.needed is not None:
            fetch.needed[number] = None
            fetch.seek_at = self._ctx.now + STRANDED_S
        self._pump(fetch)
        return True

    def spare(self, file: FileId, number: int) -> None:
        """Nobody asks for this chunk any more."""
        fetch = self.fetches.get(file)
        if fetch is not None and fetch.needed is not None:
            fetch.needed.pop(number, None)
            fetch.flights.pop(number, None)
            self._end_if_done(fetch)

    def forget(self, file: FileId) -> None:
        """It is wanted no longer."""
        self.fetches.pop(file, None)

    def neighbour_came(self) -> None:
        """It may have what is looked for."""
        for fetch in self.fetches.values():
            if fetch.needed is None and not fetch.flights:
                fetch.seek_at, fetch.seek_wait_s = self._ctx.now, SEEK_FIRST_S

    def neighbour_lost(self, node: NodeKey) -> None:
        """What was asked for there is asked for elsewhere."""
        self._delays.pop(node, None)
        self._heard_at.pop(node, None)
        for fetch in list(self.fetches.values()):
            self._give_up(fetch, node)

    def piece_arrived(self, neighbour: Neighbour, frame: ChunkPiece, heard: Heard) -> None:
        """Bytes of a chunk. What nobody asked for there, or nothing lacks, is dropped."""
        found = self._flight(neighbour.node, frame)
        if found is None or not found[1].assembly.put(frame.offset, frame.data):
            self._ctx.count("chunk_piece_unasked")
            return
        fetch, flight = found
        self._heard_at[neighbour.node] = self._ctx.now
        if heard.link:
            self._delays.setdefault(neighbour.node, Delays()).note(frame.moment, self._ctx.now)
        if flight.assembly.whole:
            self._arrived(fetch, frame.index, heard)
        elif frame.offset + len(frame.data) == flight.upto:
            self._ask(fetch, frame.index, flight)  # the last one came, and some before it did not

    def wakeup(self) -> Instant | None:
        """When silence has lasted too long, or it is time to ask around."""
        if not self.fetches:
            return None
        times = [self._due(flight) for fetch in self.fetches.values() for flight in fetch.flights.values()]
        times += [fetch.seek_at for fetch in self.fetches.values() if not fetch.flights]
        return min(times, default=None)

    def tick(self) -> None:
        """Ask again, give up, look around."""
        for fetch in list(self.fetches.values()):
            for number, flight in list(fetch.flights.items()):
                if self._due(flight) <= self._ctx.now and number in fetch.flights:
                    self._overdue(fetch, number, flight)
            if not fetch.flights and fetch.seek_at <= self._ctx.now:
                self._idle(fetch)

    # asking

    def _pump(self, fetch: Fetch) -> None:
        """Ask each source for as much as its window holds."""
        for route in self._ways(fetch.file):
            room = min(MAX_WINDOW, WINDOW + route.distance) - self._in_flight(route.neighbour.node)
            for number in self._lacking(fetch, route):
                if room <= 0:
                    break
                room -= 1
                flight = Flight(route, Assembly(self._size_of(fetch, number, route)), self._ctx.now)
                fetch.flights[number] = flight
                self._ask(fetch, number, flight)

    def _ways(self, file: FileId) -> list[Route]:
        """The sources in reach that were not wrong about it."""
        return [
            route
            for route in self._seeking.routes(file)
            if self._wrong.get((file, route.neighbour.node), 0.0) <= self._ctx.now
            and (route.neighbour.link(self._ctx.now) or route.neighbour.session is not None)
        ]

    def _lacking(self, fetch: Fetch, route: Route) -> Iterator[int]:
        """What is to be asked for next there, in order: the list first, for nothing can be checked without it."""
        held = self._library.get(fetch.file)
        if held is None or not held.hashes:
            numbers = [INDEX] if fetch.size in (0, route.size) else []
        elif fetch.needed is None:
            numbers = [number for number in range(held.count) if number not in held.chunks]
        else:
            numbers = [number for number in fetch.needed if not held.has(number)]
        return (number for number in numbers if number not in fetch.flights and route.offers(number))

    def _size_of(self, fetch: Fetch, number: int, route: Route) -> int:
        held = self._library.get(fetch.file)
        return held.size_of(number) if held is not None else HASH_SIZE * chunk_count(route.size)

    def _ask(self, fetch: Fetch, number: int, flight: Flight) -> None:
        flight.asked_at = self._ctx.now
        delays = self._delays.get(flight.source.neighbour.node)
        spans = flight.assembly.missing()
        flight.upto = spans[-1][1]
        want = ChunkWant(fetch.file, number, delays.report() if delays else 0, spans)
        self._neighbours.send(flight.source.neighbour, want, CONTROL_CLASS)

    def _in_flight(self, node: NodeKey) -> int:
        flights = (flight for fetch in self.fetches.values() for flight in fetch.flights.values())
        return sum(flight.source.neighbour.node == node for flight in flights)

    # arriving

    def _flight(self, node: NodeKey, frame: ChunkPiece) -> tuple[Fetch, Flight] | None:
        for fetch in self.fetches.values():
            flight = fetch.flights.get(frame.index)
            if flight is not None and fetch.file.startswith(frame.file) and flight.source.neighbour.node == node:
                return fetch, flight
        return None

    def _arrived(self, fetch: Fetch, number: int, heard: Heard) -> None:
        flight = fetch.flights.pop(number)
        body, node = flight.assembly.body, flight.source.neighbour.node
        if not self._take(fetch, number, body, flight.source.size):
            self._was_wrong(fetch, node, heard)
            return
        self._seeking.proved(fetch.file, node)
        fetch.seek_wait_s = SEEK_FIRST_S
        if fetch.needed is not None:
            fetch.needed.pop(number, None)
        self.on_chunk(fetch.file, number, body)
        self._end_if_done(fetch)
        for other in list(self.fetches.values()):  # they share the window of this source
            self._pump(other)

    def _was_wrong(self, fetch: Fetch, node: NodeKey, heard: Heard) -> None:
        now = self._ctx.now
        self._ctx.count("chunk_wrong")
        self._neighbours.fine(heard, heard.size)
        self._wrong = {pair: until for pair, until in self._wrong.items() if until > now}
        self._wrong[fetch.file, node] = now + WRONG_S
        self._give_up(fetch, node)

    def _take(self, fetch: Fetch, number: int, body: bytes, size: int) -> bool:
        """Check and keep it; False if it is not what was asked for."""
        if number == INDEX:
            return self._take_list(fetch, body, size)
        held = self._library.files[fetch.file]
        if chunk_hash(body) != held.hash_of(number):
            return False
        self._library.keep(held, number, body)
        self._tell(fetch, held)
        return True

    def _take_list(self, fetch: Fetch, hashes: bytes, size: int) -> bool:
        if file_id(size, hashes) != fetch.file:
            return False
        held = self._library.begin(fetch.file, size, FILE_CARRIED)
        if held is None:  # no room: what cannot be kept cannot be checked
            self._end_for_others(fetch)
            return True
        self._library.learn(held, hashes)
        for number in [number for number in fetch.needed or () if not held.size_of(number)]:
            self.spare(fetch.file, number)  # somebody asked for a chunk there is not
        return True

    def _tell(self, fetch: Fetch, held: Held) -> None:
        step = TELL_STEPS * held.filled // held.size
        if step != fetch.told or held.whole:
            fetch.told = step
            self._library.tell(held)

    def _end_if_done(self, fetch: Fetch) -> None:
        held = self._library.get(fetch.file)
        if not fetch.needed and (fetch.needed is not None or held is None or held.whole):
            self.fetches.pop(fetch.file, None)

    # waiting

    def _due(self, flight: Flight) -> Instant:
        heard_at = self._heard_at.get(flight.source.neighbour.node, flight.asked_at)
        patience_s = PATIENCE_S * (1 + flight.source.distance) * 2.0**flight.tries
        return max(flight.asked_at, heard_at) + patience_s

    def _overdue(self, fetch: Fetch, number: int, flight: Flight) -> None:
        flight.tries += 1
        if flight.tries < MAX_TRIES:
            self._ask(fetch, number, flight)
        else:
            self._give_up(fetch, flight.source.neighbour.node)

    def _give_up(self, fetch: Fetch, node: NodeKey) -> None:
        """Nothing comes from there: ask others, and look around soon."""
        doomed = [number for number, flight in fetch.flights.items() if flight.source.neighbour.node == node]
        self._seeking.drop(fetch.file, node)
        for number in doomed:
            del fetch.flights[number]
        self._pump(fetch)
        if doomed and not fetch.flights:
            fetch.seek_at = min(fetch.seek_at, self._ctx.now + (fetch.seek_wait_s if fetch.needed is None else 0.0))

    def _idle(self, fetch: Fetch) -> None:
        """Nothing of it is on its way: for a person we look around, others are told that we cannot help."""
        if fetch.needed is None:
            fetch.seek_at = self._ctx.now + fetch.seek_wait_s
            fetch.seek_wait_s = min(SEEK_LAST_S, 2 * fetch.seek_wait_s)
            self._seeking.seek(fetch.file)
        else:
            self._end_for_others(fetch)

    def _end_for_others(self, fetch: Fetch) -> None:
        self.fetches.pop(fetch.file, None)
        self.on_lost(fetch.file)

    def _route_came(self, file: FileId) -> None:
        if file in self.fetches:
            self._pump(self.fetches[file])

    def _route_gone(self, file: FileId, node: NodeKey) -> None:
        self._seeking.drop(file, node)
        if file in self.fetches:
            self._give_up(self.fetches[file], node)


def _ignore_chunk(file: FileId, number: int, body: bytes) -> None:
    return None


def _ignore_lost(file: FileId) -> None:
    return None

"""Who has a file, or a way to it: questions that go out over a few hops, and answers that come back the same way.

    FileSeek -> I have some of it        -> FileHave(0)
             -> I know a way             -> FileHave(its distance + 1)
             -> neither, and it may go on -> FileSeek, one hop less, to everyone else; who asked is remembered

Chunks are asked for only where the distance grows smaller, so no question runs in a circle. An answer nobody asked for
is dropped; a false one costs its giver the route as soon as nothing comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.files.library import Library
from meshnode.core.ids import FileId, NodeKey
from meshnode.core.neighbours.buckets import Bucket
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.sealing.manifest import MAX_FILE, chunk_count
from meshnode.core.wire.file_layouts import GONE, INDEX
from meshnode.core.wire.frames import FileHave, FileSeek
from meshnode.core.wire.limits import MAX_SEEK_HOPS

HOPS: Final = 7  # how far a question goes
ASKER_S: Final = 10.0  # an answer that comes later is not passed on
AGAIN_S: Final = 2.0  # the same question is not passed on within this time
ROUTE_S: Final = 120.0  # a way that nothing came by for so long is asked for anew
MAX_ROUTES: Final = 8  # to one file
MAX_SOUGHT: Final = 256  # files looked for at once, for ourselves and for others
SEEKS: Final = 10.0  # questions of one neighbour in a burst: each may go through the whole mesh
SEEK_EVERY_S: Final = 5.0  # for one more
CONTROL_CLASS: Final = 3


@dataclass(slots=True)
class Route:
    """What a neighbour said of a file, and when something of it came from there last."""

    neighbour: Neighbour
    distance: int
    size: int
    held: bytes
    proved_at: Instant

    def offers(self, number: int) -> bool:
        """Whether a chunk, or the list, may be had there. Who is on the way gets what it has not."""
        if not self.held or number == INDEX:
            return True
        return number // 8 < len(self.held) and bool(self.held[number // 8] & 0x80 >> number % 8)


@dataclass(slots=True)
class _Sought:
    """A file somebody looks for: who asked, until when an answer is for them, and when it was passed on."""

    askers: dict[NodeKey, Instant]
    asked_at: Instant


class Seeking:
    """Questions and answers of one node. Wire `on_route`."""

    def __init__(self, ctx: Context, neighbours: Neighbours, library: Library) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._library = library
        self._routes: dict[FileId, dict[NodeKey, Route]] = {}
        self._sought: dict[FileId, _Sought] = {}
        self._budgets: dict[NodeKey, Bucket] = {}
        self.on_route: Callable[[FileId], None] = _ignore
        self.on_gone: Callable[[FileId, NodeKey], None] = _ignore_gone

    def seek(self, file: FileId) -> None:
        """Ask everybody in reach."""
        self._note(file).asked_at = self._ctx.now
        self._neighbours.spread(FileSeek(file, HOPS), CONTROL_CLASS, key=b"seek" + file)

    def routes(self, file: FileId) -> list[Route]:
        """Where it may be had, nearest first; what fell silent is left out."""
        known = self._routes.get(file, {})
        for node in [node for node, route in known.items() if route.proved_at + ROUTE_S <= self._ctx.now]:
            del known[node]
        return sorted(known.values(), key=lambda route: (route.distance, route.neighbour.id))

    def proved(self, file: FileId, node: NodeKey) -> None:
        """Something came from there."""
        route = self._routes.get(file, {}).get(node)
        if route is not None:
            route.proved_at = self._ctx.now

    def drop(self, file: FileId, node: NodeKey) -> None:
        """Nothing comes from there."""
        self._routes.get(file, {}).pop(node, None)

    def neighbour_lost(self, node: NodeKey) -> None:
        """No way leads there any more."""
        for known in self._routes.values():
            known.pop(node, None)
        self._budgets.pop(node, None)

    def seek_arrived(self, neighbour: Neighbour, frame: FileSeek) -> None:
        """A question."""
        if not self._may_ask(neighbour.node):
            self._ctx.count("file_seek_over_budget")
            return
        held = self._library.get(frame.file)
        ways = [route for route in self.routes(frame.file) if route.neighbour is not neighbour]
        if held is not None and held.whole:
            self._tell(neighbour, FileHave(held.file, 0, held.size))
        elif self._ctx.settings.carry_for_others and ways and ways[0].distance < MAX_SEEK_HOPS:
            self._tell(neighbour, FileHave(frame.file, ways[0].distance + 1, ways[0].size))
        else:
            if held is not None and held.chunks:
                self._tell(neighbour, FileHave(held.file, 0, held.size, held.bitmap()))
            if frame.hops and self._ctx.settings.carry_for_others:
                self._pass_on(neighbour, frame)

    def have_arrived(self, neighbour: Neighbour, frame: FileHave) -> None:
        """An answer: a way, or that there is none any more."""
        sought = self._sought.get(frame.file)
        if sought is None:
            self._ctx.count("file_have_unasked")
            return
        if frame.distance == GONE:
            self.on_gone(frame.file, neighbour.node)
        elif _possible(frame):
            self._learn(neighbour, frame)
            self._answer(sought, neighbour.node, frame)
            self.on_route(frame.file)

    def gone(self, file: FileId, size: int, to: Iterable[Neighbour]) -> None:
        """What was promised to these cannot be had here any more."""
        for neighbour in to:
            self._tell(neighbour, FileHave(file, GONE, size))

    def _tell(self, neighbour: Neighbour, frame: FileHave) -> None:
        self._neighbours.send(neighbour, frame, CONTROL_CLASS, key=b"have" + frame.file)

    def _pass_on(self, neighbour: Neighbour, frame: FileSeek) -> None:
        fresh = frame.file not in self._sought
        sought = self._note(frame.file)
        sought.askers[neighbour.node] = self._ctx.now + ASKER_S
        if fresh or sought.asked_at + AGAIN_S <= self._ctx.now:
            sought.asked_at = self._ctx.now
            further = FileSeek(frame.file, frame.hops - 1)
            self._neighbours.spread(
                further, CONTROL_CLASS, except_node=neighbour.node, key=b"seek" + frame.file,
                jitter=True, author=neighbour.node, previous=neighbour.node,
            )  # fmt: skip

    def _learn(self, neighbour: Neighbour, frame: FileHave) -> None:
        known = self._routes.setdefault(frame.file, {})
        if neighbour.node in known or len(known) < MAX_ROUTES:
            known[neighbour.node] = Route(neighbour, frame.distance, frame.size, frame.held, self._ctx.now)

    def _answer(self, sought: _Sought, source: NodeKey, frame: FileHave) -> None:
        """Who asked us learns of the way through us, once."""
        for node, until in list(sought.askers.items()):
            neighbour = self._neighbours.get(node)
            if node == source or frame.distance >= MAX_SEEK_HOPS:
                continue
            del sought.askers[node]
            if neighbour is not None and until > self._ctx.now:
                self._tell(neighbour, FileHave(frame.file, frame.distance + 1, frame.size))

    def _note(self, file: FileId) -> _Sought:
        """Remember that it is looked for; the one longest ago is forgotten."""
        sought = self._sought.pop(file, None) or _Sought({}, self._ctx.now)
        self._sought[file] = sought
        if len(self._sought) > MAX_SOUGHT:
            oldest = next(iter(self._sought))
            del self._sought[oldest]
            self._routes.pop(oldest, None)
        return sought

    def _may_ask(self, node: NodeKey) -> bool:
        bucket = self._budgets.setdefault(node, Bucket(1 / SEEK_EVERY_S, SEEKS, self._ctx.now))
        return bucket.spend(1.0, self._ctx.now)


def _possible(frame: FileHave) -> bool:
    """A file of that size can be, and the bitmap is as long as it has to be."""
    return 0 < frame.size <= MAX_FILE and len(frame.held) in (0, -(-chunk_count(frame.size) // 8))


def _ignore(file: FileId) -> None:
    return None


def _ignore_gone(file: FileId, node: NodeKey) -> None:
    return None

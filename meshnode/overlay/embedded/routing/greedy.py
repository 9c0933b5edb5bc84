"""The next hop: always to somebody nearer to where the packet shall go.

Each hop must be strictly nearer than the last one, which the watermark remembers, so packets cannot go in circles.
Among those that are nearer any is right; we take the least cost for each step gained, then the nearest, then the
oldest link, as the Go daemon does. Unlike there, a neighbour whose place is unknown or below another root is never
taken: there it counts as the root and swallows packets until it has announced.
"""

from __future__ import annotations

from meshnode.overlay.embedded.routing.neighbours import Link, Neighbours
from meshnode.overlay.embedded.routing.places import Places, distance
from meshnode.overlay.embedded.wire.varint import Path

_MOST_REMEMBERED = 4096


class Greedy:
    """Next hops by path, remembered until something changes."""

    def __init__(self, own: bytes, neighbours: Neighbours, places: Places) -> None:
        self._own = own
        self._neighbours = neighbours
        self._places = places
        self._hops: dict[Path, tuple[int, Link | None]] = {}

    def changed(self) -> None:
        """A place, a link or a cost is another now."""
        self._hops.clear()

    def coords(self) -> Path:
        """Where we are."""
        return self._places.coords(self._own)[1]

    def step(self, path: Path, watermark: int) -> tuple[int, Link | None]:
        """The watermark and the link for the next hop; no link where nobody is nearer."""
        hop = self._hops.get(path)
        if hop is None:
            if len(self._hops) >= _MOST_REMEMBERED:
                self._hops.clear()
            hop = self._hops[path] = self._worked_out(path)
        return hop if hop[0] < watermark else (watermark, None)

    def _worked_out(self, path: Path) -> tuple[int, Link | None]:
        root, own = self._places.coords(self._own)
        here = distance(path, own)
        best: tuple[int, int, float] | None = None
        found = None
        for neighbour in self._neighbours:
            their_root, theirs = self._places.coords(neighbour.key)
            there = distance(path, theirs)
            if their_root != root or neighbour.key not in self._places or there >= here:
                continue
            link = neighbour.best
            rank = (link.cost // (here - there), there, link.since)
            if best is None or rank < best:
                best, found = rank, link
        return here, found

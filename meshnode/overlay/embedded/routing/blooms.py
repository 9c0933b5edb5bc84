"""Who is below: each neighbour on the tree is told in a filter which keys are reached through us.

A filter for one neighbour is our own key and what all other neighbours on the tree have told. Bits that are no longer
needed are kept for a second before they go, so that ones spread faster than zeros; the Go daemon keeps them until it
has a key to add.
"""

from __future__ import annotations

from meshnode.overlay.embedded.routing.neighbours import Link, Neighbour, Neighbours
from meshnode.overlay.embedded.routing.places import Places
from meshnode.overlay.embedded.wire.filters import EMPTY, Filter, holds, mark
from meshnode.overlay.embedded.wire.keys import lookup_key
from meshnode.overlay.embedded.wire.packets import Bloom

STALE_FOR_S = 1.0
REPEAT_AFTER_S = 3600.0


class Blooms:
    """Filters to and from each neighbour."""

    def __init__(self, own: bytes, neighbours: Neighbours, places: Places) -> None:
        self._own = own
        self._mark = mark(lookup_key(own))
        self._neighbours = neighbours
        self._places = places

    def link_up(self, link: Link) -> None:
        """A new link hears what its neighbour was told last."""
        link.put(Bloom(link.neighbour.sent))

    def link_down(self, neighbour: Neighbour) -> None:
        """One of several links is gone, perhaps with a filter in it."""
        neighbour.put(Bloom(neighbour.sent))

    def towards(self, key: bytes, besides: bytes) -> list[Neighbour]:
        """The neighbours on the tree that may reach a key."""
        element = lookup_key(key)
        return [one for one in self._neighbours if one.on_tree and one.key != besides and holds(one.received, element)]

    def maintain(self, now: float) -> None:
        """In each round: tell who is on the tree what has changed."""
        own = self._places.get(self._own)
        parent = own.parent if own else self._own
        for neighbour in self._neighbours:
            self._place(neighbour, parent)
        on_tree = [one for one in self._neighbours if one.on_tree]
        for neighbour in on_tree:
            self._tell(neighbour, self._for(neighbour, on_tree), now)

    def _place(self, neighbour: Neighbour, parent: bytes) -> None:
        theirs = self._places.get(neighbour.key)
        on_tree = neighbour.key == parent or (theirs is not None and theirs.parent == self._own)
        if neighbour.on_tree and not on_tree:
            neighbour.sent, neighbour.stale_since = EMPTY, None
            neighbour.put(Bloom(EMPTY))
        neighbour.on_tree = on_tree

    def _for(self, neighbour: Neighbour, on_tree: list[Neighbour]) -> Filter:
        bits = self._mark
        for other in on_tree:
            if other is not neighbour:
                bits |= other.received
        return bits

    def _tell(self, neighbour: Neighbour, exact: Filter, now: float) -> None:
        bits = exact
        if not neighbour.sent & ~exact:
            neighbour.stale_since = None
        elif neighbour.stale_since is None or now < neighbour.stale_since + STALE_FOR_S:
            neighbour.stale_since = now if neighbour.stale_since is None else neighbour.stale_since
            bits |= neighbour.sent
        if bits != neighbour.sent or now >= neighbour.sent_at + REPEAT_AFTER_S:
            neighbour.sent, neighbour.sent_at = bits, now
            neighbour.put(Bloom(bits))

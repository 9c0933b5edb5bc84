"""How much of other people's envelopes is kept: shares by previous hop, for a sealed envelope has no author to judge.

What is promised is never evicted before it expires; so there is no room for all, it is refused before the promise.
Strangers (senders not bound, parcels) share a quarter of the space, and no neighbour may fill more than half of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshnode.core.context import Context
from meshnode.core.forwarding.shelf import ROW_SIZE, Shelf
from meshnode.core.ids import EnvelopeId
from meshnode.core.records import ROLE_TRANSIT

SPACE_SHARE: Final = 0.25  # of the store's limit, for envelopes of others
MAX_SPACE: Final = 24 * 1024 * 1024  # they stand in memory too: a board has 512 MB for everything
STRANGERS_SHARE: Final = 0.25  # rule 12.2
NEIGHBOUR_SHARE: Final = 0.5
TRANSIT_SPACE: Final = 4 * 1024 * 1024


class Quota:
    """Says what may be kept, and makes room where nothing is promised."""

    def __init__(self, ctx: Context, shelf: Shelf) -> None:
        self._ctx = ctx
        self._shelf = shelf

    def space(self) -> float:
        """Bytes for envelopes of others."""
        return min(MAX_SPACE, self._ctx.settings.store_limit * SPACE_SHARE)

    def may_promise(self, size: int, giver: bytes) -> bool:
        """True when an envelope from this node (empty: a stranger) may be kept until it expires."""
        if self._ctx.store_refusing or not self._ctx.settings.carry_for_others:
            self._ctx.count("custody_refused")
            return False
        space, share = self.space(), NEIGHBOUR_SHARE if giver else STRANGERS_SHARE
        used, needed = self._shelf.promised_bytes, size + ROW_SIZE
        if used.total() + needed > space or used[giver] + needed > space * share:
            self._ctx.count("custody_no_room")
            return False
        return True

    def make_room(self) -> Iterator[EnvelopeId]:
        """Evict what only passes through, the oldest first; what went."""
        while self._shelf.transit_bytes > TRANSIT_SPACE:
            oldest = next(carried for carried in self._shelf if carried.record.role == ROLE_TRANSIT)
            self._shelf.drop(oldest)
            self._ctx.count("transit_evicted")
            yield oldest.id

"""When a difference is looked at: not while news still comes, and in a crowd not by all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.peer import Peer
from meshnode.core.neighbours.hello import FEW
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.neighbours.table import Neighbours

SETTLE_S: Final = 1.0
STEADY_S: Final = 5.0
STEADY_ITEMS: Final = 3  # new items within five seconds make traffic steady
QUIET_S: Final = 0.3
GATHERING_S: Final = 10.0
SCATTER_S: Final = 0.3  # for each neighbour of a crowd: the first who asks is answered before most others would


class Pace:
    """How calm it is around a node; `peers` by node key."""

    def __init__(self, ctx: Context, neighbours: Neighbours, peers: Mapping[bytes, Peer]) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._peers = peers
        self._items: deque[Instant] = deque(maxlen=STEADY_ITEMS)

    def news(self, count: int) -> None:
        """So many blocks or bodies came that were not here before."""
        self._items.extend([self._ctx.now] * min(count, STEADY_ITEMS))

    def steady(self) -> bool:
        """True while news comes so often that a moment without any says little."""
        return len(self._items) == STEADY_ITEMS and self._items[0] > self._ctx.now - 2 * STEADY_S

    def not_yet(self, peer: Peer, link: str) -> Instant | None:
        """When the difference has lasted, and the hold-off is over; None: now."""
        now = self._ctx.now
        settle = STEADY_S if self.steady() else SETTLE_S
        due = min(self._items[-1] + settle, (peer.differs_since or now) + STEADY_S) if self._items else now
        due = max(due, peer.next_act, peer.delta_at + SETTLE_S, self.quiet_at(peer, link))
        return due if due > now else None

    def quiet_at(self, peer: Peer, link: str) -> Instant:
        """While news comes what a crowd lacks may be next; while many are not bound yet, most would not hear it."""
        now = self._ctx.now
        if self.differing(link) <= FEW:
            return NEVER
        since = peer.differs_since or now
        if self._neighbours.unbound(link, now - GATHERING_S) > FEW:
            return min(now + QUIET_S, since + GATHERING_S)
        return min(self._items[-1] + QUIET_S, since + STEADY_S) if self._items else NEVER

    def scatter(self, link: str) -> float:
        """In a crowd all would ask at once for what the first answer brings to everybody."""
        differing = self.differing(link)
        return self._ctx.entropy.between("repair", 0.0, SCATTER_S * differing) if differing > FEW else 0.0

    def differing(self, link: str) -> int:
        """How many on a link have something else than we, or may, while many meet."""
        if self._neighbours.gathering(link):
            return self._neighbours.company(link)
        peers = [self._peers.get(neighbour.node) for neighbour in self._neighbours.bound(link)]
        return sum(peer is not None and peer.differs_since is not None for peer in peers)

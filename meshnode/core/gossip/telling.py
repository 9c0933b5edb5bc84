"""What we tell neighbours that have other blocks than we: deltas, to one or in a crowd to all, page by page.

Told in full on both sides, with nothing wanted either way, a difference is resolved (rule 5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from meshnode.core.chain.frontier import Element
from meshnode.core.chain.log import Log
from meshnode.core.context import Context
from meshnode.core.gossip.logs import Logs, change_of
from meshnode.core.gossip.peer import Peer
from meshnode.core.gossip.wishes import Wishes
from meshnode.core.neighbours.table import Neighbour, Neighbours
from meshnode.core.wire.frames import Change, Delta

REPLY_AGAIN_S: Final = 5.0
REPLY_GAP_S: Final = 0.25  # any member can seal deltas in a neighbour's name, each with another digest
RESOLVE_AFTER_S: Final = 3.0
DELTA_HEAD: Final = 9 + 40  # type, digest, and the seal around


class Telling:
    """Deltas of ours. `peer`: what is remembered of a neighbour."""

    def __init__(
        self, ctx: Context, neighbours: Neighbours, logs: Logs, wishes: Wishes, peer: Callable[[Neighbour], Peer]
    ) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._wishes = wishes
        self._peer = peer

    def tell(self, neighbour: Neighbour, peer: Peer, logs: list[Log]) -> None:
        """One delta: these logs, or the next page of all when there are none in particular."""
        ours = self._logs.digest()
        room = max(1, (self.payload(neighbour.link(self._ctx.now) or "") - DELTA_HEAD) // 7)
        told_all = bool(logs) and len(logs) <= room and self._lacking(peer) is not None
        if not logs:
            everything = list(self._logs.history.newest())
            at = peer.delta_next if peer.delta_for[1] == ours and peer.delta_next < len(everything) else 0
            logs, peer.delta_next = everything[at : at + room], at + room
            told_all = at + room >= len(everything)
        if told_all:
            peer.told_all_for = ours
        peer.delta_for, peer.delta_at = (peer.frontier, ours), self._ctx.now
        changes = tuple(change_of(log) for log in logs[:room])
        self._neighbours.send(neighbour, Delta(ours, changes), 0)

    def tell_all(self, link: str, peer: Peer) -> None:
        """In a crowd one delta for all who differ, unless another just said the same: what we have, newest first."""
        ours = self._logs.digest()
        if peer.delta_for == (peer.frontier, ours) and self._ctx.now <= peer.delta_at + REPLY_AGAIN_S:
            return
        room = max(1, (self._ctx.links[link].multicast_payload - 2 * DELTA_HEAD) // 7)
        everything = list(self._logs.history.newest())
        at = peer.delta_next if peer.delta_for[1] == ours and peer.delta_next < len(everything) else 0
        page = everything[at : at + room]
        self._said_aloud(link, ours, at + room, whole=at + room >= len(everything))
        self._neighbours.send(None, Delta(ours, tuple(change_of(log) for log in page)), 0, link=link)

    def said_for_us(self, link: str, delta: Delta) -> None:
        """Another has what we have, and told all."""
        whole = len(delta.changes) >= len(self._logs.book.logs)
        self._said_aloud(link, delta.frontier, 0, whole=whole)

    def confirm(self, neighbour: Neighbour, peer: Peer, delta: Delta, pairwise: bool) -> None:
        """A delta without news, for us alone, asks us to vouch: say the same, unless we began it."""
        if pairwise and self._ctx.now > peer.delta_at + REPLY_AGAIN_S:
            logs = [log for change in delta.changes for log in self._logs.book.candidates(change.handle)]
            if logs:
                self.tell(neighbour, peer, logs)

    def reply_logs(self, peer: Peer, changes: Iterable[Change]) -> list[Log]:
        """What it certainly lacks, or what it told too low a head of; none in particular: a page of all."""
        lacking = self._lacking(peer)
        if lacking:
            return lacking
        return [log for change in changes for log in self._logs.book.candidates(change.handle) if _beyond(log, change)]

    def is_resolved(self, peer: Peer, ours: bytes) -> bool:
        """They told all they have, we told all they lack, and nobody wanted anything for a while."""
        heard_all = peer.complete_for == peer.frontier or self._logs.history.changed_since(peer.frontier) is not None
        told_all = peer.told_all_for == ours or self._lacking(peer) == []
        quiet = self._ctx.now >= max(peer.wanted_at, peer.delta_at) + RESOLVE_AFTER_S
        return heard_all and told_all and quiet

    def note_complete(self, peer: Peer) -> None:
        """Does what it told add up to its digest? Then we know all it has."""
        named = [(self._wishes.named(change.handle), change) for change in peer.told.values()]
        elements = [Element(log, change.head, change.forked) for log, change in named if log is not None]
        if self._logs.digest_of(elements) == peer.frontier:
            peer.complete_for = peer.frontier

    def again_s(self, peer: Peer, delta: Delta, ours: bytes) -> float:
        """How long after our last delta this one may be answered; longer where the same two digests met before."""
        return REPLY_GAP_S if (delta.frontier, ours) != peer.delta_for else REPLY_AGAIN_S

    def payload(self, link: str) -> int:
        """Bytes of frames that one datagram for one neighbour on a link holds, beside a delta's head."""
        settings = self._ctx.links.get(link)
        return (settings.unicast_payload if settings else 1200) - DELTA_HEAD

    # how

    def _said_aloud(self, link: str, ours: bytes, following: int, *, whole: bool) -> None:
        for neighbour in self._neighbours.bound(link):
            peer = self._peer(neighbour)
            peer.delta_for, peer.delta_at, peer.delta_next = (peer.frontier, ours), self._ctx.now, following
            if whole:
                peer.told_all_for = ours

    def _lacking(self, peer: Peer) -> list[Log] | None:
        """The logs of which it lacks something, if that is known exactly."""
        since = self._logs.history.changed_since(peer.frontier)
        if since is not None or peer.complete_for != peer.frontier:
            return since
        none = Change(b"", 0)
        return [log for log in self._logs.history.newest() if _beyond(log, peer.told.get(log.handle, none))]


def _beyond(log: Log, change: Change) -> bool:
    return (log.head, log.forked) > (change.head, change.forked) or (log.forked and not change.forked)

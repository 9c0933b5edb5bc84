"""Who has what, as neighbours say it themselves: told to all, or vouched for under a key that only the two of us have.

For a log of our own two bound neighbours are asked to vouch, so that a person sees a post carried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.log import Log
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.peer import Peer
from meshnode.core.gossip.telling import Telling
from meshnode.core.ids import LogId, log_handle
from meshnode.core.neighbours.table import Neighbour, Neighbours
from meshnode.core.wire.frames import Change

WITNESSES: Final = 2  # 262 B each: enough to say "carried", and dense places stay quiet


class Witnesses:
    """What `peers` hold. `peer`: what is remembered of a neighbour. `on_covered` hears of what is vouched for anew."""

    def __init__(
        self,
        neighbours: Neighbours,
        logs: Logs,
        telling: Telling,
        peers: Mapping[bytes, Peer],
        peer: Callable[[Neighbour], Peer],
    ) -> None:
        self._neighbours = neighbours
        self._logs = logs
        self._telling = telling
        self._peers = peers
        self._peer = peer
        self.on_covered: Callable[[Neighbour, LogId, int], None] = _ignore_cover

    def holds(self, neighbour: Neighbour, block: Block) -> bool:
        """It said that it has this block, or all we have."""
        peer, handle = self._peers.get(neighbour.node), log_handle(block.log)
        if peer is None:
            return False
        told = peer.told.get(handle)
        return (told is not None and told.head >= block.seq) or peer.frontier == self._logs.digest()

    def holders(self, log: Log) -> list[Neighbour]:
        """Who told us to hold something of a log; peers of sessions, where that is told by ranges, may all do."""
        found = []
        for neighbour in self._neighbours.reachable():
            peer = self._peers.get(neighbour.node)
            told = peer is not None and (log.handle in peer.told or log.id in peer.witnessed)
            if told or neighbour.session is not None:
                found.append(neighbour)
        return found

    def vouched(self, neighbour: Neighbour, elements: Iterable[Element]) -> None:
        """It vouches itself, under a key that only the two of us have, for having logs up to these heads."""
        peer = self._peer(neighbour)
        for element in elements:
            log = self._logs.book.get(element.log)
            if log is not None and peer.witness(element.log, min(element.head, log.head)):
                self.on_covered(neighbour, element.log, min(element.head, log.head))

    def covers_all(self, neighbour: Neighbour) -> None:
        """It vouches for our own digest: it has all we have."""
        self.vouched(neighbour, self._logs.book.frontier())

    def ask(self, log: LogId) -> None:
        """Have two bound neighbours vouch for our own log; each answers a delta without news with the same."""
        held = self._logs.book.get(log)
        if held is None:
            return
        peers = [(neighbour, self._peer(neighbour)) for neighbour in self._neighbours.bound()[:WITNESSES]]
        for neighbour, peer in peers:
            if peer.witnessed.get(log, 0) < held.head:
                self._telling.tell(neighbour, peer, [held])

    def elements(self, changes: Iterable[Change]) -> list[Element]:
        """The heads that changes name, of logs held here."""
        return [
            Element(log.id, change.head, change.forked)
            for change in changes
            for log in self._logs.book.candidates(change.handle)[:1]
        ]


def _ignore_cover(neighbour: Neighbour, log: LogId, head: int) -> None:
    return None

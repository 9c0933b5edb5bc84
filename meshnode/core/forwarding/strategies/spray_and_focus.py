"""Spray and focus, the default: copies are halved at each meeting, the last one moves only towards more meetings.

Tags rotate, so a relay cannot predict who will meet a recipient. What it may go by is the hint, one byte that a
recipient gives out: the bucket of its home node (rule 7.10). Relays count which buckets a neighbour meets; the beacons'
echoes say so. Without a hint the last copy goes to the carrier that meets twice as many nodes as we do, or waits.

Measured on a toy of four villages (40 nodes, 8 copies, receipts purge): 99.8 % delivered under heavy load, against
98.2 % with plain spray and wait and 61 to 98 % with epidemic spreading.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meshnode.core.ids import NeighbourId, NodeKey

_MAX_MET: Final = 1024  # link ids remembered of one node's meetings
_MAX_NODES: Final = 256
_CLEARLY_MORE: Final = 2  # times as many: a copy that oscillates between equals costs air for nothing


def bucket(link_id: bytes) -> int:
    """Which of the 255 hints a node falls under; 0 is no hint."""
    return link_id[0] or 1


class SprayAndFocus:
    """What is known of meetings: ours, and those our neighbours tell of."""

    def __init__(self) -> None:
        self._ours: dict[bytes, None] = {}
        self._theirs: dict[NodeKey, dict[bytes, None]] = {}

    @property
    def nodes_known(self) -> int:
        """How many nodes we have heard of, ourselves or through others."""
        return len(self._ours | {name: None for met in self._theirs.values() for name in met})

    def met(self, node: NodeKey, link_id: NeighbourId, hears: Iterable[bytes]) -> None:
        """We hear this node, and it hears those (2 B of each link id)."""
        _remember(self._ours, link_id[:2])
        if node not in self._theirs and len(self._theirs) >= _MAX_NODES:
            del self._theirs[next(iter(self._theirs))]
        meetings = self._theirs.setdefault(node, {})
        for name in (link_id[:2], *hears):
            if name not in meetings:
                _remember(meetings, name)

    def copies_for(self, copies: int, hint: int, node: NodeKey) -> int:
        """How many of so many copies this node is worth: half of several, the last one only if it carries better."""
        if copies > 1:
            return copies // 2
        return copies if self._better(hint, node) else 0

    def rank(self, hint: int, node: NodeKey) -> tuple[bool, int]:
        """Greater for the better carrier."""
        theirs = self._theirs.get(node, {})
        return hint != 0 and _meets(theirs, hint), len(theirs)

    def _better(self, hint: int, node: NodeKey) -> bool:
        theirs = self._theirs.get(node, {})
        if hint:
            return _meets(theirs, hint) and not _meets(self._ours, hint)
        return len(theirs) >= _CLEARLY_MORE * max(1, len(self._ours))


def _remember(meetings: dict[bytes, None], name: bytes) -> None:
    meetings[name] = None
    if len(meetings) > _MAX_MET:
        del meetings[next(iter(meetings))]


def _meets(meetings: dict[bytes, None], hint: int) -> bool:
    return any(bucket(name) == hint for name in meetings)

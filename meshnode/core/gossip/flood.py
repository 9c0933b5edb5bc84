"""Eager sending: a new verified block goes on at once, the cheapest way, unless others said it often enough.

| who is left to tell on a link | how                                                             |
|-------------------------------|-----------------------------------------------------------------|
| nobody but whom it came from  | not at all                                                      |
| one neighbour                 | unicast, at once                                                |
| several, and we alone can     | multicast after 0-3 ms                                          |
| several, others may too       | multicast after 20-200 ms, later where all seem to have heard   |

While it waits, copies are counted: two distinct bound senders, and no bound neighbour outside of what they say to hear,
and it is left out (rule 6.1). What comes by session or parcel is not flooded: it goes lazily (rule 6.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.chain.block import Block, compact_of
from meshnode.core.chain.kinds import acted_upon
from meshnode.core.context import Context
from meshnode.core.gossip.emergency import EMERGENCY, Emergencies
from meshnode.core.ids import BlockId, log_handle
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.records import Snapshot
from meshnode.core.trust.rings import STRANGERS
from meshnode.core.wire.frames import BlockFrame

K: Final = 2
ALONE_S: Final = (0.0, 0.003)
EARLY_S: Final = (0.02, 0.1)  # somebody has not heard it yet
LATE_S: Final = (0.1, 0.2)
REMEMBERED: Final = 512
NEAR_CLASS: Final = 2  # the best an author near us may claim; emergencies apart
PUBLIC_CLASS: Final = 3

_KEY: Final = b"block"


@dataclass(slots=True)
class Copies:
    """Who was heard to send one block, on one link."""

    senders: dict[bytes, Neighbour] = field(default_factory=dict)


class Flood:
    """Blocks on their way on."""

    def __init__(self, ctx: Context, neighbours: Neighbours, outbox: Outbox) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._outbox = outbox
        self._copies: dict[tuple[bytes, str], Copies] = {}
        self._emergencies = Emergencies(ctx)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        self._emergencies.restore(snapshot)

    def publish(self, block: Block, ring: int) -> bool:
        """Our own block: to everyone, at once. True if it went out by multicast, which nobody acknowledges."""
        return self._spread(block, None, ring)

    def forward(self, block: Block, heard: Heard, ring: int) -> bool:
        """A new block of another's: on to those who may lack it."""
        self._count(block, heard)
        return self._spread(block, heard, ring)

    def _spread(self, block: Block, heard: Heard | None, ring: int) -> bool:
        frame, source = self._frame(block), heard.node if heard else b""
        ring = ring if acted_upon(block.version, block.kind) else STRANGERS
        cls = EMERGENCY if self._emergencies.grants(block, ring, source, frame) else class_of(block, ring)
        skip, grouped = {source}, False
        for link in self._ctx.links:
            reached = self._neighbours.spread(
                frame,
                cls,
                except_node=source,
                key=_key(block, link),
                ring=ring,
                author=block.log[:32],
                previous=source,
                delay=self._delay(heard, link) if heard else 0.0,
                link=link,
                skip=skip,
            )
            skip.update(neighbour.node for neighbour in reached)
            grouped |= len(reached) > 1
        self._neighbours.spread_sessions(frame, skip)
        return grouped

    def overheard(self, block: Block, heard: Heard) -> None:
        """Another verified copy of a block we know: enough of them, and ours is left out."""
        self._count(block, heard)
        copies = self._copies.get((block.id, heard.link))
        if copies is None or len(copies.senders) < K:
            return
        covered = {name for sender in copies.senders.values() for name in _hears(sender, heard.link)}
        left = [n for n in self._neighbours.bound(heard.link) if n.node not in copies.senders]
        if all(neighbour.id[:2] in covered for neighbour in left):
            self._outbox.cancel(_key(block, heard.link), None, everywhere=False)

    def _count(self, block: Block, heard: Heard) -> None:
        if heard.bound and heard.neighbour is not None and heard.link:
            copies = self._copies.setdefault((block.id, heard.link), Copies())
            copies.senders[heard.node] = heard.neighbour
            while len(self._copies) > REMEMBERED:
                del self._copies[next(iter(self._copies))]

    def _delay(self, heard: Heard, link: str) -> float:
        """Nothing to one; a moment where we alone can tell them; else jitter, shorter where somebody lacks it."""
        targets = [n for n in self._neighbours.bound(link) if n.node != heard.node]
        if len(targets) < 2:
            return 0.0
        hears = _hears(heard.neighbour, link) if heard.neighbour and link == heard.link and heard.multicast else ()
        covered = [n for n in targets if n.id[:2] in hears]
        window = ALONE_S if not covered else LATE_S if len(covered) == len(targets) else EARLY_S
        return self._ctx.entropy.between("flood", *window)

    def _frame(self, block: Block) -> BlockFrame:
        """With the full log id at seq 1, where nobody can know the log; else its handle."""
        ref = block.log if block.seq == 1 else log_handle(block.log)
        return BlockFrame(ref, compact_of(block, elide=False))


def class_of(block: Block, ring: int) -> int:
    """The class a block travels in, emergencies apart: what its author signed, within what the author's ring may claim.

    What this version does not act upon is carried like a stranger's (rule 15.2).
    """
    near = ring < STRANGERS and acted_upon(block.version, block.kind)
    if block.cls == 0:
        return PUBLIC_CLASS
    return max(block.cls, NEAR_CLASS if near else PUBLIC_CLASS)


def block_named(key: bytes) -> BlockId | None:
    """The first 16 B of the id of the block that is queued under this key, if it is one."""
    return BlockId(key[len(_KEY) : len(_KEY) + 16]) if key.startswith(_KEY) else None


def _key(block: Block, link: str) -> bytes:
    return _KEY + block.id[:16] + link.encode()


def _hears(neighbour: Neighbour | None, link: str) -> tuple[bytes, ...]:
    presence = neighbour.presences.get(link) if neighbour else None
    return presence.echoes if presence else ()

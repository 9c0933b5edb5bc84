"""Emergencies: blocks that go before all else on the air, and how seldom they may (protocol rule 12.3).

Only a signed block can be one, for only there is the author certain. Writers are free to make up and previous hops are
not, so strangers share one an hour for each hop; one author has one in ten minutes, and all of them 5 % of the airtime.
What is refused here is not lost: it travels in the class of other blocks.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.airtime.estimate import airtime_s
from meshnode.core.chain.block import Block
from meshnode.core.chain.kinds import acted_upon
from meshnode.core.context import Context
from meshnode.core.gossip.lately import Lately
from meshnode.core.ids import log_device
from meshnode.core.neighbours.buckets import Bucket
from meshnode.core.records import Snapshot
from meshnode.core.trust.rings import STRANGERS
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame

EMERGENCY: Final = 1
AUTHOR_S: Final = 600.0
STRANGERS_S: Final = 3600.0
AIRTIME_SHARE: Final = 0.05
AIRTIME_S: Final = 30.0  # what may be saved up: the share of ten minutes


class Emergencies:
    """Remembers who had one lately."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._authors = Lately(ctx, "emergency/author/", AUTHOR_S)
        self._hops = Lately(ctx, "emergency/hop/", STRANGERS_S)
        self._airtime = Bucket(AIRTIME_SHARE, AIRTIME_S, ctx.now)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk. How much airtime was saved up is not known: none, if there was one lately."""
        self._hops.restore(snapshot)
        if self._authors.restore(snapshot):
            self._airtime.fine(AIRTIME_S, self._ctx.now)

    def grants(self, block: Block, ring: int, hop: bytes, frame: BlockFrame) -> bool:
        """True if this block may go first, which is then booked. `hop`: the node it came from, empty for our own."""
        if block.cls != EMERGENCY or not acted_upon(block.version, block.kind):
            return False
        author, stranger = log_device(block.log), ring >= STRANGERS
        if self._authors.had(author) or (stranger and self._hops.had(hop)):
            return False
        if not self._airtime.spend(self._cost(frame), self._ctx.now):
            self._ctx.count("emergency_over_airtime")
            return False
        self._authors.note(author)
        if stranger:
            self._hops.note(hop)
        return True

    def _cost(self, frame: BlockFrame) -> float:
        size = len(encode_frame(frame))
        return sum(airtime_s(size, False, settings) for settings in self._ctx.links.values())

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
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import log_device
from meshnode.core.neighbours.buckets import Bucket
from meshnode.core.records import FactRecord, RecordKey, Snapshot
from meshnode.core.trust.rings import STRANGERS
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame

EMERGENCY: Final = 1
AUTHOR_S: Final = 600.0
STRANGERS_S: Final = 3600.0
AIRTIME_SHARE: Final = 0.05
AIRTIME_S: Final = 30.0  # what may be saved up: the share of ten minutes
REMEMBERED: Final = 1024


class Emergencies:
    """Remembers who had one lately, over restarts too: else each loss of power would be a way around the limits."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._authors = _Lately(ctx, "emergency/author/", AUTHOR_S)
        self._hops = _Lately(ctx, "emergency/hop/", STRANGERS_S)
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


class _Lately:
    """When each of some names had its last one, as far as that still counts; in memory and as facts on disk."""

    def __init__(self, ctx: Context, prefix: str, span_s: float) -> None:
        self._ctx = ctx
        self._prefix = prefix
        self._span_s = span_s
        self._at: dict[bytes, Instant] = {}  # oldest first

    def restore(self, snapshot: Snapshot) -> bool:
        """Go on from the disk; True if any still counts."""
        facts = [one for one in snapshot.records if isinstance(one, FactRecord) and one.name.startswith(self._prefix)]
        found = {bytes.fromhex(one.name[len(self._prefix) :]): float(one.value.decode()) for one in facts}
        self._at = dict(sorted(found.items(), key=lambda item: item[1]))
        return any(self.had(name) for name in self._at)

    def had(self, name: bytes) -> bool:
        """It had one, too short a while ago for another."""
        return self._ctx.now < self._at.get(name, float("-inf")) + self._span_s

    def note(self, name: bytes) -> None:
        """It has one now."""
        self._at.pop(name, None)
        self._at[name] = self._ctx.now
        self._ctx.persist(FactRecord(self._prefix + name.hex(), repr(self._ctx.now).encode()))
        over = [one for one in self._at if not self.had(one)]
        over = over or list(self._at)[: max(0, len(self._at) - REMEMBERED)]
        for one in over:
            del self._at[one]
        if over:
            self._ctx.forget(*(RecordKey(FactRecord, (self._prefix + one.hex(),)) for one in over))

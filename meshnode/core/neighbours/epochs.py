"""Our own epoch: raised when its counters are spent, when somebody speaks in our name, and when we are not heard.

| occasion                                    | a new epoch                                              |
|---------------------------------------------|----------------------------------------------------------|
| the counters of this one are spent          | at once                                                  |
| a datagram in our name, ahead of us         | at once, one a minute                                    |
| heard, not echoed, and bound to nobody      | as unheard.py has it                                     |
| lost there, heard all the same, not echoed  | a minute after, then two, four ...; one a minute in all  |

Whoever takes our words for old ones, because somebody was ahead of us, hears us again then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import NeighbourId
from meshnode.core.neighbours.neighbour import FOREVER, NEVER, Neighbour
from meshnode.core.neighbours.roster import MAX_KNOWN, Roster
from meshnode.core.neighbours.unheard import AFTER_S, Unheard
from meshnode.core.records import FactRecord
from meshnode.core.sealing.link import EPOCH_END, LinkSeal

RAISE_AGAIN_S: Final = 60.0
EPOCH_FACT: Final = "boot_epoch"  # 3 B, big-endian


class Epochs:
    """When to go on in a new epoch. `announce`: say so, signed, to everyone who hears us."""

    def __init__(self, ctx: Context, roster: Roster, seal: LinkSeal, announce: Callable[[], None]) -> None:
        self._ctx = ctx
        self._roster = roster
        self._seal = seal
        self._announce = announce
        self._unheard = Unheard()
        self._deaf: dict[tuple[NeighbourId, str], tuple[Instant, float]] = {}  # lost on a link: when to mind, the wait
        self._raised_at = NEVER

    def go_on(self, by: int = 1) -> None:
        """Go on in a new epoch: on disk before the next datagram."""
        self._raised_at = self._ctx.now
        self._seal.raise_epoch(self._seal.epoch + by)
        self._ctx.persist(FactRecord(EPOCH_FACT, self._seal.epoch.to_bytes(3, "big")), promise=True)
        self._announce()

    def spoken_for(self) -> None:
        """Somebody speaks in our name, ahead of us: a new epoch, once a minute at most."""
        if self._ctx.now >= self._raised_at + RAISE_AGAIN_S:
            self.go_on()

    def met(self) -> None:
        """Somebody hears us."""
        self._unheard.heard()

    def bound(self, neighbour: Neighbour, link: str) -> None:
        """It hears us on that link."""
        self._deaf.pop((neighbour.id, link), None)

    def lost(self, neighbour: Neighbour, link: str) -> None:
        """It is within reach no longer; if we hear it all the same, our words may look like old ones to it."""
        self._deaf.setdefault((neighbour.id, link), (FOREVER, AFTER_S))
        while len(self._deaf) > MAX_KNOWN:
            del self._deaf[next(iter(self._deaf))]

    def unechoed(self, neighbour: Neighbour, link: str) -> None:
        """A neighbour does not hear us; if nobody does, or it did before, our words may look like old ones."""
        by = self._grew_deaf(neighbour, link) if self._roster.bound() else self._unheard.unechoed(self._ctx.now)
        if by and self._seal.epoch + by < EPOCH_END:
            self._ctx.count("epoch_raised_unheard")
            self.go_on(by)

    def _grew_deaf(self, neighbour: Neighbour, link: str) -> int:
        """By how many epochs to go on for one that was bound: somebody may have spoken in our name, in its hearing."""
        now = self._ctx.now
        due, wait = self._deaf.get((neighbour.id, link), (FOREVER, 0.0))
        if wait and due == FOREVER:
            self._deaf[neighbour.id, link] = (now + wait, wait)  # heard for the first time since: it may be on its way
        if now < due or now < self._raised_at + RAISE_AGAIN_S:
            return 0
        self._deaf[neighbour.id, link] = (now + 2 * wait, 2 * wait)  # a way may carry one way only
        return 1

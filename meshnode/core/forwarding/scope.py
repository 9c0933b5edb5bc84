"""Scope: an envelope goes about as far as its reader was the last time, and everywhere if no receipt comes back.

    author: reach set --receipt--> done            relay: frames say how many hops are left, one less at each
                      --none in time--> no limit          0 left: held, not sent on, not offered
                                                          comes again without limit: none here either, sent on again

Who holds an envelope within its scope does not count it among what neighbours compare (`encounters.py`): its edge would
be a difference for ever. What was promised, or asked for, a node offers to all after a minute, with or without a word
of its author; who holds it within its scope and is offered it so late lifts its limit too. So it goes on where its
author is silent, and wherever a ferry brought it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.shelf import Carried, Shelf
from meshnode.core.forwarding.timers import Timers
from meshnode.core.ids import EnvelopeId

LEAST_PATIENCE_S: Final = 20.0  # a receipt waits up to 9 s for company, and for a custody proof's time at each end
MOST_PATIENCE_S: Final = 160.0
KEPT_S: Final = 60.0  # what was promised or asked for is kept quiet for so long
_LESS: Final = 0.9


class Scope:
    """The envelopes of one node that go only so far."""

    def __init__(
        self,
        ctx: Context,
        shelf: Shelf,
        outbox: Outbox,
        spread: Callable[[Carried], None],
        asked: Callable[[EnvelopeId], bool],
    ) -> None:
        self._ctx = ctx
        self._shelf = shelf
        self._outbox = outbox
        self._spread = spread
        self._asked = asked  # it was offered, and lacking here
        self._due: Timers[EnvelopeId] = Timers(ctx.forwarding_due.sooner)
        self.timers = (self._due,)
        self._in_line: dict[EnvelopeId, None] = {}  # ours that stand in line for the air
        self._patience_s = LEAST_PATIENCE_S
        self._longer_since: Instant = 0.0
        self.on_missed: Callable[[Carried], None] = _ignore  # chat: the reader is not where it was

    def limited(self, carried: Carried) -> None:
        """One was put on the shelf that goes only so far: own ones wait for their receipt, the others are quiet."""
        if carried.reach is not None and (carried.kept or self._asked(carried.id)):
            self._due.set(carried.id, self._ctx.now + (self._patience_s if carried.own else KEPT_S))
            if carried.own:
                self._in_line[carried.id] = None

    def offered(self, carried: Carried) -> None:
        """A neighbour offers it: so late that it has no limit there, and shall have none here."""
        if not carried.own and carried.reach is not None and carried.first_seen + LEAST_PATIENCE_S <= self._ctx.now:
            self._shelf.lift(carried)

    def left(self, envelope: EnvelopeId) -> None:
        """It went to the air, for the first time: it waits from now on."""
        if envelope in self._in_line:
            del self._in_line[envelope]
            self._due.set(envelope, self._ctx.now + self._patience_s)

    def arrived(self, carried: Carried) -> None:
        """Its receipt came: it is waited for no more, and the air is as quick as it was thought to be."""
        self._due.cancel(carried.id)
        self._in_line.pop(carried.id, None)
        if carried.own and carried.reach is not None:
            self._patience_s = max(LEAST_PATIENCE_S, self._patience_s * _LESS)

    def tick(self) -> None:
        """No receipt in time: as far as there are nodes."""
        for envelope in self._due.due(self._ctx.now):
            carried = self._shelf.get(envelope)
            if envelope in self._in_line and self._outbox.holds(envelope):
                self._due.set(envelope, self._ctx.now + self._patience_s)
                continue
            self._in_line.pop(envelope, None)
            if carried is None or carried.reach is None:
                continue
            self._shelf.lift(carried)
            if carried.own:
                self._missed(carried)

    def _missed(self, carried: Carried) -> None:
        """Patience doubles, once for all on their way: where the air is slow not everything shall be said twice."""
        if carried.first_seen >= self._longer_since:
            self._patience_s = min(MOST_PATIENCE_S, self._patience_s * 2)
            self._longer_since = self._ctx.now
        self._ctx.count("envelope_widened")
        self.on_missed(carried)
        self._spread(carried)


def _ignore(carried: Carried) -> None:
    return None

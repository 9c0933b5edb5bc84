"""Is it still there? Asked and answered under the pairwise key, so that only the neighbour itself can end a binding.

| occasion                                      | asked                                 | lost without an answer |
|-----------------------------------------------|---------------------------------------|------------------------|
| a beacon in its name names others, and not us | at once; not within 10 s of an answer,| after 1 s              |
|                                               | twice that after each answer to 80 s  |                        |
| silence or want of an echo is about to end it | 15, 10 and 5 s before                 | when it would be lost  |
| what it says to all is far below its own word | at once; not within 10 s of the last  | never                  |
| much was said to it alone, and nothing by it  | when flood.py says so                 | never                  |

All may come of what somebody else said in its name: any member can. The question is a RefWant without handles, the
answer Refs without log ids, and a node answers only while the one that asks is bound there. Whoever was away or started
anew is not bound to us, so it stays silent, and so does who is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.context import Context
from meshnode.core.neighbours.echoes import BOUND_FOR_S
from meshnode.core.neighbours.neighbour import FOREVER, Neighbour
from meshnode.core.neighbours.roster import Roster, call_at, runs_out_at
from meshnode.core.wire.frames import Frame, Refs, RefWant

STILL_BOUND: Final = RefWant(())  # under the pairwise key, it asks: am I bound at you?
BOUND: Final = Refs(())  # yes
DOUBT_S: Final = 1.0  # for an answer to one small question, over a queue of half a second both ways
SURE_FOR_S: Final = 10.0  # after that answer
SURE_FOR_MAX_S: Final = 80.0  # where doubts go on, somebody else speaks in its name

Say = Callable[[Neighbour, str, Frame, bytes], None]  # to a neighbour on a link, under a key of the queue


class Doubts:
    """Questions and answers about bindings. `say` sends to one neighbour."""

    def __init__(self, ctx: Context, roster: Roster, say: Say) -> None:
        self._ctx = ctx
        self._roster = roster
        self._say = say

    def doubt(self, neighbour: Neighbour, link: str) -> None:
        """A beacon in its name did not name us. The question leaves before our next beacon can bind us there anew."""
        now, presence = self._ctx.now, neighbour.presences[link]
        if presence.doubt_until == FOREVER and now >= presence.sure_until:
            if now >= presence.sure_until + SURE_FOR_MAX_S:
                presence.sure_for_s = 0.0
            presence.doubt_until, presence.echoed_in_doubt = now + DOUBT_S, False
            self._ctx.neighbours_due.sooner(presence.doubt_until)
            self._say(neighbour, link, STILL_BOUND, b"doubt")

    def shut_out(self, neighbour: Neighbour, link: str) -> None:
        """What it says to all lies far below what it vouched for: its answer shows where it is, if somebody guessed."""
        now, presence = self._ctx.now, neighbour.presences.get(link)
        if presence is not None and presence.is_bound(now) and now >= presence.asked_at + SURE_FOR_S:
            presence.asked_at = now
            self._say(neighbour, link, STILL_BOUND, b"doubt")

    def ask(self, neighbour: Neighbour, link: str) -> None:
        """Much goes to it alone: its answer shows that it is there."""
        self._say(neighbour, link, STILL_BOUND, b"doubt")

    def between_us(self, neighbour: Neighbour, link: str, frame: Frame) -> None:
        """What a bound neighbour says under the pairwise key: perhaps a question or an answer of this kind."""
        if frame == STILL_BOUND:
            self._say(neighbour, link, BOUND, b"bound")
        elif frame == BOUND:
            presence, now = neighbour.presences[link], self._ctx.now
            if presence.doubt_until < FOREVER:
                presence.sure_for_s = min(SURE_FOR_MAX_S, max(SURE_FOR_S, 2 * presence.sure_for_s))
                presence.sure_until = now + presence.sure_for_s
            presence.doubt_until = FOREVER
            presence.bound_until = now + BOUND_FOR_S  # it hears us: it answered

    def tick(self) -> None:
        """Ask those that are about to be given up."""
        now = self._ctx.now
        for neighbour in self._roster.table.values():
            for link, presence in neighbour.presences.items():
                if presence.is_bound(now) and call_at(presence) <= now < runs_out_at(presence):
                    presence.asked_at = now
                    self._say(neighbour, link, STILL_BOUND, b"doubt")

"""Bridges: what one tells its mesh and the far end of its uplinks, and which of several goes first.

opened, its state changed, 15 min, --> BridgeNews --> the mesh: each node passes it on once
one that should stand by is open                  \\-> the far end of each uplink, and a farewell when the gate shuts

Of the bridges of one mesh that whose uplink has the lowest id goes first: what is new crosses there at once. The others
stand by: they compare, and take across what turns out to be missing on the far side half a minute later. Both ends of
an uplink know its id, so two bridges here and two there choose the same one. News is any member's word: forged, it
makes a bridge late, never silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from meshnode.core.bridge.budget import Budget
from meshnode.core.bridge.gate import APART, OPEN, POSTS, STANDBY
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import Hangup
from meshnode.core.gossip.dial import Dialler
from meshnode.core.inputs import EncounterBegan
from meshnode.core.neighbours.neighbour import NEVER, Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.wire.frames import BridgeNews

BEAT_S: Final = 900.0
AGAIN_S: Final = 20.0  # between two pieces of news, ours or of one other bridge
FRESH_S: Final = 2 * BEAT_S + 60.0
MOST: Final = 16  # bridges that are remembered
MOST_HOPS: Final = 32
LATE_S: Final = 30.0  # who stands by offers envelopes so often,
SETTLED_S: Final = 15.0  # and only those that are here for so long
CALL_AGAIN_S: Final = 600.0  # a far bridge that does not know when it opens
NO_LIMIT: Final = 0xFFFFFF
NEWS_CLASS: Final = 3
_NOWHERE: Final = bytes(6)


@dataclass(frozen=True, slots=True)
class Known:
    """A bridge of our mesh as it was heard of last."""

    news: BridgeNews
    heard_at: Instant


class Bridges:
    """Of one node, whether it is a bridge or not. Wire `on_late` (what may be missing there) and `on_room`."""

    def __init__(self, ctx: Context, neighbours: Neighbours, dialler: Dialler) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._gate = neighbours.gate
        self._dialler = dialler
        self._known: dict[bytes, Known] = {}
        self._told = (APART, _NOWHERE)
        self._told_at = NEVER
        self._late_at = NEVER
        self._had_room = True
        self.on_late: Callable[[Neighbour, float], None] = _ignore  # on this uplink, what is here for so many seconds
        self.on_room: Callable[[], None] = _nothing

    def known(self) -> Iterator[Known]:
        """The bridges of our mesh that were heard of lately, ourselves apart."""
        return (one for one in self._known.values() if one.heard_at + FRESH_S > self._ctx.now)

    # sessions

    def turns_away(self, began: EncounterBegan) -> bool:
        """True for a session over an uplink that may not be open now; else its far end hears how we stand."""
        if not self._gate.is_uplink(began.session):
            return False
        if self._gate.shut():
            self._farewell(began.session)
            return True
        self._choose()
        self._neighbours.speak(began.session, self._news())
        return False

    def heard(self, news: BridgeNews, heard: Heard) -> None:
        """News of a bridge: of our mesh if it came on a link, else of the far end."""
        if heard.session is not None and self._gate.is_uplink(heard.session):
            self._of_far_end(news, heard.session, heard.address)
        elif heard.link and news.bridge != self._neighbours.me:
            self._of_our_mesh(news)

    def _of_far_end(self, news: BridgeNews, session: int, address: str) -> None:
        self._gate.far_end_waits(session, lazy=news.state == STANDBY)
        if news.state not in (OPEN, STANDBY, APART):
            self._dialler.postpone(address, 60.0 * news.minutes or CALL_AGAIN_S)

    def _of_our_mesh(self, news: BridgeNews) -> None:
        before = self._known.get(news.bridge)
        fresh = before is not None and before.heard_at + FRESH_S > self._ctx.now
        if before is not None and fresh and news.number < before.news.number + AGAIN_S:
            return
        self._known.pop(news.bridge, None)
        self._known[news.bridge] = Known(news, self._ctx.now)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        self._choose()
        if news.hops < MOST_HOPS:
            self._announce(replace(news, hops=news.hops + 1))

    # time

    def wakeup(self) -> Instant | None:
        """When something here is due; asked of a bridge only."""
        if (self._gate.shut() and self._gate.uplinks) or self._has_room() != self._had_room:
            return self._ctx.now
        times = [self._news_at(), self._gate.next_change()]
        if self._idle_uplinks():
            times.append(max(self._ctx.now, self._late_at + LATE_S))
        return min((at for at in times if at is not None), default=None)

    def tick(self) -> None:
        """Shut or open, choose who goes first, tell, and see to what may be missing; on a bridge only."""
        if self._gate.shut():
            for session in self._gate.uplinks:
                self._farewell(session)
        self._choose()
        if self._has_room() and not self._had_room:
            self._make_up()
        self._had_room = self._has_room()
        if self._news_at() <= self._ctx.now:
            self._tell()
        if self._late_at + LATE_S <= self._ctx.now:
            self._late_at = self._ctx.now
            for neighbour in self._idle_uplinks():
                self.on_late(neighbour, SETTLED_S)

    def _make_up(self) -> None:
        """The uplink has room again: what waited for that crosses now."""
        self._gate.held.release()
        self.on_room()
        for neighbour in self._over(self._gate.uplinks):
            self.on_late(neighbour, 0.0)

    def _has_room(self) -> bool:
        return not self._gate.shut() and self._gate.affords(POSTS)

    # who goes first

    def _choose(self) -> None:
        """Stand by while another bridge of our mesh has an uplink with a lower id than ours."""
        ours = self._uplink()
        rivals = [one.news for one in self.known() if one.news.state in (OPEN, STANDBY)]
        self._gate.standby = ours != _NOWHERE and any(_NOWHERE < rival.uplink < ours for rival in rivals)

    def _uplink(self) -> bytes:
        """The lowest id of our open uplinks: 3 B of the link ids of its ends, the lower first."""
        ends = [sorted((self._neighbours.me, one.id)) for one in self._over(self._gate.uplinks)]
        return min((lower[:3] + higher[:3] for lower, higher in ends), default=_NOWHERE)

    def _idle_uplinks(self) -> list[Neighbour]:
        return self._over(one for one in self._gate.uplinks if not self._gate.at_once(one))

    def _over(self, sessions: Iterator[int] | tuple[int, ...]) -> list[Neighbour]:
        found = (self._neighbours.session_with(session) for session in sessions)
        return [far[0] for far in found if far is not None and far[0] is not None]

    # telling

    def _news_at(self) -> Instant:
        if (self._gate.state(), self._uplink()) == self._told and not self._contradicted():
            return self._told_at + BEAT_S
        return max(self._ctx.now, self._told_at + AGAIN_S)

    def _contradicted(self) -> bool:
        """True if we go first, and another said since we told so that it is open: it began anew and knows of nobody."""
        ours, told_at = self._uplink(), self._told_at
        if self._gate.state() != OPEN or ours == _NOWHERE:
            return False
        open_since = (one.news for one in self.known() if one.news.state == OPEN and one.heard_at > told_at)
        return any(ours < rival.uplink for rival in open_since)

    def _tell(self) -> None:
        news = self._news()
        self._told, self._told_at = (news.state, news.uplink), self._ctx.now
        self._announce(news)
        for session in self._gate.uplinks:
            self._neighbours.speak(session, news)

    def _announce(self, news: BridgeNews) -> None:
        self._neighbours.send(None, news, NEWS_CLASS, jitter=bool(news.hops), key=b"bridge" + news.bridge)

    def _farewell(self, session: int) -> None:
        """Say why, and for how long: else the far end would call again and again."""
        self._neighbours.speak(session, self._news())
        self._ctx.emit(Hangup(session))
        self._gate.leave(session)

    def _news(self) -> BridgeNews:
        opens = self._gate.opens_at()
        minutes = 0 if opens is None else min(0xFFFF, 1 + int((opens - self._ctx.now) // 60))
        sent, received = (self._left(budget) for budget in (self._gate.sent, self._gate.received))
        number = int(self._ctx.now) & 0xFFFFFFFF
        state, uplink = self._gate.state(), self._uplink()
        return BridgeNews(self._neighbours.me, uplink, number, state, minutes, sent, received, 0)

    def _left(self, budget: Budget) -> int:
        return min(NO_LIMIT - 1, budget.left(self._ctx.now) // 1000) if budget.per_day else NO_LIMIT


def _ignore(neighbour: Neighbour, settled_s: float) -> None:
    return None


def _nothing() -> None:
    return None

"""Beacons: what one link hears of us, and when.

Four reasons to beacon: Trickle's timer; solitude, so that somebody who passes by is not missed; a question, by one
who says it is alone (flag 4) or by an id not heard lately; and a radio that reports a new station in hearing.

| state of a link            | beacon                                                                             |
|----------------------------|------------------------------------------------------------------------------------|
| bound neighbours           | Trickle; shorter intervals for a while after one of several was lost. Intervals    |
|                            | double to 32 s, and at rest (nobody came or went, no block came, we did not move)  |
|                            | to a 16th of the time since, 64 s at most: while somebody is heard, and as long as |
|                            | one beacon echoes all neighbours                                                   |
| nobody bound for 30 s      | every 5 s                                                                          |
| carrying, nobody heard for | every 2 s; five without an answer: we are away, and whoever was bound is lost.     |
|   a while (4 to 60 s, at   | That while grows with the time since anybody came or went, or since we moved (two  |
|   rest to 120 s)           | beacons in vain, then others: a ferry loses nobody that it meets every minute), at |
|                            | first to 16 s, beyond that with the time for which something is carried in vain    |

Our own beacon with flag 4 and no echoes tells the others that we had lost them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.logs import Logs, change_of
from meshnode.core.gossip.trickle import I_MAX, I_MIN, Trickle
from meshnode.core.ids import NeighbourId
from meshnode.core.neighbours.buckets import Bucket
from meshnode.core.neighbours.meshtime import DATELESS
from meshnode.core.neighbours.neighbour import FOREVER, NEVER
from meshnode.core.neighbours.table import JITTER_S, Heard, Neighbour, Neighbours
from meshnode.core.wire.frames import OLDEST_VERSION, VERSION, Beacon
from meshnode.core.wire.limits import MAX_CHANGES, MAX_ECHOES

BUSY, REFUSING, LONELY = 1, 2, 4
BUSY_S: Final = 0.5
LONELY_AFTER_S: Final = 30.0
LONELY_EVERY_S: Final = 5.0
CARRYING_AFTER_S: Final = 4.0
CARRYING_SETTLED_S: Final = 16.0  # whoever took it has proved it, or told a receipt
QUIET_INTERVALS: Final = 1.875  # of the longest, 60 s: a neighbour's beacon is left out at most once in a row
CARRYING_EVERY_S: Final = 2.0
SETTLED_SHARE: Final = 8.0
REST_SHARE: Final = 16.0
REST_S: Final = 64.0  # who moves after a long rest finds others, or is found, within about a minute
UNANSWERED: Final = 5  # at 30 % loss one in thirty goes unheard so often
AWAY: Final = 2  # so many, and then another one than before: we went from one place to the next, and lost nobody
COMPANY: Final = 64
MOMENT_S: Final = 10.0
RECENT_S: Final = 40.0
ANSWER_EVERY_S: Final = 15.0
ANSWER_BURST: Final = 8.0
CONFIRM_S: Final = 0.1  # for each neighbour of a crowd: one beacon tells several that they are heard
NEW_PER_MINUTE: Final = 6
NEW_AGAIN_S: Final = 600.0
STATION_EVERY_S: Final = 30.0  # whoever comes and goes at a radio makes us speak no more often
STATION_BURST: Final = 4.0
MEETING_S: Final = 2.0  # at 30 % loss one beacon of each is not enough: intervals begin here
REMEMBERED: Final = 1024
GREET_AGAIN_S: Final = 0.25
GREET_AGAIN_MAX_S: Final = 600.0


@dataclass(slots=True)
class Air:
    """One link: its timer, and how much company there is."""

    trickle: Trickle
    heard_at: Instant
    bound_at: Instant
    changed_at: Instant  # when somebody came or went, or we moved
    carried: bool = False
    carried_since: Instant = NEVER
    in_company: bool = False  # somebody is bound, as we looked last
    unanswered: int = 0
    company: deque[NeighbourId] = field(default_factory=lambda: deque(maxlen=COMPANY))  # heard since we moved last
    alone_at: Instant = float("-inf")  # last beacon of solitude
    answers: float = ANSWER_BURST
    answers_at: Instant = 0.0
    stations: Bucket = field(default_factory=lambda: Bucket(1.0 / STATION_EVERY_S, STATION_BURST, 0.0))
    confirms: Bucket = field(default_factory=lambda: Bucket(1.0 / ANSWER_EVERY_S, ANSWER_BURST, 0.0))


class Beacons:
    """The beacons of all links."""

    def __init__(self, ctx: Context, neighbours: Neighbours, outbox: Outbox, logs: Logs) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._outbox = outbox
        self._logs = logs
        self.envelope_digest: Callable[[], bytes] = lambda: bytes(4)
        self.carrying: Callable[[], bool] = lambda: False
        self.unsure: Callable[[], bool] = lambda: False  # was something said that may not have been heard?
        self.dateless: Callable[[], bool] = lambda: False
        self._airs: dict[str, Air] = {}
        self._new: deque[Instant] = deque(maxlen=NEW_PER_MINUTE)
        self._new_ids: dict[NeighbourId, Instant] = {}
        self._gone: dict[NeighbourId, tuple[Instant, Instant]] = {}  # who went when, and since when all was settled
        self._changes = 0  # of our logs, as we looked last
        self._news_at: Instant = NEVER  # when there was one
        self._greeted: dict[NeighbourId, tuple[Instant, float]] = {}  # not bound yet: not before, next wait
        self._draw = partial(ctx.entropy.between, "beacon")
        neighbours.on_unknown.append(self._unknown)
        neighbours.beside_hello.append(self._beside_hello)
        neighbours.on_bound.append(self._bound)
        neighbours.on_lost.append(self._lost)

    def link_changed(self, link: str, up: bool) -> None:
        """A link came or went."""
        now = self._ctx.now
        if not up:
            self._airs.pop(link, None)
        elif link not in self._airs:
            self._airs[link] = Air(Trickle(self._draw, now), now, now, now)

    def heard(self, heard: Heard) -> None:
        """Anything of this mesh came in on a link."""
        air = self._airs.get(heard.link)
        if air is None:
            return
        air.heard_at = self._ctx.now
        if heard.sender not in air.company:
            self._note_company(air, heard.sender)
        air.unanswered = 0
        for frame in heard.frames:
            if isinstance(frame, Beacon):
                self._heard_beacon(air, heard, frame)

    def _note_company(self, air: Air, sender: NeighbourId) -> None:
        """Whom we hear between two silences. After one, somebody we did not hear before it: we have moved."""
        if air.unanswered >= AWAY:
            air.company.clear()
            air.changed_at = self._ctx.now
        air.company.append(sender)

    def station_seen(self, link: str) -> None:
        """Somebody new may be in reach: one beacon soon, and some more in the next seconds."""
        air, now = self._airs.get(link), self._ctx.now
        if air is not None and air.stations.spend(1.0, now):
            air.trickle.hurry(MEETING_S, now)
            air.trickle.ask(now + self._draw(*JITTER_S))

    def consistent(self, link: str, neighbour: Neighbour) -> None:
        """A bound neighbour's beacon said what ours would say, or a difference that is settled."""
        if link in self._airs:
            self._airs[link].trickle.heard(neighbour.id, self._ctx.now)

    def reset(self, link: str) -> None:
        """A difference stands: beacon soon and often."""
        if link in self._airs:
            self._airs[link].trickle.reset(self._ctx.now)

    def hurry(self, interval: float, link: str | None = None) -> None:
        """Something new was sent here: one beacon within the interval shows who missed it."""
        for name, air in self._airs.items():
            if link in (None, name):
                air.trickle.hurry(interval, self._ctx.now)

    def say_to(self, neighbour: Neighbour, link: str) -> None:
        """One beacon to a neighbour alone, which is repeated until it is heard."""
        self._neighbours.send(neighbour, self._beacon(link, 0), 0, link=link, key=b"beacon", ring=0)

    def wakeup(self) -> Instant | None:
        """When a beacon may be due."""
        self._look_around()
        self._forget_said()
        first: Instant | None = None
        for air in self._airs.values():
            due = air.trickle.wakeup()
            if air.carried or not air.in_company:
                due = min(due, self._alone_due(air))
            if first is None or due < first:
                first = due
        return first

    def tick(self) -> None:
        """Send what is due."""
        now = self._ctx.now
        self._look_around()
        self._forget_said()
        for link, air in self._airs.items():
            if (air.carried or not air.in_company) and self._alone_due(air) <= now:
                self._send_alone(link, air)
            elif air.trickle.wakeup() <= now and air.trickle.fires(now, self._longest(link, air)):
                self._send(link, 0)

    def _longest(self, link: str, air: Air) -> float:
        """The longest interval: longer at rest, where one beacon echoes everybody. In silence we moved, perhaps."""
        now = self._ctx.now
        rested_s = now - max(air.changed_at, self._news_at)
        moved_perhaps = air.heard_at < now - max(I_MAX, air.trickle.interval)
        if moved_perhaps or len(self._neighbours.bound(link)) > MAX_ECHOES:
            return I_MAX
        return max(I_MAX, min(rested_s / REST_SHARE, REST_S))

    def _look_around(self) -> None:
        """Is anybody bound, is anything carried?"""
        now, carrying = self._ctx.now, self.carrying()
        for link, air in self._airs.items():
            air.in_company = self._neighbours.has_bound(link)
            if air.in_company:
                air.bound_at = now
            if carrying and not air.carried:
                air.carried_since = now
            air.carried = carrying or self.unsure()

    def _heard_beacon(self, air: Air, heard: Heard, beacon: Beacon) -> None:
        if heard.bound and heard.neighbour is not None:
            air.trickle.answered(heard.neighbour.id)
        if beacon.flags & LONELY and heard.neighbour is not None:
            self._answer(air)

    def _answer(self, air: Air) -> None:
        """Somebody asks who is here: one beacon soon, unless two others answer or too many asked."""
        if self._may_answer(air):
            air.trickle.ask(self._ctx.now + self._draw(*JITTER_S))

    def _beside_hello(self, link: str) -> Beacon | None:
        air = self._airs.get(link)
        if air is None:
            return None
        if self._neighbours.gathering(link):
            air.trickle.keep(self._ctx.now)
        return self._beacon(link, 0)

    def _may_answer(self, air: Air) -> bool:
        now = self._ctx.now
        air.answers = min(ANSWER_BURST, air.answers + (now - air.answers_at) / ANSWER_EVERY_S)
        air.answers_at = now
        if air.answers < 1.0:
            return False
        air.answers -= 1.0
        return True

    def _unknown(self, link: str, name: NeighbourId) -> None:
        """A new or returning id: begin anew, six times a minute in all and once in ten minutes for each."""
        air, now = self._airs.get(link), self._ctx.now
        if air is None:
            return
        greeted = self._greet(link, name)
        full = len(self._new) == NEW_PER_MINUTE and self._new[0] > now - 60.0
        if full or self._new_ids.get(name, float("-inf")) > now - NEW_AGAIN_S:
            if not greeted:
                self._answer(air)
            return
        self._new.append(now)
        self._new_ids.pop(name, None)
        self._new_ids[name] = now
        while len(self._new_ids) > REMEMBERED:
            del self._new_ids[next(iter(self._new_ids))]
        air.changed_at = now
        air.trickle.hurry(max(I_MIN, self._crowd_s(link)), now)

    def _bound(self, neighbour: Neighbour) -> None:
        """It heard us; our answer tells it that we hear it: at once, for what we offer next counts only once it knows.

        Who was lost for a moment only was never away: else every beacon that is lost while we carry something would
        make us look around anew, and lose it again.
        """
        now = self._ctx.now
        self._greeted.pop(neighbour.id, None)
        went_at, settled_at = self._gone.pop(neighbour.id, (float("-inf"), now))
        for link in neighbour.presences:
            if link in self._airs:
                air = self._airs[link]
                air.trickle.found(neighbour.id)
                air.changed_at = min(air.changed_at, settled_at) if went_at > now - MOMENT_S else now
                self._confirm(air, neighbour, link)

    def _confirm(self, air: Air, neighbour: Neighbour, link: str) -> None:
        """To it alone; where many meet at once, one beacon to all tells more."""
        if self._neighbours.gathering(link):
            if neighbour.presences[link].echoed_at < self._ctx.now - MOMENT_S:
                air.trickle.promise(self._ctx.now + self._crowd_s(link))
        elif neighbour.bound_on(link, self._ctx.now) and air.confirms.spend(1.0, self._ctx.now):
            self.say_to(neighbour, link)

    def _crowd_s(self, link: str) -> float:
        """In a crowd one beacon tells several that they are heard: it waits for more of them."""
        return CONFIRM_S * self._neighbours.company(link) if self._neighbours.gathering(link) else 0.0

    def _greet(self, link: str, name: NeighbourId) -> bool:
        """Somebody we know does not hear us yet, or not any more: a beacon to it alone, ever less often."""
        neighbour, now = self._neighbours.by_id(name), self._ctx.now
        presence = neighbour.presences.get(link) if neighbour else None
        not_before, wait = self._greeted.get(name, (now, GREET_AGAIN_S))
        if presence is None or presence.is_bound(now) or now < not_before or self._neighbours.gathering(link):
            return False
        if not self._neighbours.greet(link, presence.address, self._beacon(link, 0)):
            return False
        self._greeted.pop(name, None)
        self._greeted[name] = (now + wait, min(2 * wait, GREET_AGAIN_MAX_S))
        while len(self._greeted) > REMEMBERED:
            del self._greeted[next(iter(self._greeted))]
        return True

    def _lost(self, neighbour: Neighbour) -> None:
        now = self._ctx.now
        for link in neighbour.presences:
            if link in self._airs:
                self._gone[neighbour.id] = (now, self._airs[link].changed_at)
                self._airs[link].changed_at = now
                if self._neighbours.has_bound(link):  # else solitude has us look around
                    self._airs[link].trickle.miss(neighbour.id, now)
                if neighbour.presences[link].heard_at > now - MOMENT_S and link in self._ctx.links:
                    self._greet(link, neighbour.id)  # it is here, and has lost us: it need not wait for our next beacon
        while len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _alone_due(self, air: Air) -> Instant:
        """When solitude asks for a beacon; never in company, as we looked around last."""
        due = FOREVER
        if not air.in_company:
            due = max(air.bound_at + LONELY_AFTER_S, air.trickle.last_sent + LONELY_EVERY_S)
        if air.carried:
            due = min(due, max(air.heard_at + self._quiet_s(air), air.alone_at + CARRYING_EVERY_S))
        return due

    def _quiet_s(self, air: Air) -> float:
        """So long a carrier bears silence: longer the longer nothing changed, and the longer it carries in vain."""
        now = self._ctx.now
        settled_s, carried_s = now - air.changed_at, now - air.carried_since
        borne_s = min(settled_s / SETTLED_SHARE, max(CARRYING_SETTLED_S, carried_s / SETTLED_SHARE))
        return max(CARRYING_AFTER_S, min(borne_s, QUIET_INTERVALS * air.trickle.longest))

    def _send_alone(self, link: str, air: Air) -> None:
        now = self._ctx.now
        air.unanswered += 1
        if air.unanswered > UNANSWERED and self._neighbours.has_bound(link):
            self._neighbours.lose_all(link)
        air.alone_at = air.trickle.last_sent = now
        self._send(link, LONELY)

    def _send(self, link: str, flags: int) -> None:
        self._neighbours.send(None, self._beacon(link, flags), 0, link=link, key=b"beacon", ring=0)

    def _beacon(self, link: str, flags: int) -> Beacon:
        flags |= BUSY if self._outbox.backlog_s(link) > BUSY_S else 0
        flags |= REFUSING if self._ctx.store_refusing else 0
        flags |= DATELESS if self.dateless() else 0
        changed = self._logs.history.changed_after(self._ctx.now - RECENT_S)[:MAX_CHANGES]
        return Beacon(
            OLDEST_VERSION,
            VERSION,
            flags,
            self._logs.digest(),
            self.envelope_digest(),
            self._neighbours.choose_echoes(link),
            tuple(change_of(log) for log in changed),
        )

    def _forget_said(self) -> None:
        """When our logs changed, what others said before agrees with nothing."""
        changes = self._logs.history.changes
        if changes != self._changes:
            self._changes, self._news_at = changes, self._ctx.now
            for air in self._airs.values():
                air.trickle.unheard(self._ctx.now)

"""Mending differences with bound neighbours: beacon, delta, WANT, and when to leave it to a session.

    their beacon differs -- 1 s without a new item, 50 ms after they met --> act:
        we know of something they have      --> WANT (or RefWant, for a handle we do not know)
        much is missing                     --> a session
        else                                --> one delta: what we have, newest first
    their delta    --> WANT what we lack; tell once what they lack
    nothing wanted either way               --> resolved: equal, until one of the two digests changes (rule 5.2)
    nothing new came of it                  --> hold off 10 s, doubling to an hour (rule 5.3)

Only an authenticated WANT makes anybody send blocks (serve.py); a beacon causes one delta at most (rule 5.5).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from meshnode.core.chain.log import Log
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.beacon import BUSY, REFUSING, Beacons
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.pace import SETTLE_S, STEADY_S, Pace
from meshnode.core.gossip.peer import Peer
from meshnode.core.gossip.telling import Telling
from meshnode.core.gossip.wishes import WANT_BLOCKS, WANT_WAIT_S, Wishes
from meshnode.core.gossip.witnesses import Witnesses
from meshnode.core.ids import LOG_ID_SIZE, LogId, log_handle
from meshnode.core.neighbours.hello import FEW
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.wire.frames import Beacon, Change, Delta, Refs, RefWant, Want, Wish

WANT_AFTER_S: Final = 0.3  # what a beacon names may still be on its way
YIELD_S: Final = 0.25  # two that see a difference at once: one of them begins
MET_S: Final = 0.05  # nothing is on its way between two that have just met: what differs now lasts
WANTS_OPEN: Final = 2
WANT_TRIES: Final = 4  # without anything new in return
BY_DATAGRAM: Final = 64  # blocks; more go by session
AGAIN_S: Final = 3.0
BUSY_WAIT_S: Final = 2.0  # for a neighbour with more than half a second in its queue; each busy beacon begins it anew
RESET_AGAIN_S: Final = 2.0
RESETS_PER_HOUR: Final = 20
REPAIRED_HURRY_S: Final = 4.0
ROUNDS_BY_DELTA: Final = 2
ACTS_FREE: Final = 3  # acts of ours without anything new in return before the hold-off begins
FORGIVEN_S: Final = 3600.0
MAX_PEERS: Final = 256


class Repair:
    """What we do about neighbours that have other blocks than we."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs, beacons: Beacons) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._beacons = beacons
        self.peers: dict[bytes, Peer] = {}
        self.pace = Pace(ctx, neighbours, self.peers)
        self.wishes = Wishes(ctx, neighbours, logs, self.peers)
        self.telling = Telling(ctx, neighbours, logs, self.wishes, self.peer)
        self.witnesses = Witnesses(neighbours, logs, self.telling, self.peers, self.peer)
        self.want_session: Callable[[Neighbour, bool], bool] = _no_session
        self._resets: dict[str, deque[Instant]] = {}
        self._refused = False
        neighbours.on_bound.append(self.met)

    # what is heard

    def peer(self, neighbour: Neighbour) -> Peer:
        """What is remembered of a neighbour."""
        peer = self.peers.pop(neighbour.node, None) or Peer(node=neighbour.node)
        self.peers[neighbour.node] = peer
        while len(self.peers) > MAX_PEERS:
            del self.peers[next(iter(self.peers))]
        return peer

    def met(self, neighbour: Neighbour) -> None:
        """It is within reach, perhaps again: what we asked it before, it did not hear or could not answer."""
        peer = self.peer(neighbour)
        peer.met_at, peer.check_at = self._ctx.now, None
        peer.wants.clear()
        self.wishes.not_heard(peer.told)

    def beacon(self, heard: Heard, beacon: Beacon) -> bool:
        """Compare; a difference is looked at again once it has lasted. False where nothing is to be looked at."""
        neighbour = heard.neighbour
        if neighbour is None or not heard.bound:
            return False
        peer = self.peer(neighbour)
        neighbour.refusing = bool(beacon.flags & REFUSING)
        neighbour.busy_until = self._ctx.now + BUSY_WAIT_S if beacon.flags & BUSY else NEVER
        afresh = self._note_refusals(peer, neighbour.refusing)
        if peer.frontier != beacon.frontier:
            peer.frontier, peer.told_at = beacon.frontier, self._ctx.now
        for change in beacon.changes:
            peer.tell(change)
        if peer.agrees(self._logs.digest()):
            peer.settled()
            self._beacons.consistent(heard.link, neighbour)
            return afresh
        peer.differs_since = peer.differs_since if peer.differs_since is not None else self._ctx.now
        if peer.check_at is None:
            wishes, handles = self.wishes.of(peer)
            have_met = self._ctx.now <= peer.met_at + SETTLE_S
            settle = MET_S if have_met else SETTLE_S
            settle += YIELD_S if neighbour.id < self._neighbours.me else 0.0
            soon = MET_S if have_met and (wishes or handles) else WANT_AFTER_S if wishes else settle
            peer.check_at = self._ctx.now + soon + self.pace.scatter(heard.link)
        return True

    def delta(self, heard: Heard, delta: Delta) -> None:
        """Somebody tells what it has: ask for what we lack, tell once what it lacks."""
        neighbour = heard.neighbour
        if neighbour is None or not heard.bound:
            return
        peer, ours = self.peer(neighbour), self._logs.digest()
        if not peer.may_tell(self._ctx.now):
            self._ctx.count("deltas_too_many")
            return
        peer.frontier, peer.told_at = delta.frontier, self._ctx.now
        for change in delta.changes:
            peer.tell(change)
        if heard.pairwise:
            self.witnesses.vouched(neighbour, self.witnesses.elements(delta.changes))
        if delta.frontier == ours:
            peer.settled()
            if heard.multicast:
                self.telling.said_for_us(heard.link, delta)
            self.telling.confirm(neighbour, peer, delta, heard.pairwise)
            return
        self.telling.note_complete(peer)
        if peer.agrees(ours):
            return
        if peer.differs_since is None:
            peer.differs_since = self._ctx.now
        wanted = any(self.wishes.of(peer))
        soon = self._ctx.now + self.pace.scatter(heard.link)
        peer.check_at = soon if wanted else max(soon, peer.acted_at + AGAIN_S)
        if self.pace.differing(heard.link) > FEW:
            return
        again_s, costs = self.telling.again_s(peer, delta, ours), self.telling.payload(heard.link)
        if self._ctx.now > peer.delta_at + again_s and self._neighbours.answer_costs(heard, costs):
            self.telling.tell(neighbour, peer, self.telling.reply_logs(peer, delta.changes))

    def ref_want(self, heard: Heard, asked: RefWant) -> None:
        """Somebody knows only handles: tell the full ids of logs we hold."""
        handles = dict.fromkeys(asked.handles)
        room = max(1, self.telling.payload(heard.link) // LOG_ID_SIZE)
        found = [log.id for handle in handles for log in self._logs.book.candidates(handle)][:room]
        if found and heard.neighbour is not None and self._neighbours.answer_costs(heard, LOG_ID_SIZE * len(found)):
            self._neighbours.send(heard.neighbour, Refs(tuple(found)), 0)

    def refs(self, heard: Heard, refs: Refs) -> None:
        """Full ids we asked for; what they lead to is asked for next."""
        self.wishes.refs_came(refs.logs)
        if heard.neighbour is not None:
            self.peer(heard.neighbour).check_at = self._ctx.now

    def gap(self, heard: Heard, ref: bytes, seq: int) -> None:
        """A block came without those before it, or of a log we do not know: its sender has them, most likely."""
        if heard.neighbour is None or not heard.bound or heard.carrier != "link":
            return
        peer = self.peer(heard.neighbour)
        if len(ref) == LOG_ID_SIZE:
            self.wishes.note_ref(LogId(ref))
        peer.tell(Change(log_handle(LogId(ref)) if len(ref) == LOG_ID_SIZE else ref, seq))
        if peer.check_at is None:
            peer.check_at = self._ctx.now + WANT_AFTER_S + self.pace.scatter(heard.link)

    def look_below(self, log: Log) -> None:
        """Its split is proven and lies further down: heads agree, but whoever told of the log may show where."""
        for peer in self.peers.values():
            if log.below is not None and log.handle in peer.told:
                peer.wants.pop(log.id, None)
                peer.tries, peer.check_at = 0, self._ctx.now + WANT_AFTER_S

    def new_items(self, heard: Heard, log: LogId, count: int) -> None:
        """Verified blocks or bodies of one log that were not here before."""
        self.pace.news(count)
        if heard.carrier == "link" and not any(log in peer.wants for peer in self.peers.values()):
            self.wishes.flows(log)
        if heard.neighbour is not None:
            peer = self.peer(heard.neighbour)
            peer.rounds = 0
            peer.forgive()
            self._answered(peer, log)

    def _answered(self, peer: Peer, log: LogId) -> None:
        """More of what we asked for came: wait on, or ask for the next."""
        if (by_handle := peer.wants.pop(LogId(log_handle(log)), None)) is not None:
            peer.wants[log] = by_handle
        held, (_, upto) = self._logs.book.get(log), peer.wants.get(log, (0.0, 0))
        if upto and held is not None and not held.gaps(upto):
            del peer.wants[log]
            if not peer.wants:
                peer.check_at = self._ctx.now
        elif upto:
            peer.wants[log] = (self._ctx.now + WANT_WAIT_S, upto)

    def served(self, neighbour: Neighbour) -> None:
        """It asked and was answered: it needs a moment, and is not resolved."""
        peer = self.peer(neighbour)
        peer.wanted_at = self._ctx.now
        if peer.check_at is not None and not any(self.wishes.of(peer)):
            peer.check_at = self._ctx.now + 2 * AGAIN_S

    def reconsider(self) -> None:
        """We may take what we refused before."""
        for peer in self.peers.values():
            peer.reconsider()
            if peer.frontier:
                peer.check_at = self._ctx.now
        self._beacons.hurry(REPAIRED_HURRY_S)

    def _note_refusals(self, peer: Peer, refusing: bool) -> bool:
        """A full disk, ours or its, lets a difference look settled: begin afresh (True) when there is room again."""
        if peer.refusing and not refusing:
            peer.reconsider()
        peer.refusing = refusing
        afresh = self._refused and not self._ctx.store_refusing
        if afresh:
            self.reconsider()
        self._refused = self._ctx.store_refusing
        return afresh

    # time

    def wakeup(self) -> Instant | None:
        """When a difference is to be looked at again."""
        times = [peer.check_at for peer in self.peers.values() if peer.check_at is not None]
        return min(times) if times else None

    def tick(self) -> None:
        """Look at differences that lasted."""
        for node, peer in list(self.peers.items()):
            if peer.check_at is None or peer.check_at > self._ctx.now:
                continue
            peer.check_at = None
            neighbour = self._neighbours.get(node)
            link = neighbour.link(self._ctx.now) if neighbour else None
            if neighbour is not None and link is not None:
                self._look(neighbour, peer, link)

    def _look(self, neighbour: Neighbour, peer: Peer, link: str) -> None:
        now, ours = self._ctx.now, self._logs.digest()
        wishes, handles = self.wishes.of(peer)
        not_before = max(peer.hold_until, neighbour.busy_until)
        coming = [until for log, _ in wishes if (until := self.wishes.in_flight(log)) is not None]
        if coming and len(coming) == len(wishes) and not handles:
            not_before = max(not_before, min(coming))
        not_before = max(not_before, self.pace.quiet_at(peer, link))
        wishes = [(log, wish) for log, wish in wishes if self.wishes.in_flight(log) is None]
        if (wishes or handles or coming) and now < not_before:
            peer.check_at = not_before + self.pace.scatter(link)
        elif wishes or handles:
            self._want(neighbour, peer, wishes, handles)
        elif peer.agrees(ours) or not peer.frontier:
            peer.settled()
        elif peer.open_wants(now):
            peer.check_at = min(until for until, _ in peer.wants.values())
        elif self._logs.history.passed(peer.frontier, peer.told_at, STEADY_S if self.pace.steady() else 2 * SETTLE_S):
            peer.settled()
        elif (wait := self.pace.not_yet(peer, link)) is not None:
            peer.check_at = wait
        else:
            self._act(neighbour, peer, link, ours)

    def _act(self, neighbour: Neighbour, peer: Peer, link: str, ours: bytes) -> None:
        """Nothing is known that we could ask for: tell what we have, page by page; in the end, a session."""
        now = self._ctx.now
        if self.telling.is_resolved(peer, ours):
            peer.resolve(peer.frontier, ours)
            return
        if now > peer.acted_at + FORGIVEN_S:
            peer.forgive()
        fruitless = peer.acts > 0
        peer.acted_at = now
        peer.acts += 1
        peer.rounds += 1
        peer.check_at = peer.next_act = now + (AGAIN_S if peer.acts < ACTS_FREE else peer.hold_off())
        if peer.rounds > ROUNDS_BY_DELTA and self.want_session(neighbour, peer.rounds > ROUNDS_BY_DELTA + 1):
            return
        if self.pace.differing(link) > 1 and self._neighbours.crowded(link):
            self.telling.tell_all(link, peer)
        else:
            self.telling.tell(neighbour, peer, self.telling.reply_logs(peer, ()) if peer.rounds == 1 else [])
        self._make_known(peer, link, fruitless)

    def _make_known(self, peer: Peer, link: str, fruitless: bool) -> None:
        """Let the neighbourhood see the difference sooner, within the limits of rule 5.3."""
        now = self._ctx.now
        resets = self._resets.setdefault(link, deque(maxlen=RESETS_PER_HOUR))
        exhausted = len(resets) == RESETS_PER_HOUR and resets[0] > now - 3600.0
        if exhausted or now < peer.reset_at + RESET_AGAIN_S:
            return
        peer.reset_at = now
        if fruitless:
            resets.append(now)
            self._beacons.reset(link)
        else:
            self._beacons.hurry(REPAIRED_HURRY_S, link)

    # what we want

    def _want(self, neighbour: Neighbour, peer: Peer, wishes: list[tuple[LogId, Wish]], handles: list[bytes]) -> None:
        """Ask for what is known to be there; by session when it is much."""
        now = self._ctx.now
        peer.check_at = now + WANT_WAIT_S
        peer.tries += 1
        if peer.tries > WANT_TRIES:
            self._give_up(peer, [log for log, _ in wishes], handles)
            return
        if sum(wish.count for _, wish in wishes) > BY_DATAGRAM and self.want_session(neighbour, peer.rounds > 0):
            peer.rounds += 1
            return
        if handles:
            handles = handles[:64]
            self.wishes.asked_refs(handles)
            self._neighbours.send(neighbour, RefWant(tuple(handles)), 0)
        if wishes and peer.open_wants(now) < WANTS_OPEN:
            chosen = self.wishes.fitting(wishes, self.telling.payload(neighbour.link(now) or ""))
            for log, wish in chosen:
                answered = min(wish.count, WANT_BLOCKS)
                peer.wants[log] = (now + WANT_WAIT_S, wish.first + answered - 1)
                if len(log) < LOG_ID_SIZE:
                    self.wishes.asked_by_handle(wish.log)
            self._neighbours.send(neighbour, Want(tuple(wish for _, wish in chosen)), 0)

    def _give_up(self, peer: Peer, logs: list[LogId], handles: list[bytes]) -> None:
        """It claims what it does not give: forget the claims, and believe no new ones for a while."""
        peer.tries = 0
        peer.check_at = peer.hold_until = self._ctx.now + peer.hold_off()
        peer.complete_for = b""  # what is forgotten here is not wanted, and yet not settled: it is to be told again
        for handle in (*map(_handle, logs), *handles):
            peer.told.pop(handle, None)


def _handle(log: LogId) -> bytes:
    return log_handle(log) if len(log) == LOG_ID_SIZE else log


def _no_session(neighbour: Neighbour, insist: bool) -> bool:
    return False

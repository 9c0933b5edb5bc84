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
from collections.abc import Callable, Iterable
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.log import Log
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.beacon import BUSY, REFUSING, Beacons
from meshnode.core.gossip.logs import Logs, change_of
from meshnode.core.gossip.peer import Peer
from meshnode.core.ids import LOG_ID_SIZE, LogId, log_handle
from meshnode.core.neighbours.hello import FEW
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.wire.frames import Beacon, Change, Delta, Refs, RefWant, Want, Wish
from meshnode.core.wire.limits import MAX_WISHES

SETTLE_S: Final = 1.0
STEADY_S: Final = 5.0
STEADY_ITEMS: Final = 3  # new items within five seconds make traffic steady
WANT_AFTER_S: Final = 0.3  # what a beacon names may still be on its way
YIELD_S: Final = 0.25  # two that see a difference at once: one of them begins
MET_S: Final = 0.05  # nothing is on its way between two that have just met: what differs now lasts
WANT_WAIT_S: Final = 3.0
WANTS_OPEN: Final = 2
WANT_TRIES: Final = 4  # without anything new in return
WANT_BLOCKS: Final = 64  # answered at once: about what 32 KiB hold
BY_DATAGRAM: Final = 64  # blocks; more go by session
SCATTER_S: Final = 0.3  # for each neighbour of a crowd: the first who asks is answered before most others would
QUIET_S: Final = 0.3
GATHERING_S: Final = 10.0
AGAIN_S: Final = 3.0
BUSY_WAIT_S: Final = 2.0  # for a neighbour with more than half a second in its queue; each busy beacon begins it anew
REPLY_AGAIN_S: Final = 5.0
REPLY_GAP_S: Final = 0.25  # any member can seal deltas in a neighbour's name, each with another digest
RESET_AGAIN_S: Final = 2.0
RESETS_PER_HOUR: Final = 20
REPAIRED_HURRY_S: Final = 4.0
ROUNDS_BY_DELTA: Final = 2
ACTS_FREE: Final = 3  # acts of ours without anything new in return before the hold-off begins
FORGIVEN_S: Final = 3600.0
RESOLVE_AFTER_S: Final = 3.0
WITNESSES: Final = 2  # 262 B each: enough to say "carried", and dense places stay quiet
MAX_REFS: Final = 1024
MAX_PEERS: Final = 256
DELTA_HEAD: Final = 9 + 40  # type, digest, and the seal around


class Repair:
    """What we do about neighbours that have other blocks than we."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs, beacons: Beacons) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._beacons = beacons
        self.peers: dict[bytes, Peer] = {}
        self.on_covered: Callable[[Neighbour, LogId, int], None] = _ignore_cover
        self.want_session: Callable[[Neighbour, bool], bool] = _no_session
        self._refs: dict[bytes, LogId] = {}  # full ids of logs we do not hold
        self._asked_refs: dict[bytes, Instant] = {}
        self._by_handle: dict[bytes, Instant] = {}  # asked for without the full id, and not again before
        self._flowing: dict[LogId, tuple[Instant, Instant]] = {}  # logs of which news comes unasked: since when, last
        self._items: deque[Instant] = deque(maxlen=STEADY_ITEMS)
        self._resets: dict[str, deque[Instant]] = {}
        self._refused = False
        neighbours.on_bound.append(self.met)

    # what is heard

    def peer(self, neighbour: Neighbour) -> Peer:
        """What is remembered of a neighbour."""
        peer = self.peers.pop(neighbour.node, None) or Peer()
        self.peers[neighbour.node] = peer
        while len(self.peers) > MAX_PEERS:
            del self.peers[next(iter(self.peers))]
        return peer

    def met(self, neighbour: Neighbour) -> None:
        """It is within reach, perhaps again: what we asked it before, it did not hear or could not answer."""
        peer = self.peer(neighbour)
        peer.met_at, peer.check_at = self._ctx.now, None
        peer.wants.clear()
        for handle in peer.told:
            self._asked_refs.pop(handle, None)

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
            wishes, handles = self._wishes(peer)
            have_met = self._ctx.now <= peer.met_at + SETTLE_S
            settle = MET_S if have_met else SETTLE_S
            settle += YIELD_S if neighbour.id < self._neighbours.me else 0.0
            soon = MET_S if have_met and (wishes or handles) else WANT_AFTER_S if wishes else settle
            peer.check_at = self._ctx.now + soon + self._scatter(heard.link)
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
            self.witnessed(neighbour, self._elements(delta.changes))
        if delta.frontier == ours:
            peer.settled()
            if heard.multicast:
                self._said_for_us(heard.link, delta)
            self._confirm(neighbour, peer, delta, heard.pairwise)
            return
        self._note_complete(peer)
        if peer.agrees(ours):
            return
        if peer.differs_since is None:
            peer.differs_since = self._ctx.now
        wanted = any(self._wishes(peer))
        soon = self._ctx.now + self._scatter(heard.link)
        peer.check_at = soon if wanted else max(soon, peer.acted_at + AGAIN_S)
        if self._differing(heard.link) > FEW:
            return
        again_s = REPLY_GAP_S if (delta.frontier, ours) != peer.delta_for else REPLY_AGAIN_S
        if self._ctx.now > peer.delta_at + again_s and self._neighbours.answer_costs(heard, self._payload(heard.link)):
            self._tell(neighbour, peer, self._reply_logs(peer, delta.changes))

    def ref_want(self, heard: Heard, asked: RefWant) -> None:
        """Somebody knows only handles: tell the full ids of logs we hold."""
        handles = dict.fromkeys(asked.handles)
        room = max(1, self._payload(heard.link) // LOG_ID_SIZE)
        found = [log.id for handle in handles for log in self._logs.book.candidates(handle)][:room]
        if found and heard.neighbour is not None and self._neighbours.answer_costs(heard, LOG_ID_SIZE * len(found)):
            self._neighbours.send(heard.neighbour, Refs(tuple(found)), 0)

    def refs(self, heard: Heard, refs: Refs) -> None:
        """Full ids we asked for; what they lead to is asked for next."""
        for log in refs.logs:
            if self._asked_refs.pop(log_handle(log), None) is not None:
                self._note_ref(log)
        if heard.neighbour is not None:
            self.peer(heard.neighbour).check_at = self._ctx.now

    def gap(self, heard: Heard, ref: bytes, seq: int) -> None:
        """A block came without those before it, or of a log we do not know: its sender has them, most likely."""
        if heard.neighbour is None or not heard.bound or heard.carrier != "link":
            return
        peer = self.peer(heard.neighbour)
        if len(ref) == LOG_ID_SIZE:
            self._note_ref(LogId(ref))
        peer.tell(Change(log_handle(LogId(ref)) if len(ref) == LOG_ID_SIZE else ref, seq))
        if peer.check_at is None:
            peer.check_at = self._ctx.now + WANT_AFTER_S + self._scatter(heard.link)

    def look_below(self, log: Log) -> None:
        """Its split is proven and lies further down: heads agree, but whoever told of the log may show where."""
        for peer in self.peers.values():
            if log.below is not None and log.handle in peer.told:
                peer.wants.pop(log.id, None)
                peer.tries, peer.check_at = 0, self._ctx.now + WANT_AFTER_S

    def new_items(self, heard: Heard, log: LogId, count: int) -> None:
        """Verified blocks or bodies of one log that were not here before."""
        self._items.extend([self._ctx.now] * min(count, STEADY_ITEMS))
        if heard.carrier == "link" and not any(log in peer.wants for peer in self.peers.values()):
            self._flows(log)
        if heard.neighbour is not None:
            peer = self.peer(heard.neighbour)
            peer.rounds = 0
            peer.forgive()
            self._answered(peer, log)

    def _flows(self, log: LogId) -> None:
        """News of a log came unasked: more of it is on its way, most likely."""
        now = self._ctx.now
        since, last = self._flowing.pop(log, (now, NEVER))
        self._flowing[log] = (since if last > now - SETTLE_S else now, now)
        while len(self._flowing) > MAX_REFS:
            del self._flowing[next(iter(self._flowing))]

    def _in_flight(self, log: LogId) -> Instant | None:
        """Until when what is missing of a log may still come by itself; asked for all the same after a while."""
        held = self._logs.book.get(log)
        if held is None or held.forked or held.below is not None:
            return None
        since, last = self._flowing.get(log, (NEVER, NEVER))
        until = min(last + SETTLE_S, since + STEADY_S)
        return until if until > self._ctx.now else None

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
        if peer.check_at is not None and not any(self._wishes(peer)):
            peer.check_at = self._ctx.now + 2 * AGAIN_S

    def witnessed(self, neighbour: Neighbour, elements: Iterable[Element]) -> None:
        """It vouches itself, under a key that only the two of us have, for having logs up to these heads."""
        peer = self.peer(neighbour)
        for element in elements:
            log = self._logs.book.get(element.log)
            if log is not None and peer.witness(element.log, min(element.head, log.head)):
                self.on_covered(neighbour, element.log, min(element.head, log.head))

    def holds(self, neighbour: Neighbour, block: Block) -> bool:
        """It said that it has this block, or all we have."""
        peer, handle = self.peers.get(neighbour.node), log_handle(block.log)
        if peer is None:
            return False
        told = peer.told.get(handle)
        return (told is not None and told.head >= block.seq) or peer.frontier == self._logs.digest()

    def holders(self, log: Log) -> list[Neighbour]:
        """Who told us to hold something of a log; peers of sessions, where that is told by ranges, may all do."""
        found = []
        for neighbour in self._neighbours.reachable():
            peer = self.peers.get(neighbour.node)
            told = peer is not None and (log.handle in peer.told or log.id in peer.witnessed)
            if told or neighbour.session is not None:
                found.append(neighbour)
        return found

    def covers_all(self, neighbour: Neighbour) -> None:
        """It vouches for our own digest: it has all we have."""
        self.witnessed(neighbour, self._logs.book.frontier())

    def ask_witness(self, log: LogId) -> None:
        """Have two bound neighbours vouch for our own log; each answers a delta without news with the same."""
        held = self._logs.book.get(log)
        if held is None:
            return
        peers = [(neighbour, self.peer(neighbour)) for neighbour in self._neighbours.bound()[:WITNESSES]]
        for neighbour, peer in peers:
            if peer.witnessed.get(log, 0) < held.head:
                self._tell(neighbour, peer, [held])

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
        wishes, handles = self._wishes(peer)
        not_before = max(peer.hold_until, neighbour.busy_until)
        coming = [until for log, _ in wishes if (until := self._in_flight(log)) is not None]
        if coming and len(coming) == len(wishes) and not handles:
            not_before = max(not_before, min(coming))
        not_before = max(not_before, self._quiet_at(peer, link))
        wishes = [(log, wish) for log, wish in wishes if self._in_flight(log) is None]
        if (wishes or handles or coming) and now < not_before:
            peer.check_at = not_before + self._scatter(link)
        elif wishes or handles:
            self._want(neighbour, peer, wishes, handles)
        elif peer.agrees(ours) or not peer.frontier:
            peer.settled()
        elif peer.open_wants(now):
            peer.check_at = min(until for until, _ in peer.wants.values())
        elif self._logs.history.passed(peer.frontier, peer.told_at, STEADY_S if self._steady() else 2 * SETTLE_S):
            peer.settled()
        elif (wait := self._not_yet(peer, link)) is not None:
            peer.check_at = wait
        else:
            self._act(neighbour, peer, link, ours)

    def _not_yet(self, peer: Peer, link: str) -> Instant | None:
        """When the difference has lasted, and the hold-off is over; None: now."""
        now = self._ctx.now
        settle = STEADY_S if self._steady() else SETTLE_S
        due = min(self._items[-1] + settle, (peer.differs_since or now) + STEADY_S) if self._items else now
        due = max(due, peer.next_act, peer.delta_at + SETTLE_S, self._quiet_at(peer, link))
        return due if due > now else None

    def _act(self, neighbour: Neighbour, peer: Peer, link: str, ours: bytes) -> None:
        """Nothing is known that we could ask for: tell what we have, page by page; in the end, a session."""
        now = self._ctx.now
        if self._is_resolved(peer, ours):
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
        if self._differing(link) > 1 and self._neighbours.crowded(link):
            self._tell_all(link, peer)
        else:
            self._tell(neighbour, peer, self._reply_logs(peer, ()) if peer.rounds == 1 else [])
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

    def _wishes(self, peer: Peer) -> tuple[list[tuple[LogId, Wish]], list[bytes]]:
        """What this neighbour has and we lack and did not ask for yet; and handles we cannot place."""
        wishes: list[tuple[LogId, Wish]] = []
        handles: list[bytes] = []
        for change in reversed(peer.told.values()):
            held = self._logs.book.candidates(change.handle)
            for log in held:
                wishes += [(log.id, wish) for wish in self._wish_for(log, change)]
            if not held:
                self._wish_unknown(change, wishes, handles)
        if not wishes:
            return [], handles
        now = self._ctx.now
        asked = {log for other in self.peers.values() for log, (until, _) in other.wants.items() if until > now}
        return [(log, wish) for log, wish in wishes if log not in asked], handles

    def _wish_for(self, log: Log, change: Change) -> list[Wish]:
        stretches = log.gaps(change.head)
        if change.forked and not log.forked:
            stretches.append((change.head + 1, 1))  # answered by the proof
        if log.below is not None:
            stretches.append(log.below)
        if not stretches or self._logs.admission.refuses(log.id):
            return []
        twins = len(self._logs.book.candidates(change.handle)) > 1
        return [Wish(log.id if twins else log.handle, first, count) for first, count in stretches]

    def _wish_unknown(self, change: Change, wishes: list[tuple[LogId, Wish]], handles: list[bytes]) -> None:
        log, now = self._refs.get(change.handle), self._ctx.now
        if log is not None:
            wishes += (
                [(log, Wish(log, 1, change.head))] if change.head and not self._logs.admission.refuses(log) else []
            )
        elif self._logs.admission.refused_as(change.handle) is not None or now < self._by_handle.get(
            change.handle, NEVER
        ):
            return
        elif change.head and self._in_crowd() and change.handle not in self._by_handle:
            wishes.append((LogId(change.handle), Wish(change.handle, 1, change.head)))
        elif self._asked_refs.get(change.handle, 0.0) <= now:
            handles.append(change.handle)

    def _in_crowd(self) -> bool:
        """A log is asked for without its full id, once: the first block, which comes to all, names it."""
        return any(self._neighbours.crowded(link) for link in self._ctx.links)

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
            self._asked_refs = {handle: until for handle, until in self._asked_refs.items() if until > now}
            self._asked_refs.update((handle, now + WANT_WAIT_S) for handle in handles)
            self._neighbours.send(neighbour, RefWant(tuple(handles)), 0)
        if wishes and peer.open_wants(now) < WANTS_OPEN:
            chosen = self._fitting(wishes, self._payload(neighbour.link(now) or ""))
            for log, wish in chosen:
                answered = min(wish.count, WANT_BLOCKS)
                peer.wants[log] = (now + WANT_WAIT_S, wish.first + answered - 1)
                if len(log) < LOG_ID_SIZE:
                    self._note_by_handle(wish.log)
            self._neighbours.send(neighbour, Want(tuple(wish for _, wish in chosen)), 0)

    def _note_by_handle(self, handle: bytes) -> None:
        self._by_handle[handle] = self._ctx.now + WANT_WAIT_S
        while len(self._by_handle) > MAX_REFS:
            del self._by_handle[next(iter(self._by_handle))]

    def _give_up(self, peer: Peer, logs: list[LogId], handles: list[bytes]) -> None:
        """It claims what it does not give: forget the claims, and believe no new ones for a while."""
        peer.tries = 0
        peer.check_at = peer.hold_until = self._ctx.now + peer.hold_off()
        peer.complete_for = b""  # what is forgotten here is not wanted, and yet not settled: it is to be told again
        for handle in (*map(_handle, logs), *handles):
            peer.told.pop(handle, None)

    def _fitting(self, wishes: list[tuple[LogId, Wish]], payload: int) -> list[tuple[LogId, Wish]]:
        """As many as one datagram holds, and about as many blocks as are answered at once.

        The last wish tells the whole of what is missing: much of it, and the other side may call us instead.
        """
        chosen: list[tuple[LogId, Wish]] = []
        room, blocks = payload, WANT_BLOCKS
        for log, wish in wishes[:MAX_WISHES]:
            room -= len(wish.log) + 9
            if room < 0 or blocks <= 0:
                break
            chosen.append((log, wish))
            blocks -= wish.count
        return chosen

    # what we tell

    def _tell(self, neighbour: Neighbour, peer: Peer, logs: list[Log]) -> None:
        """One delta: these logs, or the next page of all when there are none in particular."""
        ours = self._logs.digest()
        room = max(1, (self._payload(neighbour.link(self._ctx.now) or "") - DELTA_HEAD) // 7)
        told_all = bool(logs) and len(logs) <= room and self._lacking(peer) is not None
        if not logs:
            everything = list(self._logs.history.newest())
            at = peer.delta_next if peer.delta_for[1] == ours and peer.delta_next < len(everything) else 0
            logs, peer.delta_next = everything[at : at + room], at + room
            told_all = at + room >= len(everything)
        if told_all:
            peer.told_all_for = ours
        peer.delta_for, peer.delta_at = (peer.frontier, ours), self._ctx.now
        changes = tuple(change_of(log) for log in logs[:room])
        self._neighbours.send(neighbour, Delta(ours, changes), 0)

    def _tell_all(self, link: str, peer: Peer) -> None:
        """In a crowd one delta for all who differ, unless another just said the same: what we have, newest first."""
        ours = self._logs.digest()
        if peer.delta_for == (peer.frontier, ours) and self._ctx.now <= peer.delta_at + REPLY_AGAIN_S:
            return
        room = max(1, (self._ctx.links[link].multicast_payload - 2 * DELTA_HEAD) // 7)
        everything = list(self._logs.history.newest())
        at = peer.delta_next if peer.delta_for[1] == ours and peer.delta_next < len(everything) else 0
        page = everything[at : at + room]
        self._said_aloud(link, ours, at + room, whole=at + room >= len(everything))
        self._neighbours.send(None, Delta(ours, tuple(change_of(log) for log in page)), 0, link=link)

    def _said_for_us(self, link: str, delta: Delta) -> None:
        """Another has what we have, and told all."""
        whole = len(delta.changes) >= len(self._logs.book.logs)
        self._said_aloud(link, delta.frontier, 0, whole=whole)

    def _said_aloud(self, link: str, ours: bytes, following: int, *, whole: bool) -> None:
        for neighbour in self._neighbours.bound(link):
            peer = self.peer(neighbour)
            peer.delta_for, peer.delta_at, peer.delta_next = (peer.frontier, ours), self._ctx.now, following
            if whole:
                peer.told_all_for = ours

    def _reply_logs(self, peer: Peer, changes: Iterable[Change]) -> list[Log]:
        """What it certainly lacks, or what it told too low a head of; none in particular: a page of all."""
        lacking = self._lacking(peer)
        if lacking:
            return lacking
        return [log for change in changes for log in self._logs.book.candidates(change.handle) if _beyond(log, change)]

    def _lacking(self, peer: Peer) -> list[Log] | None:
        """The logs of which it lacks something, if that is known exactly."""
        since = self._logs.history.changed_since(peer.frontier)
        if since is not None or peer.complete_for != peer.frontier:
            return since
        none = Change(b"", 0)
        return [log for log in self._logs.history.newest() if _beyond(log, peer.told.get(log.handle, none))]

    def _confirm(self, neighbour: Neighbour, peer: Peer, delta: Delta, pairwise: bool) -> None:
        """A delta without news, for us alone, asks us to vouch: say the same, unless we began it."""
        if pairwise and self._ctx.now > peer.delta_at + REPLY_AGAIN_S:
            logs = [log for change in delta.changes for log in self._logs.book.candidates(change.handle)]
            if logs:
                self._tell(neighbour, peer, logs)

    def _is_resolved(self, peer: Peer, ours: bytes) -> bool:
        """They told all they have, we told all they lack, and nobody wanted anything for a while."""
        heard_all = peer.complete_for == peer.frontier or self._logs.history.changed_since(peer.frontier) is not None
        told_all = peer.told_all_for == ours or self._lacking(peer) == []
        quiet = self._ctx.now >= max(peer.wanted_at, peer.delta_at) + RESOLVE_AFTER_S
        return heard_all and told_all and quiet

    def _note_complete(self, peer: Peer) -> None:
        """Does what it told add up to its digest? Then we know all it has."""
        named = [(self._named(change.handle), change) for change in peer.told.values()]
        elements = [Element(log, change.head, change.forked) for log, change in named if log is not None]
        if self._logs.digest_of(elements) == peer.frontier:
            peer.complete_for = peer.frontier

    # helpers

    def _scatter(self, link: str) -> float:
        """In a crowd all would ask at once for what the first answer brings to everybody."""
        differing = self._differing(link)
        return self._ctx.entropy.between("repair", 0.0, SCATTER_S * differing) if differing > FEW else 0.0

    def _differing(self, link: str) -> int:
        """How many on a link have something else than we, or may, while many meet."""
        if self._neighbours.gathering(link):
            return self._neighbours.company(link)
        peers = [self.peers.get(neighbour.node) for neighbour in self._neighbours.bound(link)]
        return sum(peer is not None and peer.differs_since is not None for peer in peers)

    def _quiet_at(self, peer: Peer, link: str) -> Instant:
        """While news comes what a crowd lacks may be next; while many are not bound yet, most would not hear it."""
        now = self._ctx.now
        if self._differing(link) <= FEW:
            return NEVER
        since = peer.differs_since or now
        if self._neighbours.unbound(link, now - GATHERING_S) > FEW:
            return min(now + QUIET_S, since + GATHERING_S)
        return min(self._items[-1] + QUIET_S, since + STEADY_S) if self._items else NEVER

    def _note_ref(self, log: LogId) -> None:
        self._refs[log_handle(log)] = log
        while len(self._refs) > MAX_REFS:
            del self._refs[next(iter(self._refs))]

    def _named(self, handle: bytes) -> LogId | None:
        """The log that a handle means, held or not."""
        held = self._logs.book.candidates(handle)
        return held[0].id if held else self._refs.get(handle) or self._logs.admission.refused_as(handle)

    def _elements(self, changes: Iterable[Change]) -> list[Element]:
        return [
            Element(log.id, change.head, change.forked)
            for change in changes
            for log in self._logs.book.candidates(change.handle)[:1]
        ]

    def _steady(self) -> bool:
        return len(self._items) == STEADY_ITEMS and self._items[0] > self._ctx.now - 2 * STEADY_S

    def _payload(self, link: str) -> int:
        settings = self._ctx.links.get(link)
        return (settings.unicast_payload if settings else 1200) - DELTA_HEAD


def _handle(log: LogId) -> bytes:
    return log_handle(log) if len(log) == LOG_ID_SIZE else log


def _beyond(log: Log, change: Change) -> bool:
    return (log.head, log.forked) > (change.head, change.forked) or (log.forked and not change.forked)


def _ignore_cover(neighbour: Neighbour, log: LogId, head: int) -> None:
    return None


def _no_session(neighbour: Neighbour, insist: bool) -> bool:
    return False

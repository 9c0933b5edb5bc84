"""Sessions: reconcile by ranges, fetch what is missing, and say when nothing more is wanted.

    opened -- initiator: Ranges --> <-- Ranges ... --> nothing left to compare
           -- Elements / Heads: full ids of logs one side does not know
           -- Want --> <-- Run, page by page, no faster than the far end takes them
    nothing wanted: Done. Both said so: equal, or resolved (rule 5.2)

What came is on disk block by block, so after a break the frontier says where to go on. Sessions on a link end when both
are done; those over the overlay stay open, get new blocks as they come, and now and then a digest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from math import floor
from typing import Final

from meshnode.core.chain.frontier import Element, Round, take_element
from meshnode.core.chain.log import Log
from meshnode.core.chain.reconcile import Range, Reconciler, split_ranges
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import Hangup
from meshnode.core.gossip.lacks import Lacks
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.pages import Pages
from meshnode.core.gossip.repair import Repair
from meshnode.core.gossip.sync import BATCH, Sync
from meshnode.core.ids import LogId
from meshnode.core.inputs import EncounterBegan, SessionWritable, Stored
from meshnode.core.neighbours.neighbour import FOREVER
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.wire.frames import Done, Elements, Frame, Heads, Ranges, SessionBeacon, Want, Wish

STALLED_S: Final = 20.0  # without anything we asked for: give up asking here
TELL_EVERY_S: Final = 20.0
TELL_SOON_S: Final = 0.2  # after a catch-up elsewhere; another may be about to end as well
TELL_LOGS: Final = 24  # of it, by name, 55 B each: more is found by comparing
DIFFER_S: Final = 5.0
MAX_ROUNDS: Final = 4
ROUND_COST: Final = 256  # bytes a log: to open rounds takes no more of our time than to have blocks verified
LOOK_COST: Final = 16  # bytes a log that is wanted there, or may cross: all are looked through at each word of 9 B


class Sessions:
    """The open sessions of one node."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs, repair: Repair) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._repair = repair
        self._gate = neighbours.gate
        self._open: dict[int, Sync] = {}
        self._pages = Pages(ctx, neighbours, logs, self._send)
        self._lacks = Lacks(logs, neighbours.gate, self._send)
        self.envelope_digest: Callable[[], bytes] = lambda: bytes(4)

    def opened(self, began: EncounterBegan) -> None:
        """A session is there; whoever dialled begins to compare."""
        neighbour = self._neighbours.get(began.node)
        if neighbour is None or began.carrier == "parcel":
            return
        sync = self._open[began.session] = Sync(
            began.session, neighbour, began.carrier, began.initiator, self._ctx.now, said_at=self._ctx.now,
            uplink=self._gate.is_uplink(began.session),
        )  # fmt: skip
        if began.initiator:
            self._begin(sync)

    def closed(self, session: int) -> Neighbour | None:
        """It is over; whose it was, if it broke off before all was said."""
        sync = self._open.pop(session, None)
        return sync.neighbour if sync is not None and not sync.settled else None

    def compare(self, neighbour: Neighbour) -> bool:
        """Begin a round in an open session with this neighbour; False when there is none."""
        for sync in self._open.values():
            if sync.neighbour is neighbour:
                if not sync.comparing and not sync.wanted:
                    self._begin(sync)
                return True
        return False

    def compare_uplinks(self) -> None:
        """The day has room again: begin a round on each uplink."""
        for sync in self._open.values():
            if sync.uplink and not sync.comparing and not sync.wanted:
                self._begin(sync)

    def reconsider(self) -> None:
        """We may take what we refused before: begin a round wherever one may be had."""
        idle = [sync for sync in self._open.values() if not sync.comparing and not sync.wanted]
        for sync in [sync for sync in idle if not sync.rests(self._gate)]:
            self._begin(sync)

    def live(self, session: int | None) -> bool:
        """True when blocks on this session are news and not the catching up that was asked for."""
        sync = self._open.get(session) if session is not None else None
        return sync is not None and not sync.wanted

    def frame_untrusted(self, heard: Heard, frame: Frame) -> None:
        """One frame of a session. WireError for ranges that cannot be."""
        sync = self._open.get(heard.session) if heard.session is not None else None
        if sync is None or not self._neighbours.answer_costs(heard, self._costs(sync, frame)):
            return
        if sync.rests(self._gate) and not isinstance(frame, SessionBeacon | Done):
            return  # the other end gives up after a while; compared again when the day has room
        before = sync.queued
        self._take_untrusted(sync, frame)
        self._neighbours.answer_costs(heard, sync.queued - before)

    def _take_untrusted(self, sync: Sync, frame: Frame) -> None:
        match frame:
            case Ranges():
                self._ranges_untrusted(sync, frame)
            case Elements():
                self._elements(sync, frame)
            case Heads():
                self._heads(sync, frame)
            case Want():
                sync.moved_at = self._ctx.now
                self._pages.want(sync, frame)
            case Done():
                self._done(sync, frame)
            case SessionBeacon():
                self._beacon(sync, frame.frontier)
            case _:
                return

    def arrived(self, session: int | None, logs: Collection[LogId]) -> None:
        """Something came in, perhaps all that was asked for of these logs."""
        sync = self._open.get(session) if session is not None else None
        if sync is not None:
            sync.moved_at, caught_up = self._ctx.now, bool(sync.wanted)
            self._lacks.strike(sync, [log for log in logs if log in sync.wanted])
            if caught_up:
                self._tell_soon(sync, logs)
            self._say_done(sync)

    def grew(self, session: int | None) -> None:
        """Our frontier changed by what came on that session, or elsewhere (None)."""
        for sync in self._open.values():
            if sync.id != session and sync.shown:
                sync.grew = True

    def _tell_soon(self, source: Sync, logs: Iterable[LogId]) -> None:
        """What is caught up on is no news that is sent on as it comes: in the end the other sessions hear of it."""
        for sync in self._open.values():
            if sync is source:
                continue
            if len(sync.untold) <= TELL_LOGS:
                sync.untold.update(logs)
            if not source.wanted and self._tell_at(sync) > self._ctx.now + TELL_SOON_S:
                sync.said_at = self._ctx.now + TELL_SOON_S - TELL_EVERY_S

    def look_below(self, log: Log, session: int | None = None) -> None:
        """Its split lies further down: ask who showed us the other branch, or each whom we asked about it before."""
        for sync in self._open.values():
            if sync.id != session and log.id not in sync.looked:
                continue
            if log.below is not None and sync.looked.get(log.id) != log.below:
                sync.looked[log.id] = log.below
                self._send(sync, Want((Wish(log.id, *log.below),)))

    def writable(self, writable: SessionWritable) -> None:
        """The far end took what was sent."""
        sync = self._open.get(writable.session)
        if sync is not None:
            sync.queued = writable.queued
            self._pages.serve(sync)

    def stored(self, stored: Stored) -> bool:
        """A page was read; False when it was not for us."""
        sync = next((sync for sync in self._open.values() if sync.reading == stored.token), None)
        if sync is None:
            return False
        self._pages.read(sync, stored)
        self._finish(sync)
        return True

    def wakeup(self) -> Instant | None:
        """When something is due on any session."""
        return min(map(self._due, self._open.values())) if self._open else None

    def tick(self) -> None:
        """Give up what stalled, compare again where a difference lasted, tell our digest now and then."""
        now = self._ctx.now
        for sync in list(self._open.values()):
            if self._due(sync) > now:
                continue
            if sync.serve_at is not None and now >= sync.serve_at:
                self._pages.serve(sync)
            elif (sync.wanted or sync.comparing) and now >= sync.moved_at + STALLED_S:
                sync.wanted.clear()
                sync.splits.clear()
                sync.asked.clear()
                sync.moved_at, sync.comparing = now, False
                self._conclude(sync)
            elif sync.differs_at is not None and now >= sync.differs_at:
                self._look(sync)
            else:
                self._tell(sync)

    def _due(self, sync: Sync) -> Instant:
        due = self._tell_at(sync)
        if sync.wanted or sync.comparing:
            due = min(due, sync.moved_at + STALLED_S)
        if sync.serve_at is not None:
            due = min(due, sync.serve_at)
        return min(due, sync.differs_at) if sync.differs_at is not None else due

    def _tell_at(self, sync: Sync) -> Instant:
        """When to look whether our digest is news there: every 20 s, from the first such moment after a change."""
        history = self._logs.history
        if sync.said_changes == history.changes:
            return FOREVER
        if sync.news_at is None:
            sync.news_at = history.changed_at
        turns = floor(max(0.0, sync.news_at - sync.said_at) / TELL_EVERY_S) + 1
        return sync.said_at + turns * TELL_EVERY_S

    # comparing

    def _frontier(self, sync: Sync) -> Iterable[Element]:
        """What we tell of ours there."""
        every = self._logs.book.frontier()
        return (one for one in every if self._gate.carries(one.log)) if self._partly(sync) else every

    def _digest(self, sync: Sync) -> bytes:
        """The digest of it."""
        return self._logs.digest_of(self._frontier(sync)) if self._partly(sync) else self._logs.digest()

    def _partly(self, sync: Sync) -> bool:
        return sync.uplink and bool(self._gate.rules.channels)

    def _costs(self, sync: Sync, frame: Frame) -> int:
        """Bytes that its session pays for our work: what is looked through, and hashed anew for a new round."""
        if not isinstance(frame, Ranges | Heads | Done | SessionBeacon):
            return 0
        held = len(self._logs.book)
        looked = len(sync.wanted) + (held if self._partly(sync) else 0)
        is_new_round = isinstance(frame, Ranges) and frame.nonce not in sync.rounds
        return LOOK_COST * looked + (ROUND_COST * held if is_new_round else 0)

    def _begin(self, sync: Sync) -> None:
        nonce = self._ctx.entropy.take("round", 4)
        sync.comparing, sync.done, sync.heard_done = True, False, b""
        sync.moved_at, sync.differs_at = self._ctx.now, None
        _, reconciler = self._round(sync, nonce)
        self._send_ranges(sync, nonce, reconciler.open())

    def _round(self, sync: Sync, nonce: bytes) -> tuple[Round, Reconciler]:
        """The round of that nonce, begun from our frontier as it is now if it is new."""
        if nonce not in sync.rounds:
            if not sync.shown:
                sync.shown, sync.grew = self._digest(sync), False
            key = self._ctx.mesh.digest
            begun = Round(key, nonce, self._frontier(sync))
            sync.rounds[nonce] = (begun, Reconciler(begun.elements, key, nonce))
            while len(sync.rounds) > MAX_ROUNDS:
                del sync.rounds[next(iter(sync.rounds))]
            sync.untold.clear()
            self._send_heads(sync, begun.twins)
        return sync.rounds[nonce]

    def _ranges_untrusted(self, sync: Sync, frame: Ranges) -> None:
        sync.moved_at = self._ctx.now
        if frame.nonce not in sync.rounds:
            sync.comparing, sync.done, sync.heard_done = True, False, b""
        begun, reconciler = self._round(sync, frame.nonce)
        answer = reconciler.answer_untrusted(frame.ranges)
        unknown = []
        for element in answer.missing_here:
            handle, head, forked = take_element(element)
            known = begun.by_handle.get(handle)
            if known is None:
                unknown.append(handle)
            else:
                self._lacks.lack(sync, Element(known.log, head, forked))
        if unknown:
            sync.comparing = True  # until they are named
            for at in range(0, len(unknown), BATCH // 64):
                self._send(sync, Elements(frame.nonce, tuple(unknown[at : at + BATCH // 64])))
        if answer.ranges:
            self._send_ranges(sync, frame.nonce, answer.ranges)
        elif not unknown:
            sync.comparing = False
        self._lacks.ask(sync)
        self._conclude(sync)

    def _elements(self, sync: Sync, frame: Elements) -> None:
        found = sync.rounds.get(frame.nonce)
        if found is not None:
            elements = [found[0].by_handle.get(handle) for handle in frame.handles]
            self._send_heads(sync, [element for element in elements if element is not None])

    def _heads(self, sync: Sync, frame: Heads) -> None:
        """What it has, as we asked, or unasked what it caught up with: of that nothing which comes from elsewhere."""
        unasked, sync.comparing = sync.done and not sync.comparing, False
        self._repair.witnesses.vouched(sync.neighbour, frame.heads)
        for element in frame.heads:
            if not (unasked and self._comes(element, sync)):
                self._lacks.lack(sync, element)
        self._lacks.ask(sync)
        self._conclude(sync)

    def _comes(self, element: Element, apart: Sync) -> bool:
        return any(one.wanted.get(element.log, 0) >= element.head for one in self._open.values() if one is not apart)

    def _beacon(self, sync: Sync, frontier: bytes) -> None:
        peer = self._repair.peer(sync.neighbour)
        peer.frontier, peer.told_at = frontier, self._ctx.now
        if peer.agrees(self._digest(sync)):
            sync.differs_at = None
            if frontier == self._digest(sync) and not self._partly(sync):
                self._repair.witnesses.covers_all(sync.neighbour)
        elif sync.differs_at is None:
            sync.differs_at = self._ctx.now + DIFFER_S

    def _look(self, sync: Sync) -> None:
        sync.differs_at = None
        peer = self._repair.peer(sync.neighbour)
        if peer.agrees(self._digest(sync)) or sync.rests(self._gate):
            return
        if not self._logs.history.passed(peer.frontier, peer.told_at, DIFFER_S):
            self._begin(sync)

    def _tell(self, sync: Sync) -> None:
        ours = self._digest(sync)
        sync.said_at = self._ctx.now
        if sync.comparing or sync.rests(self._gate):
            return
        sync.said_changes, sync.news_at = self._logs.history.changes, None
        if sync.carrier == "overlay" and ours != sync.said:
            sync.said = ours
            self._tell_logs(sync)
            self._send(sync, SessionBeacon(ours, self.envelope_digest()))

    def say_anew(self, neighbour: Neighbour) -> None:
        """The only way left to a neighbour: what each holds is compared over it."""
        for sync in self._open.values():
            if sync.neighbour is neighbour and not sync.comparing and not sync.rests(self._gate):
                sync.said = self._digest(sync)
                self._send(sync, SessionBeacon(sync.said, self.envelope_digest()))

    def _tell_logs(self, sync: Sync) -> None:
        """Few logs that were caught up with are named: the far end asks for them at once, and need not compare.

        Not over an uplink: what the one that goes first will bring is not to cross the others as well.
        """
        if len(sync.untold) <= TELL_LOGS and not sync.uplink:
            held = [self._logs.book.get(log) for log in sorted(sync.untold)]
            self._send_heads(sync, [log.element for log in held if log is not None and log.counts])
        sync.untold.clear()

    # coming to an end

    def _conclude(self, sync: Sync) -> None:
        """Strike what is here; when nothing is left, say so."""
        self._lacks.strike(sync, list(sync.wanted))
        self._say_done(sync)

    def _say_done(self, sync: Sync) -> None:
        if not sync.wanted and not sync.comparing and not sync.done:
            sync.done, sync.said_at, sync.said_changes = True, self._ctx.now, -1
            if sync.grew:  # the far end could not ask for that: it shall not take the difference for settled
                sync.said, sync.said_at = sync.shown, self._ctx.now + TELL_SOON_S - TELL_EVERY_S
            else:
                sync.said = self._digest(sync)
            sync.shown, sync.grew = b"", False
            self._send(sync, Done(sync.said))
        self._finish(sync)

    def _done(self, sync: Sync, frame: Done) -> None:
        sync.heard_done, sync.comparing, sync.moved_at = frame.frontier, False, self._ctx.now
        peer = self._repair.peer(sync.neighbour)
        peer.frontier, peer.told_at = frame.frontier, self._ctx.now
        self._conclude(sync)

    def _finish(self, sync: Sync) -> None:
        """Both are done: equal or resolved; a session on the link ends."""
        if not sync.settled or sync.ended:
            return
        sync.rounds.clear()  # 300 B a log each, and nobody asks about them any more
        peer, ours = self._repair.peer(sync.neighbour), self._digest(sync)
        if sync.heard_done == ours:
            if not self._partly(sync):
                self._repair.witnesses.covers_all(sync.neighbour)
            peer.settled()
        elif ours == sync.said:
            peer.resolve(sync.heard_done, ours)
        if sync.carrier == "link" and sync.initiator:
            sync.ended = True
            self._ctx.emit(Hangup(sync.id))

    # out

    def _send_ranges(self, sync: Sync, nonce: bytes, ranges: Iterable[Range]) -> None:
        for batch in split_ranges(tuple(ranges), BATCH):
            self._send(sync, Ranges(nonce, batch))

    def _send_heads(self, sync: Sync, elements: list[Element]) -> None:
        step = BATCH // 55
        for at in range(0, len(elements), step):
            self._send(sync, Heads(tuple(elements[at : at + step])))

    def _send(self, sync: Sync, frame: Frame) -> None:
        sync.queued += self._neighbours.speak(sync.id, frame)

"""Gossip: blocks in, blocks out. The parts beside this file each tell one story; this one routes between them.

arrivals  what comes of blocks     logs, history, shares, admission  what is held, and what may be
flood     new blocks, at once      beacon, trickle  what neighbours hear of us, and when
repair    differences on a link    serve      answers to WANT
pace      when to look at them     wishes     what we lack
telling   what we tell             witnesses  who says that it has what
session   differences by session   dial       whom to call
lacks     what is fetched there    pages      what is served there
bodies    bodies that are missing  forks      logs that split
bridges   who has an uplink, and which of them goes first
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.chain.block import Block
from meshnode.core.chain.checkpoint import claim_over
from meshnode.core.chain.fork import Adoption
from meshnode.core.chain.log import Log
from meshnode.core.clock import Instant, earliest
from meshnode.core.context import Context
from meshnode.core.gossip.arrivals import GROUP_HURRY_S, SINGLE_HURRY_S, Arrivals
from meshnode.core.gossip.beacon import Beacons
from meshnode.core.gossip.bodies import Bodies
from meshnode.core.gossip.bridges import Bridges
from meshnode.core.gossip.dial import Dialler
from meshnode.core.gossip.flood import Flood
from meshnode.core.gossip.forks import Forks
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.repair import BY_DATAGRAM, Repair
from meshnode.core.gossip.serve import Serve
from meshnode.core.gossip.session import Sessions
from meshnode.core.ids import LogId
from meshnode.core.inputs import (
    BodiesDropped,
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    LinkChanged,
    PeerSeen,
    SessionWritable,
    Stored,
)
from meshnode.core.neighbours.neighbour import FOREVER, NEVER
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.records import Snapshot
from meshnode.core.trust.rings import Rings
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    BridgeNews,
    Delta,
    EnvelopeFrame,
    ForkFrame,
    Frame,
    Need,
    Offer,
    Proofs,
    Receipts,
    Refs,
    RefWant,
    Run,
    Trace,
    Want,
)
from meshnode.errors import WireError

_ONLY_BEACONS: Final = frozenset({Beacon})
_OF_FORWARDING: Final = frozenset({EnvelopeFrame, Receipts, Proofs, Offer, Need, Trace})
WITNESS_S: Final = 2.0  # after our last post: have neighbours vouch for what they hold


class Timed(Protocol):
    """A part with something to do at times."""

    def wakeup(self) -> Instant | None:
        """When it is due."""
        ...

    def tick(self) -> None:
        """Do what is due."""
        ...


class Gossip:
    """All of it for one node. Wire `on_block`, `on_covered`, `on_own_block_ahead`, `envelope_digest` and `carrying`."""

    def __init__(self, ctx: Context, neighbours: Neighbours, outbox: Outbox, rings: Rings) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self.logs = Logs(ctx, rings)
        self.beacons = Beacons(ctx, neighbours, outbox, self.logs)
        self.flood = Flood(ctx, neighbours, outbox)
        self.repair = Repair(ctx, neighbours, self.logs, self.beacons)
        self.serve = Serve(ctx, neighbours, self.logs, self.flood)
        self.sessions = Sessions(ctx, neighbours, self.logs, self.repair)
        self.dialler = Dialler(ctx, neighbours)
        self.bridges = Bridges(ctx, neighbours, self.dialler)
        self.bodies = Bodies(ctx, neighbours, self.logs)
        self.forks = Forks(ctx, neighbours, self.logs, rings)
        self.arrivals = Arrivals(
            ctx,
            neighbours,
            self.logs,
            beacons=self.beacons,
            bodies=self.bodies,
            flood=self.flood,
            forks=self.forks,
            repair=self.repair,
            sessions=self.sessions,
        )
        self.flood.holds = self.repair.witnesses.holds
        neighbours.on_double = lambda neighbour, link, item: self.flood.begun(item, neighbour, link)
        self.repair.want_session = self._want_session
        self.bridges.on_room = self._room
        self.logs.on_pardoned = self._pardoned
        self.logs.on_wanted = self._wanted
        self.forks.on_proven = self._look_below
        self.forks.holders = self.repair.witnesses.holders
        self._timed: tuple[Timed, ...] = (
            self.flood,
            self.repair,
            self.serve,
            self.sessions,
            self.dialler,
            self.bodies,
        )
        # Hours and budgets change what a bridge does while nothing happens in gossip: there it is asked at each step.
        gate = neighbours.gate
        self._is_limited = gate.is_bridge and gate.rules.limited
        if gate.is_bridge and not self._is_limited:
            self._timed = (*self._timed, self.bridges)
        self._witness: dict[LogId, Instant] = {}
        self._rest_at: Instant = NEVER  # nothing but a beacon is due before; NEVER: to be asked
        neighbours.on_bound.append(self._stir)
        neighbours.on_lost.append(self._stir)
        neighbours.on_unlinked.append(self._unlinked)

    # wiring

    def wire(
        self,
        *,
        on_block: Callable[[Block], None],
        on_covered: Callable[[Neighbour, LogId, int], None],
        on_own_block_ahead: Callable[[Block], None],
        envelope_digest: Callable[[], bytes],
        carrying: Callable[[], bool],
        unsure: Callable[[], bool],
    ) -> None:
        """What the parts above and beside are told, and asked for."""
        self.arrivals.on_block = on_block
        self.repair.witnesses.on_covered = on_covered
        self.logs.on_own_ahead = on_own_block_ahead
        self.beacons.envelope_digest = self.sessions.envelope_digest = envelope_digest
        self.beacons.carrying, self.beacons.unsure = carrying, unsure

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        self.logs.restore(snapshot)
        self.flood.restore(snapshot)
        self.bodies.restore()

    # what a node says itself

    def publish(self, block: Block) -> None:
        """Our own next block: on disk first, then on the air, then vouched for."""
        self._stir()
        self.logs.take_own(block)
        self.sessions.grew(None)
        grouped = self.flood.publish(block, 0)
        self.beacons.hurry(GROUP_HURRY_S if grouped else SINGLE_HURRY_S)
        self._witness[block.log] = self._ctx.now + WITNESS_S

    def checkpoint_due(self, log: LogId, seq: int) -> bytes:
        """What the author may claim of its log after the block at `seq`; nothing while no checkpoint is due."""
        held = self.logs.book.get(log)
        if held is None or held.forked or held.last != seq:
            return b""
        claim = claim_over(held.rows)
        return claim.encode() if claim is not None else b""

    def adopt(self, adoption: Adoption) -> int:
        """Identity verified that the owner of a split log adopts one branch. Where it split; 0 if that is not known."""
        self._stir()
        self.logs.adopt(adoption)
        self.sessions.grew(None)
        self.logs.flush()
        held = self.logs.book.get(adoption.log)
        return held.frozen_at if held is not None else 0

    def covered_by(self, log: LogId, seq: int) -> list[Neighbour]:
        """The nodes that vouched themselves, under a key only they and we have, for having this block."""
        nodes = [node for node, peer in self.repair.peers.items() if peer.witnessed.get(log, 0) >= seq]
        found = [self._neighbours.get(node) for node in nodes]
        return [neighbour for neighbour in found if neighbour is not None]

    # what happens

    def link_changed(self, change: LinkChanged) -> None:
        """A link came or went."""
        self.beacons.link_changed(change.link, change.settings is not None)

    def station_seen(self, link: str) -> None:
        """The radio of a link hears somebody new."""
        self._stir()
        self.beacons.station_seen(link)

    def peer_seen(self, peer: PeerSeen) -> None:
        """A peer that may be dialled came or went."""
        self._stir()
        self.dialler.peer_seen(peer)

    def dial_failed(self, failure: DialFailed) -> None:
        """A call was not answered."""
        self._stir()
        self.dialler.failed(failure)

    def session_opened(self, began: EncounterBegan) -> None:
        """A session is open; the neighbour table knows it already."""
        self._stir()
        self.dialler.opened(began)
        if self.bridges.turns_away(began):
            return
        self.sessions.opened(began)

    def session_closed(self, ended: EncounterEnded) -> None:
        """A session is over; what it left undone goes on some other way."""
        self._stir()
        self.dialler.closed(ended.session)
        neighbour = self.sessions.closed(ended.session)
        if neighbour is not None:
            peer = self.repair.peer(neighbour)
            peer.check_at = self._ctx.now + WITNESS_S

    def bodies_dropped(self, dropped: BodiesDropped) -> None:
        """The store made room."""
        self._stir()
        self.logs.bodies_dropped(dropped.blocks)
        self.logs.flush()

    def session_writable(self, writable: SessionWritable) -> None:
        """A session may take more."""
        self._stir()
        self.sessions.writable(writable)

    def stored(self, stored: Stored) -> bool:
        """Something was read from the store; False when somebody else asked for it."""
        self._stir()
        return self.serve.stored(stored) or self.sessions.stored(stored) or self.forks.stored(stored)

    def heard(self, heard: Heard) -> None:
        """Frames from one sender. What is wrong with one of them its sender pays for, and the rest is dropped."""
        self.beacons.heard(heard)
        if heard.carrier == "link" and _OF_FORWARDING.issuperset(map(type, heard.frames)):
            return  # no part of gossip has anything to do with these, so none is to be asked anew
        if not _ONLY_BEACONS.issuperset(map(type, heard.frames)):
            self._stir()  # of a beacon repair says whether it matters
        before = self.logs.history.changes
        try:
            for frame in heard.frames:
                self._frame_untrusted(heard, frame)
        except WireError:
            self._ctx.count("frame_refused")
            self._neighbours.fine(heard, heard.size)
        self.logs.flush()
        if self.logs.history.changes != before:
            self.sessions.grew(heard.session)
        if heard.carrier == "session":
            self.sessions.arrived(heard.session, self._brought(heard.frames))

    def wakeup(self) -> Instant | None:
        """When something here is due."""
        first = self.beacons.wakeup()
        if self._is_limited:
            first = earliest(first, self.bridges.wakeup())
        if first is not None and first < self._rest_at:
            return first
        times = [at for part in self._timed if (at := part.wakeup()) is not None]
        self._rest_at = min(*times, *self._witness.values(), FOREVER, FOREVER)
        return earliest(first, self._rest_at if self._rest_at < FOREVER else None)

    def tick(self) -> None:
        """Do what is due."""
        self.beacons.tick()
        if self._is_limited:
            self.bridges.tick()
        if self._rest_at <= self._ctx.now:
            self._tick_rest()
        self.logs.flush()

    def _tick_rest(self) -> None:
        for part in self._timed:
            part.tick()
        for log in [log for log, at in self._witness.items() if at <= self._ctx.now]:
            del self._witness[log]
            self.repair.witnesses.ask(log)

    # how

    def _stir(self, neighbour: Neighbour | None = None) -> None:
        """Something happened beside beacons that agree: every part is to be asked again when it is due."""
        self._rest_at = NEVER

    def _unlinked(self, neighbour: Neighbour) -> None:
        """What was said to it on a link that is gone may not have arrived: the session that is left goes on with it."""
        self._stir()
        self.sessions.say_anew(neighbour)

    def _room(self) -> None:
        self._stir()
        self.sessions.compare_uplinks()

    def _pardoned(self) -> None:
        self._stir()
        self.repair.reconsider()
        self.sessions.reconsider()

    def _wanted(self, log: LogId) -> None:
        self._stir()
        self.bodies.missing(log)

    def _frame_untrusted(self, heard: Heard, frame: Frame) -> None:
        match frame:
            case Beacon() if heard.carrier == "link":
                if self.repair.beacon(heard, frame):
                    self._stir()
            case BlockFrame() | Run() if self._kept_out(heard, frame.log):
                self._ctx.count("bridge_kept_out")
            case BlockFrame():
                self.arrivals.take_untrusted(heard, frame.log, (frame.block,))
            case Run():
                self.arrivals.take_untrusted(heard, frame.log, frame.blocks)
            case ForkFrame():
                self.forks.proof_untrusted(heard, frame)
            case Delta() if heard.carrier == "link":
                self.repair.delta(heard, frame)
            case Want() if heard.carrier == "link":
                self._want(heard, frame)
            case BridgeNews():
                self.bridges.heard(frame, heard)
            case RefWant():
                self.repair.ref_want(heard, frame)
            case Refs():
                self.repair.refs(heard, frame)
            case _ if heard.carrier == "session":
                self.sessions.frame_untrusted(heard, frame)
            case _:
                return  # of other parts, or refused here

    def _kept_out(self, heard: Heard, ref: bytes) -> bool:
        """It came over an uplink that is not for its channel."""
        gate = self._neighbours.gate
        if not gate.is_uplink(heard.session) or not gate.rules.channels:
            return False
        return not any(gate.carries(log) for log in self.logs.ids(ref))

    def _brought(self, frames: Iterable[Frame]) -> set[LogId]:
        """The logs that frames may have brought something of."""
        named = {frame.log for frame in frames if isinstance(frame, BlockFrame | Run | ForkFrame)}
        return {log for name in named for log in self.logs.ids(name)}

    def _look_below(self, log: Log) -> None:
        self.repair.look_below(log)
        self.sessions.look_below(log)

    def _want(self, heard: Heard, want: Want) -> None:
        neighbour = heard.neighbour
        if neighbour is None:
            return
        much = sum(wish.count for wish in want.wishes) > BY_DATAGRAM
        if much and self._want_session(neighbour, False):
            return
        differing = [peer for peer in self.repair.peers.values() if peer.differs_since is not None]
        if self.serve.want(heard, want, len(differing) > 1):
            self.repair.served(neighbour)

    def _want_session(self, neighbour: Neighbour, insist: bool) -> bool:
        return self.sessions.compare(neighbour) or self.dialler.want_link(neighbour, insist)

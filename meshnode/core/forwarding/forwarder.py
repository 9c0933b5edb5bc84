"""Forwarding: where an envelope, a receipt or a proof that comes in goes to which part, and what follows from it.

The node wires the callbacks: `on_envelope` (chat tries to open), `on_carried`, `on_receipt`, `on_missed`, `on_air`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from meshnode.core.airtime.outbox import Outbox, Outgoing
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.arrivals import PARCEL_COPIES, Arrivals, OnEnvelope
from meshnode.core.forwarding.custody import Custody
from meshnode.core.forwarding.encounters import Encounters
from meshnode.core.forwarding.flood import Flood
from meshnode.core.forwarding.receipts import BATCH, OnReceipt, Receipts
from meshnode.core.forwarding.scope import Scope
from meshnode.core.forwarding.shelf import Carried, Shelf, own_record
from meshnode.core.forwarding.strategies.spray_and_focus import SprayAndFocus
from meshnode.core.forwarding.timers import first_of
from meshnode.core.forwarding.trace import Traces, carrier_of
from meshnode.core.ids import EnvelopeId, MessageId, NodeKey, Receipt, Tag
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.notices import Waiting
from meshnode.core.records import ROLE_OWN, EnvelopeRecord, SeenRecord, Snapshot, TombstoneRecord
from meshnode.core.sealing.envelope import (
    KIND_PROBE,
    EnvelopeHeader,
    envelope_id,
    read_envelope_untrusted,
)
from meshnode.core.wire.frames import EnvelopeFrame, Frame, Need, Offer, Proofs, Took, Trace
from meshnode.core.wire.frames import Receipts as ReceiptsFrame


class Forwarding:
    """All of it, for one node."""

    def __init__(self, ctx: Context, neighbours: Neighbours, outbox: Outbox) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self.strategy = SprayAndFocus()
        self.shelf = Shelf(ctx)
        self._custody = Custody(ctx, neighbours.me, self.shelf, self._carried)
        self._scope = Scope(ctx, self.shelf, outbox, self._widen, self._asked_for)
        self._receipts = Receipts(ctx, neighbours, self.shelf, self._custody, self._scope)
        self._flood = Flood(
            ctx, neighbours, outbox, self._custody, self.strategy, self._along_with, self._on_session_sent
        )
        self._encounters = Encounters(
            ctx, neighbours, self.shelf, self._receipts, self._custody, self._needed, self._has
        )
        self._timers = (*self._custody.timers, *self._receipts.timers, *self._scope.timers, *self.shelf.timers)
        self._traces = Traces(ctx, neighbours)
        self._arrivals = Arrivals(
            ctx, neighbours, self.shelf, self._custody, self._receipts, self._flood, self._scope, self._traces
        )
        self.on_carried: Callable[[MessageId, Neighbour], None] = _ignore_carried
        self.on_air: Callable[[MessageId], None] = _ignore_message

    @property
    def on_envelope(self) -> OnEnvelope:
        """Chat tries to open an envelope; true when it was ours, and a receipt for it is on its way."""
        return self._arrivals.on_envelope

    @on_envelope.setter
    def on_envelope(self, callback: OnEnvelope) -> None:
        self._arrivals.on_envelope = callback

    @property
    def on_receipt(self) -> OnReceipt:
        """Chat learns of a receipt, and how far it came; true when the tag is of a message of ours."""
        return self._receipts.on_receipt

    @on_receipt.setter
    def on_receipt(self, callback: OnReceipt) -> None:
        self._receipts.on_receipt = callback

    @property
    def on_missed(self) -> Callable[[Carried], None]:
        """Chat learns that no receipt came in time from where the reader was."""
        return self._scope.on_missed

    @on_missed.setter
    def on_missed(self, callback: Callable[[Carried], None]) -> None:
        self._scope.on_missed = callback

    @property
    def say_digest(self) -> Callable[[Neighbour, str], None]:
        """Gossip's beacon says what we hold: to this neighbour alone, on that link."""
        return self._encounters.say_digest

    @say_digest.setter
    def say_digest(self, callback: Callable[[Neighbour, str], None]) -> None:
        self._encounters.say_digest = callback

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk: own envelopes and promises are offered again to whoever comes."""
        self.shelf.restore(snapshot)
        self._receipts.restore(snapshot)
        self.shelf.date_again()

    # Our own

    def own(
        self, header: EnvelopeHeader, data: bytes, message: bytes, copies: int
    ) -> tuple[EnvelopeRecord, SeenRecord]:
        """The rows of an envelope sealed here, for the Persist that also holds the step of its chain (rule 11.2)."""
        envelope = envelope_id(data)
        record = own_record(header, envelope, data, self._ctx.now, message, copies)
        return record, self.shelf.remember(envelope, header)

    def submit(self, record: EnvelopeRecord, reach: int | None = None) -> None:
        """An own envelope is on its way to the disk: spread it, and hand over copies, once it is there.

        So many hops far, and farther only if no receipt comes; None: as far as there are nodes.
        """
        trail = self.shelf.trails.of(record.id, record.tag)
        trail.message, trail.sent_at, trail.quiet = record.message, self._ctx.now, reach is not None
        carried = Carried(record, read_envelope_untrusted(record.data), trail, self._ctx.now, reach=reach)
        self.shelf.put(carried)
        self._scope.limited(carried)
        if carried.header.kind == KIND_PROBE:
            self._traces.sent(carried.id, trail)
        self._flood.spread(carried, named=True)

    def withdraw(self, message: bytes, *, needed: Callable[[Tag], bool] | None = None) -> None:
        """Nothing more is to be done for a message of ours: it arrived, or was given up.

        What lies under a tag that is `needed` all the same stays until its own receipt, or its end.
        """
        for carried in [c for c in self.shelf if c.record.role == ROLE_OWN and c.record.message == message]:
            if needed is None or not needed(carried.record.tag):
                self._drop(carried)

    def tombstone(self, header: EnvelopeHeader, receipt: Receipt) -> TombstoneRecord:
        """The row that says an envelope for us arrived, for the Persist that files its message (rule 11.4)."""
        return self._receipts.tombstone(header.tag, receipt, header.lifetime_s)

    def reveal(self, record: TombstoneRecord, *, prompt: bool) -> None:
        """The message and this row are on their way to the disk: send the receipt once they are there."""
        self._receipts.reveal(record, prompt=prompt)

    def with_tags(self, tags: tuple[Tag, ...]) -> list[Carried]:
        """What is held under tags that have just become ours (rule 7.5)."""
        return [carried for tag in tags for carried in self.shelf.with_tag(tag)]

    def look_again(self) -> None:
        """A session began: what passed through before may have been for us, so ask for it when it is offered."""
        self.shelf.forget_passed()

    # What comes in

    def frame_arrived(self, frame: Frame, heard: Heard) -> bool:
        """Take one frame; false when it is none of forwarding's."""
        match frame:
            case EnvelopeFrame():
                self.envelope_arrived(frame, heard)
            case ReceiptsFrame(receipts, hops):
                self._receipts.arrived(receipts, heard, hops)
            case Proofs(proofs) if heard.neighbour is not None:
                self._custody.proofs_arrived(proofs, heard.neighbour)
            case Took(envelopes) if heard.neighbour is not None:
                self._took(envelopes, heard.neighbour)
            case Offer(shorts) if heard.neighbour is not None:
                self._encounters.offer_arrived(shorts, heard.neighbour)
            case Need(shorts) if heard.neighbour is not None:
                self._encounters.need_arrived(shorts, heard.neighbour)
            case Trace():
                self._traces.arrived(frame)
            case _:
                return False
        return True

    def envelope_arrived(self, frame: EnvelopeFrame, heard: Heard) -> None:
        """An envelope, new or not, with what its sender says of custody."""
        self._arrivals.envelope_arrived(frame, heard)

    # Neighbours

    def neighbour_bound(self, neighbour: Neighbour) -> None:
        """An encounter began. What only passed through before may be for whoever came, so it may be asked for again."""
        self.shelf.forget_passed()
        self._custody.met_again(neighbour.node)
        self._encounters.began(neighbour)

    def neighbour_lost(self, neighbour: Neighbour) -> None:
        """An encounter is over."""
        self._custody.lost(neighbour.node)
        self._receipts.lost(neighbour.node)
        self._encounters.lost(neighbour.node)

    def session_opened(self, neighbour: Neighbour) -> None:
        """A session with a peer is open."""
        self._encounters.session_began(neighbour)

    def offer_late(self, neighbour: Neighbour, settled_s: float) -> None:
        """On an uplink where another bridge goes first: offer what it may not have taken across."""
        self._encounters.offer_late(neighbour, settled_s)

    def digest_heard(self, neighbour: Neighbour, digest: bytes) -> None:
        """A bound neighbour's beacon, or a session's, says what envelopes it holds."""
        hears = [name for presence in neighbour.presences.values() for name in presence.echoes_heard]
        self.strategy.met(neighbour.node, neighbour.id, hears)
        self._encounters.digest_heard(neighbour, digest)

    def envelope_digest(self) -> bytes:
        """What our own beacon says."""
        return self.shelf.digest()

    @property
    def in_reach(self) -> bool:
        """True while somebody is there to give anything to."""
        return bool(self._neighbours.reachable())

    def waiting(self) -> Iterator[Waiting]:
        """Envelopes kept for others and our own, until somebody better comes, or the receipt."""
        for carried in self.shelf:
            if carried.kept:
                needs = "its receipt" if carried.proved or not carried.record.copies else "a carrier"
                yield Waiting("envelope", carried.cls, len(carried.record.data), needs, id=carried.id.hex())

    def carrying(self) -> bool:
        """True while something waits to be handed on: beacon more often when alone.

        What we wrote ourselves and handed to a good neighbour waits for no meeting, only for its answer.
        """
        return self.shelf.promised > 0 or (self.shelf.own > 0 and not self._custody.hopeful)

    def unsure(self) -> bool:
        """True while a receipt may have been said into the dark: look around, as if it were carried."""
        return self._receipts.unsure()

    # Parcels

    def parcel_frames(self, since: Instant = 0.0) -> Iterator[Frame]:
        """Envelopes (copies 1, our own budget unchanged) and receipts, for an export."""
        for carried in list(self.shelf):
            if carried.first_seen >= since:
                yield EnvelopeFrame(carried.record.data, carried.age_at(self._ctx.now), PARCEL_COPIES)
        receipts = list(self._receipts)
        for at in range(0, len(receipts), BATCH):
            yield ReceiptsFrame(tuple(receipts[at : at + BATCH]))

    # Time

    def tick(self) -> None:
        """Everything that is due."""
        for carried in self.shelf.expire():
            self._custody.forget(carried.id)
            self._ctx.count("envelope_expired")
        for carried, node, copies in self._custody.late():
            neighbour = self._neighbours.get(node)
            if neighbour is not None and neighbour in self._neighbours.reachable():
                copies = min(copies, self._custody.available(carried) + copies)
                self._flood.to_one(carried, neighbour, copies=copies, small=True)
            else:
                self._custody.rest(carried.id, node)
        for node in self._custody.due_proofs():
            neighbour = self._neighbours.get(node)
            if neighbour is not None:
                self._along_with(neighbour)
        self._scope.tick()
        self._receipts.tick()

    def wakeup(self) -> Instant | None:
        """When something is due."""
        return first_of(self._timers)

    def clock_changed(self) -> None:
        """The date became known, or changed."""
        self.shelf.date_again()

    def sent(self, outgoing: Outgoing) -> None:
        """A frame left for the air: the outbox says so."""
        if isinstance(outgoing.frame, EnvelopeFrame):
            trail = self.shelf.trails.known(EnvelopeId(outgoing.key))
            if trail is not None and trail.message:
                self.on_air(MessageId(trail.message))
            self._scope.left(EnvelopeId(outgoing.key))

    # Custody

    def _took(self, envelopes: tuple[EnvelopeId, ...], taker: Neighbour) -> None:
        for envelope in envelopes:
            carried = self.shelf.get(envelope)
            if carried is not None and self._custody.expects(envelope, taker.node):
                self._custody.confirmed(carried, taker.node)

    def _along_with(self, neighbour: Neighbour) -> None:
        """Receipts and proofs for this neighbour, in the company of whatever else goes there now."""
        self._receipts.flush_to(neighbour)
        if not self._custody.owes(neighbour.node):
            return
        if neighbour.link(self._ctx.now) is None:
            self._neighbours.send(neighbour, Took(tuple(self._custody.owed_envelopes(neighbour.node))), 2)
            return
        for proofs in self._custody.owed_proofs(neighbour):
            self._neighbours.send(neighbour, proofs, 2)

    def _carried(self, carried: Carried, taker: NodeKey) -> None:
        neighbour = self._neighbours.get(taker)
        if carried.trail.message and neighbour is not None:
            self.on_carried(MessageId(carried.trail.message), neighbour)

    def _needed(self, carried: Carried, neighbour: Neighbour) -> None:
        self._flood.to_one(carried, neighbour, asked=True)

    def _has(self, carried: Carried, neighbour: Neighbour) -> None:
        self._scope.offered(carried)
        carried.has[neighbour.node] = None
        self._flood.overheard(carried)

    def _widen(self, carried: Carried) -> None:
        self._flood.spread(carried, named=True)

    def _asked_for(self, envelope: EnvelopeId) -> bool:
        return self._encounters.asked(envelope)

    def _drop(self, carried: Carried) -> None:
        self.shelf.drop(carried)
        self._custody.forget(carried.id)

    def _on_session_sent(self, carried: Carried) -> None:
        if carried.trail.message:
            self.on_air(MessageId(carried.trail.message))


def _ignore_carried(message: MessageId, neighbour: Neighbour) -> None:
    return None


def _ignore_message(message: MessageId) -> None:
    return None


__all__ = ["Carried", "Forwarding", "carrier_of"]

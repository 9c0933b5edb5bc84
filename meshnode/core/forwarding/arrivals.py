"""What becomes of an envelope that comes in: new here, or met before.

new envelope -> is its tag receipted?  -> tell who sent it
             -> is it ours?            -> chat opens it, a receipt goes back
             -> are we named?          -> promise on disk, then proof
             -> send it on once within the island, or its scope
met before   -> who sent it has it; who names us has its answer again
             -> may it go farther than it did? -> send it on once more
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from meshnode.core.bridge.held import Item
from meshnode.core.context import Context
from meshnode.core.forwarding.custody import Custody
from meshnode.core.forwarding.flood import NO_LIMIT, Flood
from meshnode.core.forwarding.quota import Quota
from meshnode.core.forwarding.receipts import Receipts
from meshnode.core.forwarding.scope import Scope
from meshnode.core.forwarding.shelf import Carried, Shelf, class_of, new_record, remaining_s
from meshnode.core.forwarding.trace import Traces
from meshnode.core.forwarding.trails import Trail
from meshnode.core.ids import EnvelopeId
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.records import ROLE_CUSTODY
from meshnode.core.sealing.envelope import (
    KIND_PROBE,
    EnvelopeHeader,
    envelope_id,
    max_copies,
    read_envelope_untrusted,
)
from meshnode.core.wire.frames import EnvelopeFrame, Handover, Took, TookProof
from meshnode.errors import WireError

PARCEL_COPIES: Final = 1

OnEnvelope = Callable[[EnvelopeHeader, bytes, Heard | None], bool]


class Arrivals:
    """Takes envelopes in. `on_envelope` lets chat try to open one: true if it was ours and a receipt is on its way."""

    def __init__(
        self,
        ctx: Context,
        neighbours: Neighbours,
        shelf: Shelf,
        custody: Custody,
        receipts: Receipts,
        flood: Flood,
        scope: Scope,
        traces: Traces,
    ) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._name = neighbours.me[:2]  # by which handovers and proofs call us
        self._shelf = shelf
        self._quota = Quota(ctx, shelf)
        self._custody = custody
        self._receipts = receipts
        self._flood = flood
        self._scope = scope
        self._traces = traces
        self.on_envelope: OnEnvelope = _not_ours

    def envelope_arrived(self, frame: EnvelopeFrame, heard: Heard) -> None:
        """An envelope, new or not, with what its sender says of custody."""
        envelope = envelope_id(frame.data)
        carried = self._shelf.get(envelope)
        try:
            header = read_envelope_untrusted(frame.data) if carried is None else carried.header
        except WireError:
            self._ctx.count("envelope_refused")
            return
        if heard.session is not None and self._kept_out(header, frame, heard):
            self._ctx.count("bridge_kept_out")
            return
        if carried is not None and frame.proof is not None and frame.proof.giver == self._name:
            self._proof_within(carried, frame.proof, heard)
            carried = self._shelf.get(envelope)  # who proved the last copy may have ended our custody
        if carried is not None:
            handover = self._naming(frame, heard, carried.trail) if frame.handovers else None
            self._again(carried, frame, handover, heard)
        else:
            self._not_held(envelope, header, frame, heard)

    def _not_held(self, envelope: EnvelopeId, header: EnvelopeHeader, frame: EnvelopeFrame, heard: Heard) -> None:
        trail = self._shelf.trails.of(envelope, header.tag)
        handover = self._naming(frame, heard, trail)
        if self._receipts.known(header.tag) is not None or self._receipts.match_loose(header.tag):
            if heard.bound and heard.neighbour is not None and (handover or _reach(frame, heard) is None):
                self._receipts.tell(heard.neighbour, header.tag)
        elif self._shelf.passed(envelope) and (self._shelf.seen(envelope) or handover is None):
            self._seen_before(envelope, handover, heard)
        elif (record := new_record(header, envelope, frame.data, self._ctx.now, frame.age)).expires_at <= self._ctx.now:
            self._ctx.count("envelope_expired")
        else:
            carried = Carried(record, header, trail, self._ctx.now, reach=_reach(frame, heard))
            trail.quiet = carried.reach is not None
            self._new(carried, frame, handover, heard)

    # A new envelope

    def _new(self, carried: Carried, frame: EnvelopeFrame, handover: Handover | None, heard: Heard) -> None:
        self._note_sender(carried, frame, heard)
        if carried.header.kind == KIND_PROBE:
            self._traces.met(carried.id, carried.trail, heard)
        if self.on_envelope(carried.header, frame.data, heard):
            if handover is not None and heard.neighbour is not None:
                self._custody.owe(heard.neighbour, carried.id, handover.reply)
            return
        if not self._ctx.settings.carry_for_others:
            self._ctx.count("envelope_not_carried")
            return
        held = self._keep(carried, frame, handover, heard)
        for gone in self._quota.make_room():
            self._custody.evicted(gone)
        proved = self._pass_on(held, handover, heard)
        if handover is not None and (held.kept or handover.copies == 0) and not proved and heard.neighbour is not None:
            self._owe(heard.neighbour, held.id, handover)

    def _keep(self, carried: Carried, frame: EnvelopeFrame, handover: Handover | None, heard: Heard) -> Carried:
        """Hold it: promised and on disk if we are named and have room, else in passing."""
        copies = handover.copies if handover is not None else 0
        if heard.carrier == "parcel":
            copies = min(frame.spread, PARCEL_COPIES)
        once = self._shelf.seen(carried.id)  # copies are taken once, but whoever came since may be the one it is for
        if copies == 0 or once or not self._quota.may_promise(len(frame.data), heard.node):
            self._shelf.put(carried)
            self._scope.limited(carried)
            return carried
        return self._promise(carried, copies, heard.node)

    def _promise(self, carried: Carried, copies: int, giver: bytes) -> Carried:
        """On disk, synced, before any proof of this step leaves (rule 11.1)."""
        clamped = min(copies, max_copies(carried.header.cls))
        record = replace(carried.record, role=ROLE_CUSTODY, copies=clamped, giver=giver)
        held = replace(carried, record=record)
        self._shelf.put(held)
        self._scope.limited(held)
        self._ctx.persist(record, self._shelf.remember(held.id, held.header), promise=True)
        return held

    def _pass_on(self, held: Carried, handover: Handover | None, heard: Heard) -> bool:
        """Once within the island; true if our proof went along. What came by session or parcel is in no hurry (6.3)."""
        giver = heard.neighbour if handover is not None and held.kept else None
        on_link = heard.carrier == "link"
        named = handover is not None and on_link
        return self._flood.spread(held, named=named, jitter=heard.multicast or not on_link, giver=giver)

    # An envelope met before

    def _again(self, carried: Carried, frame: EnvelopeFrame, handover: Handover | None, heard: Heard) -> None:
        """Nine of ten envelopes that come in a dense place: whoever sends it on is heard by all around."""
        farther = carried.reach is not None and self._may_go_farther(carried, _reach(frame, heard))
        self._note_sender(carried, frame, heard)
        if heard.bound and heard.neighbour is not None:
            carried.heard[heard.neighbour.node] = None
            self._custody.overheard(carried.id, heard.neighbour.node)
        self._flood.overheard(carried)
        longer = self._ctx.now + remaining_s(carried.header, frame.age)
        longest = carried.first_seen + carried.header.lifetime_s
        if min(longer, longest) > carried.record.expires_at:
            self._shelf.update(carried, replace(carried.record, expires_at=min(longer, longest)))
        if farther:
            self._pass_on(carried, handover, heard)
        if handover is not None and heard.neighbour is not None:
            self._asked_again(carried, handover, heard.neighbour)

    def _may_go_farther(self, carried: Carried, reach: int | None) -> bool:
        """It came again with more hops left, and is to be sent on for it: without limit, or where none were left."""
        if reach is not None and carried.reach is not None and reach <= carried.reach:
            return False
        stood = carried.reach == 0
        carried.reach = reach
        if reach is None:
            self._shelf.lift(carried)
        return reach is None or stood

    def _asked_again(self, carried: Carried, handover: Handover, giver: Neighbour) -> None:
        """Named for what we hold: prove it once more, or promise what so far only passed through."""
        if not carried.kept and handover.copies:
            if self._shelf.seen(carried.id) or not self._quota.may_promise(len(carried.record.data), giver.node):
                return
            self._promise(carried, handover.copies, giver.node)
        self._owe(giver, carried.id, handover)

    def _seen_before(self, envelope: EnvelopeId, handover: Handover | None, heard: Heard) -> None:
        """It was here and is gone: each id is taken once. That it arrived may be said again."""
        if handover is not None and handover.copies == 0 and heard.neighbour is not None:
            self._owe(heard.neighbour, envelope, handover)
        self._ctx.count("envelope_seen_before")

    # Custody

    def _proof_within(self, carried: Carried, proof: TookProof, heard: Heard) -> None:
        taker = heard.neighbour
        if taker is not None and self._custody.expects(carried.id, taker.node):
            self._custody.took(carried, taker, proof.mac)

    def _owe(self, giver: Neighbour, envelope: EnvelopeId, handover: Handover) -> None:
        """Say that we have it, in the words of the way it came."""
        if giver.link(self._ctx.now) is None and not self._neighbours.over_uplink(giver):
            self._neighbours.send(giver, Took((envelope,)), 2)
        else:
            self._custody.owe(giver, envelope, handover.reply)

    # Helpers

    def _kept_out(self, header: EnvelopeHeader, frame: EnvelopeFrame, heard: Heard) -> bool:
        """It came over an uplink that is not for its like."""
        gate = self._neighbours.gate
        if not gate.is_uplink(heard.session):
            return False
        return bool(gate.refuses(Item("envelope", b"", class_of(header), len(frame.data))))

    def _naming(self, frame: EnvelopeFrame, heard: Heard, trail: Trail) -> Handover | None:
        """The handover that names us, from a neighbour that is really there: by how it asks, its frames are judged."""
        if not (frame.handovers and heard.bound) or heard.neighbour is None:
            return None
        for handover in frame.handovers:
            if handover.taker == self._name:
                self._custody.named(heard.neighbour.node, again=heard.neighbour.node in trail.came_from)
                return handover
        return None

    def _note_sender(self, carried: Carried, frame: EnvelopeFrame, heard: Heard) -> None:
        """Whoever sent it has it, and sees to those it named."""
        if heard.neighbour is not None:
            carried.has[heard.neighbour.node] = None
            carried.trail.came_from[heard.neighbour.node] = None
        for handover in frame.handovers if heard.bound else ():
            if handover.taker == self._name:
                continue
            named = self._neighbours.by_prefix(handover.taker)
            if named is not None:
                carried.has[named.node] = None


def _reach(frame: EnvelopeFrame, heard: Heard) -> int | None:
    """How many hops it may go from here."""
    return None if heard.carrier == "parcel" or frame.spread == NO_LIMIT else frame.spread - 1


def _not_ours(header: EnvelopeHeader, data: bytes, heard: Heard | None) -> bool:
    return False

"""Custody: the giver's tries and the taker's proofs.

    giver:  handed over --valid proof--> carried by one more, copies halved
                        --no proof-----> again after 1.5 times the time asked for, doubling to 5 min; 6 tries
                        --its copy overheard without a proof--> only later (it can be forged and replayed, rule 9.5)
    taker:  promised on disk --> owes a proof --> in its own multicast, or alone, or a receipt went that way instead

A handover of no copies asks only whether the envelope arrived: its proof moves no copy and is shown as nothing. So
every hop inside an island is mended, also where copies have run out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.shelf import Carried, Shelf
from meshnode.core.forwarding.timers import Timers
from meshnode.core.ids import EnvelopeId, NeighbourId, NodeKey, Tag
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.records import ROLE_OWN, HandoverRecord
from meshnode.core.sealing.pair import custody_mac
from meshnode.core.wire.frames import Handover, Proof, Proofs, TookProof

SOON, LATER = 0, 1  # reply times of a handover
REPLY_S: Final = (1.0, 10.0)
_PROVE_AFTER_S: Final = (0.3, 9.7)  # when the taker does, so that the proof is there in time, in company if possible
_LATE: Final = 1.5
_LONGEST_WAIT_S: Final = 300.0
_MAX_TRIES: Final = 6
_RECENT: Final = 20  # tries by which a neighbour's reliability is judged
_ENOUGH: Final = 4
_RELIABLE: Final = 0.95
_MAX_JUDGED: Final = 1024  # neighbours, those with a try lately: node keys are free to make up
_PROOFS_AT_ONCE: Final = 80

TryKey = tuple[EnvelopeId, NodeKey]


@dataclass(slots=True)
class _Try:
    copies: int
    reply: int
    wait_s: float
    count: int = 1
    asleep: bool = False


class Custody:
    """Both ends of handing over, at one node."""

    def __init__(
        self, ctx: Context, me: NeighbourId, shelf: Shelf, on_carried: Callable[[Carried, NodeKey], None]
    ) -> None:
        self._ctx = ctx
        self._me = me
        self._shelf = shelf
        self._tries: dict[TryKey, _Try] = {}
        self._by_envelope: dict[EnvelopeId, dict[NodeKey, None]] = {}
        self._by_prefix: dict[tuple[NodeKey, bytes], EnvelopeId] = {}
        self._due: Timers[TryKey] = Timers(ctx.forwarding_due.sooner)
        self._outcomes: dict[NodeKey, deque[bool]] = {}
        self._hopeful_until: Instant = 0.0
        self._owed: dict[NodeKey, dict[EnvelopeId, Instant]] = {}
        self._prove: Timers[NodeKey] = Timers(ctx.forwarding_due.sooner)
        self.timers = (self._due, self._prove)
        self._on_carried = on_carried

    # The giver's part

    def available(self, carried: Carried) -> int:
        """Copies that may still be given: those not yet proved count as given while there is hope."""
        lent = sum(
            entry.copies
            for taker in self._by_envelope.get(carried.id, ())
            if not (entry := self._tries[carried.id, taker]).asleep
        )
        return max(0, carried.record.copies - lent)

    def hand_over(self, carried: Carried, taker: Neighbour, copies: int) -> Handover:
        """The words that name `taker` in a frame; from now on a proof is expected from it."""
        before = self._tries.get((carried.id, taker.node))
        reply = LATER if before is None and self._reliable(taker.node) else SOON
        entry = _Try(copies, reply, _LATE * REPLY_S[reply])
        if before is not None and not before.asleep:
            entry.count = before.count + 1
            if before.reply == SOON:
                entry.wait_s = min(_LONGEST_WAIT_S, before.wait_s * 2)
        self._tries[carried.id, taker.node] = entry
        self._by_envelope.setdefault(carried.id, {})[taker.node] = None
        self._by_prefix[taker.node, carried.id[:4]] = carried.id
        self._due.set((carried.id, taker.node), self._ctx.now + entry.wait_s)
        if reply == LATER:
            self._hopeful_until = self._ctx.now + entry.wait_s
        return Handover(taker.id[:2], copies, reply)

    @property
    def hopeful(self) -> bool:
        """A reliable neighbour was handed something, and has time left to answer."""
        return self._ctx.now < self._hopeful_until

    def expects(self, envelope: EnvelopeId, taker: NodeKey) -> bool:
        """True while a proof of this node may still come."""
        return (envelope, taker) in self._tries

    def awaits(self, envelope: EnvelopeId, taker: NodeKey) -> bool:
        """True while it was handed to this node and will be again if no proof comes: no need to offer it too."""
        entry = self._tries.get((envelope, taker))
        return entry is not None and not entry.asleep

    def overheard(self, envelope: EnvelopeId, taker: NodeKey) -> None:
        """It sends the envelope on, and proves nothing: wait longer before trying again, believe nothing else."""
        entry = self._tries.get((envelope, taker))
        if entry is not None and not entry.asleep:
            self._due.set((envelope, taker), self._ctx.now + entry.wait_s)

    def took(self, carried: Carried, taker: Neighbour, mac: bytes) -> bool:
        """A custody proof came: true if it is valid."""
        if mac not in [custody_mac(key, carried.id, taker.id) for key in (taker.key, *taker.other_keys) if key]:
            self._ctx.count("custody_proof_false")
            return False
        self.confirmed(carried, taker.node)
        return True

    def proofs_arrived(self, proofs: tuple[Proof, ...], taker: Neighbour) -> None:
        """Proofs that came alone."""
        for proof in proofs:
            carried = self._asked(proof.envelope, taker.node)
            if carried is None:
                self._ctx.count("custody_proof_unasked")
            else:
                self.took(carried, taker, proof.mac)

    def confirmed(self, carried: Carried, taker: NodeKey) -> None:
        """It is certain that `taker` has it (a valid proof, or its word in a session): the copies are its own now."""
        entry = self._forget_try(carried.id, taker)
        carried.has[taker] = None
        self._judge(taker, True)
        if entry.copies == 0:
            return
        carried.proved[taker] = carried.trail.given_to[taker] = None
        self._ctx.persist(HandoverRecord(carried.id, taker, self._ctx.now))
        self._give(carried, entry.copies)
        self._on_carried(carried, taker)

    def answered(self, envelope: EnvelopeId, taker: NodeKey) -> None:
        """A receipt came from whom it was handed to: better than a proof, and counts as one for the next reply time."""
        if (envelope, taker) in self._tries:
            self._judge(taker, True)

    def forget(self, envelope: EnvelopeId) -> None:
        """The envelope is gone: nothing is expected for it, nor owed."""
        self.evicted(envelope)
        for giver in list(self._owed):
            self.settled(giver, envelope)

    def evicted(self, envelope: EnvelopeId) -> None:
        """It made room for others: nothing is expected for it any more. That it arrived here is true all the same."""
        for taker in list(self._by_envelope.get(envelope, ())):
            self._forget_try(envelope, taker)

    def lost(self, taker: NodeKey) -> None:
        """A neighbour is gone: what it did not prove, it does not have."""
        for envelope, node in [key for key in self._tries if key[1] == taker]:
            self._forget_try(envelope, node)
        self.owed_envelopes(taker)

    def met_again(self, taker: NodeKey) -> None:
        """A neighbour is back: what it did not prove will be offered, not tried on."""
        for envelope, node in [key for key in self._tries if key[1] == taker]:
            self.rest(envelope, node)

    def rest(self, envelope: EnvelopeId, taker: NodeKey) -> None:
        """No more tries for now; a late proof still counts."""
        entry = self._tries.get((envelope, taker))
        if entry is not None:
            entry.asleep = True
            self._due.cancel((envelope, taker))

    def late(self) -> list[tuple[Carried, NodeKey, int]]:
        """What to hand over again now, to whom, with how many copies."""
        again = []
        for envelope, taker in self._due.due(self._ctx.now):
            entry, carried = self._tries[envelope, taker], self._shelf.get(envelope)
            self._judge(taker, False)
            self._hopeful_until = self._ctx.now
            if carried is None or entry.count >= _MAX_TRIES:
                self.rest(envelope, taker)
            else:
                again.append((carried, taker, entry.copies))
        return again

    def is_lossy(self, taker: NodeKey) -> bool:
        """Recent tries with this node often stayed without a proof: say important things twice."""
        return len(self._outcomes.get(taker, ())) >= _ENOUGH and not self._reliable(taker)

    # The taker's part

    def named(self, giver: NodeKey, *, again: bool) -> None:
        """We were named; `again`: for what we have, so its frame or our answer was lost."""
        self._judge(giver, not again)

    def owe(self, giver: Neighbour, envelope: EnvelopeId, reply: int) -> None:
        """The envelope is promised and on disk: the giver shall have its proof in the time it asked for."""
        due = self._ctx.now + _PROVE_AFTER_S[min(reply, LATER)]
        self._owed.setdefault(giver.node, {})[envelope] = due
        self._prove.set_at_latest(giver.node, due)

    def proof_for(self, giver: Neighbour, envelope: EnvelopeId) -> TookProof:
        """The proof to put into our own multicast."""
        return TookProof(giver.id[:2], custody_mac(giver.key, envelope, self._me))

    def settled(self, giver: NodeKey, envelope: EnvelopeId) -> None:
        """The proof went out another way."""
        owed = self._owed.get(giver)
        if owed is not None:
            owed.pop(envelope, None)
            if not owed:
                del self._owed[giver]
                self._prove.cancel(giver)

    def receipt_goes_to(self, giver: NodeKey, tag: Tag) -> None:
        """A receipt on its way to the giver says more than a proof would."""
        for envelope in list(self._owed.get(giver, ())):
            trail = self._shelf.trails.known(envelope)
            if trail is not None and trail.tag == tag:
                self.settled(giver, envelope)

    def due_proofs(self) -> list[NodeKey]:
        """To whom proofs are due now; where receipts replaced the oldest, the others wait for their own time."""
        due = []
        for giver in list(self._prove.due(self._ctx.now)):
            first = min(self._owed[giver].values())
            if first <= self._ctx.now:
                due.append(giver)
            else:
                self._prove.set(giver, first)
        return due

    def owes(self, giver: NodeKey) -> bool:
        """True while something is owed to a node."""
        return giver in self._owed

    def owed_envelopes(self, giver: NodeKey) -> list[EnvelopeId]:
        """Take out what is owed to a node."""
        self._prove.cancel(giver)
        return list(self._owed.pop(giver, ()))

    def owed_proofs(self, giver: Neighbour) -> list[Proofs]:
        """Take out what is owed to a neighbour, as frames."""
        proofs = [Proof(e[:4], custody_mac(giver.key, e, self._me)) for e in self.owed_envelopes(giver.node)]
        return [Proofs(tuple(proofs[at : at + _PROOFS_AT_ONCE])) for at in range(0, len(proofs), _PROOFS_AT_ONCE)]

    def _asked(self, prefix: bytes, taker: NodeKey) -> Carried | None:
        envelope = self._by_prefix.get((taker, prefix))
        return None if envelope is None else self._shelf.get(envelope)

    def _give(self, carried: Carried, copies: int) -> None:
        """Copies moved. The author keeps one to the end; elsewhere who gave the last one away keeps nothing."""
        record = carried.record
        left = max(record.copies - copies, 1 if record.role == ROLE_OWN else 0)
        if left:
            self._shelf.update(carried, replace(record, copies=left))
        else:
            self._shelf.drop(carried)
            self.forget(carried.id)

    def _reliable(self, taker: NodeKey) -> bool:
        outcomes = self._outcomes.get(taker, ())
        return len(outcomes) >= _ENOUGH and sum(outcomes) >= _RELIABLE * len(outcomes)

    def _judge(self, taker: NodeKey, proved: bool) -> None:
        outcomes = self._outcomes.pop(taker, None) or deque(maxlen=_RECENT)
        outcomes.append(proved)
        self._outcomes[taker] = outcomes
        if len(self._outcomes) > _MAX_JUDGED:
            del self._outcomes[next(iter(self._outcomes))]

    def _forget_try(self, envelope: EnvelopeId, taker: NodeKey) -> _Try:
        self._due.cancel((envelope, taker))
        self._by_prefix.pop((taker, envelope[:4]), None)
        takers = self._by_envelope[envelope]
        del takers[taker]
        if not takers:
            del self._by_envelope[envelope]
        return self._tries.pop((envelope, taker))

"""The shelf: every envelope held, what is remembered of those that are gone, and how long each lives.

    own ------ receipt ---------> tombstone          custody -- receipt --> tombstone
    own ------ expiry ----------> gone               custody -- last copy handed on, expiry --> gone
    transit -- 10 minutes ------> passed             transit -- handover --> custody

Own and custody stand on disk; transit is in memory alone. Of an envelope that was once promised or opened here (`seen`)
no copies are taken again; but whatever passed may pass again, once somebody came who may need it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from meshnode.core.bridge.held import Item
from meshnode.core.clock import EPOCH_2026, Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.timers import Timers
from meshnode.core.forwarding.trails import SHORT_SIZE, Trail, Trails, beyond
from meshnode.core.ids import EnvelopeId, NodeKey, Tag, keyed
from meshnode.core.records import (
    ROLE_CUSTODY,
    ROLE_OWN,
    ROLE_TRANSIT,
    EnvelopeRecord,
    HandoverRecord,
    RecordKey,
    SeenRecord,
    Snapshot,
)
from meshnode.core.sealing.envelope import LONGEST_S, EnvelopeHeader, max_copies, read_envelope_untrusted

NO_ENVELOPE: Final = EnvelopeId(b"")
DIGEST_SIZE: Final = 4
TRANSIT_S: Final = 600.0
REMEMBER: Final = 1.5  # ids and tombstones outlive the item by this factor of its lifetime (rule 10.4)
ROW_SIZE: Final = 200  # bytes of a row, and of its memory, beside the data
MAX_AGE_MIN: Final = 0xFFFF
MAX_UNCERTAINTY_S: Final = 86400.0  # a date that may be off by more ends nothing
_MAX_PASSED: Final = 20_000
MAX_SEEN: Final = 100_000


@dataclass(slots=True)
class Carried:
    """One envelope held. `has`: who is known to have it; `heard`: bound neighbours that were overheard sending it;
    `proved`: those who keep it and proved so; `committed`: our multicast of it carries a proof, so it must go out;
    `reach`: how many hops it may go from here, None for no limit (`scope.py`).
    """

    record: EnvelopeRecord
    header: EnvelopeHeader
    trail: Trail
    first_seen: Instant
    has: dict[NodeKey, None] = field(default_factory=dict)
    heard: dict[NodeKey, None] = field(default_factory=dict)
    proved: dict[NodeKey, None] = field(default_factory=dict)
    committed: bool = False
    reach: int | None = None
    id: EnvelopeId = field(init=False)
    cls: int = field(init=False)  # as it is sent: nobody can check who claims urgency for a sealed envelope (rule 12.3)

    def __post_init__(self) -> None:
        self.id = self.record.id
        self.cls = class_of(self.header)

    @property
    def kept(self) -> bool:
        """Own, or promised: stands on disk."""
        return self.record.role != ROLE_TRANSIT

    @property
    def own(self) -> bool:
        """Written here."""
        return self.record.role == ROLE_OWN

    def age_at(self, now: Instant) -> int:
        """Minutes since it was written, as far as clocks that stood still can tell."""
        return min(MAX_AGE_MIN, self.record.age + max(0, int((now - self.record.held_since) // 60)))

    @property
    def crossing(self) -> Item:
        """As a bridge looks at it."""
        return Item("envelope", self.id, self.cls, len(self.record.data), message=self.record.message)


class Shelf:
    """All envelopes of one node."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.trails = Trails()
        self._held: dict[EnvelopeId, Carried] = {}
        self._tags: dict[Tag, dict[EnvelopeId, None]] = {}
        self._short: dict[bytes, EnvelopeId] = {}
        self._seen: dict[EnvelopeId, Instant] = {}
        self._passed: dict[EnvelopeId, None] = {}
        self._expiry: Timers[EnvelopeId] = Timers(ctx.forwarding_due.sooner)
        self._seen_until: Timers[EnvelopeId] = Timers(ctx.forwarding_due.sooner)
        self.timers = (self._expiry, self._seen_until)
        self._digest: bytes | None = None
        self.own = 0  # how many of ours
        self.promised = 0  # how many of others
        self.promised_bytes: Counter[bytes] = Counter()  # by the node that gave it, empty for strangers
        self.transit_bytes = 0

    def __iter__(self) -> Iterator[Carried]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def offered(self) -> Iterator[Carried]:
        """Those that neighbours compare, and offer to each other: all that may go anywhere."""
        return (carried for carried in self._held.values() if carried.reach is None)

    def restore(self, snapshot: Snapshot) -> None:
        """Everything that stood on disk, with the trails that follow from it."""
        for record in snapshot.records:
            match record:
                case SeenRecord(envelope, until):
                    self._seen[envelope] = until
                    self._seen_until.set(envelope, until)
                case EnvelopeRecord():
                    self._restore_envelope(record)
        for record in snapshot.records:
            if isinstance(record, HandoverRecord) and record.envelope in self._held:
                carried = self._held[record.envelope]
                carried.has[record.taker] = carried.proved[record.taker] = None
                carried.trail.given_to[record.taker] = None

    def get(self, envelope: EnvelopeId) -> Carried | None:
        """The envelope, if held."""
        return self._held.get(envelope)

    def by_short(self, short: bytes) -> Carried | None:
        """The held envelope whose id begins like this."""
        return self._held.get(self._short.get(short, NO_ENVELOPE))

    def with_tag(self, tag: Tag) -> list[Carried]:
        """All held under a tag: there may be rubbish beside the true one, relays cannot tell."""
        return [self._held[envelope] for envelope in self._tags.get(tag, ())]

    def seen(self, envelope: EnvelopeId) -> bool:
        """It was promised or opened here once: no copies of it are taken again."""
        return envelope in self._seen

    def passed(self, envelope: EnvelopeId) -> bool:
        """It passed through within memory, and is not held any more."""
        return envelope in self._passed

    def forget_passed(self) -> None:
        """Let what is gone pass through again: it may be for us (a session began), or for a neighbour that came."""
        self._passed.clear()

    def put(self, carried: Carried) -> None:
        """Hold an envelope, or hold it in another role."""
        self._count(self._held.get(carried.id), -1)
        self._held[carried.id] = carried
        self._tags.setdefault(carried.record.tag, {})[carried.id] = None
        self._short[carried.id[:SHORT_SIZE]] = carried.id
        self._passed.pop(carried.id, None)
        self._count(carried, 1)
        self._expiry.set(carried.id, self._gone_at(carried))
        self._digest = None

    def lift(self, carried: Carried) -> None:
        """It may go anywhere from now on, and to those as well who have it and sent it no farther."""
        carried.reach = None
        carried.trail.quiet = False
        carried.has.clear()
        carried.heard.clear()
        self._digest = None

    def update(self, carried: Carried, record: EnvelopeRecord) -> None:
        """Hold it with other terms; the disk is told of what it has."""
        self._count(carried, -1)
        carried.record = record
        self._count(carried, 1)
        self._expiry.set(carried.id, self._gone_at(carried))
        if carried.kept:
            self._ctx.persist(record)

    def drop(self, carried: Carried) -> None:
        """Hold it no longer. What stood on disk stays seen: not promised again, it may pass through like any other."""
        del self._held[carried.id]
        same_tag = self._tags[carried.record.tag]
        del same_tag[carried.id]
        if not same_tag:
            del self._tags[carried.record.tag]
        self._expiry.cancel(carried.id)
        self._short.pop(carried.id[:SHORT_SIZE], None)
        self._count(carried, -1)
        self._digest = None
        if carried.kept:
            handovers = (RecordKey(HandoverRecord, (carried.id, taker)) for taker in carried.proved)
            self._ctx.forget(RecordKey(EnvelopeRecord, (carried.id,)), *handovers)
        self._passed[carried.id] = None
        for oldest in beyond(self._passed, _MAX_PASSED):
            del self._passed[oldest]

    def remember(self, envelope: EnvelopeId, header: EnvelopeHeader) -> SeenRecord:
        """Remember an id for longer than it can live; the row is for the caller's Persist."""
        until = self._ctx.now + REMEMBER * header.lifetime_s
        self._seen[envelope] = until
        self._seen_until.set(envelope, until)
        for oldest in beyond(self._seen, MAX_SEEN):
            del self._seen[oldest]
            self._seen_until.cancel(oldest)
            self._ctx.forget(RecordKey(SeenRecord, (oldest,)))
        return SeenRecord(envelope, until)

    def digest(self) -> bytes:
        """4 B of keyed hash over the ids offered: what a beacon says of envelopes."""
        if self._digest is None:
            listed = b"".join(sorted(carried.id for carried in self.offered()))
            self._digest = keyed(self._ctx.mesh.digest, b"mn-envs-v1", listed, DIGEST_SIZE)
        return self._digest

    def expire(self) -> list[Carried]:
        """Drop what has lived long enough, and say what went."""
        gone = []
        for envelope in self._expiry.due(self._ctx.now):
            carried = self._held[envelope]
            gone.append(carried)
            self.drop(carried)
        ended = list(self._seen_until.due(self._ctx.now))
        for envelope in ended:
            del self._seen[envelope]
        if ended:
            self._ctx.forget(*(RecordKey(SeenRecord, (envelope,)) for envelope in ended))
        return gone

    def date_again(self) -> None:
        """The date became known, or changed: what is past its time by the date goes too (rule 10.1)."""
        for carried in self._held.values():
            self._expiry.set(carried.id, self._gone_at(carried))

    def _restore_envelope(self, record: EnvelopeRecord) -> None:
        trail = self.trails.of(record.id, record.tag)
        trail.message = record.message
        if record.giver:
            trail.came_from[NodeKey(record.giver)] = None
        self.put(Carried(record, read_envelope_untrusted(record.data), trail, record.held_since))

    def _gone_at(self, carried: Carried) -> Instant:
        record = carried.record
        if record.role == ROLE_OWN:
            return record.expires_at
        if record.role == ROLE_TRANSIT:
            return min(record.expires_at, carried.first_seen + TRANSIT_S)
        return min(record.expires_at, self._end_by_date(carried.header))

    def _end_by_date(self, header: EnvelopeHeader) -> Instant:
        """When the date says that it is over.

        A date ahead of ours ends nothing (rule 10.3). Nor does one that lies back so far that the envelope would be
        gone everywhere: then it is our own date that is wrong.
        """
        clock = self._ctx.clock
        if clock.uncertainty_s > MAX_UNCERTAINTY_S or not header.created:
            return float("inf")
        age_s = clock.at(self._ctx.now) - (EPOCH_2026 + header.created * 60)
        return self._ctx.now + header.lifetime_s - age_s if 0 <= age_s <= 2 * LONGEST_S else float("inf")

    def _count(self, carried: Carried | None, by: int) -> None:
        if carried is None:
            return
        size = by * (len(carried.record.data) + ROW_SIZE)
        if carried.record.role == ROLE_OWN:
            self.own += by
        elif carried.record.role == ROLE_CUSTODY:
            self.promised += by
            self.promised_bytes[carried.record.giver] += size
        else:
            self.transit_bytes += size


def new_record(header: EnvelopeHeader, envelope: EnvelopeId, data: bytes, now: Instant, age: int = 0) -> EnvelopeRecord:
    """A transit row for an envelope met just now; `expires_at` by its age (rule 10.1)."""
    return EnvelopeRecord(
        id=envelope,
        tag=header.tag,
        data=data,
        role=ROLE_TRANSIT,
        copies=0,
        age=age,
        held_since=now,
        expires_at=now + remaining_s(header, age),
        giver=b"",
        message=b"",
    )


def own_record(
    header: EnvelopeHeader, envelope: EnvelopeId, data: bytes, now: Instant, message: bytes, copies: int
) -> EnvelopeRecord:
    """The row of an envelope written here."""
    fresh = new_record(header, envelope, data, now)
    return replace(fresh, role=ROLE_OWN, copies=min(copies, max_copies(header.cls)), message=message)


def class_of(header: EnvelopeHeader) -> int:
    """The class an envelope is sent in, whatever it claims."""
    return max(2, min(4, header.cls))


def remaining_s(header: EnvelopeHeader, age: int) -> float:
    """Seconds an envelope of that age may still live."""
    return max(0.0, header.lifetime_s - age * 60.0)

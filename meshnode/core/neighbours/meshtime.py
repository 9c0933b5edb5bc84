"""The date by the neighbours, for a node that has none that is sure.

    a beacon with flag 16        "I have no sure date": costs no byte
    Date, under the pairwise key "mine is this, off by so much at most", to that beacon; seldom, to each who asks
    three such from bound nodes  what most of them agree on is taken (agreement.py)

Beacons themselves carry no date: any member can seal one in another's name. An answer names the beacon it answers, so
one that was held up on its way is no more wrong than it says: the date was made between our beacon and its arrival.

What was taken once is narrowed by later answers, and left only when the majority contradicted it for six hours: liars
who pass by move nothing. A date below one that our own GPS receiver or NTP gave, plus the time since, is refused
(protocol rule 10.2). Nothing rests on the result but what people read, and the dates in what they write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshnode.core.clock import DRIFT, EPOCH_2026, SURE_SOURCES, Instant, WallClock
from meshnode.core.context import Context
from meshnode.core.ids import NeighbourId
from meshnode.core.neighbours.agreement import Span, agreed, common
from meshnode.core.neighbours.echoes import echo_hash
from meshnode.core.neighbours.neighbour import NEVER, Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.notices import DateTaken
from meshnode.core.records import FactRecord, Snapshot
from meshnode.core.wire.frames import Beacon, Date, Frame

DATELESS: Final = 16  # flag of a beacon
WORTH_S: Final = 3600.0  # a date that may be off by more is told to nobody
ANSWER_AFTER_S: Final = 60.0  # before the next answer to the same one; doubling
ANSWER_AFTER_MAX_S: Final = 3600.0
CLAIM_LIFE_S: Final = 7200.0
ASK_AGAIN_S: Final = 3600.0  # a date that was taken drifts a third of a second in that time
DISPUTED_S: Final = 6 * 3600.0
KEEP_EVERY_S: Final = 3600.0
LATEST: Final = EPOCH_2026 + 10 * 365 * 86400  # as for the system's clock: what says more has jumped
DATE_FACT: Final = "sure_date"  # Unix ms 8 B | Instant in ms 8 B, big-endian

_ERROR_END: Final = 0xFFFF
_SECONDS_END: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Claim:
    """What one neighbour said: the date lay between these Unix seconds at that Instant."""

    low: float
    high: float
    at: Instant

    def now(self, now: Instant) -> Span:
        """The same, now."""
        passed = now - self.at
        return self.low + passed * (1 - DRIFT), self.high + passed * (1 + DRIFT)


class MeshTime:
    """Answers who asks, and asks while our own date is not sure."""

    def __init__(self, ctx: Context, neighbours: Neighbours) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._claims: dict[NeighbourId, Claim] = {}
        self._answered: dict[NeighbourId, tuple[Instant, float]] = {}  # not before, next wait
        self._agreed_at = NEVER
        self._sure: tuple[float, Instant] | None = None  # the date at an Instant, by a clock of our own; at the least
        self._kept_at = NEVER
        neighbours.on_bound.append(self._bound)
        neighbours.on_lost.append(self._lost)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, FactRecord) and record.name == DATE_FACT and len(record.value) == 16:
                unix_ms, at_ms = (int.from_bytes(record.value[at : at + 8], "big") for at in (0, 8))
                self._sure = (unix_ms / 1000, at_ms / 1000)

    def clock_set(self) -> None:
        """The host said what it knows; a sure date is the least it can be from now on, over restarts too."""
        clock, now = self._ctx.clock, self._ctx.now
        if clock.source not in SURE_SOURCES:
            return
        self._sure = (clock.at(now) - clock.uncertainty_at(now), now)
        if now >= self._kept_at + KEEP_EVERY_S:
            self._kept_at = now
            value = b"".join(max(0, int(each * 1000)).to_bytes(8, "big") for each in self._sure)
            self._ctx.persist(FactRecord(DATE_FACT, value))

    def dateless(self) -> bool:
        """Whether our beacons ask."""
        return not self._ctx.clock.sure and self._ctx.now >= self._ctx.mesh_clock.read_at + self._patience()

    def heard(self, frame: Frame, heard: Heard) -> None:
        """A question in a beacon, or an answer, or something else."""
        if heard.neighbour is None or not heard.bound or not heard.link:
            return
        if isinstance(frame, Beacon) and frame.flags & DATELESS:
            self._answer(heard.neighbour, heard)
        elif isinstance(frame, Date):
            self._claim(heard.neighbour, heard.link, frame)

    def _patience(self) -> float:
        return ASK_AGAIN_S if self._ctx.mesh_clock.known else NEVER

    # to others

    def _bound(self, neighbour: Neighbour) -> None:
        """It may have started anew."""
        not_before, _ = self._answered.get(neighbour.id, (NEVER, 0.0))
        self._answered[neighbour.id] = (min(not_before, self._ctx.now + ANSWER_AFTER_S), ANSWER_AFTER_S)

    def _lost(self, neighbour: Neighbour) -> None:
        self._answered.pop(neighbour.id, None)

    def _answer(self, neighbour: Neighbour, heard: Heard) -> None:
        now, date = self._ctx.now, self._ctx.date
        not_before, wait = self._answered.get(neighbour.id, (NEVER, ANSWER_AFTER_S))
        error_s = date.uncertainty_at(now)
        if not date.known or error_s > WORTH_S or now < not_before:
            return
        seconds = max(0, min(_SECONDS_END, int(date.at(now)) - EPOCH_2026))
        self._answered[neighbour.id] = (now + wait, min(2 * wait, ANSWER_AFTER_MAX_S))
        answer = Date(echo_hash(heard.nonce), seconds, min(_ERROR_END, int(error_s) + 1))
        self._neighbours.send(neighbour, answer, 0, link=heard.link, key=b"date", ring=0)

    # from others

    def _claim(self, neighbour: Neighbour, link: str, told: Date) -> None:
        asked_at, now = self._neighbours.beacon_sent_at(link, told.asked), self._ctx.now
        if asked_at is None:
            self._ctx.count("date_not_asked")
            return
        said, late = EPOCH_2026 + float(told.seconds), now - asked_at
        claim = Claim(said - told.error_s, said + 1 + told.error_s + late, now)
        if claim.high < self._least() or claim.low > LATEST:
            self._ctx.count("date_impossible")
            return
        self._claims.pop(neighbour.id, None)
        self._claims[neighbour.id] = claim
        self._claims = {name: one for name, one in self._claims.items() if one.at > now - CLAIM_LIFE_S}
        if found := agreed([one.now(now) for one in self._claims.values()]):
            self._agree(found)

    def _least(self) -> float:
        """The date it must be at the least."""
        if self._sure is None:
            return float(EPOCH_2026)
        date, at = self._sure
        return date + (self._ctx.now - at) * (1 - DRIFT)

    def _agree(self, found: Span) -> None:
        """A majority says so: narrow what was taken, or take it; against what was taken, only after six hours."""
        now, held = self._ctx.now, self._ctx.mesh_clock
        if held.known:
            middle, off = held.at(now), held.uncertainty_at(now)
            both = common(found, (middle - off, middle + off))
            if both is None and now < self._agreed_at + DISPUTED_S:
                self._ctx.count("date_disputed")
                self._ctx.warn("date_disputed", "Most neighbours say another date than before; it is not taken yet.")
                return
            found = both or found
        self._agreed_at = now
        low, high = max(found[0], self._least()), found[1]
        self._ctx.mesh_clock = WallClock((low + high) / 2, now, (high - low) / 2, "neighbours")
        self._ctx.notify(DateTaken(self._ctx.mesh_clock))

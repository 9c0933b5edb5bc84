"""The law of one transmitting interface: how much of this hour is left, for whom, and until when one has to wait.

Counted against the hour: what we send, what the radio sends again, the acknowledgements it gives, what everybody else
sends on the same interface, and the beacons it sends by itself. A datagram is booked before it leaves; what others
sent can only be booked afterwards, so a reserve may be kept for it.

    class         1 emergency   0 control   2 talk   3 bulk   4 last
    may use up to     100 %        95 %      80 %     65 %     50 %   of what is allowed

So the last twentieth is for emergencies alone, a fifth for them and for what keeps promises (rule 12.1), and a long
catch-up never takes the air from talk. The law binds all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.airtime.cost import DATAGRAM, ETHERNET, answers_ns, longest_frame_ns, many_ns, tariff_of
from meshnode.core.airtime.ledger import LINGER_S, Ledger
from meshnode.core.airtime.lots import PARTS, Lots
from meshnode.core.airtime.s1g import rate_of
from meshnode.core.clock import Instant
from meshnode.core.inputs import LinkUsed
from meshnode.core.settings import LinkSettings

CEILINGS = {1: 100, 0: 95, 2: 80, 3: 65, 4: 50}  # per cent, by class
LEAST_EASE = 0.1
MILLION = 1_000_000
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class _Totals:
    """What passed an interface: packets and octets as the kernel counts them."""

    packets: int = 0
    octets: int = 0

    def add(self, payload: int) -> None:
        self.packets += 1
        self.octets += payload + DATAGRAM + ETHERNET


class Governor:
    """One per link. `kept` is the record of an earlier run, `began` the moment it is read."""

    def __init__(self, settings: LinkSettings, began: Instant, kept: bytes = b"") -> None:
        law = settings.law
        self._own = Ledger(law.window_s)
        self._others = Ledger(law.window_s)
        self._lots = Lots(self._share(law.window_s, law.duty_ppm) // PARTS, law.window_s + LINGER_S, kept)
        for at, ns in self._lots.used(began):
            self._own.add(at, ns)
        self._sent, self._group, self._received = _Totals(), _Totals(), _Totals()
        self._seen: LinkUsed | None = None
        self._longest_ns = 0  # of the frames sent since the radio last told of repeats
        self.change(settings)

    def change(self, settings: LinkSettings) -> None:
        """Another rate, or another region: what was used stays used."""
        self._settings = settings
        self.law, self.limited = settings.law, settings.law.limited
        self._rate = rate_of(settings.unicast_bps)
        self._basic = rate_of(settings.multicast_bps)
        self._tariff = tariff_of(self._rate, self._basic)
        self._largest_ns = max(
            self.cost(settings.unicast_payload, unicast=True), self.cost(settings.multicast_payload, unicast=False)
        )

    def cost(self, payload: int, *, unicast: bool) -> int:
        """Nanoseconds our transmitter is on for a datagram of that many bytes, sent once."""
        return (self._tariff.packet_ns if unicast else self._tariff.group_packet_ns)(payload + DATAGRAM)

    # asking

    @property
    def allowed_ns(self) -> int:
        """What an hour holds for everything but the radio's own beacons."""
        return max(0, self._share(self.law.window_s, self.law.duty_ppm - self.law.standing_ppm))

    def used_ns(self, now: Instant) -> tuple[int, int]:
        """What the last hour holds of ours, and of everybody else's."""
        return self._own.total(now), self._others.total(now)

    def may(self, cls: int, now: Instant) -> bool:
        """True if a datagram of this class may leave, however large and in whatever company."""
        return not self.limited or self._over(cls, now) <= 0

    def when(self, cls: int, now: Instant) -> Instant | None:
        """When `may` can become true at the earliest; None if time alone will not do it."""
        if not self.limited or (over := self._over(cls, now)) <= 0:
            return now
        # Of two sums that have to fall by `over` together, one has to fall by half of it.
        return self._one_freed_at((over + 1) // 2)

    def ease(self, now: Instant) -> float:
        """How freely airtime may go to what can wait: 1 until half of the hour is used, then less, at least a tenth."""
        if not self.limited or not self.allowed_ns:
            return 1.0
        own, others = self.used_ns(now)
        left = 1.0 - (own + max(others, self._others_part(100))) / self.allowed_ns
        return min(1.0, max(LEAST_EASE, 2 * left))

    def others_over(self, percent: int, now: Instant) -> bool:
        """True if what others sent takes that much of the part that is kept for them, or leaves no more of the hour.

        The second is so after a restart only: what they sent before it counts as ours.
        """
        theirs, all_ = self._others_beyond(percent, now)
        return theirs >= 0 or all_ >= 0

    def others_below_at(self, percent: int, now: Instant) -> Instant:
        """When `others_over` can end at the earliest if they send nothing more."""
        theirs, all_ = self._others_beyond(percent, now)
        waits = [self._others.freed_at(theirs + 1)] if theirs >= 0 else []
        if all_ >= 0:
            waits.append(self._one_freed_at(all_ // 2 + 1))
        return max((at for at in waits if at is not None), default=now)

    def _others_beyond(self, percent: int, now: Instant) -> tuple[int, int]:
        """By how much others are beyond that much of their part, and all together beyond what leaves the rest of it."""
        own, others = self.used_ns(now)
        part = self._others_part(percent)
        return others - part, own + others - (self.allowed_ns - self._others_part(100) + part)

    def _one_freed_at(self, need: int) -> Instant | None:
        """When one of the two sums has fallen by this much."""
        falls = (ledger.freed_at(need) for ledger in (self._own, self._others))
        return min((at for at in falls if at is not None), default=None)

    def _others_part(self, percent: int) -> int:
        return self._share(self.law.window_s, self.law.reserve_ppm) * percent // 100

    def _over(self, cls: int, now: Instant) -> int:
        """How much would be used beyond what the class may, were the largest datagram sent now."""
        own, others = self.used_ns(now)
        return own + max(others, self._others_part(100)) + self._largest_ns - self.allowed_ns * CEILINGS[cls] // 100

    # booking; each says whether the record has to be on disk before anything is sent

    def sent(self, payload: int, *, unicast: bool, now: Instant) -> bool:
        """A datagram of ours leaves."""
        self._sent.add(payload)
        tariff, octets = self._tariff, payload + DATAGRAM
        if not unicast:
            self._group.add(payload)
            return self._book(self._own, tariff.group_packet_ns(octets), now)
        self._longest_ns = max(self._longest_ns, tariff.longest_frame_ns(octets))
        return self._book(self._own, tariff.packet_ns(octets), now)

    def heard(self, payload: int, *, unicast: bool, now: Instant) -> bool:
        """A datagram for us came: the radio has acknowledged it."""
        self._received.add(payload)
        if not unicast or self.law.omit_responses:
            return False
        return self._book(self._own, self._tariff.answer_ns(payload + DATAGRAM), now)

    def used(self, seen: LinkUsed, now: Instant) -> bool:
        """The counters of the interface: what is not ours is everybody else's."""
        before, self._seen = self._seen, seen
        if before is None or seen.sent_packets < before.sent_packets or seen.received_packets < before.received_packets:
            self._sent, self._group, self._received = _Totals(), _Totals(), _Totals()
            return False
        again = max(0, seen.retries - before.retries)
        ns = again * self._longest_ns + self._strangers(seen, before)
        if again:
            self._longest_ns = 0
        return self._book(self._others, ns, now)

    def _strangers(self, seen: LinkUsed, before: LinkUsed) -> int:
        """Airtime of what others sent between two readings, and of the answers to what they received."""
        group = _beyond(self._group, seen.group_packets - before.group_packets, seen.group_octets - before.group_octets)
        sent = _beyond(self._sent, seen.sent_packets - before.sent_packets, seen.sent_octets - before.sent_octets)
        single = max(0, sent[0] - group[0]), max(0, sent[1] - group[1])
        got = _beyond(
            self._received, seen.received_packets - before.received_packets,
            seen.received_octets - before.received_octets,
        )  # fmt: skip
        if single[0] and self._longest_ns == 0:
            self._longest_ns = longest_frame_ns(single[1] // single[0], self._rate)
        answers = 0 if self.law.omit_responses else answers_ns(*got, self._rate)
        return many_ns(*single, self._rate) + many_ns(*group, self._basic) + answers

    def _book(self, ledger: Ledger, ns: int, now: Instant) -> bool:
        ledger.add(now, ns)
        return self.limited and self._lots.take(now, ns)

    def record(self) -> bytes:
        """What a restart has to know."""
        return self._lots.record()

    @staticmethod
    def _share(window_s: int, ppm: int) -> int:
        return window_s * SECOND_NS * ppm // MILLION


def _beyond(own: _Totals, packets: int, octets: int) -> tuple[int, int]:
    """What a reading holds beyond ours; what we handed over and it does not hold yet is carried to the next one."""
    more = max(0, packets - own.packets), max(0, octets - own.octets)
    own.packets, own.octets = max(0, own.packets - packets), max(0, own.octets - octets)
    return more

"""The law of the air: what a transmitter takes is counted, and no hour ever holds more than allowed."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.airtime.cost import DATAGRAM, answers_ns, group_packet_ns, longest_frame_ns, many_ns, packet_ns
from meshnode.core.airtime.governor import CEILINGS, Governor
from meshnode.core.airtime.laws import FACT, lawful
from meshnode.core.airtime.ledger import LINGER_S, Ledger
from meshnode.core.airtime.lots import Lots
from meshnode.core.airtime.outbox import Outbox
from meshnode.core.airtime.queue import Outgoing
from meshnode.core.airtime.s1g import PlainRate, S1gRate, rate_of
from meshnode.core.context import Context
from meshnode.core.effects import Notify, Persist, Send
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import NeighbourId
from meshnode.core.inputs import LinkUsed
from meshnode.core.notices import OthersStopped, Warned
from meshnode.core.records import FactRecord, Snapshot
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import Law, LinkSettings, Settings
from meshnode.core.wire.frames import EnvelopeFrame
from meshnode.errors import UsageError

LINK = "halow0"
BO = NeighbourId(b"bo-bo-")
SECOND = 1_000_000_000
EUROPE = Law(duty_ppm=28_000)
SLOW = {"unicast_bps": 150_000, "multicast_bps": 150_000, "unicast_payload": 1200, "multicast_payload": 384}
RATES = st.sampled_from([S1gRate(1, 10), S1gRate(1, 0), S1gRate(2, 7), S1gRate(8, 7, True), PlainRate(123_456)])


class Station:
    """An outbox under a law, and every transmission it made: when it was handed over, and its airtime."""

    def __init__(self, law: Law, records: tuple[FactRecord, ...] = (), now: float = 0.0, **link: int) -> None:
        sealer, entropy = SeededSealer(7), SeededEntropy(7)
        self.ctx = Context(new_keys(sealer, entropy), open_mesh("test"), Settings(), sealer, entropy)
        self.ctx.now = now
        self.settings = LinkSettings(**{**SLOW, **link}, law=law)
        self.ctx.links[LINK] = self.settings
        self.outbox = Outbox(self.ctx)
        self.outbox.laws.restore(Snapshot(records=records))
        self.outbox.laws.link_changed(LINK, self.settings)
        self.outbox.seal = lambda link, to, plaintext: (None if to is None else "bo", plaintext + bytes(29))
        self.air: list[tuple[float, int]] = []
        self.octets = 0  # as a kernel counts them
        self.sent: list[Outgoing] = []
        self.outbox.on_sent = self.sent.append
        self.kept = records
        self.warned: list[Warned] = []
        self.stopped: list[OthersStopped] = []

    def put(self, cls: int = 2, size: int = 300, to: NeighbourId | None = BO, key: bytes = b"") -> None:
        self.outbox.put(Outgoing(EnvelopeFrame(bytes(size), 0, 1), cls, LINK, to, key=key))

    def turn(self, now: float) -> None:
        """One step of the node at `now`."""
        self.ctx.now = max(now, self.ctx.now)
        self.outbox.flush()
        out, self.ctx.out = self.ctx.out, []
        for effect in out:
            if isinstance(effect, Persist):
                self.kept = tuple(one for one in effect.records if isinstance(one, FactRecord))
            elif isinstance(effect, Notify) and isinstance(effect.notice, Warned):
                self.warned.append(effect.notice)
            elif isinstance(effect, Notify) and isinstance(effect.notice, OthersStopped):
                self.stopped.append(effect.notice)
            elif isinstance(effect, Send):
                self.air.append((self.ctx.now, airtime(effect, self.settings)))
                self.octets += len(effect.data) + 62

    def run(self, until: float) -> None:
        """Every turn the outbox asks for."""
        while (due := self.outbox.wakeup()) is not None and due <= until:
            before = self.ctx.now, len(self.air)
            self.turn(due)
            assert (self.ctx.now, len(self.air)) != before, "it asked to be woken for nothing"
        self.ctx.now = max(self.ctx.now, until)


def airtime(send: Send, link: LinkSettings) -> int:
    octets = len(send.data) + DATAGRAM
    if send.to is None:
        return group_packet_ns(octets, rate_of(link.multicast_bps))
    return packet_ns(octets, rate_of(link.unicast_bps))


def busiest(air: list[tuple[float, int]], window_s: float) -> int:
    """The most airtime any window holds."""
    most = total = first = 0
    for at, ns in air:
        total += ns
        while air[first][0] <= at - window_s:
            total -= air[first][1]
            first += 1
        most = max(most, total)
    return most


# --- what things take ---------------------------------------------------------------------------------------------


def test_the_rates_of_the_standard_are_known_by_their_figure() -> None:
    assert rate_of(150_000) == S1gRate(1, 10)
    assert rate_of(300_000) == S1gRate(1, 0)
    assert rate_of(722_200) == S1gRate(2, 0, short_gi=True)
    assert rate_of(32_500_000) == S1gRate(8, 7, short_gi=True)
    assert rate_of(1_000_000) == S1gRate(1, 2, short_gi=True)
    assert rate_of(777_777) == PlainRate(777_777)


def test_a_packet_takes_every_frame_it_is_cut_into() -> None:
    rate = S1gRate(1, 10)
    room = 511 - 70  # a plain frame, less the longest header
    one = rate.ppdu_ns(511)
    assert packet_ns(room - 8, rate) == one
    assert packet_ns(3 * room - 8, rate) == 3 * one
    assert longest_frame_ns(3 * room, rate) == one
    assert answers_ns(1, 3 * room - 9, rate) == 3 * rate.preamble_ns
    assert answers_ns(0, 0, rate) == 0


@given(rate=RATES, packets=st.lists(st.integers(0, 1500), min_size=1, max_size=30))
def test_what_is_known_of_many_packets_is_never_too_little(rate: S1gRate | PlainRate, packets: list[int]) -> None:
    exact = sum(packet_ns(octets, rate) for octets in packets)
    assert exact <= many_ns(len(packets), sum(packets), rate) <= 2 * exact + 3 * len(packets) * rate.ppdu_ns(70)
    assert many_ns(0, 0, rate) == 0


# --- the ledger ---------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 10**9)), max_size=60))
def test_the_ledger_never_shows_less_than_the_window_holds(steps: list[tuple[float, int]]) -> None:
    ledger, now, booked = Ledger(60), 0.0, list[tuple[float, int]]()
    for wait, ns in steps:
        now += wait
        ledger.add(now, ns)
        booked.append((now, ns))
        held = sum(cost for at, cost in booked if at > now - 60)
        lingering = sum(cost for at, cost in booked if at > now - 60 - LINGER_S)
        assert held <= ledger.total(now) <= lingering
        if (freed := ledger.freed_at(1)) is not None:
            assert freed > now


def test_lots_are_written_before_they_are_used_and_a_restart_counts_them_whole() -> None:
    lots = Lots(1000, 60)
    assert lots.take(0.0, 400)
    assert not lots.take(1.0, 600)
    assert lots.take(30.0, 1)
    again = Lots(1000, 60, lots.record() + b"torn")
    assert again.used(40.0) == [(31.0, 1000), (40.0, 1000)]
    assert again.take(93.9, 5000)
    assert again.used(93.9) == [(93.9, 1000), (93.9, 5000)]
    assert again.take(200.0, 1)
    assert [ns for _, ns in again.used(200.0)] == [5000, 1000]


def test_what_is_needed_beyond_all_lots_is_looked_at_when_the_whole_time_is_over() -> None:
    """A ceiling of no bytes at all is such a need: no wait ever meets it."""
    lots = Lots(1000, 60)
    assert lots.freed_at(1, 7.0) == 7.0, "nothing was taken, so no wait frees anything"
    lots.take(0.0, 1000)
    lots.take(30.0, 1000)
    assert lots.freed_at(1000, 40.0) == 91.0
    assert lots.freed_at(2001, 40.0) == 101.0


# --- the governor -------------------------------------------------------------------------------------------------


def governed(law: Law, **more: int) -> Governor:
    return Governor(LinkSettings(**{**SLOW, **more}, law=law), 0.0)


def test_each_class_may_use_its_part_and_the_last_is_for_emergencies() -> None:
    governor = governed(EUROPE)
    governor.used(LinkUsed(LINK, 0, 0, 0, 0, 0, 0), 0.0)
    allowed, counted = 100.8 * SECOND, 0
    ends = {}
    while len(ends) < len(CEILINGS):
        for cls in CEILINGS:
            if cls not in ends and not governor.may(cls, 1.0):
                ends[cls] = counted
        governor.sent(300, unicast=True, now=1.0)
        counted += governor.cost(300, unicast=True)
    assert sorted(ends, key=ends.__getitem__) == [4, 3, 2, 0, 1]
    for cls, percent in CEILINGS.items():
        assert ends[cls] == pytest.approx(allowed * percent / 100, rel=0.01)
        assert ends[cls] <= allowed * percent / 100


def test_what_others_send_and_what_is_sent_again_takes_from_the_same_hour() -> None:
    governor = governed(EUROPE)
    governor.used(LinkUsed(LINK, 10, 5000, 0, 0, 0, 0), 0.0)
    for _ in range(4):
        governor.sent(300, unicast=True, now=1.0)
    ours = 4 * (300 + 48 + 14)
    governor.used(LinkUsed(LINK, 14, 5000 + ours, 0, 0, 0, 0), 2.0)
    assert governor.used_ns(2.0)[1] == 0, "what we sent is not counted twice"
    governor.used(LinkUsed(LINK, 34, 5000 + ours + 20_000, 0, 0, 0, 0), 3.0)
    strangers = governor.used_ns(3.0)[1]
    assert strangers >= 20 * packet_ns(1000, S1gRate(1, 10))
    governor.used(LinkUsed(LINK, 34, 5000 + ours + 20_000, 0, 0, 0, 0, retries=3), 4.0)
    assert governor.used_ns(4.0)[1] == strangers + 3 * longest_frame_ns(348, S1gRate(1, 10))
    governor.used(LinkUsed(LINK, 35, 5000 + ours + 21_000, 1, 1000, 5, 5000, retries=3), 5.0)
    assert governor.used_ns(5.0)[1] > strangers + group_packet_ns(986, S1gRate(1, 10))
    before = governor.used_ns(6.0)
    governor.used(LinkUsed(LINK, 1, 100, 0, 0, 0, 0), 6.0)
    assert governor.used_ns(6.0) == before, "an interface that came anew counts from nothing"


def test_acknowledgements_count_where_the_region_says_so() -> None:
    counting, free = governed(EUROPE), governed(Law(duty_ppm=100_000, omit_responses=True))
    for governor in (counting, free):
        governor.heard(1200, unicast=True, now=1.0)
        governor.heard(384, unicast=False, now=1.0)
    assert counting.used_ns(1.0)[0] == 3 * 560_000
    assert free.used_ns(1.0)[0] == 0


def test_beacons_and_a_reserve_leave_less() -> None:
    beaconing = governed(Law(duty_ppm=28_000, standing_ppm=3_000))
    assert beaconing.allowed_ns == 90 * SECOND
    assert governed(Law(duty_ppm=28_000, standing_ppm=32_000)).allowed_ns == 0
    hopeless = Station(Law(duty_ppm=28_000, standing_ppm=32_000))
    hopeless.put(cls=1)
    hopeless.turn(0.0)
    assert not hopeless.air
    assert hopeless.outbox.wakeup() is None
    assert hopeless.outbox.holds(b"") is False
    reserved = Station(Law(duty_ppm=28_000, reserve_ppm=14_000))
    flood(reserved, cls=2, count=3000)
    reserved.run(3000)
    assert sum(ns for _, ns in reserved.air) <= (0.8 - 0.5) * 100.8 * SECOND


# --- frames under the law -----------------------------------------------------------------------------------------


def flood(station: Station, cls: int, count: int) -> None:
    for number in range(count):
        station.put(cls=cls, size=1000, to=BO, key=number.to_bytes(4, "big") * 4)
    station.turn(station.ctx.now)


def test_frames_wait_for_the_hour_and_all_of_them_leave() -> None:
    station = Station(EUROPE)
    flood(station, cls=2, count=2000)
    station.run(3599)
    assert 0.79 * 100.8 * SECOND <= busiest(station.air, 3600) <= 0.8 * 100.8 * SECOND
    assert [warned.code for warned in station.warned] == ["airtime_spent"]
    assert len(station.sent) < 2000
    station.run(5 * 3600)
    assert len(station.sent) == 2000
    assert busiest(station.air, 3600) <= 0.8 * 100.8 * SECOND


def test_an_emergency_still_leaves_when_everything_else_waits() -> None:
    station = Station(EUROPE)
    flood(station, cls=0, count=2500)
    station.run(3000)
    assert len(station.sent) < 2500
    station.put(cls=1, size=200, to=None, key=b"help")
    station.turn(3000.5)
    assert [out.cls for out in station.sent][-1] == 1
    station.put(cls=2, size=20, to=None, key=b"chat")
    station.put(cls=1, size=200, to=None, key=b"help again")
    station.run(3010)
    assert [out.key for out in station.sent][-1] == b"help again", "what may not leave does not ride either"


def test_an_overlay_nobody_holds_takes_our_part_first_and_then_silences_us() -> None:
    """Ours and theirs together: what was counted of theirs is never added to."""
    station, theirs = Station(Law(duty_ppm=28_000, reserve_ppm=5_600)), list[tuple[float, int]]()
    flood(station, cls=0, count=1500)
    station.outbox.laws.used(LinkUsed(LINK, 0, 0, 0, 0, 0, 0))
    for turn in range(1, 720):
        station.run(turn * 5.0)
        sent, octets = len(station.air) + 4 * turn, station.octets + 4 * 1_300 * turn
        station.outbox.laws.used(LinkUsed(LINK, sent, octets, 0, 0, 0, 0))
        theirs.append((turn * 5.0, 4 * packet_ns(1_286, S1gRate(1, 10))))
    ours, all_of_it = busiest(station.air, 3600), sum(ns for _, ns in theirs)
    assert all_of_it > 100.8 * SECOND, "it broke the law by itself"
    last = station.air[-1][0]
    assert ours + sum(ns for at, ns in theirs if at <= last) <= 0.95 * 100.8 * SECOND
    assert len(station.sent) < 1500


PART = Law(duty_ppm=28_000, reserve_ppm=5_600)
READ_S = 5.0  # how often the counters are read


class Overlay:
    """Sends without a pause from the reading after which it may until the reading after it was told to stop."""

    def __init__(self, station: Station) -> None:
        self.station, self.sending, self.told = station, True, list[tuple[float, bool]]()
        self.air: list[tuple[float, int]] = []
        self.octets = self.packets = 0
        station.outbox.laws.used(LinkUsed(LINK, 0, 0, 0, 0, 0, 0))

    def turn(self, now: float) -> None:
        """Five seconds of it, then the reading; what it is told it does five seconds later."""
        sends = self.sending
        self.station.run(now)
        self.listen()
        if sends:
            many = round(READ_S * SECOND / packet_ns(1_286, S1gRate(1, 10)))
            self.packets, self.octets = self.packets + many, self.octets + 1_300 * many
            self.air.append((now, many * packet_ns(1_286, S1gRate(1, 10))))
        packets, octets = len(self.station.air) + self.packets, self.station.octets + self.octets
        self.station.outbox.laws.used(LinkUsed(LINK, packets, octets, 0, 0, 0, 0))
        self.station.turn(now)

    def listen(self) -> None:
        """Do as one is told."""
        for notice in self.station.stopped:
            self.sending = not notice.stopped
            self.told.append((self.station.ctx.now, notice.stopped))
        self.station.stopped.clear()


def test_an_overlay_nobody_holds_is_told_to_stop_in_time_and_to_go_on_when_the_hour_slid_on() -> None:
    station = Station(PART)
    overlay = Overlay(station)
    for turn in range(1, round(4 * 3600 / READ_S)):
        if turn % 60 == 0:
            flood(station, cls=2, count=10)
        overlay.turn(turn * READ_S)
    assert busiest(overlay.air, 3600) <= 0.2 * 100.8 * SECOND, "they keep within their part"
    assert busiest(sorted(overlay.air + station.air), 3600) <= 100.8 * SECOND
    assert len(station.sent) == 10 * (4 * 3600 // 300 - 1), "and we within ours, with room for all we have to say"
    assert [stopped for _, stopped in overlay.told] == [True, False] * 3 + [True]
    stops, frees = ([at for at, stopped in overlay.told if stopped is which] for which in (True, False))
    assert [round(free - stop) for stop, free in zip(stops, frees, strict=False)] == [3605] * 3


def test_others_go_on_at_once_where_the_host_can_hold_them_now() -> None:
    station = Station(PART)
    overlay = Overlay(station)
    for turn in range(1, 5):
        overlay.turn(turn * READ_S)
    assert overlay.told + station.stopped == [(15.0, True)]
    station.outbox.laws.link_changed(LINK, replace(station.settings, law=replace(PART, others_held=True)))
    station.turn(25.0)
    assert [notice.stopped for notice in station.stopped] == [False]
    assert station.outbox.wakeup() is None


def test_a_node_that_begins_again_lets_others_go_on_that_were_stopped() -> None:
    """A node is made anew in one daemon after a full disk: what was used counts as its own, and they go on."""
    station = Station(PART)
    overlay = Overlay(station)
    for turn in range(1, 5):
        overlay.turn(turn * READ_S)
    assert overlay.told == [(15.0, True)]
    again = Station(PART, station.kept, now=25.0)
    again.turn(25.0)
    assert [notice.stopped for notice in again.stopped] == [False]
    assert Station(PART).ctx.out == [], "who begins at all has nothing to take back"


def test_who_begins_again_and_again_does_not_give_others_their_part_anew() -> None:
    """What both used before counts as the node's own; others stop before all of it together is more than the hour."""
    station, used, now = Station(PART), 0, 0.0
    while station.outbox.laws.status()[f"used_s_{LINK}"] < 75:
        station.outbox.laws.sent(LINK, 384, unicast=True)
    sending = []
    for _ in range(6):
        overlay = Overlay(station)
        overlay.listen()
        sending.append(overlay.sending)
        for _ in range(6):
            now += READ_S
            overlay.turn(now)
        used += sum(ns for _, ns in overlay.air)
        station = Station(PART, station.kept, now)
        station.turn(now)
    assert 75 * SECOND + used <= 100.8 * SECOND
    assert sending == [True, *[False] * 5], "they stay stopped from the first moment"
    soonest = station.outbox.laws.others_at()
    assert soonest is not None
    assert 3600 <= soonest <= 3700, "what was used before the first end has to leave the hour"


def test_what_can_wait_gets_less_when_more_than_half_of_the_hour_is_used() -> None:
    station = Station(EUROPE)
    laws = station.outbox.laws
    assert (laws.ease(LINK), laws.ease("unknown"), Station(Law()).outbox.laws.ease(LINK)) == (1.0, 1.0, 1.0)
    eased = []
    for _ in range(10):
        used = laws.status()[f"used_s_{LINK}"]
        while laws.status()[f"used_s_{LINK}"] < used + 10.08:
            laws.sent(LINK, 384, unicast=True)
        eased.append(round(laws.ease(LINK), 1))
    assert eased == [1.0, 1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.1]
    station.ctx.now = 3604.0
    assert laws.ease(LINK) == 1.0


def test_silence_between_datagrams_and_none_that_lasts_too_long() -> None:
    japan = Law(duty_ppm=100_000, spacing_us=2_000, burst_us=50_000)
    fitting = lawful(LinkSettings(**SLOW, law=japan))
    assert 256 <= fitting.unicast_payload < 1200
    assert Governor(fitting, 0.0).cost(fitting.unicast_payload, unicast=True) <= 50_000_000
    assert lawful(LinkSettings(law=EUROPE)) == LinkSettings(law=EUROPE)
    station = Station(japan)
    flood(station, cls=2, count=20)
    station.run(60)
    for (before, lasts), (at, _) in pairwise(station.air):
        assert at - before >= lasts / SECOND + 0.002


def test_without_a_law_everything_is_counted_and_nothing_waits() -> None:
    station = Station(Law())
    flood(station, cls=4, count=600)
    station.run(3600)
    assert len(station.sent) == 600
    assert not station.kept
    status = station.outbox.laws.status()
    assert status[f"used_s_{LINK}"] == pytest.approx(busiest(station.air, 3600) / SECOND, rel=0.01)
    assert f"allowed_s_{LINK}" not in status


def test_a_restart_in_the_middle_of_the_hour_forgets_nothing() -> None:
    first = Station(EUROPE)
    flood(first, cls=2, count=1000)
    first.run(200)
    assert [fact.name for fact in first.kept] == [FACT + LINK]
    second = Station(EUROPE, first.kept, now=201.0)
    flood(second, cls=2, count=1000)
    second.run(3600)
    assert busiest(first.air + second.air, 3600) <= 0.8 * 100.8 * SECOND
    third = Station(EUROPE, second.kept, now=7500.0)
    flood(third, cls=2, count=1000)
    third.run(7600)
    assert len(third.air) > 500, "and an old hour weighs nothing"


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), ppm=st.sampled_from([28_000, 100_000]), bps=st.sampled_from([150_000, 650_000]))
def test_no_window_ever_holds_more_than_the_law_allows(seed: int, ppm: int, bps: int) -> None:
    """Any traffic of ours, restarts, other rates; a datagram may stand two seconds in the driver's queue."""
    dice = random.Random(seed)
    law = Law(duty_ppm=ppm, window_s=120)
    station, air = Station(law, unicast_bps=bps), list[tuple[float, int]]()
    for _ in range(100):
        for _ in range(dice.choice((0, 1, 5, 40))):
            station.put(dice.randrange(5), dice.randrange(20, 1500), dice.choice((BO, None)), dice.randbytes(8))
        station.turn(station.ctx.now)
        station.run(station.ctx.now + dice.choice((0.01, 1.0, 20.0)))
        if dice.random() < 0.03:
            air += station.air
            station = Station(law, station.kept, now=station.ctx.now, unicast_bps=dice.choice((150_000, 1_300_000)))
    late = sorted((at + 2 * dice.random(), ns) for at, ns in air + station.air)
    assert busiest(late, 120) <= 120 * SECOND * ppm // 1_000_000


def test_rates_that_are_none_are_refused() -> None:
    with pytest.raises(UsageError, match="no MCS 12"):
        S1gRate(1, 12)
    with pytest.raises(UsageError, match="no MCS 0 at 3 MHz"):
        S1gRate(3, 0)
    with pytest.raises(UsageError, match="carries nothing"):
        PlainRate(0)


def test_laws_of_a_link_say_what_the_hour_holds() -> None:
    station = Station(EUROPE)
    laws = station.outbox.laws
    laws.used(LinkUsed("another", 0, 0, 0, 0, 0, 0, 0))
    laws.used(LinkUsed(LINK, 0, 0, 0, 0, 0, 0, 0))
    laws.used(LinkUsed(LINK, 10, 3000, 0, 0, 0, 0, 2))
    status = laws.status()
    assert status.keys() == {f"{name}_s_{LINK}" for name in ("used", "others", "allowed")}
    assert status[f"allowed_s_{LINK}"] == 100.8
    assert 0 < status[f"others_s_{LINK}"] < 1, "what somebody else sent here, and the radio's repeats of it"

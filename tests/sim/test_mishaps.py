"""A medium that plays tricks: what arrives is flipped, repeated or late as often as asked, and never more."""

from __future__ import annotations

import pytest

from meshnode.air.airtime import PlainRate
from meshnode.air.channel import Channel
from meshnode.air.draws import chance
from meshnode.air.events import Delivery
from meshnode.air.topology import Topology, both_ways
from meshnode.errors import UsageError
from meshnode_sim import library
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.mishaps import REPEAT_NS, Mishaps, Trick
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import simulate
from meshnode_sim.streams import TAG

FRAMES = 2000
BOTH = frozenset({0, 1})


class Air(Channel):
    """A perfect one, that hands over what it is given."""

    def __init__(self) -> None:
        super().__init__(Topology(2, both_ways([(0, 1)]), PlainRate(1_000_000), PlainRate(300_000)), 1)
        self.ready: list[Delivery] = []

    def advance(self, now_ns: int) -> list[Delivery]:
        due = [one for one in self.ready if one.at_ns <= now_ns]
        self.ready = [one for one in self.ready if one.at_ns > now_ns]
        return due

    def next_event_ns(self) -> int | None:
        return min((one.at_ns for one in self.ready), default=None)


def carried(trick: Trick, frames: list[bytes]) -> list[Delivery]:
    """What comes out when frames arrive one each second."""
    air = Air()
    air.ready = [Delivery(1, 0, frame, (n + 1) * SECOND_NS) for n, frame in enumerate(frames)]
    mishaps, found = Mishaps(air, (trick,), 7), []
    while (due := mishaps.next_event_ns()) is not None:
        found += mishaps.advance(due)
    return found


PLAIN = [b"\x02" + n.to_bytes(4, "big") for n in range(FRAMES)]


def test_a_flipped_bit_is_one_bit_and_never_the_simulators_own() -> None:
    found = carried(Trick("corrupt", chance(0.25), BOTH, 0), PLAIN)
    assert len(found) == FRAMES
    wrong = [(sent, got.frame) for sent, got in zip(PLAIN, found, strict=True) if sent != got.frame]
    assert len(wrong) == pytest.approx(0.25 * FRAMES, rel=0.1)
    for sent, got in wrong:
        assert sent[0] == got[0]
        assert (int.from_bytes(sent, "big") ^ int.from_bytes(got, "big")).bit_count() == 1


def test_a_packet_of_a_session_with_a_wrong_bit_is_lost() -> None:
    found = carried(Trick("corrupt", chance(1.0), BOTH, 0), [bytes([TAG]) + b"data", b"\x02data"])
    assert [one.frame[0] for one in found] == [2]


def test_some_come_twice() -> None:
    found = carried(Trick("duplicate", chance(0.25), BOTH, 0), PLAIN)
    assert len(found) == pytest.approx(1.25 * FRAMES, rel=0.03)
    again = {one.at_ns for one in found} - {(n + 1) * SECOND_NS for n in range(FRAMES)}
    assert {at_ns % SECOND_NS for at_ns in again} == {REPEAT_NS}


def test_some_are_late_and_none_is_missing() -> None:
    found = carried(Trick("reorder", chance(0.25), BOTH, 0, delay_ns=3 * SECOND_NS), PLAIN)
    assert sorted(one.frame for one in found) == PLAIN
    assert [one.frame for one in found] != PLAIN
    assert [one.at_ns for one in found] == sorted(one.at_ns for one in found)


def test_a_trick_has_its_time_and_its_nodes() -> None:
    during = Trick("duplicate", chance(1.0), BOTH, 10 * SECOND_NS, 20 * SECOND_NS)
    assert len(carried(during, PLAIN[:30])) == 40
    assert len(carried(Trick("duplicate", chance(1.0), frozenset({5}), 0), PLAIN[:30])) == 30


def test_who_goes_off_does_not_get_what_was_held_back() -> None:
    air = Air()
    air.ready = [Delivery(1, 0, b"\x02late", 5)]
    mishaps = Mishaps(air, (Trick("reorder", chance(1.0), BOTH, 0, delay_ns=SECOND_NS),), 7)
    assert mishaps.advance(5) == []
    mishaps.set_power(1, False)
    assert mishaps.next_event_ns() is None


PAIR = """
[topology]
shape = "places"
places = [{ name = "A", x_m = 0, y_m = 0 }, { name = "B", x_m = 150, y_m = 0 }, { name = "C", x_m = 9000, y_m = 0 }]
[radio]
level = "radio"
width_mhz = 2
[[traffic]]
pattern = "schedule"
at_s = [60]
writers = ["A"]
to = ["B"]
[[faults]]
kind = "jam"
at_s = 20
for_s = 100
share = 1.0
"""


def test_who_is_drowned_by_a_jammer_hears_when_it_is_over() -> None:
    near = simulate(parse(PAIR + "x_m = 150\ny_m = 20\n"), until_ns=300 * SECOND_NS)
    [told] = near.world.probe.written.values()
    assert told.arrivals[1][0] > 120 * SECOND_NS
    far = simulate(parse(PAIR + "x_m = 9000\ny_m = 20\n"), until_ns=300 * SECOND_NS)
    [told] = far.world.probe.written.values()
    assert told.arrivals[1][0] < 62 * SECOND_NS


def test_a_jammer_needs_a_place() -> None:
    with pytest.raises(UsageError, match="stands at a place"):
        simulate(parse('[topology]\nshape = "line"\nnodes = 2\n[[faults]]\nkind = "jam"\n'), until_ns=SECOND_NS)


def test_a_drifting_clock_is_further_off_each_minute() -> None:
    text = '[topology]\nshape = "line"\nnodes = 2\n[[faults]]\nkind = "skew"\nnodes = ["A"]\nskew_s = 5\n'
    drifting = simulate(parse(text + "drift_ppm = 1000\n"), until_ns=600 * SECOND_NS)
    assert drifting.world.hosts[0].skew_s == pytest.approx(5 + 0.54)  # as at its last minute
    assert drifting.world.hosts[1].skew_s == 0
    steady = simulate(parse(text + "for_s = 60\n"), until_ns=600 * SECOND_NS)
    assert steady.world.hosts[0].skew_s == 0


def test_loss_comes_in_bursts() -> None:
    text = '[topology]\nshape = "line"\nnodes = 2\n[[faults]]\nkind = "bursts"\nloss = 1.0\nup_s = 30\ndown_s = 30\n'
    found = simulate(parse(text), until_ns=600 * SECOND_NS).report["air"]
    assert 0.2 < found["lost"] / (found["lost"] + found["received"]) < 0.9


@pytest.mark.parametrize("kind", ["corrupt", "duplicate", "reorder"])
def test_a_trick_moves_no_other_draw(kind: str) -> None:
    quiet = library.find("line")
    tricked = library.find("line", [f'faults=[{{kind="{kind}", at_s=10000}}]'])
    first, again = (simulate(one, until_ns=60 * SECOND_NS).report for one in (quiet, tricked))
    assert first["messages"] == again["messages"]
    assert first["air"] == again["air"]

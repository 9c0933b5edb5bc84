"""The radio: held against closed forms, and single rules of the medium one by one."""

from __future__ import annotations

import pytest

from meshnode.air.airtime import AIFS_NS, FLIGHT_NS, SLOT_NS, S1gRate, group_ns
from meshnode.air.draws import chance
from meshnode_sim.radio import RadioMedium
from support.cells import NEAR, Load, Relay, arq_mbps, bianchi_mbps, cell, medium, relay_mbps

RATE = S1gRate(2, 2)


def run(radios: RadioMedium, seconds: float = 10.0) -> list[tuple[int, int, bytes]]:
    """Everything that arrives: who, from whom, what."""
    found = []
    while (at := radios.next_event_ns()) is not None and at <= seconds * 1e9:
        found += [(one.node, one.src, one.frame) for one in radios.advance(at)]
    return found


@pytest.mark.parametrize("nodes", [2, 5, 10, 20])
def test_saturation_throughput_is_bianchi_s(nodes: int) -> None:
    load = Load(cell(nodes, retries=255, aggregate=False), [(n, (n + 1) % nodes) for n in range(nodes)])
    assert load.mbps(15.0) == pytest.approx(bianchi_mbps(nodes, RATE), rel=0.015)  # 0.7 % seen


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3, 0.6])
def test_goodput_under_loss_is_that_of_arq(loss: float) -> None:
    radios = cell(2, aggregate=False)
    radios.disturb(0, 1, chance(loss))
    assert Load(radios, [(0, 1)]).mbps(30.0) == pytest.approx(arq_mbps(loss, RATE, retries=7), rel=0.05)


@pytest.mark.parametrize("hops", [1, 2, 4, 8])
def test_a_half_duplex_line_carries_the_share_of_its_hops(hops: int) -> None:
    assert Relay(cell(hops + 1, aggregate=False), hops).mbps(8.0) == pytest.approx(relay_mbps(hops, RATE), rel=0.05)


def test_an_aggregate_carries_more_and_stays_within_its_limits() -> None:
    radios = cell(2)
    for _ in range(20):
        radios.offer(0, b"x", 1, 0, payload=1444)
    assert len(run(radios)) == 20
    tally = radios.counters(0).unicast
    # 1,482 octets each; 511 symbols of 78 bits hold three subframes of 1,488.
    assert (tally.frames, tally.attempts, tally.bytes) == (20, 7, 20 * 1482)


def test_a_frame_for_all_goes_once_at_the_basic_rate() -> None:
    radios = cell(4)
    radios.offer(0, b"hello", None, 0, payload=200)
    assert run(radios) == [(1, 0, b"hello"), (2, 0, b"hello"), (3, 0, b"hello")]
    tally = radios.counters(0).group
    assert tally.attempts == 1
    assert abs(tally.airtime_ns - group_ns(200, S1gRate(1, 0))) <= SLOT_NS // 2
    assert tally.airtime_ns > AIFS_NS + FLIGHT_NS


def test_what_fits_no_transmission_for_all_is_dropped_and_counted() -> None:
    radios = cell(2)
    assert radios.offer(0, b"x", None, 0, payload=1400)
    assert run(radios) == []
    assert radios.counters(0).too_long == 1


def test_hidden_nodes_collide_and_those_who_hear_each_other_do_not() -> None:
    ends = {(0, 1): NEAR, (1, 2): NEAR}
    hidden, seen = medium(ends, 3, aggregate=False), medium({**ends, (0, 2): NEAR}, 3, aggregate=False)
    poor, good = (Load(radios, [(0, 1), (2, 1)]).mbps(10.0) for radios in (hidden, seen))
    assert hidden.counters(1).collisions > 5 * seen.counters(1).collisions
    assert poor < 0.7 * good


def test_the_stronger_of_two_hidden_nodes_is_captured() -> None:
    radios = medium({(0, 1): NEAR, (1, 2): NEAR - 30_000}, 3, aggregate=False)
    load = Load(radios, [(0, 1), (2, 1)])
    load.mbps(5.0)
    strong, weak = (sum(one.src == src for one in load.arrived) for src in (0, 2))
    assert strong > 3 * weak


def test_two_pairs_out_of_hearing_talk_at_once() -> None:
    radios = medium({(0, 1): NEAR, (2, 3): NEAR}, 4, aggregate=False)
    alone = Load(cell(2, aggregate=False), [(0, 1)]).mbps(5.0)
    assert Load(radios, [(0, 1), (2, 3)]).mbps(5.0) == pytest.approx(2 * alone, rel=0.03)


def test_a_node_that_talks_hears_nothing() -> None:
    radios = medium({(0, 1): NEAR, (0, 2): NEAR, (1, 3): NEAR}, 4)
    for turn in range(200):  # both start in the same slot now and then, and then neither hears the other
        radios.offer(0, b"a", None, turn * 50_000_000, payload=100)
        radios.offer(1, b"b", None, turn * 50_000_000, payload=100)
        radios.advance((turn + 1) * 50_000_000 - 1)
    lost = [radios.counters(node).lost for node in (0, 1)]
    assert 0 < lost[0] < 40


def test_below_the_sensitivity_nothing_arrives_and_the_sender_gives_up() -> None:
    radios = medium({(0, 1): -95_000}, 2)
    radios.offer(0, b"x", 1, 0, payload=100)
    assert run(radios) == []
    counters = radios.counters(0)
    assert (counters.failed, counters.unicast.attempts) == (1, 8)


def test_the_rate_follows_the_signal() -> None:
    times = []
    for level in (-60_000, -80_000, -88_000):
        radios = medium({(0, 1): level}, 2, mcs=None)
        radios.offer(0, b"x", 1, 0, payload=1000)
        assert run(radios) == [(1, 0, b"x")]
        times.append(radios.counters(0).unicast.radiated_ns)
    assert times == sorted(set(times))


def test_a_frame_arrives_once_though_its_acknowledgement_is_lost() -> None:
    radios = cell(2)
    radios.disturb(1, 0, chance(0.7))
    for number in range(30):
        radios.offer(0, bytes([number]), 1, 0, payload=100)
    assert sorted(frame for _, _, frame in run(radios)) == [bytes([number]) for number in range(30)]


def test_a_long_frame_goes_in_pieces() -> None:
    radios = cell(2, width_mhz=1, mcs=0, basic_width_mhz=1)
    radios.offer(0, b"x", 1, 0, payload=1280)
    assert run(radios) == [(1, 0, b"x")]
    assert radios.counters(0).unicast.attempts == 2


def test_who_is_off_hears_nothing_and_forgets_its_queue() -> None:
    radios = cell(3)
    radios.set_power(1, False)
    radios.offer(0, b"x", None, 0, payload=100)
    assert not radios.offer(1, b"y", 0, 0, payload=100)
    assert run(radios) == [(2, 0, b"x")]
    radios.set_power(1, True)
    radios.offer(1, b"z", 0, 20_000_000_000, payload=100)
    assert run(radios, 30) == [(0, 1, b"z")]


def test_a_node_that_loses_power_while_talking_is_not_heard_and_can_talk_again() -> None:
    radios = cell(2)
    radios.offer(0, b"x", 1, 0, payload=1000)
    radios.advance(3_000_000)
    radios.set_power(0, False)
    assert run(radios, 1) == []
    radios.set_power(0, True)
    radios.offer(0, b"y", 1, 2_000_000_000, payload=100)
    assert run(radios) == [(1, 0, b"y")]


def test_a_link_that_is_cut_passes_nothing_until_it_is_joined() -> None:
    radios = cell(2)
    radios.set_link(0, 1, up=False)
    radios.offer(0, b"x", None, 0, payload=100)
    assert run(radios, 1) == []
    radios.set_link(0, 1, up=True)
    radios.offer(0, b"y", None, 2_000_000_000, payload=100)
    assert run(radios) == [(1, 0, b"y")]


def test_the_same_seed_gives_the_same_air() -> None:
    loads = [Load(cell(5, seed=seed), [(n, (n + 1) % 5) for n in range(5)]) for seed in (1, 1, 2)]
    for load in loads:
        load.mbps(1.0)
    first, again, other = ([(one.at_ns, one.src) for one in load.arrived] for load in loads)
    assert first == again != other

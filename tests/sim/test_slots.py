"""Level `slots`: held against closed forms by itself, and level `radio` against it in five reference cells."""

from __future__ import annotations

import pytest

from meshnode.air.airtime import AIFS_NS, S1gRate
from meshnode.errors import ConfigError
from meshnode_sim.radio import RadioMedium
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import simulate
from meshnode_sim.slots import SlotMedium
from support.cells import NEAR, Load, Relay, arq_mbps, bianchi_mbps, cell, medium, relay_mbps

RATE = S1gRate(2, 2)
PLACED = """
[topology]
shape = "line"
nodes = {nodes}
spacing_m = 150
[radio]
level = "slots"
width_mhz = 2
"""


def all_to_next(nodes: int) -> list[tuple[int, int]]:
    return [(node, (node + 1) % nodes) for node in range(nodes)]


def saturated(kind: type[RadioMedium], nodes: int) -> float:
    return Load(cell(nodes, kind=kind, retries=255, aggregate=False), all_to_next(nodes)).mbps(5.0)


def hidden(kind: type[RadioMedium]) -> float:
    """Two that do not hear each other send to one between them."""
    return Load(medium({(0, 1): NEAR, (1, 2): NEAR}, 3, kind=kind, aggregate=False), [(0, 1), (2, 1)]).mbps(12.0)


def exposed(kind: type[RadioMedium]) -> float:
    """Two that hear each other send to receivers apart."""
    levels = {(0, 1): NEAR, (1, 2): NEAR, (2, 3): NEAR}
    return Load(medium(levels, 4, kind=kind, aggregate=False), [(1, 0), (2, 3)]).mbps(4.0)


def line(kind: type[RadioMedium]) -> float:
    """Four hops of which each node hears the next two."""
    levels = {(a, a + hop): NEAR - 6_000 * hop for a in range(5) for hop in (1, 2) if a + hop < 5}
    return Relay(medium(levels, 5, kind=kind, aggregate=False), 4).mbps(6.0)


def aggregates(kind: type[RadioMedium]) -> float:
    return Load(cell(6, kind=kind), all_to_next(6)).mbps(4.0)


@pytest.mark.parametrize("nodes", [2, 10])
def test_saturation_throughput_is_bianchi_s(nodes: int) -> None:
    assert saturated(SlotMedium, nodes) == pytest.approx(bianchi_mbps(nodes, RATE), rel=0.03)


def test_goodput_without_loss_and_over_hops_is_that_of_closed_forms() -> None:
    assert Load(cell(2, kind=SlotMedium, aggregate=False), [(0, 1)]).mbps(5.0) == pytest.approx(
        arq_mbps(0.0, RATE, retries=7), rel=0.03
    )
    assert Relay(cell(5, kind=SlotMedium), 4).mbps(6.0) == pytest.approx(relay_mbps(4, RATE), rel=0.03)


@pytest.mark.parametrize(
    "reference", [lambda kind: saturated(kind, 20), hidden, exposed, line, aggregates],
    ids=["saturated", "hidden", "exposed", "line", "aggregates"],
)  # fmt: skip
def test_radio_is_within_ten_percent_in_five_reference_cells(reference) -> None:  # type: ignore[no-untyped-def]
    assert reference(RadioMedium) == pytest.approx(reference(SlotMedium), rel=0.1)


def test_a_slot_in_which_somebody_is_sensed_is_not_counted() -> None:
    radios = cell(3, kind=SlotMedium)
    radios.offer(0, b"long", 1, 0, payload=1000)
    radios.offer(2, b"waits", 1, AIFS_NS, payload=100)
    found = []
    while (at := radios.next_event_ns()) is not None:
        found += [(one.at_ns, one.frame) for one in radios.advance(at)]
    (first, _), (second, _) = found
    assert second > first + AIFS_NS


def test_a_whole_scenario_plays_at_it() -> None:
    found = simulate(parse(PLACED.format(nodes=3)), until_ns=30_000_000_000).report
    assert found["air"]["frames"] > 10
    assert not found["violations"]


def test_a_crowd_is_refused() -> None:
    with pytest.raises(ConfigError, match="300 nodes at most"):
        parse(PLACED.format(nodes=301))

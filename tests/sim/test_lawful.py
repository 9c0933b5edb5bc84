"""Countries, channels and batteries in scenarios."""

from __future__ import annotations

import pytest

from meshnode.air.counters import Counters, Tally
from meshnode.errors import ConfigError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.energy import energy
from meshnode_sim.lawful import law_in
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import simulate
from meshnode_sim.sky import Sky
from meshnode_sim.tables import EnergyTable

PAIR = """
[topology]
shape = "line"
nodes = 2
spacing_m = 100
[radio]
level = "radio"
width_mhz = 1
[[traffic]]
pattern = "poisson"
every_s = 1
writers = ["A"]
to = ["B"]
octets = 800
start_s = 5
"""


def test_a_country_brings_its_law() -> None:
    assert law_in("EU").duty_ppm == law_in("DE").duty_ppm == 28_000
    assert not law_in("").limited
    plain = simulate(parse(PAIR), until_ns=SECOND_NS)
    told = simulate(parse(PAIR, changes=["radio.country=EU"]), until_ns=SECOND_NS)
    assert [plain.world.hosts[0].link.law.duty_ppm, told.world.hosts[0].link.law.duty_ppm] == [1_000_000, 28_000]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (["radio.country=EU", "radio.width_mhz=4"], "EU has no channel of 4 MHz for HaLow: `width_mhz` may be 1"),
        (["radio.country=XX"], "XX"),
        (["radio.country=EU", "propagation.eirp_dbm=17"], r"EU allows 16.13 dBm .* may not be 17"),
        (["radio.country=KR", "radio.width_mhz=4", "propagation.eirp_dbm=9"], r"KR allows 4.77 dBm .* of 4 MHz"),
        (["node.A.channel=0"], "at node"),
    ],
)
def test_what_a_country_does_not_have_is_refused(changes: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse(PAIR, changes=changes)


@pytest.mark.parametrize(
    ("changes", "dbm"),
    [
        ([], 20),
        (["radio.country=US"], 20),
        (["radio.country=US", "propagation.eirp_dbm=30"], 30),
        (["radio.country=EU"], 16.13),
        (["radio.country=EU", "propagation.eirp_dbm=10"], 10),
        (["radio.country=KR", "radio.width_mhz=2"], 10),
    ],
)
def test_radios_are_as_strong_as_the_country_allows(changes: list[str], dbm: float) -> None:
    assert parse(PAIR, changes=changes).eirp_dbm == dbm


def test_a_weaker_radio_reaches_less_far() -> None:
    apart = "topology.spacing_m=550"
    found = [Sky(parse(PAIR, changes=[apart, f"radio.country={code}"])).neighbours() for code in ("US", "EU")]
    assert found == [[(0, 1)], []]


def test_who_is_on_another_channel_hears_nothing() -> None:
    together = simulate(parse(PAIR), until_ns=30 * SECOND_NS).report
    apart = simulate(parse(PAIR, changes=["node.A.channel=2"]), until_ns=30 * SECOND_NS).report
    assert together["messages"]["delivered"] > 10
    assert apart["messages"]["delivered"] == apart["air"]["received"] == 0


def test_energy_is_time_times_current() -> None:
    counters = Counters(unicast=Tally(radiated_ns=600 * SECOND_NS), busy_ns=1800 * SECOND_NS)
    table = EnergyTable(volts=2.0, tx_ma=60, rx_ma=30, idle_ma=10, host_ma=5, battery_mah=100)
    found = energy(table, counters, 3600 * SECOND_NS)
    hour_ma = 60 / 6 + 30 / 3 + 10 / 2 + 5
    assert found["energy_mwh"] == pytest.approx(2 * hour_ma)
    assert found["battery_days"] == pytest.approx(100 / hour_ma / 24, abs=1e-3)


def test_a_report_tells_energy_where_it_is_asked_for() -> None:
    found = simulate(parse(PAIR + "[energy]\nbattery_mah = 1000\n"), until_ns=30 * SECOND_NS).report["per_node"]
    assert found[0]["energy_mwh"] > found[1]["energy_mwh"] > 0
    assert 0 < found[0]["battery_days"] < 1000 / 100 / 24
    assert "energy_mwh" not in simulate(parse(PAIR), until_ns=SECOND_NS).report["per_node"][0]


def test_what_a_radio_sends_is_a_share_of_the_time() -> None:
    outcome = simulate(parse(PAIR, changes=["expect.duty_max=0.0001"]), until_ns=30 * SECOND_NS)
    assert outcome.report["per_node"][0]["duty"] > 0.001
    assert any("of the time for each radio to send" in text for text in outcome.unmet)

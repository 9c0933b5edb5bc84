"""Sensitivity, noise, and the chance of a frame: the tables of the standard, and a curve through their tenth."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode_sim.integers import ONE
from meshnode_sim.phy import carrier_sense, decoded, noise, required, sensitivity

STANDARD = {  # IEEE 802.11-2024, Table 23-35, dBm by MCS 0 to 9
    1: (-95, -92, -90, -87, -83, -79, -78, -77, -72, -70),
    2: (-92, -89, -87, -84, -80, -76, -75, -74, -69),
    4: (-89, -86, -84, -81, -77, -73, -72, -71, -66, -64),
    8: (-86, -83, -81, -78, -74, -70, -69, -68, -63, -61),
    16: (-83, -80, -78, -75, -71, -67, -66, -65, -60, -58),
}


@pytest.mark.parametrize("width", STANDARD)
def test_the_standard_s_sensitivities(width: int) -> None:
    assert tuple(sensitivity(width, mcs, "standard") // 1000 for mcs in range(len(STANDARD[width]))) == STANDARD[width]
    assert sensitivity(1, 10, "standard") == -98_000


@pytest.mark.parametrize(("width", "mcs", "dbm"), [(1, 10, -105), (8, 0, -95), (8, 7, -81)])
def test_chips_as_their_data_sheet_has_them(width: int, mcs: int, dbm: int) -> None:
    assert sensitivity(width, mcs, "chip") == dbm * 1000


def test_a_chip_known_by_one_figure_fits_the_line_between() -> None:
    assert abs(sensitivity(4, 2, "chip") + 95_000) < 1000


def test_both_profiles_ask_the_same_ratio() -> None:
    for mcs in range(11):
        assert sensitivity(1, mcs, "chip") - noise(1, mcs, "chip") == required(mcs)
    assert [required(mcs) // 1000 for mcs in (10, 0, 1, 4, 7)] == [1, 4, 7, 16, 22]


def test_a_busy_channel_is_heard_where_the_standard_demands_and_where_a_chip_can() -> None:
    assert carrier_sense(2, "standard") == -92_000
    assert carrier_sense(2, "chip") == -101_000


def test_at_the_sensitivity_a_tenth_of_256_octets_is_lost() -> None:
    assert abs(decoded(0, 256) / ONE - 0.9) < 0.001
    assert abs(decoded(0, 512) / ONE - 0.81) < 0.001
    assert abs(decoded(-1000, 256) / ONE - 0.5) < 0.001
    assert abs(decoded(1000, 256) / ONE - 1 / (1 + 1 / 81)) < 0.001


@settings(deadline=None)
@given(st.integers(-20_000, 20_000), st.integers(1, 5000))
def test_more_signal_or_fewer_octets_never_hurt(margin: int, octets: int) -> None:
    assert 0 <= decoded(margin, octets) <= ONE
    assert decoded(margin, octets) <= decoded(margin + 100, octets)
    assert decoded(margin, octets + 1) <= decoded(margin, octets)

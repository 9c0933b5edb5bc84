"""What the tables of the regions allow this node."""

from __future__ import annotations

import pytest

from meshnode.config import RadioSection
from meshnode.core.settings import Law
from meshnode.daemon.law import beacons_ppm, law_of
from meshnode.errors import ConfigError


def test_no_country_no_law() -> None:
    assert law_of(RadioSection()) == Law()


@pytest.mark.parametrize("country", ["DE", "dd", "FR", "GB", "uk", "IN"])
def test_a_portable_node_in_europe_has_2_8_per_cent(country: str) -> None:
    law = law_of(RadioSection(country=country))
    assert (law.duty_ppm, law.window_s, law.reserve_ppm, law.limited) == (28_000, 3600, 5_600, True)
    assert law.duty_ppm * law.window_s == 100_800_000  # 100.8 s an hour


def test_a_fixed_access_point_in_europe_has_10_per_cent_less_its_beacons() -> None:
    law = law_of(RadioSection(country="DE", fixed_access_point=True, beacon_interval_tu=1000, others_percent=50))
    assert (law.duty_ppm, law.reserve_ppm, law.standing_ppm) == (100_000, 50_000, 3_204)


def test_the_strictest_rule_holds_where_the_channel_is_not_known() -> None:
    japan, korea, singapore = (law_of(RadioSection(country=code)) for code in ("JP", "KR", "SG"))
    assert (japan.duty_ppm, japan.spacing_us, japan.burst_us, japan.omit_responses) == (100_000, 2_000, 50_000, True)
    assert (korea.limited, korea.spacing_us) == (False, 50_000)
    assert (singapore.duty_ppm, singapore.spacing_us, singapore.burst_us) == (27_700, 100_000, 1_000_000)
    assert law_of(RadioSection(country="US")) == Law()


def test_beacons_at_the_usual_interval_take_more_than_a_portable_node_has() -> None:
    assert beacons_ppm(0) == 0
    assert 32_000 <= beacons_ppm(100) <= 32_100
    assert beacons_ppm(1000) == pytest.approx(beacons_ppm(100) / 10, abs=1)


@pytest.mark.parametrize("radio", [RadioSection(country="XX"), RadioSection(country="AU"), RadioSection(country="CN")])
def test_a_country_that_is_not_known_is_refused_with_a_sentence(radio: RadioSection) -> None:
    with pytest.raises(ConfigError, match=r"radio\.country"):
        law_of(radio)


def test_australia_wants_the_name_of_its_plan() -> None:
    assert law_of(RadioSection(country="AU", plan="2020")) == Law()

"""Regions: the stricter of two sources, names of countries, plans of Australia, what must not be used."""

from __future__ import annotations

import pytest

from meshnode.board.region import Region, country, region, regions
from meshnode.errors import UsageError


def every_plan(one: Region):
    for scheme in one.schemes or (None,):
        yield one.plan(scheme, force=True)


@pytest.mark.parametrize("one", regions(), ids=lambda one: one.code)
def test_the_stricter_claim_counts_and_a_line_says_so(one: Region) -> None:
    for band in one.bands:
        limits = band.limits()
        for claim in band.powers:
            assert limits.eirp_dbm is not None
            assert limits.eirp_dbm <= claim.eirp_dbm
        for duty in band.duties:
            assert (limits.ap_percent or 0) <= duty.ap_percent
            assert (limits.sta_percent or 0) <= duty.sta_percent
        if len({claim.eirp_dbm for claim in band.powers}) > 1:
            assert any("power" in line and band.name in line for line in band.disagreements())


@pytest.mark.parametrize("one", regions(), ids=lambda one: one.code)
def test_a_plan_has_no_two_channels_alike(one: Region) -> None:
    for plan in every_plan(one):
        usable = [(channel.centre_khz, channel.bw_mhz) for channel, _ in plan.channels()]
        if one.code != "TW":  # its list for tests repeats some
            assert len(set(usable)) == len(usable)


def test_no_country_is_in_two_files() -> None:
    codes = [code for one in regions() for code in one.countries]
    assert len(set(codes)) == len(codes)


def test_the_sources_own_spellings_are_read() -> None:
    assert (country("uk"), country("DD"), country(" de ")) == ("GB", "DE", "DE")
    assert region("UK").code == "GB"
    assert region("DD").code == region("DE").code == "EU"
    with pytest.raises(UsageError, match="no region file covers 'XX'"):
        region("XX")


def test_australia_needs_a_plan_because_numbers_moved() -> None:
    australia = region("AU")
    with pytest.raises(UsageError, match="several channel plans: say which, 2020 or 2024 or revmf"):
        australia.plan()
    with pytest.raises(UsageError, match="no channel plan '2021'"):
        australia.plan("2021")
    assert australia.plan("2020").numbered(43, 1)[0].centre_khz == 923_500
    assert australia.plan("2024").numbered(43)[0].bw_mhz == 8
    assert australia.plan("2020").numbered(51)[0].centre_khz == 927_500
    assert australia.plan("revmf").numbered(51)[0].centre_khz == 919_500
    with pytest.raises(UsageError):
        australia.plan("2024").numbered(59)


def test_a_region_or_channel_that_is_not_usable_must_be_forced() -> None:
    with pytest.raises(UsageError, match="no channel for HaLow"):
        region("CN").plan()
    assert list(region("CN").plan(force=True).channels()) == []
    korea = region("KR")
    with pytest.raises(UsageError, match=r"no usable channel at 927\.5 MHz, 1 MHz wide .*flagged not usable in M1"):
        korea.plan().at(927_500, 1)
    assert korea.plan(force=True).at(927_500, 1)[1].eirp_dbm == 17
    with pytest.raises(UsageError):
        region("DE").plan().at(866_000, 2)


def test_a_portable_node_in_europe_has_the_duty_of_a_station() -> None:
    channel, limits = region("FR").plan().numbered(5)
    assert channel.label == "S1G 5, 865.5 MHz, 1 MHz wide"
    assert limits.duty_percent(fixed_access_point=False) == 2.8
    assert limits.duty_percent(fixed_access_point=True) == 10
    assert limits.window_s == 3600
    assert limits.eirp_dbm == 16.13


def test_where_nobody_says_nothing_is_said() -> None:
    _, limits = region("TW").plan().at(921_000, 1)
    assert limits.eirp_dbm is None
    assert limits.duty_percent(fixed_access_point=False) is None

"""True channel, width and rate behind what each driver shows, from bytes that pyroute2 encoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.board.profile import Driver, family
from meshnode.errors import WireError
from meshnode.halow.messages import interface_untrusted, noise_untrusted, station_untrusted
from meshnode.halow.state import Channel, RadioState, Rate
from meshnode.halow.understanding import Setting, understand
from support.nl80211 import encoded, interface, rate, station, survey

PEER = "02:00:00:00:00:01"


def driver(name: str) -> Driver:
    found = family(name)
    assert found is not None
    return found


def state(kernel: str, iface: bytes, setting: Setting, *stations: bytes, noise: bytes | None = None) -> RadioState:
    facts = [station_untrusted(one) for one in stations]
    return understand(
        driver(kernel), interface_untrusted(iface), facts, noise_untrusted(noise) if noise else None, setting
    )


def test_an_openmanet_mesh_at_2_mhz() -> None:
    """Field example: 135-150 Mbit/s VHT-MCS 6/7 shown, really 5.85 to 7.2 Mbit/s."""
    peer = station(
        PEER,
        SIGNAL=-71,
        SIGNAL_AVG=-70,
        INACTIVE_TIME=40,
        PLINK_STATE=4,
        TX_PACKETS=1200,
        TX_RETRIES=33,
        TX_FAILED=2,
        TX_BITRATE=rate(BITRATE32=1500, VHT_MCS=7, VHT_NSS=1, _40_MHZ_WIDTH=True, SHORT_GI=True),
        RX_BITRATE=rate(BITRATE32=1215, VHT_MCS=6, VHT_NSS=1, _40_MHZ_WIDTH=True),
    )
    iface = interface("wlh0", "mesh_point", 5785, width=40, centre=5795, network="openmanet")
    found = state("morse_spi", iface, Setting("US"), peer, noise=survey(-95))
    assert found.channel == Channel(923_000, 2, 42)
    assert (found.role, found.network, found.shown_mhz, found.noise_dbm) == ("mesh", "openmanet", 5795, -95)
    (neighbour,) = found.neighbours
    assert (neighbour.mac, neighbour.signal_dbm, neighbour.average_dbm, neighbour.peering) == (
        PEER, -71, -70, "established",
    )  # fmt: skip
    assert neighbour.tx == Rate(7, 2, True, pytest.approx(7222.2, abs=0.1))
    assert neighbour.rx == Rate(6, 2, False, 5850)
    assert (neighbour.tx_packets, neighbour.tx_retries, neighbour.tx_failed) == (1200, 33, 2)
    assert found.missing == ()


@pytest.mark.parametrize(
    ("flags", "mcs", "short", "width", "kbps"),
    [
        ({}, 0, False, 1, 300), ({}, 7, True, 1, 3333.3), ({"_40_MHZ_WIDTH": True}, 0, False, 2, 650),
        ({"_40_MHZ_WIDTH": True}, 7, False, 2, 6500), ({"_80_MHZ_WIDTH": True}, 7, False, 4, 13_500),
        ({"_80_MHZ_WIDTH": True}, 2, True, 4, 4500), ({"_160_MHZ_WIDTH": True}, 7, True, 8, 32_500),
        ({"_160_MHZ_WIDTH": True}, 9, True, 8, 43_333.3), ({"_80_MHZ_WIDTH": True}, 9, False, 4, 18_000),
    ],
)  # fmt: skip
def test_morse_rates_follow_from_mcs_and_width(flags, mcs, short, width, kbps) -> None:
    more = {**flags, **({"SHORT_GI": True} if short else {})}
    peer = station(PEER, TX_BITRATE=rate(BITRATE32=4711, VHT_MCS=mcs, VHT_NSS=1, **more))
    found = state("morse_sdio", interface("wlan1", "station", 5180, width=20), Setting("US"), peer)
    tx = found.neighbours[0].tx
    assert tx == Rate(mcs, width, short, pytest.approx(kbps, abs=0.05))


@pytest.mark.parametrize(
    "shown",
    [
        {"VHT_MCS": 9, "VHT_NSS": 1, "_40_MHZ_WIDTH": True},  # no such combination at 2 MHz
        {"VHT_MCS": 3, "VHT_NSS": 2},  # two streams
        {"BITRATE32": 60},  # no MCS
        {"VHT_MCS": 12, "VHT_NSS": 1},
    ],
)
def test_a_rate_that_cannot_be_is_absent(shown) -> None:
    peer = station(PEER, TX_BITRATE=rate(**shown))
    found = state("morse_spi", interface("wlan1", "ap", 5180, width=20), Setting("US"), peer)
    assert found.neighbours[0].tx is None
    assert any(line.startswith("rate: ") for line in found.missing)


@pytest.mark.parametrize(
    ("region", "plan", "mhz", "centre", "width", "channel"),
    [
        ("DE", None, 5660, 5660, 20, Channel(863_500, 1, 1)),
        ("UK", None, 5640, 5640, 20, Channel(918_900, 1, 35)),
        ("JP", None, 5180, 5180, 20, Channel(923_000, 1, 13)),
        ("AU", "2020", 5560, 5570, 160, None),  # 916 MHz at 8 MHz is no channel of that plan
        ("AU", "2020", 5795, 5815, 160, Channel(924_000, 8, 44)),
        ("AU", "2024", 5795, 5815, 160, None),
        ("", None, 5795, 5795, 40, None),
        ("CN", None, 5795, 5795, 40, None),
        ("US", None, 5795, 5795, 80, None),
    ],
)
def test_morse_channels_by_region(region, plan, mhz, centre, width, channel) -> None:
    found = state("morse_usb", interface("wlan1", "ap", mhz, width=width, centre=centre), Setting(region, plan))
    assert found.channel == channel
    assert bool(found.missing) == (channel is None)


def test_mainline_shows_s1g_as_it_is() -> None:
    peer = station(PEER, SIGNAL=-88, TX_BITRATE=rate(S1G_MCS=2, S1G_NSS=1, _1_MHZ_WIDTH=True))
    iface = interface("wlan1", "station", 902, width="1", offset=500)
    found = state("mm81x_usb", iface, Setting(), peer, noise=survey(-101))
    assert found.channel == Channel(902_500, 1, 1)
    assert (found.role, found.shown_mhz, found.noise_dbm) == ("sta", None, -101)
    assert found.neighbours[0].tx == Rate(2, 1, False, 900)
    wide = interface("wlan1", "station", 906, width="8", centre=908)
    assert state("mm81x_sdio", wide, Setting()).channel == Channel(908_000, 8)
    peer = station(PEER, TX_BITRATE=rate(S1G_MCS=10, S1G_NSS=1, _1_MHZ_WIDTH=True))
    assert state("mm81x_usb", iface, Setting(), peer).neighbours[0].tx == Rate(10, 1, False, 150)


@pytest.mark.parametrize(
    ("region", "band", "mhz", "channel"),
    [
        ("US", None, 5805, Channel(925_000, 2, 46)), ("US", None, 2412, Channel(902_500, 1, 1)),
        ("KR", "K1", 5180, Channel(921_500, 1, 9)), ("KR", None, 5180, None),
        ("SE", None, 5745, Channel(916_900, 1, 31)),
        ("JP", None, 5235, Channel(924_500, 4, 36)),
    ],
)  # fmt: skip
def test_newracom_channels_carry_their_width(region, band, mhz, channel) -> None:
    found = state("nrc80211", interface("wlan0", "ap", mhz, width=20), Setting(region, band=band))
    assert found.channel == channel


def test_newracom_rates_are_not_documented_and_so_absent() -> None:
    peer = station(PEER, SIGNAL=-60, TX_BITRATE=rate(BITRATE32=72, MCS=7))
    found = state("nrc80211", interface("wlan0", "station", 5805, width=20), Setting("US"), peer)
    assert found.neighbours[0].tx is None
    assert found.neighbours[0].signal_dbm == -60
    assert "rate: " in found.missing[0]


def test_a_radio_in_no_network_has_no_channel() -> None:
    found = state("morse_spi", encoded([["IFINDEX", 3], ["IFNAME", "wlan1"], ["IFTYPE", 2]]), Setting("US"))
    assert found.channel is None
    assert "driver shows none" in found.missing[0]


def test_the_noise_of_another_channel_does_not_count() -> None:
    assert noise_untrusted(survey(-95, in_use=False)) is None


@given(st.binary(max_size=120))
def test_noise_is_a_wire_error_or_facts(data: bytes) -> None:
    for decode in (interface_untrusted, station_untrusted, noise_untrusted):
        try:
            decode(data)
        except WireError:
            pass


@given(st.integers(0, 250), st.binary(max_size=4))
def test_a_damaged_station_is_a_wire_error_or_facts(at: int, noise: bytes) -> None:
    whole = station(PEER, SIGNAL=-71, TX_BITRATE=rate(VHT_MCS=7, VHT_NSS=1, _40_MHZ_WIDTH=True), TX_BYTES64=2**40)
    try:
        station_untrusted(whole[:at] + noise + whole[at + len(noise) :])
    except WireError:
        pass

"""What `meshnode status` says of a radio."""

from __future__ import annotations

from meshnode.cli.status import _radio
from meshnode.control.replies import RadioInfo, RateInfo, S1gChannelInfo, StationInfo


def test_a_radio_that_is_understood() -> None:
    heard = StationInfo(mac="02:00:00:00:00:01", signal_dbm=-71, tx=RateInfo(mcs=7, kbps=6500.0), peering="established")
    radio = RadioInfo(
        interface="wlh0", source="nl80211", family="morse", role="mesh", network="openmanet", noise_dbm=-95,
        channel=S1gChannelInfo(centre_khz=923_000, width_mhz=2, number=42), neighbours=[heard],
    )  # fmt: skip
    assert list(_radio(radio)) == [
        ("radio", "morse, mesh, openmanet, channel 42, 923 MHz, 2 MHz wide, noise -95 dBm"),
        ("", "02:00:00:00:00:01, -71 dBm, MCS 7 at 6500 kbit/s, established"),
    ]


def test_what_is_not_known_is_said_with_its_reason() -> None:
    radio = RadioInfo(interface="hg0", source="tool", family="taixin", missing=["rate: the driver has no key for it"])
    assert list(_radio(radio)) == [("radio", "taixin"), ("", "not known: rate: the driver has no key for it")]
    assert list(_radio(None)) == []

"""What `meshnode status` says of a radio."""

from __future__ import annotations

from meshnode.cli.inbox import message_line
from meshnode.cli.status import _clock, _interface, _radio
from meshnode.control.replies import (
    ClockInfo,
    InterfaceInfo,
    MessageInfo,
    RadioInfo,
    RateInfo,
    S1gChannelInfo,
    StationInfo,
)


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


def test_the_date_says_how_sure_it_is_and_whether_the_system_has_another() -> None:
    assert _clock(ClockInfo(None, None, "unknown")) == "date not known; messages go without one"
    assert _clock(ClockInfo(0.0, 0.04, "ntp")) == "ntp, within 0.0 s"
    assert _clock(ClockInfo(0.0, 86_400.0, "system")) == "system, within 1 d"
    assert (
        _clock(ClockInfo(-7200.0, 9.0, "neighbours"))
        == "neighbours, within 9.0 s; the system's clock is -7200 s from it"
    )


def test_a_message_whose_date_is_not_sure_says_about() -> None:
    for about in (False, True):
        shown = message_line(
            MessageInfo(
                id="ab" * 16, cursor="1", sender="Bo", text="soup", files=[], sent_at="2026-11-22T10:00:00Z",
                received_at="2026-11-22T10:00:00Z", state="delivered", hops=None, about=about, to="Ada",
            )
        )  # fmt: skip
        assert shown.startswith("about 2026-") is about


def test_a_modem_that_is_not_up_says_why() -> None:
    modem = InterfaceInfo(name="modem", driver="newracom AT modem", state="down", detail="no answer to AT")
    assert _interface(modem) == "modem, down, driver newracom AT modem: no answer to AT"

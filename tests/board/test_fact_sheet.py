"""Every board, driver, region and modem of the fact sheet is there, and its worked examples come out exactly.

The values were written down from the sheet by hand; none is computed by the code under test.
"""

from __future__ import annotations

import pytest

from meshnode.air.airtime import BITS_PER_SYMBOL, S1gRate
from meshnode.board import channels, dialect, phy, profile
from meshnode.board.region import region

BOARDS = {
    "generic": (None, None), "morse-eval-sdio": ("mm6108", "sdio"), "morse-eval-spi": ("mm6108", "spi"),
    "morse-driver-defaults": ("mm6108", "spi"), "openmanet-mm6108-spi": ("mm6108", "spi"),
    "openmanet-mm6108-sdio": ("mm6108", "sdio"), "openmanet-mm8108-spi": ("mm8108", "spi"),
    "heltec-ht-hc01p-zero2w": ("mm6108", "spi"), "morse-halowlink": ("mm8108", "sdio"),
    "heltec-ht-hd01-v2": ("mm6108", "sdio"), "gateworks-gw16159": ("mm6108", "sdio"),
    "gateworks-gw16167": ("mm8108", "usb"), "gateworks-gw16170": ("mm8108", "usb"), "mm8108-usb": ("mm8108", "usb"),
    "mm81x-usb": ("mm8108", "usb"), "mm81x-sdio": ("mm8108", "sdio"), "silex-sx-sdmah": ("mm6108", "sdio"),
    "alfa-ahpi6108e": ("mm6108", "sdio"), "alfa-ahpi7292s": ("nrc7292", "spi"), "silex-sx-newah": ("nrc7292", "spi"),
    "teledatics": ("nrc7292", "spi"), "droidifi-s1g": ("nrc7292", "spi"), "nrc7394-host": ("nrc7394", "spi"),
    "newracom-at": ("nrc7394", "uart"), "alfa-ahm27292u": ("nrc7292", None), "txw8301-sdio": ("txw8301", "sdio"),
    "txw8301-usb": ("txw8301", "usb"), "lilygo-t-halow": ("txw8301", "uart"), "taixin-ah-bridge": ("txw8301", "uart"),
    "rnode-halow": ("txw8301", "uart"), "seeed-xiao-halow": ("mm6108", "usb"), "alfa-halow-u": (None, None),
    "alfa-tube-ah": (None, None), "asiarf": (None, None), "vantron": (None, None), "ahus-1": (None, None),
}  # fmt: skip

COUNTRIES = (
    "US CA AL AT BA CH CY CZ DE DK EE ES GR HR HU LU LV MT NL NO PL RO SK BE IE IS LT MD MK PT SE SI"
    " BG FI FR IT TR GB JP KR AU NZ IN SG TW CN BR AR ID MY TH VN EU"
)

CHANNELS = [  # country, plan, S1G number, width, centre in kHz, EIRP, duty of a station
    ("US", None, 1, 1, 902_500, 30, 100), ("US", None, 51, 1, 927_500, 30, 100), ("CA", None, 28, 8, 916_000, 30, 100),
    ("US", None, 42, 2, 923_000, 30, 100), ("US", None, 44, 8, 924_000, 30, 100), ("US", None, 48, 4, 926_000, 30, 100),
    ("DE", None, 1, 1, 863_500, 16.13, 2.8), ("DE", None, 9, 1, 867_500, 16.13, 2.8),
    ("SE", None, 31, 1, 916_900, 16.13, 2.8), ("IT", None, 35, 1, 918_900, 16.13, 2.8),
    ("GB", None, 33, 1, 917_900, 16.13, 2.8), ("JP", None, 9, 1, 921_000, 16, 10), ("JP", None, 13, 1, 923_000, 16, 10),
    ("JP", None, 2, 2, 923_500, 16, 10), ("JP", None, 38, 4, 925_500, 16, 10), ("KR", None, 1, 1, 918_000, 4.77, 100),
    ("KR", None, 10, 2, 922_500, 10, 100), ("KR", None, 8, 4, 921_500, 4.77, 100),
    ("AU", "2020", 44, 8, 924_000, 30, 100),
    ("AU", "2024", 28, 1, 916_000, 30, 100), ("AU", "2024", 47, 4, 925_500, 30, 100),
    ("AU", "revmf", 55, 8, 921_500, 30, 100), ("NZ", None, 27, 1, 915_500, 5, 100),
    ("NZ", None, 44, 8, 924_000, 5, 100),
    ("NZ", None, 51, 1, 927_500, 36, 100), ("IN", None, 5, 1, 865_500, 16.13, 2.8),
    ("SG", None, 10, 2, 868_000, 29.14, 2.77),
    ("SG", None, 42, 2, 923_000, 22.15, 100), ("TW", None, 41, 4, 922_500, None, None),
    ("BR", None, 9, 1, 906_500, 36, 100),
    ("AR", None, 50, 2, 927_000, 36, 100),
]  # fmt: skip

UNNUMBERED = [("ID", 921_500, 2, 26), ("MY", 921_500, 4, 27), ("TH", 924_500, 1, 17), ("TH", 922_500, 4, 17)]

MORSE = [  # region, shown MHz, shown width, S1G number, width, centre in kHz
    ("US", 5660, 20, 1, 1, 902_500), ("US", 5680, 20, 3, 1, 903_500), ("US", 5180, 20, 5, 1, 904_500),
    ("US", 5885, 20, 51, 1, 927_500), ("US", 5670, 40, 2, 2, 903_000), ("US", 5795, 40, 42, 2, 923_000),
    ("US", 5210, 80, 8, 4, 906_000), ("US", 5855, 80, 48, 4, 926_000), ("US", 5250, 160, 12, 8, 908_000),
    ("US", 5570, 160, 28, 8, 916_000), ("US", 5815, 160, 44, 8, 924_000), ("EU", 5660, 20, 1, 1, 863_500),
    ("EU", 5600, 20, 31, 1, 916_900), ("IN", 5220, 20, 9, 1, 867_500), ("JP", 5540, 20, 9, 1, 921_000),
    ("JP", 5180, 20, 13, 1, 923_000), ("JP", 5190, 40, 2, 2, 923_500), ("JP", 5210, 80, 36, 4, 924_500),
    ("KR", 5660, 20, 1, 1, 918_000), ("KR", 5210, 80, 8, 4, 921_500), ("SG", 5745, 20, 37, 1, 920_500),
    ("SG", 5230, 40, 10, 2, 868_000), ("NZ", 5610, 80, 32, 4, 918_000),
]  # fmt: skip

NEWRACOM = [  # region, setting, host MHz, S1G number, width, centre in kHz
    ("US", None, 2412, 1, 1, 902_500), ("US", None, 5180, 13, 1, 908_500), ("US", None, 5805, 46, 2, 925_000),
    ("US", None, 5580, 48, 4, 926_000), ("US", None, 5250, 128, 2, 904_000), ("US", None, 5360, 172, 2, 926_000),
    ("US", None, 5380, 130, 4, 905_000), ("US", None, 5480, 170, 4, 925_000), ("KR", "K1", 5180, 9, 1, 921_500),
    ("KR", "K2", 5195, 23, 1, 928_500), ("JP", None, 5200, 9, 1, 921_000), ("JP", None, 5180, 2, 2, 923_500),
    ("TW", "840", 5755, None, 2, 843_500), ("TW", "920", 5820, 41, 4, 922_500), ("TW", "NCC", 5215, None, 4, 922_000),
    ("EU", None, 5180, 1, 1, 863_500), ("EU", None, 5755, 35, 1, 918_900), ("NZ", None, 5820, 48, 4, 926_000),
    ("SG", None, 5195, 10, 2, 868_000), ("SG", None, 5755, 40, 2, 922_000), ("SG", None, 5770, 42, 4, 923_000),
]  # fmt: skip

MODEM_COMMANDS = {
    "newracom": "AT ATE ATZ AT+VER AT+WSCAN AT+WCONN AT+WSOFTAP AT+WDUTYCYCLE AT+SOPEN AT+SSEND AT+SRECV AT+SMCAST",
    "taixin": "AT+MODE AT+SSID AT+KEYMGMT AT+PSK AT+BSS_BW AT+CHAN_LIST AT+RSSI AT+CONN_STATE AT+TXDATA AT+SYSDBG",
    "warthog": "AT AT+VERSION AT+STATUS AT+HALOW AT+MPMPEERS AT+MTU AT+DATASTAT AT+MESHID",
}


def test_every_board_is_there_with_its_chip_and_bus() -> None:
    assert {board.name: (board.chip, board.bus) for board in profile.boards()} == BOARDS


def test_pins_and_overlays_of_the_morse_hats() -> None:
    hat = profile.board("openmanet-mm6108-spi")
    assert hat.overlay == "mm610x-spi"
    assert (hat.gpio.reset, hat.gpio.wake, hat.gpio.busy, hat.gpio.irq, hat.gpio.cs) == (17, 23, 24, 5, 8)
    kit = profile.board("morse-eval-sdio")
    assert kit.config_txt == ("dtoverlay=sdio,poll_once=on", "dtparam=sdio_overclock=42", "dtoverlay=mm_wlan")
    assert (kit.gpio.reset, kit.gpio.power, kit.gpio.chip_irq, kit.gpio.sdio) == (
        5,
        (3, 7),
        1,
        (22, 23, 24, 25, 26, 27),
    )
    assert profile.board("morse-eval-spi").gpio.irq == 25
    assert profile.board("morse-driver-defaults").gpio.wake == 3


@pytest.mark.parametrize("code", COUNTRIES.split())
def test_every_country_has_its_region(code: str) -> None:
    assert code in region(code).countries


@pytest.mark.parametrize(("code", "plan", "s1g", "width", "centre", "eirp", "duty"), CHANNELS)
def test_the_channel_is_where_the_sheet_has_it(code, plan, s1g, width, centre, eirp, duty) -> None:
    channel, limits = region(code).plan(plan).numbered(s1g, width)
    assert (channel.centre_khz, channel.bw_mhz) == (centre, width)
    assert (limits.eirp_dbm, limits.duty_percent(fixed_access_point=False)) == (eirp, duty)


@pytest.mark.parametrize(("code", "centre", "width", "eirp"), UNNUMBERED)
def test_a_channel_without_a_number(code: str, centre: int, width: int, eirp: float) -> None:
    channel, limits = region(code).plan().at(centre, width)
    assert channel.s1g is None
    assert limits.eirp_dbm == eirp


def test_spacing_and_bursts() -> None:
    japan = region("JP").plan().numbered(9)[1]
    assert (japan.spacing_ms, japan.burst_min_ms, japan.burst_max_ms, japan.omit_control) == (2, 2, 50, True)
    korea = region("KR").plan().numbered(1)[1]
    assert (korea.spacing_ms, korea.burst_max_ms) == (50, 4000)
    singapore = region("SG").plan().numbered(7)[1]
    assert (singapore.spacing_ms, singapore.burst_max_ms) == (100, 1000)


@pytest.mark.parametrize(("code", "mhz", "shown", "s1g", "width", "centre"), MORSE)
def test_morse_channels(code: str, mhz: int, shown: int, s1g: int, width: int, centre: int) -> None:
    morse = channels.fictitious("morse")
    scheme = "2020" if code == "AU" else None
    assert morse is not None
    assert morse.true(code, mhz, width=shown, scheme=scheme) == channels.S1gChannel(centre, width, s1g)
    assert morse.true(code, mhz, width=shown * 2, scheme=scheme) is None


def test_morse_channels_of_the_later_australian_plan_are_not_inferred() -> None:
    morse = channels.fictitious("morse")
    assert morse is not None
    assert morse.true("AU", 5795, width=40, scheme="2020") == channels.S1gChannel(923_000, 2, 42)
    assert morse.true("AU", 5795, width=40, scheme="2024") is None
    assert morse.true("AU", 5795, width=40) is None


@pytest.mark.parametrize(("code", "setting", "mhz", "s1g", "width", "centre"), NEWRACOM)
def test_newracom_channels(code, setting, mhz, s1g, width, centre) -> None:
    newracom = channels.fictitious("newracom")
    assert newracom is not None
    assert newracom.true(code, mhz, setting=setting) == channels.S1gChannel(centre, width, s1g)


def test_a_country_with_several_tables_needs_the_setting() -> None:
    newracom = channels.fictitious("newracom")
    assert newracom is not None
    assert newracom.true("TW", 5180) is None
    assert newracom.true("KR", 5180) is None


def test_the_native_driver_has_26_channels_with_an_offset() -> None:
    native = channels.maps()["mm81x"]
    assert isinstance(native, channels.NativeMap)
    assert [one.centre_khz for one in native.channels] == list(range(902_500, 928_000, 1000))
    assert all(one.mhz * 1000 + one.offset_khz == one.centre_khz for one in native.channels)
    assert [one.s1g for one in native.channels if not one.primary] == [1, 51]


def test_taixin_limits_and_centres() -> None:
    taixin = channels.maps()["taixin"]
    assert isinstance(taixin, channels.CentreMap)
    limits = {one.code: one.driver_max_dbm for one in taixin.countries}
    assert limits == {
        "US": 22, "EU": 6, "KR": 10, "SG": 20, "AU": 22, "NZ": 28, "ID": 20, "JP": 8, "MY": 20, "TH": 10,
    }  # fmt: skip
    japan = next(one for one in taixin.countries if one.code == "JP")
    assert [centre.tenth_mhz for centre in japan.centres] == [9180, 9200, 9220, 9240, 9260]


def test_driver_families_and_ids() -> None:
    assert {one.name: one.nl80211 for one in profile.drivers()} == {
        "morse": "fictitious", "mm81x": "native", "newracom": "fictitious", "taixin": "none", "warthog": "none",
    }  # fmt: skip
    names = ("morse_spi", "morse_usb", "mm6108_spi", "mm81x_usb", "nrc80211", "hgic_sdio_wlan", "hgicf", "cdc_ncm")
    found = [family.name for name in names if (family := profile.family(name))]
    assert found == ["morse", "morse", "morse", "mm81x", "newracom", "taixin", "taixin", "warthog"]
    assert profile.family("brcmfmac") is None
    morse = profile.family("morse_sdio")
    assert morse is not None
    assert (morse.sdio, morse.usb) == (("325b:0306",), ("325b:8100",))


def test_rates_agree_with_the_airtime_of_the_channel() -> None:
    listed = {(one.bw_mhz, one.mcs): one for one in phy.rates().rates}
    assert set(listed) == {(width, mcs) for width, table in BITS_PER_SYMBOL.items() for mcs in table}
    for (width, mcs), one in listed.items():
        rate = S1gRate(width, mcs)
        assert one.bits_per_symbol == rate.bits_per_symbol
        assert one.long_kbps == pytest.approx(rate.bps / 1000, abs=0.06)
        assert one.short_kbps == pytest.approx(S1gRate(width, mcs, short_gi=True).bps / 1000, abs=0.06)
        assert one.max_psdu is None or max(one.max_psdu, 511) == rate.psdu_limit


def test_sensitivities() -> None:
    assert [phy.rate(width, 0).sensitivity_dbm for width in (1, 2, 4, 8, 16)] == [-95, -92, -89, -86, -83]
    assert phy.rate(1, 10).sensitivity_dbm == -98
    assert phy.rate(8, 7).sensitivity_dbm == -68
    assert phy.rate(2, 9) is None
    chips = {(one.chip, one.bw_mhz, one.mcs): one.dbm for one in phy.rates().chip_sensitivity}
    assert chips == {("txw8301", 1, 10): -105, ("txw8301", 8, 0): -95, ("txw8301", 8, 7): -81, ("mm6108", 4, 2): -95}


def test_times() -> None:
    times = {one.name: one.value for one in phy.timings().timings}
    assert (times["slot"], times["sifs"], times["difs"], times["aifs_be"]) == (52, 160, 264, 316)
    assert (times["preamble_1m"], times["preamble_short"], times["preamble_long"]) == (560, 240, 360)
    assert (times["ack_timeout_1m"], times["ack_timeout_wide"], times["ppdu_max"]) == (812, 492, 27_920)


@pytest.mark.parametrize("name", MODEM_COMMANDS)
def test_every_modem_has_its_commands(name: str) -> None:
    known = {command.name for command in dialect.dialect(name).commands}
    assert set(MODEM_COMMANDS[name].split()) <= known


def test_traps_of_the_modems() -> None:
    newracom, taixin, warthog = (dialect.dialect(name) for name in ("newracom", "taixin", "warthog"))
    assert (newracom.baud, newracom.echo, newracom.line_limit, newracom.over_limit) == (
        115_200,
        False,
        128,
        "truncated",
    )
    assert newracom.errors == {1: "invalid", 2: "busy", 3: "failed", 4: "timeout", 5: "no memory"}
    assert newracom.binary == dialect.Binary(prefix="+RXD:", length_field=2)
    assert (newracom.carries, taixin.carries, warthog.carries) == ("udp4", "none", "netdev")
    assert (warthog.echo, warthog.line_limit, warthog.over_limit) == (True, 191, "dropped")
    assert any("RXDATA" in text for text in taixin.unknown)

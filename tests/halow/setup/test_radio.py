"""The files of a radio: each family's own, with the channel its driver means, and nothing that nobody chose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from meshnode.board.profile import board, boards
from meshnode.errors import UsageError
from meshnode.halow.setup.radio import DRIVER, NAME, RADIO, Setup, Wishes, plan

BOOT = Path("boot/firmware/config.txt")
FAMILIES = {"morse", "newracom"}


def made(profile: str, **wishes: object) -> Setup:
    given = {"interface": "wlan1", "country": "US", "name": "valley", "channel": 42} | wishes
    return plan(Wishes(board(profile), **given), BOOT)  # type: ignore[arg-type]


def text(setup: Setup, place: Path) -> str:
    return next(file.text for file in setup.files if file.place == place)


def unit(setup: Setup) -> str:
    return next(file.text for file in setup.files if file.place.name == NAME)


def test_a_mesh_of_morse_radios() -> None:
    """923 MHz, 2 MHz wide, is shown by the driver as 5795 MHz: the fact sheet's own example."""
    setup = made("openmanet-mm6108-spi", key="soup is ready")
    assert text(setup, RADIO).partition("\n")[2] == (
        'country=US\n\nnetwork={\n    ssid="valley"\n    mode=5\n    # S1G 42, 923 MHz, 2 MHz wide\n'
        '    frequency=5795\n    key_mgmt=SAE\n    sae_password="soup is ready"\n    ieee80211w=2\n}\n'
    )
    assert "ExecStart=wpa_supplicant_s1g -D nl80211 -i wlan1 -c /etc/meshnode/halow.conf\n" in unit(setup)
    assert text(setup, BOOT) == "[all]\ndtoverlay=mm610x-spi\n"
    assert text(setup, DRIVER).endswith("\noptions morse country=US\n")


def test_an_access_point_of_morse_has_the_true_channel_and_its_class() -> None:
    setup = made("openmanet-mm6108-spi", role="ap", key="soup is ready")
    lines = text(setup, RADIO).splitlines()
    assert {"ieee80211ah=1", "country_code=US", "op_class=69", "channel=42", "wpa_key_mgmt=SAE"} <= set(lines)
    assert "sae_password=soup is ready" in lines
    assert "ExecStart=hostapd_s1g /etc/meshnode/halow.conf\n" in unit(setup)


@pytest.mark.parametrize(("role", "mode"), [("mesh", 5), ("ap", 2)])
def test_newracom_has_the_stock_supplicant_and_other_frequencies(role: str, mode: int) -> None:
    setup = made("alfa-ahpi7292s", role=role, country="DE", channel=5)
    assert f"    mode={mode}\n    # S1G 5, 865.5 MHz, 1 MHz wide\n    frequency=5190\n" in text(setup, RADIO)
    assert ("mesh_basic_rates=60 120 240" in text(setup, RADIO)) == (role == "mesh")
    assert "ExecStart=wpa_supplicant -D nl80211 -i wlan1" in unit(setup)
    assert text(setup, DRIVER).endswith("\noptions nrc nrc_country_code=DE\n")
    assert text(setup, BOOT) == "[all]\ndtoverlay=newracom\ndtoverlay=disable-spidev\n"
    assert any("2.8 %" in note for note in setup.notes)


def test_a_station_takes_the_channel_of_its_access_point() -> None:
    setup = made("openmanet-mm6108-spi", role="sta", channel=None)
    assert "mode=0" in text(setup, RADIO)
    assert "frequency" not in text(setup, RADIO)
    with pytest.raises(UsageError, match="leave --channel out"):
        made("openmanet-mm6108-spi", role="sta")


def test_every_board_is_set_up_or_refused_in_words() -> None:
    for one in boards():
        if one.driver in FAMILIES and "mesh" in one.modes:
            assert text(made(one.name), RADIO)
        else:
            with pytest.raises(UsageError, match=r"is not known|has no mode"):
                made(one.name)


def test_calibration_and_country_are_those_that_were_chosen() -> None:
    everything = "".join(file.text for file in made("openmanet-mm6108-spi").files)
    assert "bcf" not in everything
    assert any("no calibration file chosen" in note for note in made("openmanet-mm6108-spi").notes)
    chosen = made("openmanet-mm6108-spi", country="uk", channel=33, calibration="bcf_mf16858.bin")
    assert text(chosen, DRIVER).endswith("\noptions morse country=GB bcf=bcf_mf16858.bin\n")


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ({"channel": None}, "choose a channel with --channel; .*42 .2 MHz."),
        ({"country": "DE", "channel": 42}, "no usable S1G channel 42"),
        ({"country": "CN"}, "no channel for HaLow"),
        ({"country": "AU"}, "several channel plans"),
        ({"country": "AU", "plan": "2024", "channel": 28}, "not known what"),
        ({"name": 'a"b'}, "cannot name a network"),
        ({"name": "a\nb"}, "cannot name a network"),
        ({"key": "short"}, "8 to 63"),
        ({"key": 'quote " in it'}, "8 to 63"),
        ({"interface": "wlan1\nx"}, "no name of a network interface"),
        ({"calibration": "a b"}, "must not have spaces"),
        ({"calibration": "a\nb"}, "plain text"),
    ],
)
def test_what_cannot_be_is_refused(wishes: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        made("openmanet-mm6108-spi", **wishes)


def test_a_driver_with_several_bands_has_to_be_told_which() -> None:
    with pytest.raises(UsageError, match="--band"):
        made("alfa-ahpi7292s", country="TW")
    assert "frequency=5800" in text(made("alfa-ahpi7292s", country="TW", band="920"), RADIO)


def test_a_number_that_means_another_frequency_to_the_driver_is_refused() -> None:
    """Korea: channel 9 is 922 MHz in the region's table, 921.5 MHz in the driver's."""
    with pytest.raises(UsageError, match="it is not known what"):
        made("alfa-ahpi7292s", country="KR", channel=9, band="K1")


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    file = tmp_path / NAME
    file.write_text(unit(made("openmanet-mm6108-spi", interface="wlan-1.2")).replace("wpa_supplicant_s1g", "/bin/true"))
    words = ["systemd-analyze", "verify", "--man=no", str(file)]
    verified = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not [line for line in verified.stderr.splitlines() if NAME in line]
    assert r"BindsTo=sys-subsystem-net-devices-wlan\x2d1.2.device" in file.read_text()


def test_without_a_config_txt_the_lines_are_said() -> None:
    setup = plan(Wishes(board("openmanet-mm6108-spi"), "wlan1", "US", "valley", channel=42), None)
    assert BOOT not in [file.place for file in setup.files]
    assert any("dtoverlay=mm610x-spi" in note for note in setup.notes)

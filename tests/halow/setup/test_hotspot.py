"""A hotspot on the built-in Wi-Fi: stock hostapd, addresses for phones, no regulatory domain of its own accord."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meshnode.errors import UsageError
from meshnode.halow.setup.hotspot import ACCESS, Wishes, built_in, plan
from support.sysfs import BOARDS, ONBOARD, plug

WISHES = Wishes("wlan0", "shelter", "soup is ready")


def test_its_files() -> None:
    access, unit, network, released = plan(WISHES)
    assert access.place == ACCESS
    assert "ssid=shelter\n" in access.text
    assert "country" not in access.text
    assert "soup" not in access.shown
    assert "ExecStart=hostapd /etc/meshnode/hotspot.conf" in unit.text
    assert "Address=10.43.0.1/24\nDHCPServer=yes\n" in network.text
    assert "unmanaged-devices+=interface-name:wlan0" in released.text
    assert "country_code=DE\n" in plan(replace(WISHES, country="DE"))[0].text


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": 12},
        {"channel": 0},
        {"country": "de"},
        {"address": "10.0.0.1/31"},
        {"address": "8.8.8.8/24"},
        {"address": "shelter"},
        {"key": "short"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        plan(replace(WISHES, **wrong))  # type: ignore[arg-type]


def test_the_built_in_wifi_is_the_one_that_is_no_radio(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    (tmp_path / "class/net/wlh0/phy80211").mkdir()
    with pytest.raises(UsageError, match="no built-in Wi-Fi"):
        built_in(tmp_path)
    plug(tmp_path, ONBOARD)
    (tmp_path / "class/net/wlan0/phy80211").mkdir()
    assert built_in(tmp_path) == "wlan0"

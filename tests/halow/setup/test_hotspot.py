"""A hotspot on the built-in Wi-Fi: stock hostapd, addresses for phones, no regulatory domain of its own accord."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meshnode.errors import UsageError
from meshnode.halow.setup.hotspot import ACCESS, Wishes, built_in, page_options, plan, units
from support.sysfs import BOARDS, ONBOARD, plug

WISHES = Wishes("wlan0", "shelter", "soup is ready")


def test_its_files() -> None:
    access, unit, network, released = plan(WISHES)
    assert access.place == ACCESS
    assert "ssid=shelter\n" in access.text
    assert "country" not in access.text
    assert "soup" not in access.shown
    assert "ExecStart=hostapd /etc/meshnode/hotspot.conf" in unit.text
    assert "Address=10.43.0.1/24\n" in network.text
    assert "DHCPServer=yes\n\n[DHCPServer]\nEmitDNS=no\nEmitRouter=no\n" in network.text
    assert units(WISHES) == (unit.place.name,)
    assert "unmanaged-devices+=interface-name:wlan0" in released.text
    assert "country_code=DE\n" in plan(replace(WISHES, country="DE"))[0].text


def test_a_welcome_answers_every_name_with_the_board() -> None:
    wishes = replace(WISHES, welcome=True, address="10.9.8.100/24")
    *_, network, _, answers, names, right = plan(wishes)
    assert "DHCPServer" not in network.text, "dnsmasq gives the addresses"
    lines = answers.text.splitlines()
    assert "address=/#/10.9.8.100" in lines
    assert "local=/#/" in lines
    assert "interface=wlan0" in lines, "nobody else's questions are answered"
    assert "dhcp-range=10.9.8.1,10.9.8.201,255.255.255.0,1h" in lines
    assert "dhcp-option=option:dns-server,10.9.8.100" in lines
    assert "ExecStart=dnsmasq --keep-in-foreground -C /etc/meshnode/hotspot-names.conf" in names.text
    assert names.place.name in units(wishes)
    assert right.place == Path("etc/systemd/system/meshnode.service.d/hotspot.conf")
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in right.text
    assert 'port = 80, addresses = ["127.0.0.1", "10.9.8.100"]' in page_options(wishes)
    assert "dhcp-range=10.0.0.2,10.0.0.6," in plan(replace(wishes, address="10.0.0.1/29"))[-3].text


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

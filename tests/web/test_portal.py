"""A phone asks whether there is internet: a new one is welcomed, one that found the page hears what it hopes for."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.config import WebSection
from meshnode.errors import ConfigError
from meshnode.web.portal import HOPED_FOR, REMEMBERED, Portal
from meshnode.web.service import check_addresses, check_names
from support.boxes import WEB, boxes

PROBES = [
    ("connectivitycheck.gstatic.com", "/generate_204"),
    ("captive.apple.com", "/hotspot-detect.html"),
    ("www.msftconnecttest.com", "/connecttest.txt"),
    ("www.msftncsi.com", "/ncsi.txt"),
    ("detectportal.firefox.com", "/canonical.html"),
    ("detectportal.firefox.com", "/success.txt"),
    ("nmcheck.gnome.org", "/check_network_status.txt"),
]


async def test_first_a_welcome_then_what_it_hopes_for(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as phone:
        home = str(phone.http.base_url)
        for host, path in PROBES:
            answer = await phone.http.get(path, headers={"Host": host})
            assert (answer.status_code, answer.headers["location"]) == (302, f"{home.rstrip('/')}/welcome")
        welcome = await phone.http.get("/welcome")
        assert "no internet" in welcome.text
        assert home in welcome.text
        assert "Your phone stays" in (await phone.http.post("/welcome")).text
        for host, path in PROBES:
            answer = await phone.http.get(path, headers={"Host": host})
            assert (answer.status_code, answer.text) == (HOPED_FOR[path][0], HOPED_FOR[path][2])
        assert (await phone.http.get("/news", headers={"Host": "www.example.org"})).status_code == 302


def test_only_so_many_phones_are_remembered() -> None:
    portal = Portal("Ada", "http://10.43.0.1/")
    for number in range(REMEMBERED + 5):
        portal.welcomed(f"10.0.{number // 256}.{number % 256}")
    assert len(portal._welcomed) == REMEMBERED
    assert "10.0.0.0" not in portal._welcomed


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "200:1234::1", "301::7", "mesh.home.arpa", "ff02::1"])
def test_the_page_is_never_for_all_the_world(address: str) -> None:
    with pytest.raises(ConfigError, match=r"web\.addresses"):
        check_addresses(WebSection(addresses=("127.0.0.1", address)).addresses)


def test_the_page_is_for_this_machine_and_the_hotspot() -> None:
    check_addresses(WebSection().addresses)
    check_addresses(("fe80::1", "192.168.1.7"))
    with pytest.raises(ConfigError, match="name one address"):
        check_addresses(())
    assert not WebSection().enabled
    assert WEB.enabled


def test_a_name_of_the_page_is_one_that_a_certificate_can_say() -> None:
    check_names(("mesh.home.arpa", "xn--brcke-lva.example"))
    with pytest.raises(ConfigError, match=r"web\.names: brücke\.example has letters"):
        check_names(("mesh.home.arpa", "brücke.example"))

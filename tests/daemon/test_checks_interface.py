"""What `doctor` says of an interface: part of a bridge, of a mesh above it, and full of announcements."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.config import Config
from meshnode.control.replies import CheckInfo
from meshnode.daemon.checks_interface import Machine, check_around
from meshnode.halow.finding import radios
from support.sysfs import BOARDS, plug

MDNS = "3    wlh0            ff0200000000000000000000000000fb     1 0000000C 0\n"
IGMP = """Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
2\teth0      :     1      V3
\t\t\t\tFAFFFFEF     1 0:00000000\t\t0
3\twlh0      :     2      V3
\t\t\t\tFC0000E0     1 0:00000000\t\t0
\t\t\t\t010000E0     1 0:00000000\t\t0
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "sys", tmp_path / "firmware", tmp_path / "net")
    made.net.mkdir()
    plug(made.sys, BOARDS["openmanet-mm6108-spi"])
    return made


def checked(machine: Machine) -> dict[str, CheckInfo]:
    (radio,) = radios(machine.sys)
    found = list(check_around("wlh0", radio, Config(), machine))
    assert all(check.remedy for check in found if check.state != "ok")
    return {check.name: check for check in found}


def test_who_is_part_of_a_bridge_has_no_address(machine: Machine) -> None:
    assert "bridge" not in checked(machine)
    net = machine.sys / "class" / "net"
    (net / "br-ahwlan").mkdir()
    (net / "wlh0" / "master").symlink_to(net / "br-ahwlan")
    found = checked(machine)["bridge"]
    assert "br-ahwlan" in found.detail
    assert "nomaster" in found.remedy
    (net / "br-ahwlan" / "mesh").mkdir()
    assert "1492" in checked(machine)["bridge"].remedy, "batman-adv"


def test_announcements_on_the_radio_are_named(machine: Machine) -> None:
    assert "chatter" not in checked(machine)
    (machine.net / "igmp6").write_text(MDNS)
    (machine.net / "igmp").write_text(IGMP)
    found = checked(machine)
    assert found["chatter"].detail.startswith("LLMNR (systemd-resolved), mDNS (avahi) announce")
    assert found["multicast"].state == "warn"
    (machine.net / "igmp").write_text("")
    (machine.net / "igmp6").write_text(MDNS.replace("wlh0", "eth0"))
    assert "chatter" not in checked(machine)

"""What `doctor` says of a radio, from trees as boards show them: each symptom has its cause and its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.config import Config, LinkSection, RadioSection
from meshnode.control.replies import CheckInfo, NeighbourInfo
from meshnode.daemon.checks_interface import Machine
from meshnode.daemon.checks_radio import check_neighbours, check_radio
from meshnode.halow.state import Neighbour
from meshnode.peering.radio import VARIABLE
from support.sysfs import BOARDS, MONITOR, ONBOARD, plug


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "sys", tmp_path / "firmware", tmp_path / "net")
    for place in (made.sys / "class" / "net", made.firmware, made.net):
        place.mkdir(parents=True)
    return made


def put(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def by_name(checks: list[CheckInfo]) -> dict[str, CheckInfo]:
    assert all(check.remedy for check in checks if check.state != "ok"), "a finding without a remedy"
    return {check.name: check for check in checks}


def checked(machine: Machine, name: str = "wlh0", **radio: object) -> dict[str, CheckInfo]:
    return by_name(check_radio(name, Config(radio=RadioSection(**radio)), machine))  # type: ignore[arg-type]


def test_no_radio_and_nothing_chosen(machine: Machine) -> None:
    plug(machine.sys, ONBOARD)
    found = checked(machine, "")
    assert found["driver"].state == "warn"
    assert "dmesg" in found["driver"].remedy
    (machine.sys / "module" / "nrc").mkdir(parents=True)
    found = checked(machine, "")
    assert "nrc is loaded" in found["driver"].detail, "there, and gone after a reboot"
    assert "power" in found["driver"].remedy


def test_a_plain_interface_is_no_fault(machine: Machine) -> None:
    plug(machine.sys, ONBOARD)
    found = checked(machine, "wlan0")
    assert found["driver"].state == "ok"
    assert "brcmfmac" in found["driver"].detail
    assert "region" not in found


def test_a_radio_that_is_not_the_one_bound(machine: Machine) -> None:
    plug(machine.sys, ONBOARD)
    plug(machine.sys, MONITOR)
    plug(machine.sys, BOARDS["openmanet-mm6108-spi"])
    found = checked(machine, "wlan0")
    assert found["driver"].state == "warn"
    assert "wlh0" in found["driver"].detail
    assert "morse0" not in found["driver"].detail


def test_firmware_board_file_and_power_save_of_a_morse_radio(machine: Machine) -> None:
    plug(machine.sys, BOARDS["openmanet-mm6108-spi"])
    parameters = machine.sys / "module" / "morse" / "parameters"
    put(parameters / "bcf", "bcf_fgh100mhaamd.bin\n")
    put(parameters / "enable_ps", "2\n")
    found = checked(machine)
    assert [found[name].state for name in ("driver", "firmware", "board file", "power save")] == [
        "ok", "warn", "fail", "warn"
    ]  # fmt: skip
    assert "enable_ps=0" in found["power save"].remedy
    put(machine.firmware / "morse" / "mm6108.bin", "")
    put(machine.firmware / "morse" / "bcf_fgh100mhaamd.bin", "")
    put(parameters / "enable_ps", "0\n")
    found = checked(machine)
    assert {found[name].state for name in ("driver", "firmware", "board file", "power save")} == {"ok"}
    put(parameters / "bcf", "\n")
    assert "left to the driver" in checked(machine)["board file"].detail


def test_the_country_of_the_driver_and_ours(machine: Machine) -> None:
    plug(machine.sys, BOARDS["openmanet-mm6108-spi"])
    put(machine.sys / "module" / "morse" / "parameters" / "country", "US\n")
    assert checked(machine)["region"].state == "warn"
    assert checked(machine, country="DE")["region"].state == "fail"
    assert checked(machine, country="us")["region"].state == "ok"
    assert checked(machine, country="AU")["region"].state == "fail"
    assert checked(machine, country="CN")["region"].state == "fail"


STATE = (
    '{{"interface": "wlh0", "source": "file", "role": "{role}", "channel": {{"centre_khz": {khz}, "width_mhz": 1}},'
    ' "shown_mhz": 5660.0, "neighbours": {neighbours}}}'
)


def test_channel_and_role_as_the_radio_says(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(machine.sys, BOARDS["openmanet-mm6108-spi"])
    found = checked(machine)
    assert [found["channel"].state, found["role"].state] == ["warn", "warn"], "not known is said"
    file = tmp_path / "radio.json"
    monkeypatch.setenv(VARIABLE, str(file))
    file.write_text(STATE.format(role="mesh", khz=863500, neighbours="[]"))
    found = checked(machine, country="DE")
    assert [found["channel"].state, found["role"].state] == ["ok", "ok"]
    assert "863.5 MHz" in found["channel"].detail
    assert "5660" in found["channel"].detail
    file.write_text(STATE.format(role="sta", khz=915500, neighbours="[]"))
    found = checked(machine, country="DE")
    assert found["channel"].state == "fail"
    assert "access point" in found["role"].detail


def test_stations_that_do_not_hear_us(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(machine.sys, BOARDS["openmanet-mm6108-spi"])
    file = tmp_path / "radio.json"
    monkeypatch.setenv(VARIABLE, str(file))
    stations = (
        '[{"mac": "02:00:00:00:00:01", "tx_packets": 100, "tx_failed": 60, "rx_packets": 9, "peering": "blocked"},'
        ' {"mac": "02:00:00:00:00:02", "tx_packets": 100, "tx_failed": 1, "rx_packets": 9}]'
    )
    file.write_text(STATE.format(role="mesh", khz=863500, neighbours=stations))
    found = checked(machine)
    assert "02:00:00:00:00:01" in found["one-way"].detail
    assert ":02" not in found["one-way"].detail.replace("02:00", "")
    assert found["peering"].state == "warn"
    assert Neighbour("x").tx_failed is None


@pytest.mark.parametrize(("mtu", "state"), [("1200", "fail"), ("1500", "ok"), ("1532", "warn")])
def test_the_mtu(machine: Machine, mtu: str, state: str) -> None:
    plug(machine.sys, BOARDS["openmanet-mm6108-spi"])
    put(machine.sys / "class" / "net" / "wlh0" / "mtu", f"{mtu}\n")
    assert checked(machine)["mtu"].state == state


def test_the_group_has_to_be_joined(machine: Machine) -> None:
    plug(machine.sys, BOARDS["openmanet-mm6108-spi"])
    put(machine.net / "igmp6", "3    wlh0            ff020000000000000000000000000001     1 0000000C 0\n")
    assert checked(machine)["multicast"].state == "warn"
    import socket

    from meshnode.peering.places import LINK_GROUP

    group = socket.inet_pton(socket.AF_INET6, LINK_GROUP).hex()
    put(machine.net / "igmp6", f"3    wlh0            {group}     1 0000000C 0\n")
    assert checked(machine)["multicast"].state == "ok"
    off = by_name(check_radio("wlh0", Config(link=LinkSection(multicast=False)), machine))
    assert off["multicast"].state == "ok"


def test_who_is_heard_and_who_hears_us() -> None:
    hears = NeighbourInfo("aa", "fe80::1", "link", 3.0, link="wlh0", bound=True)
    deaf = NeighbourInfo("bb", "fe80::2", "link", 3.0, link="wlh0", bound=False)
    far = NeighbourInfo("cc", "200::1", "overlay", 3.0)
    assert by_name(check_neighbours([far], "wlh0"))["neighbours"].state == "warn"
    assert [check.state for check in check_neighbours([hears], "wlh0")] == ["ok"]
    found = by_name(check_neighbours([hears, deaf], "wlh0"))
    assert found["neighbours"].detail.startswith("2 heard, 1 of them")
    assert "bb" in found["one-way"].detail

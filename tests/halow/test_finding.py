"""HaLow radios are found in a tree like /sys: each board by its driver, none by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.board.profile import boards
from meshnode.errors import LinkError, UsageError
from meshnode.halow.finding import choose, country, devices, radios
from support.sysfs import BOARDS, MONITOR, ONBOARD, Shown, add_virtual, plug


def test_every_board_that_can_be_recognised_has_a_fixture() -> None:
    assert set(BOARDS) == {board.name for board in boards() if board.detect}


@pytest.mark.parametrize("name", BOARDS)
def test_the_board_is_found_beside_the_onboard_wifi(name: str, tmp_path: Path) -> None:
    shown = BOARDS[name]
    plug(tmp_path, shown)
    add_virtual(tmp_path, "lo")
    if shown.interface != ONBOARD.interface:
        plug(tmp_path, ONBOARD)
    (found,) = radios(tmp_path)
    assert found.interface == shown.interface
    assert (found.device.driver, found.device.bus) == (shown.driver, shown.bus)
    assert name in found.boards
    assert found.certain == (shown.driver != "cdc_ncm")
    assert choose([found], name) == found


def test_ids_are_read_where_the_bus_has_them(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["gateworks-gw16159"])
    plug(tmp_path, BOARDS["txw8301-usb"])
    by_name = {device.interface: device for device in devices(tmp_path)}
    assert by_name["wlan0"].sdio == "325b:0306"
    assert by_name["hg0"].usb == "a012:4104"
    assert by_name["hg0"].mac == "0c:bf:74:00:00:01"


def test_a_device_tree_name_tells_boards_of_one_driver_apart(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["openmanet-mm8108-spi"])
    (found,) = radios(tmp_path)
    assert "openmanet-mm8108-spi" in found.boards
    assert "openmanet-mm6108-spi" not in found.boards


def test_other_ids_are_another_board(tmp_path: Path) -> None:
    plug(tmp_path, Shown("wlan0", "morse_sdio", "sdio", "", "325b:0999"))
    (found,) = radios(tmp_path)
    assert "gateworks-gw16159" not in found.boards
    assert "morse-halowlink" in found.boards


def test_the_monitor_beside_the_radio_is_none(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    plug(tmp_path, MONITOR)
    assert [radio.interface for radio in radios(tmp_path)] == ["wlh0"]


def test_onboard_wifi_and_a_tree_that_is_not_there_are_nothing(tmp_path: Path) -> None:
    plug(tmp_path, ONBOARD)
    assert radios(tmp_path) == radios(tmp_path / "none") == ()
    assert choose([]) is None


def test_several_radios_need_a_name_or_a_profile(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    plug(tmp_path, BOARDS["txw8301-usb"])
    both = radios(tmp_path)
    with pytest.raises(LinkError, match="several HaLow interfaces"):
        choose(both)
    chosen = choose(both, "txw8301-usb")
    assert chosen is not None
    assert chosen.interface == "hg0"
    with pytest.raises(UsageError, match="no board profile 'nothing'"):
        choose(both, "nothing")


def test_a_usb_network_card_is_a_radio_only_when_a_person_says_so(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["seeed-xiao-halow"])
    found = radios(tmp_path)
    assert choose(found) is None
    assert choose(found, "seeed-xiao-halow") == found[0]
    plug(tmp_path, Shown("eth7", "cdc_ncm", "usb"))
    assert len(radios(tmp_path)) == 1, "a name that no Warthog has"


def test_the_country_is_what_the_driver_was_told(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    (found,) = radios(tmp_path)
    parameter = tmp_path / "module" / "morse" / "parameters" / "country"
    assert country(found, tmp_path) == ""
    parameter.parent.mkdir(parents=True)
    parameter.write_text("US\n")
    assert country(found, tmp_path) == "US"
    parameter.write_text("(null)\n")
    assert country(found, tmp_path) == ""

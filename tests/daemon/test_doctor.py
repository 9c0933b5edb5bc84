"""What `doctor` makes of what a node knows: keys that do not fit, a copied home, a card that wears out."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from meshnode.config import ClockSection, Config
from meshnode.control.replies import ClockInfo, StatusReply
from meshnode.daemon.doctor import (
    check_clock,
    check_disk,
    check_identity,
    check_interface,
    check_membership,
    check_receiver,
    worn_percent,
)

STATUS = {
    "version": "1", "persona": "", "uptime_s": 1.0,
    "overlay": {"backend": "none", "address": "", "public_key": "", "peers": []},
    "neighbours": [], "counts": {"logs": 0, "blocks": 0, "envelopes": 0, "chunks": 0}, "airtime": {},
    "store": {"bytes": 0, "limit": 1}, "clock": {"offset_s": None, "uncertainty_s": None, "source": "unknown"},
}  # fmt: skip


def status(refused: int = 0, received: int = 0, *codes: str) -> StatusReply:
    interface = {"name": "wlan1", "driver": "", "state": "up", "counters": {"received": received}}
    warnings = [{"code": code, "text": code, "at": ""} for code in codes]
    changed = {"interface": interface, "counters": {"datagram_refused": refused}, "warnings": warnings}
    return msgspec.convert({**STATUS, **changed}, StatusReply)


def test_datagrams_that_no_key_opens_are_another_secret() -> None:
    assert check_membership(status()).state == "ok"
    assert check_membership(status(3, 4)).state == "ok"
    assert check_membership(status(30, 100)).state == "ok"
    found = check_membership(status(60, 100))
    assert found.state == "warn"
    assert "mesh join" in found.remedy
    assert check_membership(status(0, 0, "other-mesh")).state == "warn"


def test_a_copy_of_this_home_is_a_fault() -> None:
    assert check_identity(status()).state == "ok"
    for code in ("own_id_heard", "second_copy"):
        found = check_identity(status(0, 0, code))
        assert found.state == "fail"
        assert "one machine" in found.remedy


@pytest.mark.parametrize(("clock", "state", "says"), [
    (ClockInfo(None, None, "unknown"), "warn", "not known"),
    (ClockInfo(0.0, 0.3, "ntp"), "ok", "within 0 s"),
    (ClockInfo(0.0, 120.0, "system"), "ok", "within 120 s"),
    (ClockInfo(0.0, 86_400.0, "system"), "warn", "may be off by 24 h"),
    (ClockInfo(-40.0, 9.0, "neighbours"), "ok", "neighbours"),
    (ClockInfo(-90_000.0, 9.0, "neighbours"), "warn", "another date than the system"),
])  # fmt: skip
def test_how_sure_the_date_is(clock: ClockInfo, state: str, says: str) -> None:
    found = check_clock(clock)
    assert (found.name, found.state) == ("clock", state)
    assert says in found.detail
    assert found.remedy == "" if state == "ok" else "GPS" in found.remedy


def test_the_wear_of_the_card_by_its_own_account(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    card = tmp_path / "sys" / "devices" / "mmcblk0"
    (card / "device").mkdir(parents=True)
    (card / "part").mkdir()
    (tmp_path / "sys" / "dev" / "block").mkdir(parents=True)
    (tmp_path / "sys" / "dev" / "block" / name).symlink_to(card / "part")
    assert worn_percent(tmp_path, tmp_path / "sys") == 0
    (card / "device" / "life_time").write_text("0x02 0x09\n")
    assert worn_percent(tmp_path, tmp_path / "sys") == 90
    found = check_disk(tmp_path, tmp_path / "sys")
    assert found.state == "warn"
    assert "backup" in found.remedy
    (card / "device" / "life_time").write_text("0x01 0x01\n")
    assert check_disk(tmp_path, tmp_path / "sys").state == "ok"


def test_a_modem_that_is_not_up_is_a_fault_with_its_reason() -> None:
    found = check_interface("modem", "down", "no answer to AT")
    assert (found.state, found.detail) == ("fail", "modem is down: no answer to AT")
    assert "[modem]" in found.remedy
    assert check_interface("modem", "up").state == "ok"


def test_a_receiver_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    assert list(check_receiver(Config())) == []
    (found,) = check_receiver(Config(clock=ClockSection(nmea=str(tmp_path / "ttyACM0"))))
    assert (found.state, "is not there" in found.detail) == ("fail", True)
    (tmp_path / "ttyACM0").touch()
    assert list(check_receiver(Config(clock=ClockSection(nmea=str(tmp_path / "ttyACM0"))))) == []

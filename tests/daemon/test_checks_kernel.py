"""What the kernel says of a radio: messages as people reported them, each with one cause."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from meshnode.daemon.checks_kernel import SHOWN, check_kernel, journal_messages, kernel_messages, symptoms

SAID = {
    "radio bus": [
        "morse_spi spi0.0: morse_spi_xfer: SPI transfer failed, error -71",
        "spi_master spi0: SPI transfer timed out",
        "mmc1: error -110 whilst initialising SDIO card",
    ],
    "board file": ["nrc80211 spi0.0: target version not matched (7292)"],
    "firmware": [
        "morse_spi spi0.0: Direct firmware load for morse/mm6108.bin failed with error -2",
        "nrc80211 spi0.0: Direct firmware load for nrc7292_bd.dat failed with error -2",
    ],
    "driver": [
        "Internal error: Oops: 96000006 [#1] PREEMPT SMP Modules linked in: nrc(O) mac80211",
        "morse_spi spi0.0: ieee80211_alloc_hw failed, -12",
        "dot11ah: disagrees about version of symbol ieee80211_rx_napi",
    ],
    "radio": ["morse_spi spi0.0: firmware crashed, restarting"],
    "power": ["hwmon hwmon1: Under-voltage detected! (0x00050005)"],
    "disk": ["EXT4-fs error (device mmcblk0p2): ext4_find_entry:1455"],
    "memory": ["Out of memory: Killed process 412 (python3)"],
}
QUIET = [
    "usb 1-1: Direct firmware load for brcm/brcmfmac43455-sdio.bin failed with error -2",
    "morse_spi spi0.0: Loaded firmware from morse/mm6108.bin",
    "mmc0: new high speed SDIO card at address 0001",
    "EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode",
]


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in SAID.items() for line in lines])
def test_a_symptom_has_one_cause_and_a_remedy(name: str, line: str) -> None:
    (found,) = symptoms([*QUIET, line, *QUIET])
    assert found.detail.startswith(f"{name}: ")
    assert found.detail.endswith(f"({line[:SHOWN]})")
    assert (found.name, found.state, bool(found.remedy)) == ("kernel", "warn", True)


def test_the_ring_buffer_is_read_as_the_kernel_gives_it(tmp_path: Path) -> None:
    kmsg = tmp_path / "kmsg"
    records = [f"6,{number},{number}00,-;{line}\n SUBSYSTEM=spi\n" for number, line in enumerate(QUIET)]
    kmsg.write_text("".join(records))
    assert kernel_messages(kmsg) == QUIET
    assert [(check.state, check.remedy) for check in check_kernel(kmsg, ())] == [("ok", "")]
    kmsg.write_text("".join([*records, "3,9,900,-;SPI transfer timed out\n", "3,10,901,-;SPI transfer timed out\n"]))
    assert [check.state for check in check_kernel(kmsg, ())] == ["warn"]


def test_a_buffer_without_an_end_is_not_read_for_ever() -> None:
    assert kernel_messages(Path("/dev/zero")) == []


def test_where_the_buffer_is_shut_the_journal_is_asked(tmp_path: Path) -> None:
    say = (sys.executable, "-c", "print('SPI transfer timed out')")
    assert [check.state for check in check_kernel(tmp_path / "none", say)] == ["warn"]
    assert journal_messages((sys.executable, "-c", "raise SystemExit(1)")) == []
    assert check_kernel(tmp_path / "none", (os.fspath(tmp_path / "no-journalctl"),)) == []

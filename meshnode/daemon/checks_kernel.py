"""What `meshnode doctor` finds in the kernel's messages: symptoms that people met, each with its cause and its remedy.

The messages are read from /dev/kmsg where this account may, else from the journal. Sources of the rows: issue threads
of the drivers, as reported (firmware-notes/ has more of each).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshnode.control.replies import CheckInfo

KMSG = Path("/dev/kmsg")
JOURNAL = ("journalctl", "--dmesg", "--boot", "--output=cat", "--no-pager", "--lines=5000")
LARGEST = 4_000_000  # bytes; a kernel's ring buffer is smaller
SHOWN = 120  # characters of a message


@dataclass(frozen=True, slots=True)
class Symptom:
    """A message, and what people found out about it."""

    name: str
    message: re.Pattern[str]
    cause: str
    remedy: str


def _row(name: str, message: str, cause: str, remedy: str) -> Symptom:
    return Symptom(name, re.compile(message, re.IGNORECASE), cause, remedy)


SYMPTOMS = (
    # MorseMicro/morse_driver#9, OpenMANET/firmware#51
    _row("radio bus", r"(morse|mm6108|mm81x|nrc).*(error -71|errno -71|\(-71\)|= ?-71|EPROTO)|SPI transfer timed out",
         "the SPI controller loses or shifts what the radio says",
         "lower spi_clock_speed of the driver; use a kernel whose SPI driver works with it (Pi 4: 6.6.138 of OpenMANET"
         " does, Raspberry Pi OS 6.6.51, 6.12.93 and 6.18.34 do not; a Pi 3 has its SPI at 3f204000, not fe204000)"),
    # section 7.1: SDIO uses the pins of the onboard Wi-Fi
    _row("radio bus", r"mmc\d+: error -\d+ whilst initiali[sz]ing SDIO card",
         "the card on the SDIO pins does not answer",
         "its overlay (mm_wlan) and reset pin; a Pi's own Wi-Fi uses the same pins, and SPI leaves them free"),
    # newracom/nrc7292_sw_pkg#60, #84, #1, #24, #40, #49
    _row("board file", r"nrc.*(target version not matched|fail\w* to load board data)",
         "the board data do not fit this module or its firmware",
         "another nrc7292_bd.dat: that of the module's maker, or the one of newracom/nrc7292_sw_pkg#60"),
    _row("firmware", r"Direct firmware load for (morse|nrc|uni_s1g|mm\d|hgic|bcf)\S* failed",
         "the driver does not find its firmware or board file",
         "put the file it names below /lib/firmware; the package of the module's maker has it"),
    # newracom/nrc7292_sw_pkg#28, #42; droidifi/newracom-s1g#6
    _row("driver", r"(Oops|BUG|Unable to handle kernel).*\bnrc|\bnrc\w*\b.*(Oops|Call trace)|pc : nrc_",
         "the Newracom driver crashed; that is reported for 64-bit systems on a Pi 3 and a CM4",
         "a newer driver, or a 32-bit system; then boot again"),
    # Morse community 1187, 1544
    _row("driver", r"ieee80211_alloc_hw.*(fail|-12)|morse.*error -12\b",
         "the driver was built against another mac80211 than the one that is loaded",
         "build driver and mac80211 backport from one tree, for this kernel"),
    _row("driver", r"(morse|dot11ah|nrc|mm81x|hgic)\w*: .*(version magic|disagrees about version|Unknown symbol)",
         "the driver was built for another kernel",
         "build it for the kernel that runs (`dkms autoinstall`), or boot the kernel it was built for"),
    # thebentern/warthog: a chip fault leaves a stale entry until reboot
    _row("radio", r"morse.*(chip (halt|fault|hang)|firmware (crash|assert)|stop(ped)? responding)",
         "the firmware of the radio crashed", "boot again: a stale interface stays until then; a newer firmware"),
    # thebentern/warthog:docs/power-notes.md; 300 mA while it transmits
    _row("power", r"under-?voltage detected|over-?current (change|condition)",
         "the supply sags: a radio takes most while it transmits",
         "a better supply and cable; an add-on with 5 V wants 470 to 1000 uF beside it"),
    _row("disk", r"EXT4-fs error|I/O error.*mmcblk|mmcblk\d+: error -\d+|Remounting filesystem read-only",
         "the card or its file system fails", "`meshnode backup`, then a new card"),
    _row("memory", r"Out of memory: Killed process", "the machine ran out of memory, and something was ended",
         "run less beside the node; `meshnode status` shows whether it was started again"),
)  # fmt: skip


def check_kernel(kmsg: Path = KMSG, journal: Sequence[str] = JOURNAL) -> list[CheckInfo]:
    """One finding for each symptom, by its newest message; one that all is well; nothing where none may be read."""
    lines = kernel_messages(kmsg) or journal_messages(journal)
    if not lines:
        return []
    found = list(symptoms(lines))
    return found or [CheckInfo("kernel", "ok", "nothing in its messages that is known to go wrong", "")]


def symptoms(lines: Sequence[str]) -> Iterator[CheckInfo]:
    """What is known of these messages, each cause once."""
    for symptom in SYMPTOMS:
        newest = next((line for line in reversed(lines) if symptom.message.search(line)), None)
        if newest is not None:
            detail = f"{symptom.name}: {symptom.cause} ({newest.strip()[:SHOWN]})"
            yield CheckInfo("kernel", "warn", detail, symptom.remedy)


def kernel_messages(kmsg: Path = KMSG) -> list[str]:
    """The kernel's ring buffer, a line each; empty where this account may not read it."""
    try:
        descriptor = os.open(kmsg, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        records = b"".join(_records(descriptor)).decode(errors="replace")
    finally:
        os.close(descriptor)
    # "priority,sequence,microseconds,flags;text", and lines with a blank before them that describe the device
    return [line.partition(";")[2] for line in records.splitlines() if line[:1].isdecimal()]


def _records(descriptor: int) -> Iterator[bytes]:
    """Each read gives one record; one that was overwritten meanwhile is left out."""
    read = 0
    while read < LARGEST:
        try:
            record = os.read(descriptor, 8192)
        except BrokenPipeError:
            continue
        except OSError:
            return  # all was read
        if not record:
            return
        read += len(record)
        yield record


def journal_messages(command: Sequence[str] = JOURNAL) -> list[str]:
    """The kernel's messages since the machine started, as the journal has them; empty where there is none."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.decode(errors="replace").splitlines() if done.returncode == 0 else []

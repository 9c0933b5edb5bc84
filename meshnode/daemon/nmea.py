"""The date from the sentences of a GPS receiver on a serial line (NMEA 0183), for boards without gpsd.

    RMC        time, date, and whether both are valid
    GGA, ZDA   for receivers without it: whether the time is from a fix, and its date with four figures of the year

A sentence counts only with its checksum. One that the receiver made up (estimated, simulated, set by hand) does not.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor

from meshnode.core.clock import EPOCH_2026
from meshnode.daemon.gps import Fix, Receive
from meshnode.daemon.walltime import LATEST
from meshnode.errors import WireError
from meshnode.halow.modem.port import SerialPort

ERROR_S = 0.5  # at 4,800 baud half a second of other sentences may come first
_SENTENCE = re.compile(rb"\$([A-Z0-9]{3,8}),([ -)+-~]*)\*([0-9A-F]{2})\s*")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d{1,6}))?")
_MADE_UP = ("N", "E", "M", "S")  # mode of RMC since NMEA 2.3


class Nmea:
    """A receiver on a serial device."""

    def __init__(self, device: str, speed: int) -> None:
        self._device, self._speed = device, speed
        self._valid = ""  # the time of day of the last GGA with a fix

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Receive]:
        """What it says, as it comes. Raises LinkError where it cannot be opened, or is gone."""
        port = SerialPort(self._device, self._speed)
        try:
            yield port.receive
        finally:
            port.close()

    def fix_untrusted(self, line: bytes) -> Fix | None:
        """Unix seconds and their error in seconds, None for a sentence without a date. Raises WireError."""
        if not line.startswith(b"$"):
            return None  # the middle of a sentence, or what the receiver says at its start
        kind, fields = _fields_untrusted(line)
        if kind == "GGA" and len(fields) > 5:
            self._valid = fields[0] if fields[5] not in ("", "0", "6", "7", "8") else ""
        if kind == "RMC" and len(fields) > 8 and fields[1] == "A" and not _made_up(fields):
            return _moment_untrusted(fields[0], fields[8][:2], fields[8][2:4], f"20{fields[8][4:]}")
        if kind == "ZDA" and len(fields) > 3 and fields[0] and fields[0] == self._valid:
            return _moment_untrusted(*fields[:4])
        return None


def _made_up(fields: list[str]) -> bool:
    return len(fields) > 11 and fields[11] in _MADE_UP


def _fields_untrusted(line: bytes) -> tuple[str, list[str]]:
    """What kind of sentence, and its fields. Raises WireError."""
    found = _SENTENCE.fullmatch(line)
    if found is None:
        raise WireError("NMEA: no sentence")
    if reduce(xor, line[1 : line.rindex(b"*")], 0) != int(found[3], 16):
        raise WireError("NMEA: wrong checksum")
    named = found[1].decode()
    kind = "" if named.startswith("P") else named[2:]  # a maker's own, else two letters for the satellites before it
    return kind, found[2].decode().split(",")


def _moment_untrusted(time: str, day: str, month: str, year: str) -> Fix:
    clock = _TIME.fullmatch(time)
    if clock is None or not (day + month + year).isdecimal():
        raise WireError("NMEA: a date that cannot be")
    hours, minutes, seconds, part = clock.groups(default="0")
    passed = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(f"{seconds}.{part}"))
    try:
        unix_s = (datetime(int(year), int(month), int(day), tzinfo=UTC) + passed).timestamp()
    except (ValueError, OverflowError) as error:  # the latter: more figures than a date has, or a leap second too late
        raise WireError(f"NMEA: {error}") from error
    if not EPOCH_2026 <= unix_s < LATEST:
        raise WireError("NMEA: a date that cannot be")
    return unix_s, ERROR_S

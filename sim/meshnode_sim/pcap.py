"""Captures as pcapng: every attempt on the air, on an interface named after who sent it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from meshnode.air.channel import Attempt
from meshnode.errors import UsageError

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
ETHERNET = 1
COMMENT, IF_NAME, IF_RESOLUTION = 1, 2, 9
NANOSECONDS = 9


class Capture:
    """One file, written as things happen."""

    def __init__(self, path: Path, names: Sequence[str], epoch_ns: int) -> None:
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise UsageError(f"the capture cannot be written: {error}") from error
        self._names = names
        self._epoch_ns = epoch_ns  # the date at time zero of the channel's clock
        self._file.write(_block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for name in names:
            options = _option(IF_NAME, name.encode()) + _option(IF_RESOLUTION, bytes([NANOSECONDS])) + _option(0, b"")
            self._file.write(_block(INTERFACE, struct.pack("<HHI", ETHERNET, 0, 0) + options))

    def add(self, attempt: Attempt, holds: str = "") -> None:
        """One transmission, with who decoded it, and what it `holds` where that is known, as a comment."""
        frame = attempt.frame
        time = self._epoch_ns + attempt.at_ns
        head = struct.pack("<5I", attempt.src, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
        comment = _option(COMMENT, (self._comment(attempt) + (f": {holds}" if holds else "")).encode()) + _option(
            0, b""
        )
        self._file.write(_block(PACKET, head + _padded(frame) + comment))

    def close(self) -> None:
        """Ends the file."""
        self._file.close()

    def _comment(self, attempt: Attempt) -> str:
        heard = ", ".join(self._names[node] for node in attempt.heard_by) or "nobody"
        retry = f"retry {attempt.retry}, " if attempt.retry else ""
        return f"{retry}{attempt.octets} octets on air, heard by {heard}"


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)

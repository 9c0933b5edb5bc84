"""Cuts what a modem says into lines and binary packets. Pure: bytes in, pieces out.

After a line of the dialect's binary prefix come exactly as many raw bytes as it says; they may hold anything, also "OK"
and line ends. What is no text (another baud rate, a wrong device) is counted as noise.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.board.dialect import Dialect

LONGEST_LINE = 1024
LARGEST_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end."""

    text: str


@dataclass(frozen=True, slots=True)
class Packet:
    """A line that announced raw bytes, and the bytes."""

    text: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that make no sense."""

    octets: int


Piece = Line | Packet | Noise


class Reader:
    """Keeps what is not complete yet."""

    def __init__(self, dialect: Dialect) -> None:
        self._binary = dialect.binary
        self._buffer = bytearray()
        self._announced: tuple[str, int] | None = None

    def feed_untrusted(self, data: bytes) -> list[Piece]:
        """The pieces that are complete now; nothing raises, noise is a piece of its own."""
        # A console that echoes has said the CR and answered before it says the LF: there either of them ends a line.
        self._buffer += data if self._binary else data.replace(b"\r", b"\n")
        found: list[Piece] = []
        while (piece := self._next()) is not None:
            if not isinstance(piece, Line) or piece.text:
                found.append(piece)
        return found

    def _next(self) -> Piece | None:
        if self._announced is not None:
            return self._packet(*self._announced)
        end = self._buffer.find(b"\n")
        if end < 0:
            return self._overlong()
        raw = bytes(self._buffer[:end]).strip(b"\r")
        del self._buffer[: end + 1]
        if not _is_text(raw) or len(raw) > LONGEST_LINE:
            return Noise(len(raw))
        text = raw.decode("utf-8", errors="replace")
        length = self._length(text)
        if length is None:
            return Line(text)
        self._announced = (text, length)
        return self._next()

    def _packet(self, text: str, length: int) -> Packet | None:
        if len(self._buffer) < length:
            return None
        payload = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._announced = None
        return Packet(text, payload)

    def _overlong(self) -> Noise | None:
        if len(self._buffer) <= LONGEST_LINE:
            return None
        count = len(self._buffer)
        self._buffer.clear()
        return Noise(count)

    def _length(self, text: str) -> int | None:
        """How many raw bytes a line announces; None for any other line, and for a number that cannot be."""
        if self._binary is None or not text.startswith(self._binary.prefix):
            return None
        fields = text.removeprefix(self._binary.prefix).split(",")
        number = fields[self._binary.length_field - 1] if len(fields) >= self._binary.length_field else ""
        return int(number) if number.isascii() and number.isdigit() and int(number) <= LARGEST_BLOCK else None


def _is_text(raw: bytes) -> bool:
    """Printable but for a few bytes: names of networks may hold letters beyond ASCII."""
    odd = sum(byte >= 0x80 or (byte < 0x20 and byte not in b"\t\r") for byte in raw)
    return odd * 2 <= len(raw)

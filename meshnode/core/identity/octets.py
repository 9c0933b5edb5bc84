"""Reading small fixed layouts: a cursor over bytes that never reads past the end, and shortest-form varints."""

from __future__ import annotations

from meshnode.errors import WireError

MAX_VARINT = 1 << 63


class Cursor:
    """Takes fields off the front of untrusted bytes; anything short or not canonical is a WireError."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise WireError(f"{self._what} is cut short")
        self._at, start = end, self._at
        return self._data[start:end]

    def number(self, size: int) -> int:
        """A big-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def varint(self) -> int:
        """A LEB128 integer below 2^63, in its shortest form."""
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if (byte == 0 and shift > 7) or value >= MAX_VARINT:
            raise WireError(f"{self._what} holds a number in a form that is not allowed")
        return value

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Refuse bytes that are left over."""
        if self._at != len(self._data):
            raise WireError(f"{self._what} has bytes left over")


def varint(value: int) -> bytes:
    """LEB128, shortest form."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

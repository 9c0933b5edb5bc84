"""Reading small fixed layouts: a cursor over bytes that never reads past the end."""

from __future__ import annotations

from meshnode.errors import WireError


class Cursor:
    """Takes fields off the front of untrusted bytes; what is cut short is a WireError."""

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

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Refuse bytes that are left over."""
        if self._at != len(self._data):
            raise WireError(f"{self._what} has bytes left over")

"""One chunk on its way in: the bytes that came, and the spans that are missing."""

from __future__ import annotations

from meshnode.core.wire.limits import MAX_SPANS

Span = tuple[int, int]  # from, to


class Assembly:
    """Bytes of one chunk, put where they belong. What comes twice is the same or makes the hash wrong."""

    __slots__ = ("_data", "_missing")

    def __init__(self, size: int) -> None:
        self._data = bytearray(size)
        self._missing: list[Span] = [(0, size)]

    @property
    def whole(self) -> bool:
        """True when nothing is missing."""
        return not self._missing

    @property
    def body(self) -> bytes:
        """All that came, zeros between."""
        return bytes(self._data)

    def missing(self) -> tuple[Span, ...]:
        """What to ask for, as far as one question goes."""
        return tuple(self._missing[:MAX_SPANS])

    def put(self, offset: int, data: bytes) -> bool:
        """Bytes that came; False if none of them was missing, or they reach beyond the end."""
        end = offset + len(data)
        if not data or end > len(self._data):
            return False
        left = [part for span in self._missing for part in _outside(span, offset, end)]
        if left == self._missing:
            return False
        self._data[offset:end] = data
        self._missing = left
        return True


def _outside(span: Span, start: int, end: int) -> list[Span]:
    """What of a span lies before and behind another."""
    before, behind = (span[0], min(span[1], start)), (max(span[0], end), span[1])
    return [part for part in (before, behind) if part[0] < part[1]]

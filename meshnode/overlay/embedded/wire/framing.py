"""Frames on a link: a length, a type byte, a body.

uvarint n     1 to 131,070
type          1 byte
body          n - 1 bytes
"""

from __future__ import annotations

from meshnode.errors import WireError
from meshnode.overlay.embedded.wire.varint import LONGEST, take_uvarint_untrusted, uvarint

LARGEST_FRAME = 2 * 65535  # of type and body
KEEPALIVE = b"\x01\x01"


def frame(content: bytes) -> bytes:
    """Type and body with their length before them."""
    return uvarint(len(content)) + content


class Frames:
    """Cuts a stream into frames. Never holds more than one frame and what was fed last."""

    __slots__ = ("_held", "_parts", "_wanted")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0
        self._wanted = 0  # below so many bytes there is nothing new to see: drops do not cost a copy each

    def feed_untrusted(self, data: bytes) -> list[bytes]:
        """The frames that are whole now, type byte first; WireError for a length that cannot be."""
        self._parts.append(data)
        self._held += len(data)
        if self._held < self._wanted:
            return []
        whole = b"".join(self._parts) if len(self._parts) > 1 else data
        frames, at, end, self._wanted = [], 0, len(whole), 0
        while at < end:
            size, start = _size_untrusted(whole, at)
            if size == 0 or start + size > end:
                self._wanted = start + size - at
                break
            frames.append(whole[start : start + size])
            at = start + size
        self._parts = [whole[at:]] if at < end else []
        self._held = end - at
        return frames


def _size_untrusted(data: bytes, at: int) -> tuple[int, int]:
    """A frame's size and start; 0 while the length itself is not whole."""
    if len(data) - at < LONGEST and all(byte >= 0x80 for byte in data[at : at + LONGEST]):
        return 0, at
    size, start = take_uvarint_untrusted(data, at)
    if not 1 <= size <= LARGEST_FRAME:
        raise WireError(f"a frame of {size} bytes")
    return size, start

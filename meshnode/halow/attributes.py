"""Netlink attributes as bytes: a length, a type, a value, padded to four (linux/netlink.h)."""

from __future__ import annotations

import struct

from meshnode.errors import WireError

_HEADER = struct.Struct("=HH")
_TYPE = 0x3FFF  # the two highest bits say "nested" and "network byte order"


def attributes_untrusted(data: bytes) -> dict[int, bytes]:
    """The attributes of a message or of a nest, by type; of two of one type the last. Raises WireError."""
    found: dict[int, bytes] = {}
    at = 0
    while len(data) - at >= _HEADER.size:
        length, kind = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise WireError(f"a netlink attribute of {length} bytes where {len(data) - at} are left")
        found[kind & _TYPE] = data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3
    if data[at:].strip(b"\0"):
        raise WireError("bytes after the last netlink attribute")
    return found


def number_untrusted(value: bytes | None, *, signed: bool = False) -> int | None:
    """An attribute of one, two, four or eight bytes as a number; None if it is missing. Raises WireError."""
    if value is None:
        return None
    if len(value) not in (1, 2, 4, 8):
        raise WireError(f"a number of {len(value)} bytes")
    return int.from_bytes(value, "little" if _LITTLE else "big", signed=signed)


def text_untrusted(value: bytes | None) -> str:
    """An attribute as text, without its end mark; empty if it is missing."""
    return (value or b"").rstrip(b"\0").decode(errors="replace")


_LITTLE = struct.pack("=H", 1) == b"\x01\x00"

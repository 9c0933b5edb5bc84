"""Unsigned LEB128 varints, at most 4 bytes, shortest form only: what the wire and the bodies of blocks count with."""

from __future__ import annotations

from typing import Final

from meshnode.errors import WireError

MAX_VARINT: Final = 0x0FFFFFFF  # 28 bits in 4 bytes: more than any length, seq or count may be


def put_varint(out: bytearray, value: int) -> None:
    """Append `value` (0 to MAX_VARINT)."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def varint(value: int) -> bytes:
    """`value` alone."""
    out = bytearray()
    put_varint(out, value)
    return bytes(out)


def take_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read from `at`: the value and where it ends. IndexError at the end of `data`, WireError for a long form."""
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while shift < 28:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0:
                raise WireError("a varint has a shorter form")
            return value, at + 1
        shift += 7
    raise WireError("a varint is too long")

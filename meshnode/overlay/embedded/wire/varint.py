"""Numbers and paths on the wire: unsigned LEB128 of 64 bits, and rows of them ended by a zero byte.

Encoders write the shortest form; decoders take longer ones too, as the Go daemon does.
"""

from __future__ import annotations

from functools import lru_cache

from meshnode.errors import WireError

LARGEST = 2**64 - 1
LONGEST = 10  # bytes of one number

Path = tuple[int, ...]  # ports from the root down; the root's own path is empty

_CACHED = 4096  # paths of a node's partners come again with every packet


def uvarint(value: int) -> bytes:
    """A number of at most 64 bits, seven bits a byte, the least first."""
    if value < 0x80:
        return bytes((value,))
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def take_uvarint_untrusted(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    value = 0
    for shift, byte in enumerate(data[at : at + LONGEST]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            if value > LARGEST:
                raise WireError("a number has more than 64 bits")
            return value, at + shift + 1
    raise WireError("a number has no end")


@lru_cache(maxsize=_CACHED)
def encode_path(path: Path) -> bytes:
    """A path with its closing zero."""
    return b"".join(map(uvarint, path)) + b"\0"


def take_path_untrusted(data: bytes, at: int) -> tuple[Path, int]:
    """The path that begins at `at`, and where it ends."""
    end = data.find(0, at) + 1
    if not end:
        raise WireError("a path has no end")
    if end - at <= _SHORT and (end - at == 1 or data[end - 2] < 0x80):
        return _whole_path(data[at:end]), end
    return _long_path(data, at)


_SHORT = 64  # bytes of a path worth remembering


@lru_cache(maxsize=_CACHED)
def _whole_path(data: bytes) -> Path:
    return _long_path(data, 0)[0]


def _long_path(data: bytes, at: int) -> tuple[Path, int]:
    ports: list[int] = []
    while True:
        port, at = take_uvarint_untrusted(data, at)
        if not port:
            return tuple(ports), at
        ports.append(port)

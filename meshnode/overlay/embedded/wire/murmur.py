"""MurmurHash3, the 128-bit variant for 64-bit machines, seed 0 (Austin Appleby's public-domain definition)."""

from __future__ import annotations

_MASK = 2**64 - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def murmur3_128(data: bytes) -> tuple[int, int]:
    """Two 64-bit hashes."""
    h1 = h2 = 0
    whole = len(data) - len(data) % 16
    for at in range(0, whole, 16):
        h1 ^= _first(int.from_bytes(data[at : at + 8], "little"))
        h1 = (_turn(h1, 27) + h2) * 5 + 0x52DCE729 & _MASK
        h2 ^= _second(int.from_bytes(data[at + 8 : at + 16], "little"))
        h2 = (_turn(h2, 31) + h1) * 5 + 0x38495AB5 & _MASK
    h1 ^= _first(int.from_bytes(data[whole : whole + 8], "little"))
    h2 ^= _second(int.from_bytes(data[whole + 8 :], "little"))
    return _finish(h1 ^ len(data), h2 ^ len(data))


def _finish(h1: int, h2: int) -> tuple[int, int]:
    h1 = h1 + h2 & _MASK
    h2 = h2 + h1 & _MASK
    h1, h2 = _mixed(h1), _mixed(h2)
    h1 = h1 + h2 & _MASK
    return h1, h2 + h1 & _MASK


def _first(k: int) -> int:
    return _turn(k * _C1 & _MASK, 31) * _C2 & _MASK


def _second(k: int) -> int:
    return _turn(k * _C2 & _MASK, 33) * _C1 & _MASK


def _turn(value: int, bits: int) -> int:
    return (value << bits | value >> 64 - bits) & _MASK


def _mixed(k: int) -> int:
    k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & _MASK
    k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return k ^ k >> 33

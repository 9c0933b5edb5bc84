"""Bloom filters of keys: 8192 bits, eight hashes, as bits-and-blooms/bloom 3.7 lays them out.

A filter is one integer: bit p of the filter is bit p of the number. On the wire words of 64 bits that are all zeros or
all ones are left out; a flag for each says so:

    flags0   16 bytes   word is all zeros          words   8 bytes each, big-endian, the others in order
    flags1   16 bytes   word is all ones           the flag of word i: byte i/8, mask 0x80 >> i%8
"""

from __future__ import annotations

import struct
from functools import lru_cache

from meshnode.errors import WireError
from meshnode.overlay.embedded.wire.murmur import murmur3_128

BITS = 8192
HASHES = 8
WORDS = BITS // 64
FLAGS = WORDS // 8

Filter = int

EMPTY: Filter = 0

_ONES = 2**64 - 1
_LAYOUT = struct.Struct(f"<{WORDS}Q")


@lru_cache(maxsize=4096)
def mark(element: bytes) -> Filter:
    """The filter that holds this element alone."""
    h = (*murmur3_128(element), *murmur3_128(element + b"\x01"))
    bits = 0
    for i in range(HASHES):
        odd = i % 2
        bits |= 1 << (h[odd] + i * h[2 + (i + odd) % 4 // 2]) % 2**64 % BITS
    return bits


def holds(bits: Filter, element: bytes) -> bool:
    """True if the element may be in the filter."""
    wanted = mark(element)
    return bits & wanted == wanted


def encode_filter(bits: Filter) -> bytes:
    """Flags and words."""
    zeros = ones = 0
    kept = []
    for word in _LAYOUT.unpack(bits.to_bytes(BITS // 8, "little")):
        zeros = zeros << 1 | (word == 0)
        ones = ones << 1 | (word == _ONES)
        if 0 < word < _ONES:
            kept.append(word)
    flags = zeros.to_bytes(FLAGS, "big") + ones.to_bytes(FLAGS, "big")
    return flags + struct.pack(f">{len(kept)}Q", *kept)


def decode_filter_untrusted(data: bytes) -> Filter:
    """The filter of flags and words; WireError if they do not fit together."""
    zeros, ones = int.from_bytes(data[:FLAGS], "big"), int.from_bytes(data[FLAGS : 2 * FLAGS], "big")
    kept = WORDS - (zeros | ones).bit_count()
    if zeros & ones or len(data) != 2 * FLAGS + 8 * kept:
        raise WireError("the flags of a filter do not fit its words")
    given = iter(struct.unpack_from(f">{kept}Q", data, 2 * FLAGS))
    words = []
    for i in reversed(range(WORDS)):
        words.append(0 if zeros >> i & 1 else _ONES if ones >> i & 1 else next(given))
    return int.from_bytes(_LAYOUT.pack(*words), "little")

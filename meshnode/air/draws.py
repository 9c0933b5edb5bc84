"""Counter-based randomness: every draw is a function of the seed and of what it is for, and moves no other draw."""

from __future__ import annotations

import struct
from functools import cache
from hashlib import blake2b

CERTAIN = 1 << 32  # a chance of one, in the integer scale in which chances are compared


def chance(probability: float) -> int:
    """A probability as an integer, so that no comparison depends on the last bit of a float."""
    return round(probability * CERTAIN)


class Draws:
    """The dice of one run."""

    def __init__(self, seed: int) -> None:
        self._keyed = blake2b(digest_size=4, key=seed.to_bytes(16, "little", signed=True))

    def happens(self, likelihood: int, *counters: int) -> bool:
        """Whether something of that chance (see `chance`) happens at these counters."""
        if likelihood <= 0:
            return False
        return self.word(*counters) < likelihood

    def word(self, *counters: int) -> int:
        """32 uniform bits for these counters; equal counters give equal bits."""
        hashed = self._keyed.copy()  # sets the key up once for all draws
        hashed.update(_layout(len(counters)).pack(*counters))
        return int.from_bytes(hashed.digest(), "little")


@cache
def _layout(counters: int) -> struct.Struct:
    """So many numbers of eight octets."""
    return struct.Struct(f"<{counters}q")

"""How long an 802.11ah (S1G) transmission lasts: rates, preambles, size limits.

One stream, BCC, no STBC. Integer nanoseconds throughout, so that two machines agree on every decision.
A frame of L octets takes ceil((8 L + 8 + 6) / bits per symbol) symbols after its preamble (IEEE 802.11-2024, 23.4);
one sent without aggregation may not exceed 511 octets, an aggregate 511 symbols (the 9 bits of the SIG length field).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from meshnode.errors import UsageError

SYMBOL_NS = 40_000
SHORT_SYMBOL_NS = 36_000  # from the second symbol on
NARROW_PREAMBLE_NS = 560_000  # every 1 MHz frame, and the NDP frames that answer it
SHORT_PREAMBLE_NS = 240_000  # 2 MHz and wider, one user

HEADER = 30  # 26 of QoS data header, 4 of frame check
LLC = 8  # once per frame handed down, in its first fragment
DELIMITER = 4  # before each frame of an aggregate
PLAIN_LIMIT = 511  # octets without aggregation
SYMBOL_LIMIT = 511  # symbols of an aggregate
AGGREGATE_LIMIT = 65_535
ROUNDED_BPS = 50  # rates are told in units of 100 bit/s

# Data bits per symbol by width in MHz, MCS 0 upwards (MCS 9 at 2 MHz is not a valid combination).
BITS_PER_SYMBOL: dict[int, dict[int, int]] = {
    1: dict(enumerate((12, 24, 36, 48, 72, 96, 108, 120, 144, 160, 6))),
    2: dict(enumerate((26, 52, 78, 104, 156, 208, 234, 260, 312))),
    4: dict(enumerate((54, 108, 162, 216, 324, 432, 486, 540, 648, 720))),
    8: dict(enumerate((117, 234, 351, 468, 702, 936, 1053, 1170, 1404, 1560))),
    16: dict(enumerate((234, 468, 702, 936, 1404, 1872, 2106, 2340, 2808, 3120))),
}


class Rate(Hashable, Protocol):
    """How frames are put on the air."""

    @property
    def bps(self) -> int:
        """Data bits per second, preambles and waiting left out."""
        ...

    @property
    def preamble_ns(self) -> int:
        """The preamble; a frame without data (NDP ACK) is nothing else."""
        ...

    @property
    def psdu_limit(self) -> int:
        """The most octets one transmission may carry."""
        ...

    def ppdu_ns(self, psdu: int) -> int:
        """The time one transmission of `psdu` octets takes, preamble included."""
        ...


@dataclass(frozen=True, slots=True)
class S1gRate:
    """A rate of the standard: channel width, modulation and coding, guard interval."""

    width_mhz: int
    mcs: int
    short_gi: bool = False

    def __post_init__(self) -> None:
        if self.mcs not in BITS_PER_SYMBOL.get(self.width_mhz, {}):
            raise UsageError(f"802.11ah has no MCS {self.mcs} at {self.width_mhz} MHz with one stream")

    @property
    def bits_per_symbol(self) -> int:
        """Data bits of one symbol."""
        return BITS_PER_SYMBOL[self.width_mhz][self.mcs]

    @property
    def bps(self) -> int:
        """Data bits per second."""
        return self.bits_per_symbol * 1_000_000_000 // (SHORT_SYMBOL_NS if self.short_gi else SYMBOL_NS)

    @property
    def preamble_ns(self) -> int:
        """560 us at 1 MHz, 240 us above."""
        return NARROW_PREAMBLE_NS if self.width_mhz == 1 else SHORT_PREAMBLE_NS

    @property
    def psdu_limit(self) -> int:
        """The larger of what the octet limit and what the symbol limit allow."""
        aggregate = (SYMBOL_LIMIT * self.bits_per_symbol - 14) // 8
        return min(max(PLAIN_LIMIT, aggregate), AGGREGATE_LIMIT)

    def symbols(self, psdu: int) -> int:
        """Data symbols of `psdu` octets, service and tail bits included."""
        return -(-(8 * psdu + 14) // self.bits_per_symbol)

    def ppdu_ns(self, psdu: int) -> int:
        """Preamble and symbols; a short guard interval counts from the second symbol."""
        later = SHORT_SYMBOL_NS if self.short_gi else SYMBOL_NS
        return self.preamble_ns + SYMBOL_NS + later * (self.symbols(psdu) - 1)


@dataclass(frozen=True, slots=True)
class PlainRate:
    """A rate in bit/s with the timing of a 1 MHz channel: for studies that name a rate and not a modulation."""

    bps: int

    def __post_init__(self) -> None:
        if self.bps <= 0:
            raise UsageError(f"a rate of {self.bps} bit/s carries nothing: give one above zero")

    @property
    def preamble_ns(self) -> int:
        """That of a 1 MHz frame."""
        return NARROW_PREAMBLE_NS

    @property
    def psdu_limit(self) -> int:
        """What 511 symbols of 40 us carry at this rate, as in the standard's modes."""
        bits = SYMBOL_LIMIT * SYMBOL_NS * self.bps // 1_000_000_000
        return min(max(PLAIN_LIMIT, (bits - 14) // 8), AGGREGATE_LIMIT)

    def ppdu_ns(self, psdu: int) -> int:
        """Preamble and bits, service and tail bits included, not rounded to symbols."""
        return self.preamble_ns + -(-(8 * psdu + 14) * 1_000_000_000 // self.bps)


def psdu_octets(mpdu: int) -> int:
    """Octets on the air for one MAC frame: above 511 it must travel as an aggregate of one, with a delimiter."""
    return mpdu if mpdu <= PLAIN_LIMIT else mpdu + DELIMITER


def fragments(payload: int, rate: Rate, header: int = HEADER) -> tuple[int, ...]:
    """The MAC frames, in octets, that carry `payload` octets of network packet at this rate."""
    limit = rate.psdu_limit if rate.psdu_limit <= PLAIN_LIMIT else rate.psdu_limit - DELIMITER
    room = limit - header
    full, rest = divmod(payload + LLC, room)
    return (limit,) * full + ((rest + header,) if rest else ())


@cache
def rate_of(bps: int) -> S1gRate | PlainRate:
    """The mode of the standard with this rate, the narrowest of several, whose preamble is longest; else a plain one.

    Drivers round: 722,222 and 722,200 bit/s are the same mode.
    """
    for width, by_mcs in BITS_PER_SYMBOL.items():
        for mcs in by_mcs:
            for short_gi in (False, True):
                rate = S1gRate(width, mcs, short_gi)
                if abs(rate.bps - bps) <= ROUNDED_BPS:
                    return rate
    return PlainRate(bps)

"""Logarithms and powers in integers: the last bit of a float's logarithm differs between processors, these do not.

A table of log2 over [1, 2) is made by repeated squaring of integers, as by hand; between its entries runs a straight
line, whose error is below 1e-8 (the entries are 2^-12 apart). Everything else follows from it.
"""

from __future__ import annotations

from typing import Final

ONE: Final = 1 << 32  # 1.0 in the fixed point of this module
_STEPS: Final = 1 << 12
_LN2: Final = 2_977_044_472  # ln 2 in units of 1/ONE
_TEN_LOG10_2: Final = 12_929_139_788  # 10 log10 2, in units of 1/ONE
_WORK: Final = 62  # bits while squaring


def _log2_by_squaring(step: int) -> int:
    """log2(1 + step / _STEPS) in units of 1/ONE, cut off: each squaring gives one more binary digit."""
    value = ((_STEPS + step) << _WORK) // _STEPS
    digits = 0
    for _ in range(32):
        value = value * value >> _WORK
        digits <<= 1
        if value >> (_WORK + 1):
            value >>= 1
            digits |= 1
    return digits


LOG2: Final = (*(_log2_by_squaring(step) for step in range(_STEPS)), ONE)


def log2(number: int) -> int:
    """log2 of a positive integer, in units of 1/ONE."""
    exponent = number.bit_length() - 1
    rest = (number << 44 >> exponent) - (1 << 44)  # fraction of [1, 2) in 44 bits
    step, between = rest >> 32, rest & (ONE - 1)
    return (exponent << 32) + LOG2[step] + ((LOG2[step + 1] - LOG2[step]) * between >> 32)


def milli_db(number: int) -> int:
    """10,000 log10 of a positive integer, rounded: a ratio of powers in thousandths of a decibel."""
    return (log2(number) * _TEN_LOG10_2 * 1000 + (1 << 63)) >> 64


def exponential(word: int, mean: int) -> int:
    """A waiting time of that mean, from 32 uniform bits: -mean ln((word + 1) / 2^32), rounded down."""
    return ((32 << 32) - log2(word + 1)) * _LN2 * mean >> 64


def power_of_two(exponent: int) -> int:
    """2 to a power of at most 0 given in units of 1/ONE, in units of 1/ONE, rounded down; by bisection of the table."""
    whole, rest = exponent >> 32, exponent & (ONE - 1)
    low, high = 0, _STEPS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if LOG2[middle] <= rest else (low, middle)
    between = ((rest - LOG2[low]) << 20) // (LOG2[low + 1] - LOG2[low])
    mantissa = ONE + (low << 20) + between  # 2^20 of these are one step
    return mantissa >> -whole if whole > -64 else 0


def from_milli_db(level: int) -> int:
    """The power behind a level in thousandths of a decibel, rounded down; 2^20 at 0."""
    return power_of_ten(level) >> 12


def power_of_ten(level: int) -> int:
    """10^(level / 10,000) in units of 1/ONE."""
    exponent = (level << 64) // (_TEN_LOG10_2 * 1000)  # as a power of two
    whole = max(0, -(-exponent >> 32))
    return power_of_two(exponent - (whole << 32)) << whole

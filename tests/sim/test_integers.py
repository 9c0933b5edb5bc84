"""Logarithms in integers: right, monotonic, and the same everywhere."""

from __future__ import annotations

import math
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode_sim.integers import LOG2, ONE, exponential, log2, milli_db, power_of_two


def test_the_table_is_the_one_of_every_machine() -> None:
    assert sha256(b"".join(entry.to_bytes(5, "big") for entry in LOG2)).hexdigest()[:16] == "f162313661ba388f"


@settings(deadline=None)
@given(st.integers(1, 1 << 63))
def test_logarithms_are_right(number: int) -> None:
    assert abs(log2(number) / ONE - math.log2(number)) < 2e-8
    assert abs(milli_db(number) - 10_000 * math.log10(number)) < 0.51


@settings(deadline=None)
@given(st.integers(1, 1 << 63))
def test_a_larger_number_never_has_a_smaller_logarithm(number: int) -> None:
    assert log2(number) <= log2(number + 1)


@settings(deadline=None)
@given(st.integers(-40 * ONE, 0))
def test_powers_are_right(exponent: int) -> None:
    assert abs(power_of_two(exponent) / ONE - 2 ** (exponent / ONE)) < 1e-7 * 2 ** (exponent / ONE) + 3 / ONE


def test_powers_undo_logarithms() -> None:
    assert [power_of_two(-n * ONE) for n in (0, 1, 32, 80)] == [ONE, ONE // 2, 1, 0]


def test_waiting_times_have_the_mean_and_the_shape() -> None:
    words = range(1 << 20, 1 << 32, 1 << 20)
    waits = [exponential(word, 1000) for word in words]
    assert abs(sum(waits) / len(waits) - 1000) < 5
    assert abs(sum(wait > 1000 for wait in waits) / len(waits) - math.exp(-1)) < 0.001
    assert exponential((1 << 32) - 1, 1000) == 0

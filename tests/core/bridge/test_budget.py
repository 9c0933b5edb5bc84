"""The bytes of a day: ceilings by class, a sliding day, and what a restart remembers."""

from __future__ import annotations

from random import Random

import pytest

from meshnode.core.airtime.lots import PARTS
from meshnode.core.bridge.budget import CEILINGS, DAY_S, Budget

DAY = 640_000
LOT = DAY // PARTS


@pytest.mark.parametrize("cls", CEILINGS)
def test_each_class_ends_at_its_ceiling(cls: int) -> None:
    budget = Budget(DAY)
    ceiling = DAY * CEILINGS[cls] // 100
    budget.spend(ceiling - 1, 0.0)
    assert budget.may(cls, 1.0)
    budget.spend(1, 1.0)
    assert not budget.may(cls, 1.0)
    assert budget.left(1.0) == DAY - ceiling


def test_without_a_limit_everything_may_and_nothing_is_written() -> None:
    budget = Budget(0)
    assert not budget.spend(10**12, 0.0)
    assert budget.may(4, 0.0)
    assert budget.when(4, 5.0) == 5.0


def test_what_was_used_a_day_ago_is_free_again() -> None:
    budget = Budget(DAY)
    for hour in range(24):
        budget.spend(DAY // 24, 3600.0 * hour)
    assert not budget.may(2, 86_399.0)
    frees = budget.when(2, 86_399.0)
    assert DAY_S < frees < DAY_S + 5 * 3600
    assert not budget.may(2, frees - 1.0)
    assert budget.may(2, frees)


def test_one_that_may_now_waits_for_nothing() -> None:
    assert Budget(DAY).when(2, 7.0) == 7.0


def test_a_restart_forgets_less_than_nothing() -> None:
    """Whatever was spent, and whenever the power went: the new run counts as much, and a lot more at most."""
    for seed in range(20):
        chance, now, used = Random(seed), 0.0, 0
        budget, kept = Budget(DAY), b""
        for _ in range(40):
            now += chance.randrange(1, 1000)
            size = chance.randrange(1, 3 * LOT // 2)
            if budget.spend(size, now):
                kept = budget.record()
            used += size
        again = Budget(DAY, kept)
        assert used <= again.used(now) <= used + LOT


def test_nothing_is_written_for_most_records() -> None:
    budget = Budget(DAY)
    assert sum(budget.spend(100, float(n)) for n in range(1000)) == 100_000 / LOT

"""The shapes by name, and links that cannot be."""

from __future__ import annotations

import pytest

from meshnode.air.airtime import PlainRate
from meshnode.air.draws import CERTAIN, Draws, chance
from meshnode.air.topology import Link, Schedule, Topology, ferry, full, geometric, line, ring, star
from meshnode.errors import UsageError

RATE = PlainRate(1_000_000)


def test_shapes() -> None:
    assert line(4) == [(0, 1), (1, 2), (2, 3)]
    assert ring(4) == [(0, 1), (1, 2), (2, 3), (3, 0)]
    assert ring(2) == [(0, 1)]
    assert star(4) == [(0, 1), (0, 2), (0, 3)]
    assert len(full(5)) == 10


@pytest.mark.parametrize("seed", range(5))
def test_a_geometric_world_hangs_together_and_follows_its_seed(seed: int) -> None:
    pairs = geometric(10, seed)
    assert pairs == geometric(10, seed)
    assert pairs != geometric(10, seed + 100)
    assert {node for pair in pairs for node in pair} == set(range(10))
    assert len(pairs) >= 20


def test_the_ferry_is_never_in_touch_with_both_sides() -> None:
    links = ferry(2, period_ns=60, stay_ns=25)
    for at in range(120):
        sides = {link.src // 2 for link in links if link.dst == 4 and link.is_up(at)}
        assert sides in (set(), {0}, {1})
    assert not any({link.src // 2, link.dst // 2} == {0, 1} for link in links)


def test_a_ferry_that_stays_too_long_is_refused() -> None:
    with pytest.raises(UsageError, match="half its period"):
        ferry(2, period_ns=60, stay_ns=31)


def test_a_schedule_repeats_only_with_a_period() -> None:
    assert [Schedule(((2, 4),)).is_up(at) for at in (1, 2, 3, 4, 12)] == [False, True, True, False, False]
    assert Schedule(((2, 4),), 10).is_up(12)


@pytest.mark.parametrize(
    "links",
    [(Link(0, 0),), (Link(0, 2),), (Link(-1, 1),), (Link(0, 1), Link(0, 1)), (Link(0, 1, CERTAIN + 1),)],
)
def test_links_that_cannot_be_are_refused(links: tuple[Link, ...]) -> None:
    with pytest.raises(UsageError):
        Topology(2, links, RATE, RATE)


def test_chances_hold() -> None:
    draws = Draws(9)
    hits = sum(draws.happens(chance(0.25), 1, number) for number in range(20_000))
    assert hits == pytest.approx(5000, rel=0.05)
    assert not draws.happens(0, 1)
    assert draws.happens(CERTAIN, 1)


def test_draws_for_one_purpose_move_no_other() -> None:
    assert Draws(1).word(1, 2) == Draws(1).word(1, 2)
    assert len({Draws(1).word(1, 2), Draws(2).word(1, 2), Draws(1).word(2, 1)}) == 3

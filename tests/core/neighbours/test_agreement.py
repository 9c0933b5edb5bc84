"""What a majority agrees on: the truth lies in it, and no minority moves it out of what honest claims hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.neighbours.agreement import agreed, common

TRUTH = 1_000_000.0
honest = st.builds(lambda below, above: (TRUTH - below, TRUTH + above), st.floats(0, 600), st.floats(0, 600))
lies = st.builds(lambda low, width: (low, low + width), st.floats(0, 2 * TRUTH), st.floats(0, TRUTH))


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Honest claims, and fewer lies."""
    told = draw(st.lists(honest, min_size=2, max_size=8))
    return told, draw(st.lists(lies, min_size=max(0, 3 - len(told)), max_size=len(told) - 1))


@given(crowds(), st.randoms(use_true_random=False))
def test_fewer_liars_than_honest_ones_move_nothing(crowd: tuple, chance: object) -> None:
    told, lied = crowd
    claims = [*told, *lied]
    chance.shuffle(claims)  # type: ignore[attr-defined]
    found = agreed(claims)
    assert found is not None
    low, high = found
    assert low <= TRUTH <= high
    assert min(one[0] for one in told) <= low
    assert high <= max(one[1] for one in told)
    assert found == agreed([*told, *lied])


@given(st.lists(lies, max_size=9))
def test_whatever_is_said_the_answer_is_a_span_or_none(claims: list) -> None:
    found = agreed(claims)
    assert found is None or found[0] <= found[1]
    if len(claims) < 3:
        assert found is None


def test_two_against_one() -> None:
    assert agreed([(9.0, 11.0), (10.0, 13.0), (100.0, 101.0)]) == (10.0, 11.0)


def test_one_against_one_against_one() -> None:
    assert agreed([(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]) is None


def test_claims_that_touch_agree_on_a_point() -> None:
    assert agreed([(1.0, 2.0), (2.0, 3.0), (5.0, 6.0)]) == (2.0, 2.0)


def test_what_two_spans_have_in_common() -> None:
    assert common((1.0, 3.0), (2.0, 5.0)) == (2.0, 3.0)
    assert common((1.0, 2.0), (3.0, 4.0)) is None

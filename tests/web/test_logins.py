"""Who tries too often: a few tries at once, then one now and then, counted by where they come from."""

from __future__ import annotations

from meshnode.errors import RefusedError
from meshnode.web.logins import Patience


def test_a_few_tries_at_once_and_then_slowly() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0], at_once=2.0, every_s=12.0)
    for at, allowed in ((0.0, True), (0.0, True), (11.0, False), (12.0, True), (12.0, False), (100.0, True)):
        now[0] = at
        assert is_allowed(patience, "one") == allowed, at
    assert is_allowed(patience, "another")


def test_too_many_places_are_refused_until_some_may_try_afresh() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0], at_once=1.0, every_s=12.0, most=3)
    assert [is_allowed(patience, f"place {number}") for number in range(4)] == [True, True, True, False]
    now[0] = 12.0
    assert is_allowed(patience, "place 3")


def is_allowed(patience: Patience, source: str) -> bool:
    try:
        patience.take(source)
    except RefusedError:
        return False
    return True

"""Moments: the first of several."""

from __future__ import annotations

from meshnode.core.clock import earliest


def test_the_earliest_of_several() -> None:
    assert earliest(None, 3.0, 2.0) == 2.0
    assert earliest(None) is None

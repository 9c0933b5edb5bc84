"""What most of several claims about one number agree on: Marzullo's intersection, with the majority it needs.

K. Marzullo, "Maintaining the Time in a Distributed System" (1984); RFC 5905 11.2.1 selects clocks in the same way. Each
claim is an interval that holds the truth if its maker is honest. Any point that more than half of the claims hold lies
in the claim of an honest one as long as fewer than half lie; and the truth itself is such a point. So what is returned
holds the truth, and reaches nowhere an honest claim does not reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

FEWEST: Final = 3  # of two that differ nobody can say which one lies

Span = tuple[float, float]


def agreed(claims: Sequence[Span]) -> Span | None:
    """From the first to the last point that more than half of the claims hold; None if none is, or for too few."""
    if len(claims) < FEWEST:
        return None
    most = len(claims) // 2 + 1
    # At one point those that begin there come first: claims that touch hold that point together.
    edges = sorted([(low, 0) for low, _ in claims] + [(high, 1) for _, high in claims])
    held, low, high = 0, None, 0.0
    for at, ends in edges:
        if ends and held >= most:
            high = at
        held += -1 if ends else 1
        if held >= most and low is None:
            low = at
    return None if low is None else (low, high)


def common(one: Span, other: Span) -> Span | None:
    """What both hold, None if nothing."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else None

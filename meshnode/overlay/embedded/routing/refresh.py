"""When a place is announced again: every 240 s, and right behind the parent.

Others forget a place after 300 s. What a refresh takes on a link is an announcement, a request, its signature and a
sign of life. Two that come together share segments, acknowledgements and the address resolution of whatever is below:
two minutes apart they took a third more. So a node follows its parent, and a tree refreshes in one wave from the root.

    the parent   A                                       A
    we            R                                       R
                 0        60       120       180       240 s

A quarter of a second later, not at once: the kernel asks again who has an address five seconds after it was used first
in a while, unless something was acknowledged clearly later than that. Behind the parent's packets, ours prove it.
"""

from __future__ import annotations

EVERY_S = 240.0  # as the Go daemon
LATEST_S = EVERY_S + 10.0  # how long we wait for the parent: of 300 s, 50 are left for the way
SOONEST_S = 180.0  # a parent that moves does not make all below it announce
BEHIND_S = 0.25  # looked at once a second: a quarter to five quarters of a second behind the parent


def due_at(renewed_at: float, parent_renewed_at: float | None) -> float:
    """The moment of our next refresh, in seconds like the moments given; None is for a root, which follows nobody."""
    if parent_renewed_at is None:
        return renewed_at + EVERY_S
    if parent_renewed_at >= renewed_at + SOONEST_S:
        return min(parent_renewed_at + BEHIND_S, renewed_at + LATEST_S)
    return renewed_at + LATEST_S

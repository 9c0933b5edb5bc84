"""When a place is announced again: every 240 s, and halfway between two announcements of the parent.

Others forget a place after 300 s. What a refresh takes on a link is an announcement, a request, its signature and a
sign of life, and whoever says something expects an answer within three seconds: that is how a dead link is noticed.
Halfway means that an idle link is tried every two minutes instead of twice every four, and costs no more.

    the parent   A               A               A
    we                   R               R               R
                 0      120     240     360     480     600 s
"""

from __future__ import annotations

EVERY_S = 240.0  # as the Go daemon
HALFWAY_S = EVERY_S / 2
LATEST_S = EVERY_S + 10.0  # how far the rhythm may stretch to get in step: of 300 s, 50 are left for the way
SOONEST_S = 60.0


def due_at(renewed_at: float, parent_renewed_at: float | None) -> float:
    """The moment of our next refresh, in seconds like the moments given; None is for a root, which follows nobody."""
    if parent_renewed_at is None:
        return renewed_at + EVERY_S
    due = parent_renewed_at + HALFWAY_S
    while due < renewed_at + SOONEST_S:
        due += EVERY_S
    return min(due, renewed_at + LATEST_S)

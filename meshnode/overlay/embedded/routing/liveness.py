"""When a link is dead, and when it has to be told that we are alive.

Nothing is sent while there is nothing to say. Who sends something expects any frame within three seconds; who gets
something and has no frame to send within a second sends a keepalive. Where nothing more is to be said, it goes at once,
in the segment that TCP needs for its acknowledgement anyway.
"""

from __future__ import annotations

from meshnode.overlay.embedded.wire.packets import KEEPALIVE

ANSWER_AFTER_S = 1.0
DEAD_AFTER_S = 3.0
NEVER = float("inf")


class Liveness:
    """Two timers of one link."""

    __slots__ = ("answer_at", "dead_at")

    def __init__(self) -> None:
        self.answer_at = self.dead_at = NEVER

    def sent(self, now: float) -> None:
        """Frames were written, and not only keepalives."""
        self.answer_at = NEVER
        if self.dead_at == NEVER:
            self.dead_at = now + DEAD_AFTER_S

    def sent_keepalive(self) -> None:
        """A keepalive was written: it asks for nothing."""
        self.answer_at = NEVER

    def received(self, now: float, kind: int) -> None:
        """A frame of this kind is whole."""
        self.dead_at = NEVER
        if kind > KEEPALIVE:
            self.answer_at = min(self.answer_at, now + ANSWER_AFTER_S)

    def hurry(self, now: float) -> None:
        """The sign of life that is owed, if one is, need not wait for anything."""
        if self.answer_at != NEVER:
            self.answer_at = now

    @property
    def next(self) -> float:
        """When to look again."""
        return min(self.answer_at, self.dead_at)

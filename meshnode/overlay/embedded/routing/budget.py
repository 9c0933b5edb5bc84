"""What one neighbour may cost us: so much at once, and so much a second."""

from __future__ import annotations


class Budget:
    """A bucket of tokens that fills with time."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, most: float, rate: float) -> None:
        self._most, self._rate = most, rate
        self._left, self._at = most, 0.0

    def spend(self, now: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens; False if there are not so many."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < cost:
            return False
        self._left -= cost
        return True

"""Randomness of the operating system, as the core asks for it."""

from __future__ import annotations

import secrets

_STEPS = 1 << 53  # as many as a float holds apart


class SystemEntropy:
    """Every draw is fresh; the purpose matters only where randomness is seeded."""

    def take(self, purpose: str, size: int) -> bytes:
        """`size` unpredictable bytes."""
        return secrets.token_bytes(size)

    def between(self, purpose: str, low: float, high: float) -> float:
        """A uniform draw from [low, high)."""
        return low + (high - low) * (secrets.randbelow(_STEPS) / _STEPS)

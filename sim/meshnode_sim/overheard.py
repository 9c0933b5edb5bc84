"""A medium that lets others listen: everything offered and everything that arrives passes through unchanged."""

from __future__ import annotations

from typing import Protocol

from meshnode.air.events import Delivery
from meshnode_sim.medium import Medium
from meshnode_sim.passing import Passing


class Listener(Protocol):
    """Hears of every frame that arrives."""

    def heard(self, deliveries: list[Delivery]) -> None:
        """What arrived since the last time, in order."""
        ...


class Overheard(Passing):
    """A Medium around another one."""

    def __init__(self, inner: Medium, listener: Listener) -> None:
        super().__init__(inner)
        self._listener = listener

    def advance(self, now_ns: int) -> list[Delivery]:
        """As the inner one, and the listener hears it first."""
        deliveries = self.inner.advance(now_ns)
        if deliveries:
            self._listener.heard(deliveries)
        return deliveries

"""A medium that lets others listen: everything offered and everything that arrives passes through unchanged."""

from __future__ import annotations

from typing import Protocol

from meshnode.air.channel import Delivery
from meshnode.air.counters import Counters
from meshnode_sim.medium import Medium


class Listener(Protocol):
    """Hears of every frame that arrives."""

    def heard(self, deliveries: list[Delivery]) -> None:
        """What arrived since the last time, in order."""
        ...


class Overheard:
    """A Medium around another one."""

    def __init__(self, inner: Medium, listener: Listener) -> None:
        self._inner = inner
        self._listener = listener

    def offer(
        self, node: int, frame: bytes, dst: int | None, now_ns: int, *, payload: int | None = None, kind: str = ""
    ) -> bool:
        """As the inner one."""
        return self._inner.offer(node, frame, dst, now_ns, payload=payload, kind=kind)

    def next_event_ns(self) -> int | None:
        """As the inner one."""
        return self._inner.next_event_ns()

    def advance(self, now_ns: int) -> list[Delivery]:
        """As the inner one, and the listener hears it first."""
        deliveries = self._inner.advance(now_ns)
        if deliveries:
            self._listener.heard(deliveries)
        return deliveries

    def set_power(self, node: int, on: bool) -> None:
        """As the inner one."""
        self._inner.set_power(node, on)

    def set_link(self, src: int, dst: int, *, up: bool) -> None:
        """As the inner one."""
        self._inner.set_link(src, dst, up=up)

    def disturb(self, src: int, dst: int, loss: int) -> None:
        """As the inner one."""
        self._inner.disturb(src, dst, loss)

    def knows(self, src: int, dst: int) -> bool:
        """As the inner one."""
        return self._inner.knows(src, dst)

    def waiting(self, node: int) -> int:
        """As the inner one."""
        return self._inner.waiting(node)

    def counters(self, node: int) -> Counters:
        """As the inner one."""
        return self._inner.counters(node)

"""A medium around another one that passes everything through; what changes or listens is built on it."""

from __future__ import annotations

from meshnode.air.counters import Counters
from meshnode.air.events import Delivery
from meshnode_sim.medium import Medium


class Passing:
    """A Medium that asks `inner` for everything."""

    def __init__(self, inner: Medium) -> None:
        self.inner = inner

    def offer(
        self, node: int, frame: bytes, dst: int | None, now_ns: int, *, payload: int | None = None, kind: str = ""
    ) -> bool:
        """As the inner one."""
        return self.inner.offer(node, frame, dst, now_ns, payload=payload, kind=kind)

    def next_event_ns(self) -> int | None:
        """As the inner one."""
        return self.inner.next_event_ns()

    def advance(self, now_ns: int) -> list[Delivery]:
        """As the inner one."""
        return self.inner.advance(now_ns)

    def set_power(self, node: int, on: bool) -> None:
        """As the inner one."""
        self.inner.set_power(node, on)

    def set_link(self, src: int, dst: int, *, up: bool) -> None:
        """As the inner one."""
        self.inner.set_link(src, dst, up=up)

    def disturb(self, src: int, dst: int, loss: int) -> None:
        """As the inner one."""
        self.inner.disturb(src, dst, loss)

    def knows(self, src: int, dst: int) -> bool:
        """As the inner one."""
        return self.inner.knows(src, dst)

    def waiting(self, node: int) -> int:
        """As the inner one."""
        return self.inner.waiting(node)

    def counters(self, node: int) -> Counters:
        """As the inner one."""
        return self.inner.counters(node)

"""What is going to happen on a medium: in order of time, and where times are equal in order of asking."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple


class Delivery(NamedTuple):
    """A frame that arrived whole."""

    node: int
    src: int
    frame: bytes
    at_ns: int


Happening = Callable[[int], list[Delivery]]  # told the time in nanoseconds; what arrived thereby


class Events:
    """The events of one medium, which is built on this; an event may ask for others while it happens."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Happening]] = []
        self._asked = 0

    def at(self, at_ns: int, happen: Happening) -> None:
        """Let this happen then."""
        self._asked += 1
        heappush(self._heap, (at_ns, self._asked, happen))

    def next_event_ns(self) -> int | None:
        """When `advance` has something to do next; None while nothing is going to happen."""
        return self._heap[0][0] if self._heap else None

    def advance(self, now_ns: int) -> list[Delivery]:
        """Everything that arrives until now, in order."""
        deliveries: list[Delivery] = []
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            at_ns, _, happen = heappop(heap)
            deliveries += happen(at_ns)
        return deliveries

"""Which of many names weighs most, when weights change all the time.

A flood of packets with another source each makes as many flows as a queue has room for; to look through them all for
each packet that is dropped would be a hundred times the work of carrying it. So once anybody asks, all weights stand
in a heap, and those that held before are passed over there. It goes when nothing weighs anything any more: most queues
never drop.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush


class Heaviest:
    """Weights by name; one that weighs nothing is forgotten."""

    __slots__ = ("_heap", "_weights")

    def __init__(self) -> None:
        self._weights: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []  # empty until somebody asks

    def __bool__(self) -> bool:
        return bool(self._weights)

    def change(self, name: bytes, by: int) -> None:
        """It weighs so much more, or less."""
        weight = self._weights.get(name, 0) + by
        if weight:
            self._weights[name] = weight
            if self._heap:
                self._push(name, weight)
        elif self._weights.pop(name, None) and not self._weights:
            self._heap = []

    def first(self) -> bytes:
        """Who weighs most; there must be one."""
        if not self._heap:
            self._rank()
        while self._weights.get(self._heap[0][1]) != -self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][1]

    def _push(self, name: bytes, weight: int) -> None:
        heappush(self._heap, (-weight, name))
        if len(self._heap) > 4 * len(self._weights) + 16:
            self._rank()

    def _rank(self) -> None:
        self._heap = [(-weight, name) for name, weight in self._weights.items()]
        heapify(self._heap)

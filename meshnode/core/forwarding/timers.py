"""Due times under names, the earliest first: what each part of forwarding and chat waits with."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import count
from typing import Any, Generic, TypeVar

from meshnode.core.clock import Instant

K = TypeVar("K", bound=Hashable)
FOREVER = float("inf")
_SPARE, _STALE = 64, 4  # what was moved stays in the heap until then: weeks, for what is moved often


class Timers(Generic[K]):
    """One due time for each name. Setting it again moves it; names due together come in the order they were set.

    `sooner` is told every time that is set: whoever remembers when the first is due learns so that it may be earlier.
    """

    def __init__(self, sooner: Callable[[Instant], None] | None = None) -> None:
        self._sooner = sooner
        self._due: dict[K, tuple[Instant, int, K]] = {}  # those of the heap that count
        self._heap: list[tuple[Instant, int, K]] = []
        self._order = count()
        self.not_before: Instant = FOREVER  # nothing is due before; what was moved back or cancelled may still count

    def set(self, name: K, due: Instant) -> None:
        """`name` is due then, and not before."""
        entry = (due, next(self._order), name)
        self._due[name] = entry
        if due < self.not_before:
            self.not_before = due
        if self._sooner is not None:
            self._sooner(due)
        if len(self._heap) > _SPARE + _STALE * len(self._due):
            self._heap = list(self._due.values())
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, entry)

    def set_at_latest(self, name: K, due: Instant) -> None:
        """`name` is due then, unless it is due earlier already."""
        if name not in self._due or due < self._due[name][0]:
            self.set(name, due)

    def cancel(self, name: K) -> None:
        """`name` is not due any more."""
        self._due.pop(name, None)

    def __contains__(self, name: K) -> bool:
        return name in self._due

    def due(self, now: Instant) -> Iterator[K]:
        """Take out the names that are due, one after the other."""
        return self._take_out(now) if self.not_before <= now else iter(())

    def _take_out(self, now: Instant) -> Iterator[K]:
        while (first := self.next()) is not None and first <= now:
            name = heapq.heappop(self._heap)[2]
            del self._due[name]
            yield name

    def next(self) -> Instant | None:
        """When the next one is due."""
        heap = self._heap
        while heap and self._due.get(heap[0][2]) is not heap[0]:
            heapq.heappop(heap)
        self.not_before = heap[0][0] if heap else FOREVER
        return heap[0][0] if heap else None


def first_of(several: Iterable[Timers[Any]]) -> Instant | None:
    """When the first name of several is due: asked are those alone that may have it."""
    first = FOREVER
    for timers in several:
        if timers.not_before < first:
            timers.next()
            first = min(first, timers.not_before)
    return None if first == FOREVER else first

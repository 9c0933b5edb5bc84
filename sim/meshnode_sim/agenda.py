"""Virtual time: one heap of what will happen, in the order of integer nanoseconds, then kind, then node, then turn.

Nothing here knows a wall clock. Two events at one moment never depend on who was put in first unless they concern the
same node in the same way, and everything that happens goes into one running BLAKE2: two runs with equal fingerprints
had the same events, at the same times, with the same bytes (`note`).
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Final

SECOND_NS: Final = 1_000_000_000

# Kinds, in the order in which they happen at one moment: the world changes, frames arrive, nodes act, people write.
FAULT, AIR, WORK, WAKE, PEOPLE = range(5)

_ENTRY: Final = struct.Struct("<qiiq")
_FLUSH: Final = 1 << 12  # events, until what happened is hashed
_GROWN: Final = (100_000, 5, 5)  # by how many objects a run grows until Python looks for cycles, as gc has it

Event = tuple[int, int, int, int, Callable[[], object]]


def nanoseconds(seconds: float) -> int:
    """The nearest whole nanosecond."""
    return round(seconds * SECOND_NS)


class Agenda:
    """What will happen. `now_ns` is the time of the event that happens at present."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.events = 0  # how many have happened
        self._heap: list[Event] = []
        self._turn = 0
        self._hash = blake2b(digest_size=16)
        self._unhashed = bytearray()

    def at(self, at_ns: int, kind: int, node: int, do: Callable[[], object]) -> None:
        """Has `do` called at that time, or now where that is past; `node` is whom it concerns (-1: nobody alone)."""
        self._turn += 1
        heappush(self._heap, (at_ns if at_ns > self.now_ns else self.now_ns, kind, node, self._turn, do))

    def note(self, kind: int, node: int, what: int) -> None:
        """Takes a number that says what happened, such as a checksum of bytes sent, into the fingerprint."""
        self._unhashed += _ENTRY.pack(self.now_ns, kind, node, what)

    def run(self, until_ns: int) -> None:
        """Everything up to and including that time; afterwards it is that time."""
        with _seldom_collected():
            self._run(until_ns)
        self.now_ns = max(self.now_ns, until_ns)

    def _run(self, until_ns: int) -> None:
        heap, unhashed, pack = self._heap, self._unhashed, _ENTRY.pack
        while heap and heap[0][0] <= until_ns:
            self.now_ns, kind, node, _, do = heappop(heap)
            self.events += 1
            unhashed += pack(self.now_ns, kind, node, 0)  # as `note`, without the call
            if not self.events % _FLUSH:
                self._flush()
            do()

    def fingerprint(self) -> str:
        """Of all that happened so far, 32 hex digits."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._unhashed)
        self._unhashed.clear()


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Python looks for cycles less often: it looks at all that lives again and again while a world grows.

    That took a sixth of the time in which a thousand nodes start. Cycles are what nodes leave that lost their power.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_GROWN)
    try:
        yield
    finally:
        gc.set_threshold(*before)

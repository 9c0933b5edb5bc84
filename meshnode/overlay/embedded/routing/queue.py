"""What waits to be written to a link.

Packets of the tree go first and in order; without them there is no network. The others wait in the order they came, up
to a number of bytes. When a packet would not fit, the flow that holds most pays: of the destination with most bytes
the source with most bytes loses its oldest packet (the rule of yggdrasil-go 0.5.14, without its 25 ms).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from meshnode.overlay.embedded.wire.framing import LARGEST_FRAME, frame

MOST_WAITING = 2 * LARGEST_FRAME
MOST_AT_ONCE = 1 << 20  # of the tree's packets: who lets so much pile up does not read

Flow = tuple[bytes, bytes]  # destination, source


@dataclass(slots=True)
class _Waiting:
    content: bytes  # empty once it was dropped


class SendQueue:
    """Frames for one link."""

    __slots__ = ("_at_once", "_bytes", "_flows", "_row", "dropped", "most", "urgent_bytes", "waiting_bytes")

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.most = most
        self.dropped = 0
        self.urgent_bytes = self.waiting_bytes = 0
        self._at_once: deque[bytes] = deque()
        self._row: deque[tuple[Flow, _Waiting]] = deque()
        self._flows: dict[Flow, deque[_Waiting]] = {}
        self._bytes: Counter[Flow] = Counter()

    def __bool__(self) -> bool:
        return bool(self._at_once or self._row)

    @property
    def overflowed(self) -> bool:
        """True when the other side does not read."""
        return self.urgent_bytes > MOST_AT_ONCE

    def put(self, content: bytes) -> None:
        """A packet of the tree: written next."""
        self._at_once.append(content)
        self.urgent_bytes += len(content)

    def add(self, flow: Flow, content: bytes) -> None:
        """A packet on its way: written in its turn, or dropped."""
        while self.waiting_bytes and self.waiting_bytes + len(content) > self.most:
            self._drop_one()
        waiting = _Waiting(content)
        self._row.append((flow, waiting))
        self._flows.setdefault(flow, deque()).append(waiting)
        self._bytes[flow] += len(content)
        self.waiting_bytes += len(content)

    def take(self, most: int) -> bytes:
        """Frames to write, about `most` bytes of them; empty when nothing waits."""
        taken, size = [], 0
        while self._at_once and size < most:
            content = self._at_once.popleft()
            self.urgent_bytes -= len(content)
            taken.append(frame(content))
            size += len(content)
        while self._row and size < most:
            flow, waiting = self._row.popleft()
            if waiting.content:
                self._leave(flow)
                taken.append(frame(waiting.content))
                size += len(waiting.content)
        return b"".join(taken)

    def _leave(self, flow: Flow) -> _Waiting:
        """Take the oldest of a flow out of the account."""
        of_flow = self._flows[flow]
        waiting = of_flow.popleft()
        self._bytes[flow] -= len(waiting.content)
        self.waiting_bytes -= len(waiting.content)
        if not of_flow:
            del self._flows[flow], self._bytes[flow]
        return waiting

    def _drop_one(self) -> None:
        by_destination: Counter[bytes] = Counter()
        for (destination, _), size in self._bytes.items():
            by_destination[destination] += size
        most = by_destination.most_common(1)[0][0]
        flow = max((flow for flow in self._bytes if flow[0] == most), key=lambda flow: self._bytes[flow])
        self._leave(flow).content = b""
        self.dropped += 1

"""What waits to be written to a link.

Packets of the tree go first and in order; without them there is no network. The others wait in the order they came, up
to a number of bytes, and to a larger one while none of them has waited for 25 ms. When a packet would not fit, the flow
that holds most pays: of the destination with most bytes the source with most bytes loses its oldest packet.

Those are the rules of yggdrasil-go, the 25 ms of 0.5.12 and the bytes of 0.5.14, but one alone is not enough: at
150 kbit/s a single packet takes longer than 25 ms, and at 800 Mbit/s what one read brings fills the bytes, so that
every fifth packet of 64 KiB was lost and sent again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from meshnode.overlay.embedded.routing.heaviest import Heaviest
from meshnode.overlay.embedded.wire.framing import LARGEST_FRAME
from meshnode.overlay.embedded.wire.varint import uvarint

MOST_WAITING = 2 * LARGEST_FRAME
BURST = 8  # times as much may wait for
PATIENCE_S = 0.025
MOST_AT_ONCE = 1 << 20  # of the tree's packets: who lets so much pile up does not read

Flow = tuple[bytes, bytes]  # destination, source


@dataclass(slots=True)
class _Waiting:
    content: bytes  # empty once it was dropped
    since: float


class SendQueue:
    """Frames for one link."""

    __slots__ = (
        "_at_once", "_destinations", "_flows", "_left", "_row", "_sources",
        "dropped", "most", "urgent_bytes", "waiting_bytes",
    )  # fmt: skip

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.most = most
        self.dropped = 0
        self.urgent_bytes = self.waiting_bytes = 0
        self._at_once: deque[bytes] = deque()
        self._row: deque[tuple[Flow, _Waiting]] = deque()
        self._flows: dict[Flow, deque[_Waiting]] = {}
        self._left = 0  # packets in the row that were not dropped
        self._destinations = Heaviest()
        self._sources: dict[bytes, Heaviest] = {}  # by destination

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

    def add(self, flow: Flow, content: bytes, now: float) -> None:
        """A packet on its way: written in its turn, or dropped."""
        self.shorten(now, len(content))
        waiting = _Waiting(content, now)
        self._row.append((flow, waiting))
        self._flows.setdefault(flow, deque()).append(waiting)
        self._left += 1
        self._weigh(flow, len(content))

    def shorten(self, now: float, wanted: int = 0) -> None:
        """Drop what must not wait any longer, until so many bytes more have room."""
        while self.waiting_bytes and self._is_full(self.waiting_bytes + wanted, now):
            self._drop_one()

    def take(self, most: int) -> bytes:
        """Frames to write, about `most` bytes of them; empty when nothing waits."""
        taken: list[bytes] = []
        size = 0
        while self._at_once and size < most:
            content = self._at_once.popleft()
            self.urgent_bytes -= len(content)
            taken += (uvarint(len(content)), content)
            size += len(content)
        while self._row and size < most:
            flow, waiting = self._row.popleft()
            if waiting.content:
                self._leave(flow)
                taken += (uvarint(len(waiting.content)), waiting.content)
                size += len(waiting.content)
        return b"".join(taken)

    def _is_full(self, size: int, now: float) -> bool:
        """True when so many bytes are too many, for those that wait."""
        if size <= self.most:
            return False
        while not self._row[0][1].content:
            self._row.popleft()
        return size > BURST * self.most or now - self._row[0][1].since > PATIENCE_S

    def _leave(self, flow: Flow) -> _Waiting:
        """Take the oldest of a flow out of the account."""
        of_flow = self._flows[flow]
        waiting = of_flow.popleft()
        self._left -= 1
        self._weigh(flow, -len(waiting.content))
        if not of_flow:
            del self._flows[flow]
        return waiting

    def _weigh(self, flow: Flow, size: int) -> None:
        destination, source = flow
        self.waiting_bytes += size
        self._destinations.change(destination, size)
        sources = self._sources.get(destination) or self._sources.setdefault(destination, Heaviest())
        sources.change(source, size)
        if not sources:
            del self._sources[destination]

    def _drop_one(self) -> None:
        destination = self._destinations.first()
        self._leave((destination, self._sources[destination].first())).content = b""
        self.dropped += 1
        if len(self._row) > 2 * self._left + 16:  # else a packet that stands in front would keep all the dropped ones
            self._row = deque((flow, waiting) for flow, waiting in self._row if waiting.content)

"""A waiting line that is fair to previous hops: they take turns, and no hop can push the others out.

Full, it takes from the hop that waits with most: who fills it alone shuts out nobody but oneself.
"""

from __future__ import annotations

from collections import deque


class Line:
    """Envelopes that wait, by the node key of their previous hop; all senders that are not bound are one hop."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: dict[bytes, deque[bytes]] = {}

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    def put(self, hop: bytes, data: bytes) -> bool:
        """Go to the end of the hop's own line. False if something was turned away for it, or it was itself."""
        fits = len(self) < self._room
        if not fits:
            longest = max(self._waiting, key=lambda each: len(self._waiting[each]))
            if len(self._waiting[longest]) <= len(self._waiting.get(hop, ())) + 1:
                return False
            self._waiting[longest].pop()
        self._waiting.setdefault(hop, deque()).append(data)
        return fits

    def take(self) -> bytes:
        """The first of the hop whose turn it is."""
        hop = next(iter(self._waiting))
        queue = self._waiting.pop(hop)
        data = queue.popleft()
        if queue:
            self._waiting[hop] = queue  # behind the others
        return data

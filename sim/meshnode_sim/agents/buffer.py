"""What one agent carries: messages in the order in which they came, within so many octets and until they expire.

Whatever is given up to make room may come again, as in other simulators of delay-tolerant networks: a node knows what
it has, and what it was shown, not what it once had. What expired is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from meshnode.core.clock import Instant


@dataclass(slots=True)
class Carried:
    """One message at one node."""

    key: int
    origin: bytes
    to: bytes
    text: str
    octets: int
    expires_at: Instant
    cls: int
    copies: int
    hops: int


class Buffer:
    """The messages of one node by key, the longest held first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held: dict[int, Carried] = {}
        self._octets = 0
        self.known: set[int] = set()  # not wanted any more: held, shown here, or over
        self._expiries: list[tuple[Instant, int]] = []
        self._for: dict[bytes, dict[int, None]] = {}

    def for_(self, persona: bytes) -> dict[int, None]:
        """Keys of what is held for somebody."""
        return self._for.get(persona, {})

    def put(self, message: Carried) -> None:
        """Holds it, whether there is room or not: what its writer wrote is never refused."""
        self.known.add(message.key)
        self.held[message.key] = message
        self._for.setdefault(message.to, {})[message.key] = None
        self._octets += message.octets
        heappush(self._expiries, (message.expires_at, message.key))

    def drop(self, message: Carried) -> None:
        """Holds it no more."""
        del self.held[message.key], self._for[message.to][message.key]
        self._octets -= message.octets

    def make_room(self, octets: int, sending: int) -> list[Carried]:
        """Drops the longest held, but for what is being sent, until so much fits; what never fits moves nothing."""
        gone: list[Carried] = []
        while octets <= self.limit < self._octets + octets:
            oldest = next((message for key, message in self.held.items() if key != sending), None)
            if oldest is None:
                break
            self.drop(oldest)
            self.known.discard(oldest.key)
            gone.append(oldest)
        return gone

    def expired(self, now: Instant) -> Iterator[Carried]:
        """Drops and gives whatever is over."""
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heappop(self._expiries)
            message = self.held.get(key)
            if message is not None and message.expires_at <= now:
                self.drop(message)
                yield message

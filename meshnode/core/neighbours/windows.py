"""Replay windows of everyone heard: known neighbours' on disk, strangers' in memory (protocol rule 2.5).

The disk lags behind by some datagrams, so after our reboot a few recorded ones pass again. They can raise nothing: a
neighbour is believed only once it echoes a beacon of this boot, and at that moment all that lies below is closed.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.ids import NeighbourId
from meshnode.core.records import NeighbourRecord
from meshnode.core.sealing.link import WINDOW, LinkHeader, ReplayWindow

MAX_STRANGERS: Final = 256
PERSIST_EVERY: Final = 64  # counters between two writes: a beacon every half a minute writes twice an hour
ALL_HEARD: Final = (1 << WINDOW) - 1


class Stranger:
    """A link id without a HELLO yet."""

    __slots__ = ("beacon_at", "beacon_nonce", "window")

    def __init__(self) -> None:
        self.window = ReplayWindow()
        self.beacon_nonce = b""
        self.beacon_at: Instant = float("-inf")


class Windows:
    """One window for each link id."""

    def __init__(self) -> None:
        self._known: dict[NeighbourId, ReplayWindow] = {}
        self._written: dict[NeighbourId, tuple[int, int]] = {}
        self._unproved: set[NeighbourId] = set()
        self._strangers: dict[NeighbourId, Stranger] = {}

    def restore(self, record: NeighbourRecord) -> None:
        """Go on from what the disk knows; it may lag."""
        self._known[record.id] = ReplayWindow(record.epoch, record.counter, record.window)
        self._written[record.id] = (record.epoch, record.counter)
        self._unproved.add(record.id)

    def stranger(self, sender: NeighbourId) -> Stranger:
        """What is remembered of somebody unknown; the longest silent are forgotten."""
        stranger = self._strangers.pop(sender, None) or Stranger()
        self._strangers[sender] = stranger
        while len(self._strangers) > MAX_STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        return stranger

    def meet(self, sender: NeighbourId) -> Stranger:
        """A stranger said HELLO: its window goes on as a neighbour's."""
        stranger = self._strangers.pop(sender, None) or Stranger()
        self._known[sender] = stranger.window
        return stranger

    def accept(self, header: LinkHeader) -> bool:
        """Note an opened datagram; False when it was heard before."""
        window = self._known.get(header.sender) or self.stranger(header.sender).window
        if not window.fresh(header.epoch, header.counter):
            return False
        window.accept(header.epoch, header.counter)
        return True

    def prove(self, sender: NeighbourId) -> None:
        """The neighbour echoed a beacon of this boot: what it said before is closed, if the disk told us of it."""
        if sender in self._unproved:
            self._unproved.discard(sender)
            self._known[sender].bits = ALL_HEARD

    def lags(self, sender: NeighbourId) -> bool:
        """True when the disk should hear of this window again."""
        window = self._known[sender]
        epoch, counter = self._written.get(sender, (-1, 0))
        return window.epoch != epoch or window.counter >= counter + PERSIST_EVERY

    def written(self, sender: NeighbourId) -> ReplayWindow:
        """The window, about to be written."""
        window = self._known[sender]
        self._written[sender] = (window.epoch, window.counter)
        return window

    def forget(self, sender: NeighbourId) -> None:
        """The neighbour is one too many."""
        for known in (self._known, self._written):
            known.pop(sender, None)
        self._unproved.discard(sender)

"""Replay windows of known neighbours, and which of their epochs are their own word (protocol rule 2.5).

A member can seal a datagram in any name under the mesh key, and with a high counter it would silence the true sender.
So there are two windows for each neighbour: what is sealed for us alone passes whatever was said under the mesh key.
And an epoch counts only once its owner signed it (HELLO) or used it under the pairwise key; what claims a later one is
a stranger's. Strangers have no window: nothing they say twice does more than once.

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
    """A link id without a HELLO, or in an epoch without one."""

    __slots__ = ("beacon_at", "beacon_nonce")

    def __init__(self) -> None:
        self.beacon_nonce = b""
        self.beacon_at: Instant = float("-inf")


class Windows:
    """Two windows for each known link id: (id, pairwise)."""

    def __init__(self) -> None:
        self._known: dict[tuple[NeighbourId, bool], ReplayWindow] = {}
        self._signed: dict[NeighbourId, int] = {}
        self._written: dict[NeighbourId, tuple[int, int]] = {}
        self._unproved: set[NeighbourId] = set()
        self._strangers: dict[NeighbourId, Stranger] = {}

    def restore(self, record: NeighbourRecord) -> None:
        """Go on from what the disk knows; it may lag."""
        for pairwise in (False, True):
            self._known[(record.id, pairwise)] = ReplayWindow(record.epoch, record.counter, record.window)
        self._signed[record.id] = record.epoch
        self._written[record.id] = (record.epoch, record.counter)
        self._unproved.add(record.id)

    def stranger(self, sender: NeighbourId) -> Stranger:
        """What is remembered of somebody unknown; the longest silent are forgotten."""
        stranger = self._strangers.pop(sender, None) or Stranger()
        self._strangers[sender] = stranger
        while len(self._strangers) > MAX_STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        return stranger

    def sign(self, sender: NeighbourId, epoch: int) -> Stranger | None:
        """It vouched for an epoch of its own; if that is news, what was heard of it as a stranger."""
        if epoch <= self._signed.get(sender, -1):
            return None
        for pairwise in (False, True):
            self._known.setdefault((sender, pairwise), ReplayWindow(epoch))
        self._signed[sender] = epoch
        return self._strangers.pop(sender, None) or Stranger()

    def knows(self, header: LinkHeader) -> bool:
        """True when the epoch is the sender's own word."""
        return header.epoch <= self._signed.get(header.sender, -1)

    def accept(self, header: LinkHeader) -> bool:
        """Note an opened datagram; False when it was heard before."""
        window = self._known.get((header.sender, header.pairwise))
        if window is None or not self.knows(header):
            return True
        if not window.fresh(header.epoch, header.counter):
            return False
        window.accept(header.epoch, header.counter)
        return True

    def prove(self, sender: NeighbourId) -> None:
        """The neighbour echoed a beacon of this boot: what it said before is closed, if the disk told us of it."""
        if sender in self._unproved:
            self._unproved.discard(sender)
            said = self._known[(sender, False)]
            said.bits = ALL_HEARD
            for_us = self._known[(sender, True)]
            if (for_us.epoch, for_us.counter) < (said.epoch, said.counter):
                self._known[(sender, True)] = ReplayWindow(said.epoch, said.counter, ALL_HEARD)

    def lags(self, sender: NeighbourId) -> bool:
        """True when the disk should hear of this neighbour's window again."""
        window = self._surest(sender)
        epoch, counter = self._written.get(sender, (-1, 0))
        return window.epoch != epoch or window.counter >= counter + PERSIST_EVERY

    def written(self, sender: NeighbourId) -> ReplayWindow:
        """The window, about to be written."""
        window = self._surest(sender)
        self._written[sender] = (window.epoch, window.counter)
        return window

    def forget(self, sender: NeighbourId) -> None:
        """The neighbour is one too many."""
        for pairwise in (False, True):
            self._known.pop((sender, pairwise), None)
        self._signed.pop(sender, None)
        self._written.pop(sender, None)
        self._unproved.discard(sender)

    def _surest(self, sender: NeighbourId) -> ReplayWindow:
        """The pairwise window, which nobody else can move; the other while that one was not used in this epoch."""
        pairwise, said = self._known[(sender, True)], self._known[(sender, False)]
        return pairwise if pairwise.bits and pairwise.epoch == said.epoch else said

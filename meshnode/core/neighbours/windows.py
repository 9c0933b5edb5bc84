"""Replay windows of known neighbours, and which of their epochs are their own word (protocol rule 2.5).

A member can seal a datagram in any name under the mesh key. So there are two windows for each neighbour. What is sealed
for us alone has one by its counter. What any member may have sealed has none that a counter could close: a datagram
passes unless this very one was heard (its tag is remembered), or it lies below what its owner vouched for, under the
pairwise key: by a pairwise datagram, or by an echo of ours, which names the counter it stands beside. So whoever talks
in a neighbour's name, however far ahead, shuts out nothing of it.

An epoch counts only once its owner signed it (HELLO) or used it under the pairwise key; what claims a later one is a
stranger's. Strangers have no window: nothing they say twice does more than once.

The disk lags behind by some datagrams, so after our reboot a few recorded ones pass again. They can raise nothing: a
neighbour is believed only once it echoes a beacon of this boot, and at that moment all that lies below is closed.
The echo of version 1, which anybody can make, closes nothing: it would shut out whom it names.
"""

from __future__ import annotations

from array import array
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.ids import NeighbourId
from meshnode.core.records import NeighbourRecord
from meshnode.core.sealing.link import WINDOW, LinkHeader, ReplayWindow

MAX_STRANGERS: Final = 256
REMEMBERED: Final = 256  # tags: more than are said between two echoes of us, as a rule
PERSIST_EVERY: Final = 64  # counters between two writes: a beacon every half a minute writes twice an hour
ALL_HEARD: Final = (1 << WINDOW) - 1


class Stranger:
    """A link id without a HELLO, or in an epoch without one."""

    __slots__ = ("beacon_at", "beacon_nonce", "newest")

    def __init__(self) -> None:
        self.beacon_nonce = b""
        self.beacon_at: Instant = float("-inf")
        self.newest = 0


Place = tuple[int, int]  # epoch, counter


class Said:
    """What was said in one name under the mesh key: all up to `floor` is closed, the last tags above are remembered.

    `sure` is the last place that the owner of the name vouched for.
    """

    __slots__ = ("_tags", "floor", "sure")

    def __init__(self, sure: Place, floor: Place) -> None:
        self.sure = sure
        self.floor = floor
        self._tags = array("I")

    def accept(self, place: Place, tag: bytes) -> bool:
        """Note a datagram; False when it was heard before. The tag follows from all that stands in it."""
        short = int.from_bytes(tag[:4], "big")
        if place <= self.floor or short in self._tags:
            return False
        self._tags.append(short)
        del self._tags[:-REMEMBERED]
        return True

    def vouch(self, place: Place) -> None:
        """The owner was there, in the words of its pairwise key: what came long before is closed."""
        self.sure = max(self.sure, place)
        self.floor = max(self.floor, (place[0], place[1] - WINDOW))

    def own(self, place: Place) -> None:
        """It was there for certain, by a pairwise datagram: nothing beyond can be closed, whoever said what."""
        if place < self.floor:
            self.sure, self.floor = place, (place[0], place[1] - WINDOW)
        self.vouch(place)


class Windows:
    """What may still come of each known link id: pairwise sealed, and in its name under the mesh key."""

    def __init__(self) -> None:
        self._pairwise: dict[NeighbourId, ReplayWindow] = {}
        self._said: dict[NeighbourId, Said] = {}
        self._signed: dict[NeighbourId, int] = {}
        self._written: dict[NeighbourId, tuple[int, int]] = {}
        self._unproved: set[NeighbourId] = set()
        self._strangers: dict[NeighbourId, Stranger] = {}

    def restore(self, record: NeighbourRecord) -> None:
        """Go on from what the disk knows; it may lag."""
        place = (record.epoch, record.counter)
        self._pairwise[record.id] = ReplayWindow(*place, record.window)
        self._said[record.id] = Said(place, place if record.window else (record.epoch, -1))
        self._signed[record.id] = record.epoch
        self._written[record.id] = place
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
        self._pairwise.setdefault(sender, ReplayWindow(epoch))
        said = self._said.setdefault(sender, Said((epoch, 0), (epoch, -1)))
        said.floor, said.sure = max(said.floor, (epoch, -1)), max(said.sure, (epoch, 0))
        self._signed[sender] = epoch
        return self._strangers.pop(sender, None) or Stranger()

    def knows(self, header: LinkHeader) -> bool:
        """True when the epoch is the sender's own word."""
        return header.epoch <= self._signed.get(header.sender, -1)

    def accept(self, header: LinkHeader, tag: bytes) -> bool:
        """Note an opened datagram, by the tag of its seal; False when it was heard before."""
        said = self._said.get(header.sender)
        if said is None or header.epoch > self._signed[header.sender]:
            return True
        place, window = (header.epoch, header.counter), self._pairwise[header.sender]
        if not header.pairwise:
            return said.accept(place, tag)
        if not window.fresh(*place):
            return False
        window.accept(*place)
        said.own(place)
        return True

    def shut_out(self, header: LinkHeader) -> bool:
        """True for what is far below the last word of its owner: old, or that word was a guess."""
        said = self._said.get(header.sender)
        return said is not None and not header.pairwise and (header.epoch, header.counter) <= said.floor

    def vouch(self, header: LinkHeader) -> None:
        """The datagram echoes a beacon of this boot under the pairwise key: none but its owner can have made it.

        What was said before is closed, also for us alone, if the disk told us of it.
        """
        place, said = (header.epoch, header.counter), self._said[header.sender]
        said.vouch(place)
        if header.sender in self._unproved:
            self._unproved.discard(header.sender)
            said.floor = max(said.floor, place)
            window = self._pairwise[header.sender]
            if (window.epoch, window.counter) < place:
                self._pairwise[header.sender] = ReplayWindow(*place, ALL_HEARD)

    def sure_nonce(self, sender: NeighbourId) -> bytes:
        """That of the last datagram its owner vouched for; a pairwise one takes back what a guess had put beyond it."""
        epoch, counter = self._said[sender].sure
        return sender + epoch.to_bytes(3, "big") + counter.to_bytes(3, "big")

    def lags(self, sender: NeighbourId) -> bool:
        """True when the disk should hear of this neighbour's window again."""
        window, sure = self._pairwise[sender], self._said[sender].sure
        last = max((window.epoch, window.counter), sure)
        epoch, counter = self._written.get(sender, (-1, 0))
        return last[0] != epoch or last[1] >= counter + PERSIST_EVERY

    def written(self, sender: NeighbourId) -> ReplayWindow:
        """The window, about to be written."""
        window = self._surest(sender)
        self._written[sender] = (window.epoch, window.counter)
        return window

    def forget(self, sender: NeighbourId) -> None:
        """The neighbour is one too many."""
        self._pairwise.pop(sender, None)
        self._said.pop(sender, None)
        self._signed.pop(sender, None)
        self._written.pop(sender, None)
        self._unproved.discard(sender)

    def _surest(self, sender: NeighbourId) -> ReplayWindow:
        """The pairwise window, or one beyond it where an echo vouched for more; nobody else can move either."""
        window, sure = self._pairwise[sender], self._said[sender].sure
        if (window.epoch, window.counter) >= sure:
            return window
        return ReplayWindow(*sure, ALL_HEARD if sure[1] else 0)

"""Whom we speak to by unicast before they are bound: addresses a person gave, and those that are greeted.

A datagram needs a name for whom it is; as such an address has no link id yet, a stand-in is made of it.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.airtime.outbox import Outbox, Outgoing
from meshnode.core.context import Context
from meshnode.core.ids import NeighbourId, hashed
from meshnode.core.inputs import PeerSeen
from meshnode.core.neighbours.buckets import Bucket
from meshnode.core.wire.frames import Frame

MAX_GREETED: Final = 64
GREETINGS: Final = 6.0
GREETING_EVERY_S: Final = 60.0


class Greetings:
    """Addresses by their stand-ins."""

    def __init__(self, ctx: Context, outbox: Outbox) -> None:
        self._ctx = ctx
        self._outbox = outbox
        self.configured: dict[NeighbourId, str] = {}  # stand-in -> address a person gave
        self._greeted: dict[NeighbourId, str] = {}  # the same for addresses of those not bound yet
        self._budgets: dict[str, Bucket] = {}  # how many more, by link

    def peer_seen(self, peer: PeerSeen) -> bool:
        """A person named an address, or took it back; True where it is new."""
        stand_in = stand_in_of(peer.address)
        if not peer.present:
            self.configured.pop(stand_in, None)
        elif stand_in not in self.configured:
            self.configured[stand_in] = peer.address
            return True
        return False

    def address(self, name: NeighbourId) -> str | None:
        """The address a stand-in is for; None for all other names."""
        return self.configured.get(name) or self._greeted.get(name)

    def greet(self, link: str, address: str, *frames: Frame) -> bool:
        """Introduce us to one that is not bound here yet: sealed for any member, and repeated by the MAC until heard.

        Its address is anybody's word, and what nobody hears is repeated in vain: False after a few.
        """
        bucket = self._budgets.setdefault(link, Bucket(1.0 / GREETING_EVERY_S, GREETINGS, self._ctx.now))
        if not bucket.spend(1.0, self._ctx.now):
            return False
        for frame in frames:
            self._outbox.put(Outgoing(frame, 0, link, self._stand_in(address), key=type(frame).__name__.encode()))
        return True

    def _stand_in(self, address: str) -> NeighbourId:
        name = stand_in_of(address)
        if name not in self.configured:
            self._greeted.pop(name, None)
            self._greeted[name] = address
            while len(self._greeted) > MAX_GREETED:
                del self._greeted[next(iter(self._greeted))]
        return name


def stand_in_of(address: str) -> NeighbourId:
    """A name for an address whose link id is not known; never sent."""
    return NeighbourId(hashed(b"mn-configured", address.encode(), 6))

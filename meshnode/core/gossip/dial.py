"""Whom to call: overlay peers while they are there, and link neighbours when there is much to fetch.

An overlay peer that turns out to be bound on a link is let go, and called again when it is lost there: one way to a
neighbour is enough, and an idle TCP connection over the overlay costs its keepalives on the same air.

Of two link neighbours the one with the lower id dials, so that they do not call each other; the other one only when it
has waited in vain. What fails is tried again later, the waits double.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import Dial, Hangup
from meshnode.core.ids import NodeKey
from meshnode.core.inputs import DialFailed, EncounterBegan, PeerSeen
from meshnode.core.neighbours.neighbour import FOREVER
from meshnode.core.neighbours.table import Neighbour, Neighbours

FIRST_WAIT_S: Final = 5.0
LONGEST_WAIT_S: Final = 600.0
ANSWER_S: Final = 30.0  # a dial without a word for so long may be tried again
START_S: Final = (0.0, 3.0)  # two peers see each other at once: let one be first
AGAIN_S: Final = (2.0, 8.0)  # after a session ended
DAY_S: Final = 86_400.0
SPARE_S: Final = 20.0  # an overlay peer is a link neighbour for so long, or is new on the line: is one way enough?


@dataclass(slots=True)
class Callee:
    """An address to call. `session`: open now. `wanted`: call without being asked, as overlay peers are."""

    address: str
    carrier: str
    link: str
    wanted: bool
    next_at: Instant
    wait_s: float = 0.0
    session: int | None = None
    node: NodeKey | None = None  # who answered there last
    uplink: bool = False
    not_before: Instant = 0.0  # a far bridge said that it is shut until then


class Dialler:
    """Addresses, by what they are."""

    def __init__(self, ctx: Context, neighbours: Neighbours) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._callees: dict[str, Callee] = {}
        neighbours.on_bound.append(self._bound)
        neighbours.on_lost.append(self._lost)
        neighbours.on_unlinked.append(self._lost)

    def peer_seen(self, peer: PeerSeen) -> None:
        """An overlay peer came or went."""
        if peer.carrier != "overlay":
            return
        if not peer.present:
            self._callees.pop(peer.address, None)
        elif not self._neighbours.gate.may_call(peer):
            return
        elif peer.address not in self._callees:
            at = self._ctx.now + (self._ctx.entropy.between("dial", *START_S) if peer.calls else 0.0)
            open_now = [n for n in self._neighbours.session_peers() if n.session_address == peer.address]
            callee = Callee(peer.address, "overlay", "", True, at, uplink=peer.uplink)
            if open_now:
                callee.session, callee.node = open_now[0].session, open_now[0].node
            self._callees[peer.address] = callee

    def want_link(self, neighbour: Neighbour, insist: bool) -> bool:
        """A session with a link neighbour, now; True when it is being called."""
        link = neighbour.link(self._ctx.now)
        if link is None:
            return False
        address = neighbour.presences[link].address
        callee = self._callees.get(address) or Callee(address, "link", link, False, self._ctx.now)
        self._callees[address] = callee
        if callee.next_at > self._ctx.now:
            return callee.wait_s == 0.0
        if self._neighbours.me > neighbour.id and not insist:
            return False
        self._dial(callee)
        return True

    def opened(self, began: EncounterBegan) -> None:
        """Somebody is on the line."""
        callee = self._callees.get(began.address)
        if callee is not None:
            callee.session, callee.wait_s, callee.node = began.session, 0.0, began.node
            callee.next_at = self._ctx.now + SPARE_S

    def closed(self, session: int) -> None:
        """The line is free again."""
        for callee in self._callees.values():
            if callee.session == session:
                callee.session = None
                again = self._ctx.entropy.between("dial", *AGAIN_S)
                callee.next_at = self._ctx.now + (SPARE_S if self._on_link(callee) else again)

    def postpone(self, address: str, wait_s: float) -> None:
        """A far bridge is shut for so long."""
        callee = self._callees.get(address)
        if callee is not None:
            callee.not_before = self._ctx.now + min(wait_s, DAY_S)

    def failed(self, failure: DialFailed) -> None:
        """Nobody answered."""
        callee = self._callees.get(failure.address)
        if callee is not None:
            callee.wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, 2 * callee.wait_s))
            jitter = self._ctx.entropy.between("dial", 0.8, 1.2)
            callee.next_at = self._ctx.now + callee.wait_s * jitter

    def wakeup(self) -> Instant | None:
        """When to call next."""
        times = [callee.next_at for callee in self._callees.values() if callee.wanted]
        return min(times) if times else None

    def tick(self) -> None:
        """Call those who are due, and let go whom a link reaches."""
        for callee in self._callees.values():
            if not callee.wanted or callee.next_at > self._ctx.now:
                continue
            if self._waits(callee):
                callee.next_at = self._ctx.now + SPARE_S
                continue
            spare = self._on_link(callee)
            if not spare and callee.session is None:
                self._dial(callee)
                continue
            if spare and callee.session is not None:
                self._ctx.emit(Hangup(callee.session))
            callee.next_at = FOREVER  # until it comes or goes

    def _bound(self, neighbour: Neighbour) -> None:
        """It may be a link neighbour now: look, once that has lasted."""
        for callee in self._calling(neighbour):
            callee.next_at = min(callee.next_at, self._ctx.now + SPARE_S)

    def _lost(self, neighbour: Neighbour) -> None:
        """No link reaches it any more."""
        for callee in self._calling(neighbour):
            callee.next_at = min(callee.next_at, self._ctx.now + self._ctx.entropy.between("dial", *AGAIN_S))

    def _calling(self, neighbour: Neighbour) -> list[Callee]:
        return [callee for callee in self._callees.values() if callee.wanted and callee.node == neighbour.node]

    def _waits(self, callee: Callee) -> bool:
        """A far bridge that is not open is not there to be called, or it is we who are shut."""
        shut = callee.not_before > self._ctx.now or bool(self._neighbours.gate.shut())
        return callee.uplink and callee.session is None and shut

    def _on_link(self, callee: Callee) -> bool:
        neighbour = self._neighbours.get(callee.node) if callee.node is not None else None
        return neighbour is not None and neighbour.link(self._ctx.now) is not None

    def _dial(self, callee: Callee) -> None:
        callee.next_at = self._ctx.now + ANSWER_S
        self._ctx.emit(Dial(callee.address, callee.carrier, callee.link))

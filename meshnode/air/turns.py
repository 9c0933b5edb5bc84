"""Whose turn it is on one channel: who talks, who waits, and for whom.

    join --nobody in its way--> talking --leave--> gone
      \\--behind those in its way--> waiting --the last of them left--> may talk

Two are in each other's way where one hears the other, or a receiver of one hears the other or is it. Of those who wait
the longest waiting goes first: who has waited longer is in the way as if it talked. A newcomer looks once at who is
around it, and who leaves tells those behind it; so a turn costs what is around a node, however many wait elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """What one transmission needs of the channel, and whom it concerns."""

    talker: int
    hearing: frozenset[int]  # who hears the talker
    held_up: frozenset[int]  # these and the talker
    receivers: frozenset[int]  # of those who hear it
    around: frozenset[int]  # nobody else can ever be in its way, nor it in theirs
    readers: tuple[int, ...]  # the receivers, lowest number first
    sure: bool  # nothing is ever lost on the way to them


@dataclass(slots=True, eq=False)
class _Turn:
    """One node that talks or waits."""

    claim: Claim
    place: tuple[int, int]  # since when it wants to, and its number: the lower one goes first
    talking: bool = False
    ahead: int = 0  # how many are in its way
    behind: list[_Turn] = field(default_factory=list)  # in whose way it is


class Turns:
    """Everybody who talks or wants to."""

    def __init__(self) -> None:
        self._present: dict[int, _Turn] = {}
        self._ready: dict[int, _Turn] = {}  # those who wait for nobody any more

    def join(self, claim: Claim, since_ns: int) -> None:
        """A node wants to talk, since then."""
        turn, present = _Turn(claim, (since_ns, claim.talker)), self._present
        if not present.keys().isdisjoint(claim.around):
            for node in present.keys() & claim.around:
                if in_each_others_way(claim, present[node].claim):
                    self._part(turn, present[node])
        present[claim.talker] = turn
        if not turn.ahead:
            self._ready[claim.talker] = turn

    def leave(self, node: int) -> None:
        """A node has talked, or does not want to any longer."""
        turn = self._present.pop(node)
        self._ready.pop(node, None)
        for other in turn.behind:
            other.ahead -= 1
            if not other.ahead:
                self._ready[other.claim.talker] = other
        if turn.ahead:
            for near in self._present.keys() & turn.claim.around:
                if turn in self._present[near].behind:
                    self._present[near].behind.remove(turn)

    def begin(self) -> list[Claim]:
        """All who may talk now, the longest waiting first; from now on they do."""
        if not self._ready:
            return []
        ready = sorted(self._ready.values(), key=attrgetter("place"))
        self._ready.clear()
        for turn in ready:
            turn.talking = True
        return [turn.claim for turn in ready]

    def waiting(self) -> list[int]:
        """Who wants to talk and does not yet."""
        return [node for node, turn in self._present.items() if not turn.talking]

    def again(self, nodes: Iterable[int], claim_of: Callable[[int], Claim]) -> None:
        """Who hears these nodes may have changed: all of them wait, keep their place, and look around anew."""
        places = [self._present[node].place for node in nodes]
        for _, node in places:
            self.leave(node)
        for since_ns, node in places:
            self.join(claim_of(node), since_ns)

    def _part(self, newcomer: _Turn, other: _Turn) -> None:
        """Two who are in each other's way: who waits longer, or talks, goes first."""
        first, second = (other, newcomer) if other.talking or other.place < newcomer.place else (newcomer, other)
        first.behind.append(second)
        second.ahead += 1
        self._ready.pop(second.claim.talker, None)


def in_each_others_way(one: Claim, other: Claim) -> bool:
    """Whether the two cannot be on the air together."""
    return (
        one.talker in other.hearing
        or other.talker in one.hearing
        or not one.receivers.isdisjoint(other.held_up)
        or not other.receivers.isdisjoint(one.held_up)
    )

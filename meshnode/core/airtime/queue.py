"""The fair queue: classes first, then authors in turn.

Classes 0 and 1 go before all others. Classes 2, 3 and 4 share what is left by weight 8 : 3 : 1 in airtime. Within a
class nearer rings go first (own, contacts, everyone else), and the authors of a ring take turns, so that one who
writes much delays oneself. An author without a name (a forwarded envelope) is represented by the previous hop, the
one thing a hostile sender cannot forge.

What a neighbour asked for takes its own turns, and while anything else waits no more airtime than all else together
(rule 12.1): half of the air at most is spent on the requests of one, whatever class and ring it asks for.

Fragments of one item leave in a row, and a turn lasts until the last: who hears pieces of many items in turn must drop
some to bound what it keeps, and would ask for them again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Container, Iterator
from typing import NamedTuple

from meshnode.core.ids import NeighbourId
from meshnode.core.wire.frames import Fragment, Frame

CLASSES = 5
_URGENT = 2  # classes below this go strictly first
_WEIGHTS = {2: 8, 3: 3, 4: 1}
_ALL = range(CLASSES)
_AHEAD_MAX_S = 1.0  # of what an asker got while the law held up all else, no more is remembered


class Outgoing(NamedTuple):
    """One frame on its way out. `to` None: multicast. It leaves at `not_before`, or earlier in company if `rides`.

    `key` names it for `cancel`; the same key to the same destination replaces. `ring` and `author` place it in the
    fair queue; `previous` is the node key of the previous hop that pays for it, empty for one's own: who gave it, or
    who `asked` for it. What others say before its time puts it off, by `yields` seconds at most, as it may become
    needless. `small`: in small pieces, as a weak link loses large datagrams first. A tuple: the quickest there is to
    make.
    """

    frame: Frame
    cls: int
    link: str
    to: NeighbourId | None
    not_before: float = 0.0
    key: bytes = b""
    ring: int = 1
    author: bytes = b""
    previous: bytes = b""
    rides: bool = False
    yields: float = 0.0
    asked: bool = False
    small: bool = False


class Queued(NamedTuple):
    """A frame or a fragment of one, with its bytes, type byte first. `whole`: what is complete then."""

    outgoing: Outgoing
    encoded: bytes
    whole: Outgoing | None


Turn = tuple[int, bytes, bool]  # ring, author or asker, which of them


class FairQueue:
    """Frames of one link whose time has come."""

    def __init__(self) -> None:
        self._turns: list[dict[Turn, deque[Queued]]] = [{} for _ in range(CLASSES)]
        self._spent = dict.fromkeys(_WEIGHTS, 0.0)
        self.frames = 0  # how many wait
        self._ahead: dict[bytes, float] = {}  # askers, and the seconds they got beyond all else since something waits

    def add(self, queued: Queued) -> None:
        """Put a frame behind the others of its author."""
        if not self.frames:
            # Idle time earns no credit: who was silent for an hour must not silence the others afterwards.
            self._spent = dict.fromkeys(_WEIGHTS, 0.0)
            self._ahead = {}
        out = queued.outgoing
        turn = (out.ring, out.previous if out.asked else out.author or out.previous, out.asked)
        waiting = self._turns[out.cls].get(turn)
        if waiting is None:
            self._turns[out.cls][turn] = deque((queued,))
        else:
            waiting.append(queued)
        self.frames += 1

    def pop(self, allowed: Container[int] = _ALL) -> Queued | None:
        """The frame of an allowed class whose turn it is, or None."""
        if self.frames == 1:
            return self._pop_only(allowed)
        queued = self._pop(allowed, self._ahead)
        return self._pop(allowed, ()) if queued is None and self._ahead else queued

    def _pop_only(self, allowed: Container[int]) -> Queued | None:
        """The one that waits: there are no turns to be found, and nobody it could be ahead of."""
        turns = max(self._turns, key=len)
        (waiting,) = turns.values()
        if waiting[0].outgoing.cls not in allowed:
            return None
        turns.clear()
        self.frames = 0
        return waiting[0]

    def _pop(self, allowed: Container[int], ahead: Container[bytes]) -> Queued | None:
        due: dict[int, Turn] = {}
        for cls, turns in enumerate(self._turns):
            if turns and cls in allowed and (turn := _due(turns, ahead)) is not None:
                due[cls] = turn
        first = self._next_class(list(due))
        return None if first is None else self._take(self._turns[first], due[first], 0)

    def pop_company(self, to: NeighbourId | None, room: int, allowed: Container[int] = _ALL) -> Queued | None:
        """The next frame for the same destination that fits into `room` bytes, most urgent first, or None."""
        if not self.frames:
            return None
        for turns in (self._turns[cls] for cls in _ALL if cls in allowed):
            for turn in sorted(turns, key=_ring):
                if _waits(turn, self._ahead):
                    continue
                for place, queued in enumerate(turns[turn]):
                    if queued.outgoing.to == to and len(queued.encoded) <= room:
                        return self._take(turns, turn, place)
        return None

    def charge(self, cls: int, airtime: float, asker: bytes = b"") -> None:
        """Book what a datagram of this class cost, in seconds, and who asked for it, if anybody did.

        The least served class by weight goes next, and while others wait no asker that is ahead of all else.
        """
        if cls in self._spent:
            self._spent[cls] += airtime / _WEIGHTS[cls]
        if not asker and not self._ahead:
            return
        left = {one: ahead - airtime for one, ahead in self._ahead.items() if one != asker and ahead > airtime}
        if asker and any(not _waits(turn, (asker,)) for turns in self._turns for turn in turns):
            left[asker] = min(_AHEAD_MAX_S, self._ahead.get(asker, 0.0) + airtime)
        self._ahead = left

    def remove(self, doomed: set[int]) -> None:
        """Drop the frames with these object ids."""
        for turns in self._turns:
            for turn in list(turns):
                kept = deque(queued for queued in turns[turn] if id(queued) not in doomed)
                self.frames -= len(turns[turn]) - len(kept)
                if kept:
                    turns[turn] = kept
                else:
                    del turns[turn]

    def classes(self) -> list[int]:
        """Those that have something to send."""
        return [cls for cls in _ALL if self._turns[cls]]

    def __iter__(self) -> Iterator[Queued]:
        for turns in self._turns:
            for waiting in turns.values():
                yield from waiting

    def __bool__(self) -> bool:
        return self.frames > 0

    def _next_class(self, ready: list[int]) -> int | None:
        """The first of the urgent ones, else the one that was served least by its weight."""
        if ready and ready[0] < _URGENT:
            return ready[0]
        return min(ready, key=lambda cls: self._spent[cls], default=None)

    def _take(self, turns: dict[Turn, deque[Queued]], turn: Turn, place: int) -> Queued:
        self.frames -= 1
        waiting = turns.pop(turn)
        queued = waiting[place]
        del waiting[place]
        if waiting:
            turns[turn] = waiting
        if waiting and place == 0 and _goes_on(queued, waiting[0]):
            _to_front(turns, turn)
        return queued


def _waits(turn: Turn, ahead: Container[bytes]) -> bool:
    """What was asked for by somebody who is ahead."""
    return turn[2] and turn[1] in ahead


def _due(turns: Collection[Turn], ahead: Container[bytes]) -> Turn | None:
    """The first of the nearest ring; `_take` moves it behind its peers, unless more of an item is to follow."""
    if ahead:
        turns = [turn for turn in turns if not _waits(turn, ahead)]
    return min(turns, key=_ring, default=None)


def _goes_on(queued: Queued, follower: Queued) -> bool:
    """The next fragment of the same item, for the same."""
    one, other = queued.outgoing, follower.outgoing
    if not (isinstance(one.frame, Fragment) and isinstance(other.frame, Fragment)):
        return False
    return (one.to, one.frame.item) == (other.to, other.frame.item)


def _to_front(turns: dict[Turn, deque[Queued]], turn: Turn) -> None:
    others = [one for one in turns if one != turn]
    for one in others:
        turns[one] = turns.pop(one)


def _ring(turn: Turn) -> int:
    return turn[0]

"""What goes out next on each link: jitter, fair turns, company in one datagram, pacing, fragments.

    put -> waiting (until not_before) -> ready (fair queue) -> datagram -> Send

A datagram leaves when the link is expected to be free, so that the driver's queue stays short: what waits here can
still be cancelled, overtaken by something urgent, or share a datagram with what comes after it. Where the law of the
region leaves a class no airtime, its frames wait (laws.py). Where beacons and deltas took their share of the link, a
beacon waits, and a delta is dropped like one that nobody heard (upkeep.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from itertools import count

from meshnode.core.airtime.estimate import airtime_s
from meshnode.core.airtime.laws import HAND_OVER_S, Laws
from meshnode.core.airtime.queue import FairQueue, Outgoing, Queued
from meshnode.core.airtime.upkeep import Upkeep, is_upkeep
from meshnode.core.chain.varint import varint
from meshnode.core.clock import earliest
from meshnode.core.context import Context
from meshnode.core.effects import Send
from meshnode.core.ids import NeighbourId, hashed
from meshnode.core.notices import Waiting
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.codec import encode_frame, join_frames
from meshnode.core.wire.frames import Delta, EnvelopeFrame, Fragment

__all__ = ["Outbox", "Outgoing"]

SEAL_OVERHEAD = 29  # byte0, nonce, tag of the link seal
SMALL_PAYLOAD = 384  # what the slowest link carries in one datagram (802.11ah, 1 MHz)
GATHER_S = 0.005  # right after another datagram one with room waits for company: seven envelopes share one, not four
_HELD_UP_S = 0.5  # the most by which others' datagrams hold up our next: the estimate may be far from the radio
_PREVIOUS_LIMIT = 512  # frames waiting on behalf of one previous hop; what is dropped here is on disk and goes lazily
_FRAGMENT_HEADER = 1 + 8 + 1 + 1
_MAX_FRAGMENTS = 16

# (link, to, plaintext) -> (address or None for multicast, datagram); None: the neighbour has no address there
Place = tuple[str, NeighbourId | None, bytes]  # link, destination, key; that of a fragment ends in its number
Seal = Callable[[str, NeighbourId | None, bytes], tuple[str | None, bytes] | None]


class Outbox:
    """The queues of all links of one node. Wire `seal` before the first flush; the callbacks are optional."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.laws = Laws(ctx)
        self.seal: Seal = _no_seal
        self.on_sent: Callable[[Outgoing], None] = _ignore
        self.on_fragmented: Callable[[bytes, bytes, Outgoing], None] = _ignore_fragmented
        self._ready: dict[str, FairQueue] = {}
        self._waiting: list[tuple[float, int, Queued]] = []
        self._order = count()
        self._keyed: dict[Place, Queued] = {}
        self._named: dict[bytes, dict[Place, None]] = {}  # where what is kept under a key waits, and its fragments
        self._gone: set[int] = set()  # object ids of cancelled frames that still stand in the heap
        self._free_at: dict[str, float] = {}
        self._last_to: dict[str, NeighbourId | None] = {}
        self._upkeep: dict[str, Upkeep] = {}
        self._previous: dict[bytes, int] = {}  # how many frames wait on behalf of each previous hop

    def put(self, outgoing: Outgoing) -> None:
        """Queue a frame; frames of an unknown link, or above the previous hop's share, are counted and dropped."""
        if outgoing.link not in self._ctx.links:
            self._ctx.count("outbox_no_link")
            return
        if outgoing.previous and self._previous.get(outgoing.previous, 0) >= _PREVIOUS_LIMIT:
            self._ctx.count("outbox_previous_hop_full")
            return
        if isinstance(outgoing.frame, Delta) and self._upkeep_of(outgoing.link).wait_s(
            self._ctx.now, self.laws.ease(outgoing.link)
        ):
            self._ctx.count("outbox_upkeep_dropped")
            return
        if outgoing.key and (siblings := self._named.get(_name_of(outgoing))):
            self._make_way(outgoing, siblings)
        encoded = encode_frame(outgoing.frame)
        limit = _limit(self._ctx.links[outgoing.link], outgoing.to, small=outgoing.small)
        if len(encoded) <= limit:
            self._enqueue(Queued(outgoing, encoded, outgoing))
            return
        for queued in self._fragments(outgoing, encoded, limit - _FRAGMENT_HEADER):
            self._enqueue(queued)

    def cancel(self, key: bytes, to: NeighbourId | None = None, *, everywhere: bool = True) -> int:
        """Take back what waits under this key (to one destination, unless `everywhere`); says how many."""
        doomed = [place for place in self._named.get(key, ()) if everywhere or place[1] == to]
        for place in doomed:
            self._discard(self._keyed[place])
        return len(doomed)

    def holds(self, key: bytes) -> bool:
        """True while something waits under this key."""
        return key in self._named

    def begun(self, key: bytes) -> bool:
        """True if some fragments of what waits under this key left already."""
        waiting = [self._keyed[place].outgoing.frame for place in self._named.get(key, ())]
        return any(isinstance(frame, Fragment) and len(waiting) < frame.count for frame in waiting)

    def forget_neighbour(self, neighbour: NeighbourId) -> None:
        """Drop what waits for a neighbour that is gone."""
        self._drop(lambda out: out.to == neighbour)

    def forget_link(self, link: str) -> None:
        """Drop what waits for a link that is gone."""
        self._drop(lambda out: out.link == link)
        self._free_at.pop(link, None)
        self._last_to.pop(link, None)
        self._upkeep.pop(link, None)

    def refit(self, link: str) -> None:
        """The link's datagrams became smaller: what waits and no longer fits is cut anew, its other pieces with it."""
        waiting = [queued for queued in self._all() if queued.outgoing.link == link]
        limits = {queued.outgoing.to: _limit(self._ctx.links[link], queued.outgoing.to) for queued in waiting}
        outgrown = {_whole_of(queued) for queued in waiting if len(queued.encoded) > limits[queued.outgoing.to]}
        doomed = [queued for queued in waiting if _whole_of(queued) in outgrown]
        for queued in doomed:
            self._discard(queued)
        for queued in doomed:
            if queued.whole is not None:
                self.put(queued.whole)

    def heard(self, link: str, size: int, *, unicast: bool) -> None:
        """Others' datagram took the channel: what the driver holds of ours leaves later, and so does what yields."""
        self.laws.heard(link, size, unicast=unicast)
        settings, now = self._ctx.links.get(link), self._ctx.now
        if settings is None:
            return
        free_at = self._free_at.get(link, 0.0)
        if free_at <= now and not self._waiting:
            return
        taken = airtime_s(size, unicast, settings)
        if free_at > now:
            self._free_at[link] = max(free_at, min(free_at + taken, now + _HELD_UP_S))
        if any(queued.outgoing.yields > 0.0 for _, _, queued in self._waiting):
            self._waiting = [_put_off(entry, link, taken) for entry in self._waiting]
            heapq.heapify(self._waiting)

    def backlog_s(self, link: str) -> float:
        """Seconds of airtime that stand ready or in the driver's queue of a link."""
        settings, ready = self._ctx.links.get(link), self._ready.get(link)
        queued = 0.0
        if settings is not None and ready is not None and ready.frames:
            queued = sum(airtime_s(len(q.encoded), q.outgoing.to is not None, settings) for q in ready)
        return queued + max(0.0, self._free_at.get(link, 0.0) - self._ctx.now)

    def waiting(self) -> Iterator[Waiting]:
        """What stands in line for air, or for its moment."""
        for queued in self._all():
            out = queued.outgoing
            kind = type(out.frame).__name__.removesuffix("Frame").lower()
            named = out.key.hex() if isinstance(out.frame, EnvelopeFrame) else ""
            yield Waiting(kind, out.cls, len(queued.encoded), "air", out.to.hex()[:8] if out.to else "", named)

    def flush(self) -> None:
        """Emit every datagram that may leave now."""
        if self.laws.stopped:
            self.laws.free_others()
        if self._waiting:
            self._ripen()
        for link, ready in tuple(self._ready.items()):
            settings = self._ctx.links.get(link) if ready.frames else None
            if settings is not None:
                self._flush_link(link, settings)

    def wakeup(self) -> float | None:
        """When something may leave next."""
        first: float | None = None
        for link, ready in self._ready.items():
            if ready.frames and link in self._ctx.links:
                first = earliest(first, self._departure(link))
        while self._waiting and id(self._waiting[0][2]) in self._gone:
            self._gone.discard(id(heapq.heappop(self._waiting)[2]))
        if self._waiting and (first is None or self._waiting[0][0] < first):
            first = self._waiting[0][0]
        return earliest(first, self.laws.others_at()) if self.laws.stopped else first

    def _is_free(self, link: str) -> bool:
        """True when a datagram may leave: whatever it is, once nobody would be waited for any more."""
        now = self._ctx.now
        return self._free_at.get(link, 0.0) + GATHER_S <= now or self._next_at(link) <= now

    def _next_at(self, link: str) -> float:
        """Just before the link is free; shortly after, where one with room follows one to the same: others may join."""
        settings, ready, free_at = self._ctx.links.get(link), self._ready.get(link), self._free_at.get(link)
        if free_at is None or settings is None or not ready:
            return float("-inf")
        has_room = _has_room(ready, self._last_to.get(link), settings)
        return free_at + (GATHER_S if has_room else -HAND_OVER_S)

    def _departure(self, link: str) -> float | None:
        """When the next datagram may leave a link; None if nothing is ready, or the law leaves nothing for it."""
        classes = self._ready[link].classes()
        lawful = self.laws.next_at(link, classes)
        return None if lawful is None else max(self._next_at(link), lawful)

    def _flush_link(self, link: str, settings: LinkSettings) -> None:
        ready = self._ready[link]
        while ready.frames:
            allowed = self.laws.allowed(link, ready)
            if not self._is_free(link) or (first := ready.pop(allowed)) is None:
                return
            self._depart(link, settings, self._company(link, first, settings, allowed))

    def _company(self, link: str, first: Queued, settings: LinkSettings, allowed: Container[int]) -> list[Queued]:
        """`first` and whatever else fits into its datagram; what rides leaves early."""
        party, to = [first], first.outgoing.to
        if not (self._ready[link].frames or self._waiting):
            return party
        room = _limit(settings, to, small=first.outgoing.small) - len(first.encoded)
        for source in (self._ready[link].pop_company, partial(self._pop_rider, link)):
            while room > 4 and (queued := source(to, room - _joint(first), allowed)) is not None:
                party.append(queued)
                room -= len(queued.encoded) + _joint(queued)
        return party

    def _depart(self, link: str, settings: LinkSettings, party: list[Queued]) -> None:
        to = party[0].outgoing.to
        plaintext = party[0].encoded if len(party) == 1 else _joined(party, _limit(settings, to))
        sealed = self.seal(link, to, plaintext)
        for queued in party:
            self._settle(queued)
        if sealed is None:
            self._ctx.count("outbox_no_address", len(party))
            return
        address, data = sealed
        lasts = airtime_s(len(data), to is not None, settings)
        taken = max(lasts, self.laws.silence_s(link, len(data), unicast=to is not None))
        self._free_at[link] = max(self._ctx.now, self._free_at.get(link, 0.0)) + taken
        self._last_to[link] = to
        cls, asker = _on_behalf_of(party)
        self._ready[link].charge(cls, lasts, asker)
        self.laws.sent(link, len(data), unicast=to is not None)
        self._ctx.emit(Send(link, address, data, cls))
        for queued in party:
            if queued.whole is not None:
                self.on_sent(queued.whole)

    def _make_way(self, outgoing: Outgoing, siblings: Iterable[Place]) -> None:
        """Drop what waits under the same key to the same destination: the whole frame, or its fragments."""
        way = (outgoing.link, outgoing.to)
        for place in [place for place in siblings if place[:2] == way and place[2].startswith(outgoing.key)]:
            self._discard(self._keyed[place])

    def _fragments(self, outgoing: Outgoing, encoded: bytes, step: int) -> list[Queued]:
        """A frame that one datagram cannot hold, in pieces of so many bytes; none where they would be too many."""
        parts = [encoded[at : at + step] for at in range(0, len(encoded), step)]
        if len(parts) > _MAX_FRAGMENTS:
            self._ctx.count("outbox_too_large")
            return []
        item = hashed(b"mn-fragment", encoded, 8)
        self.on_fragmented(item, encoded, outgoing)
        frames = [Fragment(item, index, len(parts), part) for index, part in enumerate(parts)]
        last = len(frames) - 1
        return [
            Queued(_as_fragment(outgoing, frame), encode_frame(frame), outgoing if frame.index == last else None)
            for frame in frames
        ]

    def _enqueue(self, queued: Queued) -> None:
        out = queued.outgoing
        if out.key:
            place = (out.link, out.to, out.key)
            self._keyed[place] = queued
            self._named.setdefault(_name_of(out), {})[place] = None
        if out.previous:
            self._previous[out.previous] = self._previous.get(out.previous, 0) + 1
        if out.not_before > self._ctx.now:
            heapq.heappush(self._waiting, (out.not_before, next(self._order), queued))
        else:
            self._ripe(queued)

    def _ripen(self) -> None:
        while self._waiting and (self._waiting[0][0] <= self._ctx.now or id(self._waiting[0][2]) in self._gone):
            queued = heapq.heappop(self._waiting)[2]
            if id(queued) in self._gone:
                self._gone.discard(id(queued))
            else:
                self._ripe(queued)

    def _ripe(self, queued: Queued) -> None:
        """Its time has come: it stands ready, unless it is upkeep beyond its share."""
        out, now = queued.outgoing, self._ctx.now
        if is_upkeep(out.frame):
            upkeep, ease = self._upkeep_of(out.link), self.laws.ease(out.link)
            if wait_s := upkeep.wait_s(now, ease):
                heapq.heappush(self._waiting, (now + wait_s, next(self._order), queued))
                return
            size = len(queued.encoded) + SEAL_OVERHEAD
            upkeep.spend(airtime_s(size, out.to is not None, self._ctx.links[out.link]), now, ease)
        ready = self._ready.get(out.link)
        if ready is None:
            ready = self._ready[out.link] = FairQueue()
        ready.add(queued)

    def _upkeep_of(self, link: str) -> Upkeep:
        return self._upkeep.setdefault(link, Upkeep(self._ctx.now))

    def _pop_rider(self, link: str, to: NeighbourId | None, room: int, allowed: Container[int]) -> Queued | None:
        for _, _, queued in self._waiting:
            out = queued.outgoing
            fits = out.rides and out.link == link and out.to == to and len(queued.encoded) <= room
            if fits and out.cls in allowed and id(queued) not in self._gone:
                self._gone.add(id(queued))
                return queued
        return None

    def _discard(self, queued: Queued) -> None:
        self._settle(queued)
        if any(entry[2] is queued for entry in self._waiting):
            self._gone.add(id(queued))
        else:
            self._ready[queued.outgoing.link].remove({id(queued)})

    def _settle(self, queued: Queued) -> None:
        out = queued.outgoing
        if out.previous:
            left = self._previous.pop(out.previous) - 1
            if left:
                self._previous[out.previous] = left
        if out.key:
            place, name = (out.link, out.to, out.key), _name_of(out)
            del self._keyed[place], self._named[name][place]
            if not self._named[name]:
                del self._named[name]

    def _all(self) -> list[Queued]:
        waiting = [entry[2] for entry in self._waiting if id(entry[2]) not in self._gone]
        return [*(queued for queue in self._ready.values() for queued in queue), *waiting]

    def _drop(self, doomed: Callable[[Outgoing], bool]) -> None:
        for queued in self._all():
            if doomed(queued.outgoing):
                self._discard(queued)


def _has_room(ready: FairQueue, last: NeighbourId | None, settings: LinkSettings) -> bool:
    """True if all that waits goes where the last datagram went, and one more like the largest of it would fit."""
    sizes = [len(queued.encoded) + 1 for queued in ready if queued.outgoing.to == last]
    return len(sizes) == sum(1 for _ in ready) and sum(sizes) + max(sizes) <= _limit(settings, last)


def _joined(party: list[Queued], limit: int) -> bytes:
    return join_frames([queued.encoded for queued in party], limit)


def _on_behalf_of(party: list[Queued]) -> tuple[int, bytes]:
    """The most urgent class in a datagram, and who asked for something in it."""
    if len(party) == 1:
        out = party[0].outgoing
        return out.cls, out.previous if out.asked else b""
    asker = next((queued.outgoing.previous for queued in party if queued.outgoing.asked), b"")
    return min(queued.outgoing.cls for queued in party), asker


def _put_off(entry: tuple[float, int, Queued], link: str, by: float) -> tuple[float, int, Queued]:
    at, order, queued = entry
    out = queued.outgoing
    yields = out.link == link and out.yields > 0.0
    return (max(at, min(at + by, out.not_before + out.yields)), order, queued) if yields else entry


def _limit(settings: LinkSettings, to: NeighbourId | None, *, small: bool = False) -> int:
    payload = settings.multicast_payload if to is None else settings.unicast_payload
    return (min(SMALL_PAYLOAD, payload) if small else payload) - SEAL_OVERHEAD


def _joint(queued: Queued) -> int:
    """Bytes a frame needs for its length once another one follows it."""
    return len(varint(len(queued.encoded)))


def _name_of(out: Outgoing) -> bytes:
    """The key that it was put under, and its siblings, if it is a fragment."""
    return out.key[:-1] if isinstance(out.frame, Fragment) else out.key


def _whole_of(queued: Queued) -> tuple[NeighbourId | None, bytes]:
    """What tells the fragments of one item to one destination from all else."""
    frame = queued.outgoing.frame
    return queued.outgoing.to, frame.item if isinstance(frame, Fragment) else queued.encoded


def _as_fragment(outgoing: Outgoing, frame: Fragment) -> Outgoing:
    key = outgoing.key + bytes([frame.index]) if outgoing.key else b""
    return outgoing._replace(frame=frame, key=key)


def _no_seal(link: str, to: NeighbourId | None, plaintext: bytes) -> tuple[str | None, bytes] | None:
    return None


def _ignore(outgoing: Outgoing) -> None:
    return None


def _ignore_fragmented(item: bytes, encoded: bytes, outgoing: Outgoing) -> None:
    return None

"""One shared radio channel: who talks when, what gets through, what it costs.

Half duplex; one talker at a time within hearing. A node that has something to send waits until

- it is itself neither talking nor being talked to,
- it hears no talker, and no talker hears it (carrier sense),
- none of its receivers hears another talker, and no receiver of another talker hears it.

The last point serialises hidden nodes, as a perfect RTS/CTS would: a model of the medium's capacity, not of its
collisions. Of several that wait the longest waiting goes first, and a younger one may pass it only where it does not
delay it; so nobody starves, and the order is a function of the offers alone.

    idle --offer--> waiting --medium free--> talking --end--> waiting (next fragment, retry, next frame) | idle

A frame for one receiver is tried up to 1 + `retries` times for each of its fragments; every attempt costs access,
airtime and bytes, and ends with an NDP ACK or its timeout (ACKs are never lost). A group frame goes once, at the basic
rate, lost or not for each receiver apart; it cannot be fragmented, so one that is too long is dropped.

Times are integer nanoseconds given by the host; the only randomness is the seed's (draws.py).
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from meshnode.air.airtime import ACCESS_NS, Rate, ack_ns, ack_timeout_ns, fragments, frame_ns
from meshnode.air.counters import Counters
from meshnode.air.draws import CERTAIN, Draws
from meshnode.air.events import Delivery, Events
from meshnode.air.topology import Link, Topology
from meshnode.errors import UsageError

RETRIES = 7  # the long retry limit of mac80211, and the default of the chips that name one


@dataclass(frozen=True, slots=True)
class Attempt:
    """One transmission that ended, for captures: what, when, by whom, and who decoded it."""

    at_ns: int
    src: int
    dst: int | None
    frame: bytes
    octets: int
    retry: int
    heard_by: tuple[int, ...]


@dataclass(slots=True)
class _Queued:
    """A frame in a node's queue, and how far it has got."""

    frame: bytes
    dst: int | None
    pieces: tuple[int, ...]
    serial: int
    kind: str
    piece: int = 0
    retry: int = 0


@dataclass(slots=True)
class _Radio:
    """One node's queue and state."""

    queue: deque[_Queued] = field(default_factory=deque)
    counters: Counters = field(default_factory=Counters)
    waiting_since: int = 0
    serial: int = 0
    talking: bool = False
    on: bool = True


@dataclass(frozen=True, slots=True)
class _Claim:
    """What one transmission needs of the medium, and whom it concerns. Sets of nodes are the bits of an integer."""

    talker: int
    hearing: int  # who hears the talker
    receivers: int
    held_up: tuple[int, ...]  # the talker and who hears it, by number
    readers: tuple[int, ...]  # the receivers by number
    sure: bool  # nothing is ever lost on the way to them


class Channel:
    """The channel of one topology: the host offers frames, asks for the next event, advances time, takes deliveries."""

    def __init__(
        self,
        topology: Topology,
        seed: int,
        *,
        retries: int = RETRIES,
        queue_frames: int = 128,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> None:
        self.topology = topology
        self._retries = retries
        self._queue_frames = queue_frames
        self._on_attempt = on_attempt
        self._draws = Draws(seed)
        self._radios = [_Radio() for _ in range(topology.nodes)]
        self._claims: dict[int, _Claim] = {}  # of those who want to talk, while no link and no power changes
        self._known: dict[tuple[int, int | None], _Claim] = {}  # by talker and receiver, as long
        # Talkers, who hears them and receivers, of all who talk or want to. None: links or power may have changed.
        self._taken: tuple[int, int, int] | None = None
        self._originals = {(link.src, link.dst): link for link in topology.links}
        self._links: list[dict[int, Link]] = [{} for _ in range(topology.nodes)]
        self._disturbed: dict[tuple[int, int], int] = {}
        self._steady = [0] * topology.nodes  # who hears a node at any time, as bits
        self._changing: list[list[Link]] = [[] for _ in range(topology.nodes)]  # links with opening hours
        self._restless: set[int] = set()  # nodes that have such links
        for link in topology.links:
            self._links[link.src][link.dst] = link
            self._sort_link(link.src, link.dst)
        self._on = (1 << topology.nodes) - 1  # whose radio is on, as bits
        self._wanting: list[tuple[int, int]] = []  # who has something to send and is not talking: since when, node
        self._active: dict[int, _Claim] = {}
        self._events = Events()

    # ---------------------------------------------------------------- for the host

    def offer(
        self, node: int, frame: bytes, dst: int | None, now_ns: int, *, payload: int | None = None, kind: str = ""
    ) -> bool:
        """Queues a frame for one receiver, or for all in hearing (None). False: the queue is full, or the node off.

        `payload` is the size of the network packet in octets where `frame` is not just that packet.
        """
        radio = self._radios[node]
        if not radio.on or len(radio.queue) >= self._queue_frames:
            radio.counters.dropped += 1
            return False
        pieces = _pieces(len(frame) if payload is None else payload, self._rate(node, dst))
        if dst is None and len(pieces) > 1:
            radio.counters.too_long += 1
            return True
        newly = not radio.queue and not radio.talking
        if not radio.queue:
            radio.waiting_since = now_ns
        radio.serial += 1
        radio.queue.append(_Queued(frame, dst, pieces, radio.serial, kind))
        if newly:
            insort(self._wanting, (now_ns, node))
        if self._taken is None or (newly and self._wanting[-1][1] != node):
            self._start(now_ns)
        elif newly:
            self._join(node, self._taken, now_ns)
        return True

    def next_event_ns(self) -> int | None:
        """When `advance` has something to do next."""
        return self._events.next_ns()

    def advance(self, now_ns: int) -> list[Delivery]:
        """Everything that arrives until now, in order."""
        return self._events.until(now_ns)

    def disturb(self, src: int, dst: int, loss: int) -> None:
        """A loss of one direction beside that of the link, until it is set to 0."""
        self._disturbed[src, dst] = loss
        self._forget_claims()

    def knows(self, src: int, dst: int) -> bool:
        """Whether the topology has a link from one to the other, up or down."""
        return (src, dst) in self._originals

    def waiting(self, node: int) -> int:
        """Frames in the node's queue, the one on the air included."""
        return len(self._radios[node].queue)

    def counters(self, node: int) -> Counters:
        """A snapshot of the node's counters."""
        return self._radios[node].counters.copy()

    def set_link(self, src: int, dst: int, *, loss: int | None = None, up: bool | None = None) -> None:
        """Changes one direction for good: its loss, or whether it exists at all (back up as the topology has it)."""
        links = self._links[src]
        if up is False:
            links.pop(dst, None)
        if up is True:
            links[dst] = self._original(src, dst)
        if loss is not None and dst in links:
            links[dst] = replace(links[dst], loss=loss)
        self._sort_link(src, dst)

    def set_power(self, node: int, on: bool) -> None:
        """Switches a radio: off, it forgets its queue, hears nothing and answers nothing."""
        radio = self._radios[node]
        radio.on = on
        self._on = self._on | 1 << node if on else self._on & ~(1 << node)
        self._forget_claims()
        if not on:
            radio.counters.dropped += len(radio.queue)
            radio.queue.clear()
            self._wanting = [entry for entry in self._wanting if entry[1] != node]

    # ---------------------------------------------------------------- who may talk

    def _start(self, now_ns: int) -> None:
        """Lets everybody talk who may, the longest waiting first: who waits longer is in the way as if it talked."""
        talkers = hearing = receivers = 0
        for claim in self._active.values():
            talkers, hearing, receivers = talkers | claim.talker, hearing | claim.hearing, receivers | claim.receivers
        free: list[tuple[int, _Claim]] = []
        for _, node in self._wanting:
            claim = self._claims.get(node) or self._claim(node, now_ns)
            if not _in_the_way(claim, talkers, hearing, receivers):
                free.append((node, claim))
            talkers, hearing, receivers = talkers | claim.talker, hearing | claim.hearing, receivers | claim.receivers
        self._taken = None if self._restless else (talkers, hearing, receivers)
        for node, claim in free:
            self._talk(node, claim, now_ns)

    def _join(self, node: int, taken: tuple[int, int, int], now_ns: int) -> None:
        """One more wants to talk, after all others: for them it changes nothing."""
        claim = self._claims.get(node) or self._claim(node, now_ns)
        talkers, hearing, receivers = taken
        self._taken = talkers | claim.talker, hearing | claim.hearing, receivers | claim.receivers
        if not _in_the_way(claim, *taken):
            self._talk(node, claim, now_ns)

    def _claim(self, node: int, now_ns: int) -> _Claim:
        dst = self._radios[node].queue[0].dst
        known = self._known.get((node, dst))
        if known is None:
            known = self._reckoned(node, dst, now_ns)
            if self._changing[node]:
                return known
            self._known[node, dst] = known
        self._claims[node] = known
        return known

    def _reckoned(self, node: int, dst: int | None, now_ns: int) -> _Claim:
        hearing = self._hearing(node, now_ns)
        receivers = hearing if dst is None else hearing & 1 << dst
        readers = _nodes(receivers)
        sure = not any(self._loss(node, other) for other in readers)
        return _Claim(1 << node, hearing, receivers, _nodes(hearing | 1 << node), readers, sure)

    def _forget_claims(self) -> None:
        """Links or power may have changed."""
        self._claims.clear()
        self._known.clear()
        self._taken = None

    def _hearing(self, node: int, now_ns: int) -> int:
        """Who hears the node now, as bits."""
        steady = self._steady[node]
        for link in self._changing[node]:
            if link.is_up(now_ns):
                steady |= 1 << link.dst
        return steady & self._on

    # ---------------------------------------------------------------- one transmission

    def _talk(self, talker: int, claim: _Claim, now_ns: int) -> None:
        radio = self._radios[talker]
        radio.talking = True
        self._wanting.remove((radio.waiting_since, talker))
        self._claims.pop(talker, None)
        self._active[talker] = claim
        queued = radio.queue[0]
        readers = heard_by = claim.readers
        if not claim.sure:
            heard_by = tuple(node for node in readers if not self._is_lost(talker, node, queued))
        rate = self._rate(talker, queued.dst)
        frame = frame_ns(queued.pieces[queued.piece], rate)
        answer = 0 if queued.dst is None else ack_ns(rate) if heard_by else ack_timeout_ns(rate)
        acknowledged = answer if heard_by else 0
        self._charge(radio, queued, ACCESS_NS + frame + answer, frame + acknowledged)
        for node in claim.held_up:
            self._radios[node].counters.busy_ns += ACCESS_NS + frame + answer
        radio.counters.lost += len(readers) - len(heard_by)
        arrival = now_ns + ACCESS_NS + frame
        self._events.at(arrival, partial(self._arrive, talker, queued, heard_by))
        self._events.at(arrival + answer, partial(self._end, talker, queued, bool(heard_by)))

    def _is_lost(self, src: int, dst: int, queued: _Queued) -> bool:
        return self._draws.happens(self._loss(src, dst), src, dst, queued.serial, queued.piece, queued.retry)

    def _loss(self, src: int, dst: int) -> int:
        loss, extra = self._links[src][dst].loss, self._disturbed.get((src, dst), 0)
        return CERTAIN - ((CERTAIN - loss) * (CERTAIN - extra) >> 32) if extra else loss

    def _charge(self, radio: _Radio, queued: _Queued, airtime_ns: int, radiated_ns: int) -> None:
        first, octets = int(queued.piece == 0 and queued.retry == 0), queued.pieces[queued.piece]
        counters = radio.counters
        by_receiver = counters.group if queued.dst is None else counters.unicast
        by_receiver.count(first, octets, airtime_ns, radiated_ns)
        counters.of_kind(queued.kind).count(first, octets, airtime_ns, radiated_ns)

    def _arrive(self, src: int, queued: _Queued, heard_by: tuple[int, ...], at_ns: int) -> list[Delivery]:
        if self._on_attempt is not None:
            octets = queued.pieces[queued.piece]
            self._on_attempt(Attempt(at_ns, src, queued.dst, queued.frame, octets, queued.retry, heard_by))
        if queued.piece + 1 < len(queued.pieces):
            return []
        arrived: list[Delivery] = []
        links = self._links[src]
        for node in heard_by:
            link = links.get(node)
            if link is not None and link.delay_ns:
                self._events.at(at_ns + link.delay_ns, partial(self._hand_up, node, src, queued.frame))
            else:
                arrived += self._hand_up(node, src, queued.frame, at_ns)
        return arrived

    def _hand_up(self, node: int, src: int, frame: bytes, at_ns: int) -> list[Delivery]:
        radio = self._radios[node]
        if not radio.on:
            return []
        radio.counters.received += 1
        return [Delivery(node, src, frame, at_ns)]

    def _end(self, src: int, queued: _Queued, heard: bool, at_ns: int) -> list[Delivery]:
        radio = self._radios[src]
        radio.talking = False
        radio.waiting_since = at_ns
        del self._active[src]
        if self._is_done(queued, heard, radio.counters) and radio.queue and radio.queue[0] is queued:
            radio.queue.popleft()
        if radio.queue:
            insort(self._wanting, (at_ns, src))
        self._start(at_ns)
        return []

    def _is_done(self, queued: _Queued, heard: bool, counters: Counters) -> bool:
        """Moves a frame on after an attempt; True when nothing more is to be done for it."""
        if queued.dst is None:
            return True
        if heard:
            queued.piece, queued.retry = queued.piece + 1, 0
            return queued.piece == len(queued.pieces)
        queued.retry += 1
        counters.failed += queued.retry > self._retries
        return queued.retry > self._retries

    # ---------------------------------------------------------------- details

    def _rate(self, src: int, dst: int | None) -> Rate:
        if dst is None:
            return self.topology.basic
        link = self._links[src].get(dst)
        return self.topology.rate if link is None or link.rate is None else link.rate

    def _sort_link(self, src: int, dst: int) -> None:
        """Puts one link, as it is now, where `_hearing` looks for it."""
        self._forget_claims()
        link = self._links[src].get(dst)
        self._changing[src] = [other for other in self._changing[src] if other.dst != dst]
        self._steady[src] &= ~(1 << dst)
        if link is not None and link.schedule is None:
            self._steady[src] |= 1 << dst
        elif link is not None:
            self._changing[src].append(link)
        (self._restless.add if self._changing[src] else self._restless.discard)(src)

    def _original(self, src: int, dst: int) -> Link:
        link = self._originals.get((src, dst))
        if link is not None:
            return link
        raise UsageError(f"the topology has no link from node {src} to node {dst}")


def _in_the_way(claim: _Claim, talkers: int, hearing: int, receivers: int) -> bool:
    """Whether those before it disturb it, or it them."""
    return bool(
        claim.talker & hearing
        or talkers & claim.hearing
        or claim.receivers & (hearing | talkers)
        or receivers & (claim.hearing | claim.talker)
    )


def _nodes(bits: int) -> tuple[int, ...]:
    """The nodes of a set, in order."""
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return tuple(found)


@lru_cache(maxsize=1 << 12)
def _pieces(payload: int, rate: Rate) -> tuple[int, ...]:
    """The MAC frames of one network packet, in octets."""
    return fragments(payload, rate)

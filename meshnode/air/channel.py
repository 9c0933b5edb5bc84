"""One shared radio channel: who talks when, what gets through, what it costs.

Half duplex; one talker at a time within hearing. A node that has something to send waits until

- it is itself neither talking nor being talked to,
- it hears no talker, and no talker hears it (carrier sense),
- none of its receivers hears another talker, and no receiver of another talker hears it.

The last point serialises hidden nodes, as a perfect RTS/CTS would: a model of the medium's capacity, not of its
collisions. Of several that wait the longest waiting goes first, and a younger one may pass it only where it does not
delay it (turns.py); so nobody starves, and the order is a function of the offers alone.

    idle --offer--> waiting --medium free--> talking --end--> waiting (next fragment, retry, next frame) | idle

A frame for one receiver is tried up to 1 + `retries` times for each of its fragments; every attempt costs access,
airtime and bytes, and ends with an NDP ACK or its timeout (ACKs are never lost). A group frame goes once, at the basic
rate, lost or not for each receiver apart; it cannot be fragmented, so one that is too long is dropped.

Times are integer nanoseconds given by the host; the only randomness is the seed's (draws.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, partial

from meshnode.air.airtime import ACCESS_NS, Rate, ack_ns, ack_timeout_ns, fragments, frame_ns
from meshnode.air.counters import Counters
from meshnode.air.draws import CERTAIN, Draws
from meshnode.air.events import Delivery, Events
from meshnode.air.topology import Link, Topology
from meshnode.air.turns import Claim, Turns
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
    serial: int = 0
    talking: bool = False
    on: bool = True


class _Pace:
    """What frames take at one rate, reckoned once for each size."""

    def __init__(self, rate: Rate) -> None:
        self.pieces: Callable[[int], tuple[int, ...]] = cache(partial(fragments, rate=rate))
        self.frame_ns: Callable[[int], int] = cache(partial(frame_ns, rate=rate))
        self.ack_ns, self.ack_timeout_ns = ack_ns(rate), ack_timeout_ns(rate)


class Channel(Events):
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
        super().__init__()
        self.topology = topology
        self._retries = retries
        self._queue_frames = queue_frames
        self._on_attempt = on_attempt
        self._draws = Draws(seed)
        self._radios = [_Radio() for _ in range(topology.nodes)]
        self._turns = Turns()
        self._originals = {(link.src, link.dst): link for link in topology.links}
        self._links: list[dict[int, Link]] = [{} for _ in range(topology.nodes)]
        self._hearers: list[list[int]] = [[] for _ in range(topology.nodes)]  # who may hear a node at any time
        self._heard: list[list[int]] = [[] for _ in range(topology.nodes)]  # whom it may hear
        for link in topology.links:
            self._links[link.src][link.dst] = link
            self._hearers[link.src].append(link.dst)
            self._heard[link.dst].append(link.src)
        self._around = cache(self._ever_around)
        self._disturbed: dict[tuple[int, int], int] = {}
        self._claims: list[dict[int | None, Claim]] = [{} for _ in range(topology.nodes)]  # by receiver
        self._restless = {link.src for link in topology.links if link.schedule is not None}  # have opening hours
        self._changed: set[int] = set()  # whose claims may have changed since somebody last looked who may talk
        self._paces = {rate: _Pace(rate) for rate in _rates(topology)}
        self._basic, self._usual = self._paces[topology.basic], self._paces[topology.rate]

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
        pace = self._basic if dst is None else self._pace(node, dst)
        pieces = pace.pieces(len(frame) if payload is None else payload)
        if dst is None and len(pieces) > 1:
            radio.counters.too_long += 1
            return True
        newly = not radio.queue and not radio.talking
        radio.serial += 1
        radio.queue.append(_Queued(frame, dst, pieces, radio.serial, kind))
        if newly:
            self._turns.join(self._claim(node, dst, now_ns), now_ns)
        self._start(now_ns)
        return True

    def disturb(self, src: int, dst: int, loss: int) -> None:
        """A loss of one direction beside that of the link, until it is set to 0."""
        self._disturbed[src, dst] = loss
        self._forget_claims((src,))

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
        has_hours = any(link.schedule is not None for link in links.values())
        (self._restless.add if has_hours else self._restless.discard)(src)
        self._forget_claims((src,))

    def set_power(self, node: int, on: bool) -> None:
        """Switches a radio: off, it forgets its queue, hears nothing and answers nothing."""
        radio = self._radios[node]
        radio.on = on
        self._forget_claims(self._heard[node])
        if not on:
            radio.counters.dropped += len(radio.queue)
            radio.queue.clear()
            if node in self._turns.waiting():
                self._turns.leave(node)

    # ---------------------------------------------------------------- who may talk

    def _start(self, now_ns: int) -> None:
        """Lets all talk who may."""
        if self._changed or self._restless:
            changed = self._changed | self._restless
            waiting = [node for node in self._turns.waiting() if node in changed]
            self._turns.again(waiting, lambda node: self._next_claim(node, now_ns))
            self._changed.clear()
        for claim in self._turns.begin():
            self._talk(claim, now_ns)

    def _next_claim(self, node: int, now_ns: int) -> Claim:
        """What the first frame in a node's queue needs."""
        return self._claim(node, self._radios[node].queue[0].dst, now_ns)

    def _claim(self, node: int, dst: int | None, now_ns: int) -> Claim:
        """What a frame needs; where none of the node's links has opening hours it holds until one changes."""
        known = self._claims[node].get(dst)
        if known is None:
            known = self._to_all(node, now_ns) if dst is None else self._to_one(self._claim(node, None, now_ns), dst)
            if node not in self._restless:
                self._claims[node][dst] = known
        return known

    def _to_all(self, node: int, now_ns: int) -> Claim:
        up = (link.dst for link in self._links[node].values() if link.is_up(now_ns))
        hearing = frozenset(other for other in up if self._radios[other].on)
        sure = not any(self._loss(node, other) for other in hearing)
        return Claim(node, hearing, hearing | {node}, hearing, self._around(node), tuple(sorted(hearing)), sure)

    def _to_one(self, to_all: Claim, dst: int) -> Claim:
        receivers = to_all.hearing & {dst}
        sure = not receivers or not self._loss(to_all.talker, dst)
        return replace(to_all, receivers=receivers, readers=tuple(receivers), sure=sure)

    def _ever_around(self, node: int) -> frozenset[int]:
        """Who hears the node or is heard by it, and who shares a hearer with it, were all links up."""
        reached = (node, *self._hearers[node])
        return frozenset(other for near in reached for other in (near, *self._heard[near])) - {node}

    def _forget_claims(self, nodes: Iterable[int]) -> None:
        """Who hears these nodes, or what they lose, may have changed."""
        for node in nodes:
            self._claims[node].clear()
            self._changed.add(node)

    # ---------------------------------------------------------------- one transmission

    def _talk(self, claim: Claim, now_ns: int) -> None:
        talker, readers = claim.talker, claim.readers
        radio = self._radios[talker]
        radio.talking = True
        queued = radio.queue[0]
        heard_by = readers
        if not claim.sure:
            heard_by = tuple(node for node in readers if not self._is_lost(talker, node, queued))
            radio.counters.lost += len(readers) - len(heard_by)
        pace = self._basic if queued.dst is None else self._pace(talker, queued.dst)
        octets = queued.pieces[queued.piece]
        frame = pace.frame_ns(octets)
        answer = 0 if queued.dst is None else pace.ack_ns if heard_by else pace.ack_timeout_ns
        taken, radiated = ACCESS_NS + frame + answer, frame + answer if heard_by else frame
        fresh = int(queued.piece == 0 and queued.retry == 0)
        radio.counters.count(queued.kind, queued.dst is None, fresh, octets, taken, radiated)
        for node in claim.held_up:
            self._radios[node].counters.busy_ns += taken
        self.at(now_ns + ACCESS_NS + frame, partial(self._arrive, talker, queued, heard_by))
        if queued.dst is not None:
            self.at(now_ns + taken, partial(self._end, talker, queued, bool(heard_by)))

    def _is_lost(self, src: int, dst: int, queued: _Queued) -> bool:
        return self._draws.happens(self._loss(src, dst), src, dst, queued.serial, queued.piece, queued.retry)

    def _loss(self, src: int, dst: int) -> int:
        loss, extra = self._links[src][dst].loss, self._disturbed.get((src, dst), 0)
        return CERTAIN - ((CERTAIN - loss) * (CERTAIN - extra) >> 32) if extra else loss

    def _arrive(self, src: int, queued: _Queued, heard_by: tuple[int, ...], at_ns: int) -> list[Delivery]:
        """A frame has ended; one for all is over with that, since nobody answers."""
        if self._on_attempt is not None:
            octets = queued.pieces[queued.piece]
            self._on_attempt(Attempt(at_ns, src, queued.dst, queued.frame, octets, queued.retry, heard_by))
        whole = queued.piece + 1 == len(queued.pieces)
        arrived = self._handed_up(src, queued.frame, heard_by, at_ns) if whole else []
        if queued.dst is None:
            self._end(src, queued, True, at_ns)
        return arrived

    def _handed_up(self, src: int, frame: bytes, heard_by: tuple[int, ...], at_ns: int) -> list[Delivery]:
        """To those whose radio is on; behind a link with a delay later."""
        arrived: list[Delivery] = []
        links, radios = self._links[src], self._radios
        for node in heard_by:
            link = links.get(node)
            if link is not None and link.delay_ns:
                self.at(at_ns + link.delay_ns, partial(self._late, node, src, frame))
            elif radios[node].on:
                radios[node].counters.received += 1
                arrived.append(Delivery(node, src, frame, at_ns))
        return arrived

    def _late(self, node: int, src: int, frame: bytes, at_ns: int) -> list[Delivery]:
        radio = self._radios[node]
        radio.counters.received += radio.on
        return [Delivery(node, src, frame, at_ns)] if radio.on else []

    def _end(self, src: int, queued: _Queued, heard: bool, at_ns: int) -> list[Delivery]:
        radio = self._radios[src]
        radio.talking = False
        self._turns.leave(src)
        done = queued.dst is None or self._is_done(queued, heard, radio.counters)
        if done and radio.queue and radio.queue[0] is queued:
            radio.queue.popleft()
        if radio.queue:
            self._turns.join(self._next_claim(src, at_ns), at_ns)
        self._start(at_ns)
        return []

    def _is_done(self, queued: _Queued, heard: bool, counters: Counters) -> bool:
        """Moves a frame for one on after an attempt; True when nothing more is to be done for it."""
        if heard:
            queued.piece, queued.retry = queued.piece + 1, 0
            return queued.piece == len(queued.pieces)
        queued.retry += 1
        counters.failed += queued.retry > self._retries
        return queued.retry > self._retries

    # ---------------------------------------------------------------- details

    def _pace(self, src: int, dst: int) -> _Pace:
        link = self._links[src].get(dst)
        return self._usual if link is None or link.rate is None else self._paces[link.rate]

    def _original(self, src: int, dst: int) -> Link:
        link = self._originals.get((src, dst))
        if link is not None:
            return link
        raise UsageError(f"the topology has no link from node {src} to node {dst}")


def _rates(topology: Topology) -> set[Rate]:
    """All rates at which somebody may talk."""
    return {topology.rate, topology.basic, *(link.rate for link in topology.links if link.rate is not None)}

"""The switchboard of the network below: takes packets from links, and sends them on, answers them, or hands them up.

a link       joins and leaves; `receive_untrusted` takes its frames, its `queue` holds what goes out
above        `send` to a key, `find` a part of a key; what comes is given to `deliver`, who answers to `learned`
the host     calls `maintain` once a second and soon after it was `stirred`, and after each call writes what waits in
             the queues
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from meshnode.core.ports import Entropy
from meshnode.errors import WireError
from meshnode.overlay.embedded.routing.blooms import Blooms
from meshnode.overlay.embedded.routing.greedy import Greedy
from meshnode.overlay.embedded.routing.neighbours import Link, Neighbour, Neighbours
from meshnode.overlay.embedded.routing.paths import Paths
from meshnode.overlay.embedded.routing.queue import MOST_WAITING
from meshnode.overlay.embedded.routing.sequence import Sequence
from meshnode.overlay.embedded.routing.tree import Tree
from meshnode.overlay.embedded.wire import packets
from meshnode.overlay.embedded.wire.framing import LARGEST_FRAME
from meshnode.overlay.embedded.wire.keys import Identity, lookup_key
from meshnode.overlay.embedded.wire.packets import (
    START,
    Announce,
    Bloom,
    Nothing,
    Packet,
    PathBroken,
    PathLookup,
    PathNotify,
    SigReq,
    SigRes,
    Traffic,
)

LARGEST_PAYLOAD = LARGEST_FRAME - 77  # type, two empty paths, two keys, a watermark of ten bytes

Upward = Callable[[bytes, bytes, float], None]


class Router:
    """One node's part in the network."""

    def __init__(
        self,
        identity: Identity,
        entropy: Entropy,
        sequence: Sequence,
        deliver: Upward,
        learned: Callable[[bytes, float], None],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.own = identity.public
        self._deliver, self._learned = deliver, learned
        self.neighbours = Neighbours(most_waiting)
        self.tree = Tree(identity, entropy, self.neighbours)
        self.places = self.tree.places
        self._blooms = Blooms(self.own, self.neighbours, self.places)
        self._greedy = Greedy(self.own, self.neighbours, self.places)
        self.paths = Paths(identity, sequence, self._look_up, self.send)
        self._now = 0.0
        self.stirred = False  # something has changed since the last round
        self.counters: Counter[str] = Counter()

    # ---- links

    def join(self, key: bytes, priority: int, now: float) -> Link:
        """A link to a proven key; WireError if it is our own."""
        if key == self.own:
            raise WireError("the other side has our own key")
        link = self.neighbours.join(key, priority, now)
        self.tree.link_up(link, now)
        self._blooms.link_up(link)
        self._changed()
        return link

    def leave(self, link: Link) -> None:
        """The link is gone."""
        if not self.neighbours.leave(link):
            self._blooms.link_down(link.neighbour)
        self._changed()

    def _changed(self) -> None:
        self.stirred = True
        self._greedy.changed()

    def receive_untrusted(self, link: Link, content: bytes, now: float) -> None:
        """One frame; WireError if the link has to be closed for it."""
        self._now = now
        packet = packets.decode_untrusted(content)
        if isinstance(packet, Traffic):
            self._pass_on(packet, now)
        elif isinstance(packet, PathLookup | PathBroken | PathNotify):
            self._asked(link, packet, now)
        elif not isinstance(packet, Nothing):
            self._told(link, packet, now)

    def _told(self, link: Link, packet: Packet, now: float) -> None:
        """A packet of the tree."""
        if not link.neighbour.tree_budget.spend(now):
            self.counters["tree_floods"] += 1
            raise WireError("a neighbour tells more of the tree than there can be")
        match packet:
            case SigReq():
                self.tree.answer(link, packet)
            case SigRes():
                self.tree.take_response_untrusted(link, packet, now)
            case Announce():
                self.tree.take_announce_untrusted(link, packet, now)
            case Bloom(bits):
                link.neighbour.received = bits
        self._changed()

    def _asked(self, link: Link, packet: Packet, now: float) -> None:
        """A packet about paths; too many of them are dropped."""
        if not link.neighbour.ask_budget.spend(now):
            self.counters["path_floods"] += 1
            return
        match packet:
            case PathLookup() if link.neighbour.on_tree:
                self._spread(packet, link.neighbour.key, now)
            case PathNotify():
                self._route_notify(packet, now)
            case PathBroken():
                self._route_broken(packet, now)

    # ---- a round

    def maintain(self, now: float) -> None:
        """Timers, parent, announcements, filters."""
        self._now, self.stirred = now, False
        self.paths.expire(now)
        self.tree.maintain(now)
        self._greedy.changed()
        self._blooms.maintain(now)

    # ---- from above

    def send(self, dest: bytes, payload: bytes, now: float) -> None:
        """A payload for a key; looked up first where the path is unknown."""
        self._now = now
        path = self.paths.known(dest)
        coords = self._greedy.coords()
        if path is None:
            self.paths.search(dest, coords, now, payload)
            return
        path.last = payload
        self._pass_on(Traffic(path.coords, coords, self.own, dest, START, payload), now)

    def find(self, key: bytes, now: float) -> None:
        """Look for a part of a key; `learned` hears who answers."""
        self._now = now
        self.paths.search(key, self._greedy.coords(), now)

    def coords(self) -> tuple[int, ...]:
        """Where we are in the tree."""
        return self._greedy.coords()

    def is_child(self, neighbour: Neighbour) -> bool:
        """True when it hangs below us."""
        place = self.places.get(neighbour.key)
        return place is not None and place.parent == self.own and place.key != self.own

    # ---- on their way

    def _pass_on(self, packet: Traffic, now: float) -> None:
        watermark, link = self._greedy.step(packet.path, packet.watermark)
        if link is not None:
            content = packets.encode_traffic(
                packet.path, packet.origin, packet.source, packet.dest, watermark, packet.payload
            )
            link.queue.add((packet.dest, packet.source), content, now)
        elif packet.dest == self.own:
            self.paths.heard_from(packet.source, now)
            self._deliver(packet.source, packet.payload, now)
        else:
            self.counters["undeliverable"] += 1
            self._route_broken(PathBroken(packet.origin, START, packet.source, packet.dest), now)

    def _route_notify(self, packet: PathNotify, now: float) -> None:
        watermark, link = self._greedy.step(packet.path, packet.watermark)
        if link is not None:
            passed = PathNotify(
                packet.path, watermark, packet.source, packet.dest, packet.seq, packet.coords, packet.sig
            )
            link.queue.add((packet.dest, packet.source), packets.encode(passed), now)
        elif packet.dest == self.own and self.paths.take_notify_untrusted(packet, now):
            self._learned(packet.source, now)

    def _route_broken(self, packet: PathBroken, now: float) -> None:
        watermark, link = self._greedy.step(packet.path, packet.watermark)
        if link is not None:
            passed = PathBroken(packet.path, watermark, packet.source, packet.dest)
            link.queue.add((packet.source, packet.dest), packets.encode(passed), now)
        elif packet.source == self.own:
            self.paths.take_broken(packet, self._greedy.coords(), now)

    def _look_up(self, lookup: PathLookup) -> None:
        self._spread(lookup, self.own, self._now)

    def _spread(self, lookup: PathLookup, besides: bytes, now: float) -> None:
        """To everybody on the tree whose filter holds it; and answer if we are meant."""
        content = packets.encode(lookup)
        for neighbour in self._blooms.towards(lookup.dest, besides):
            neighbour.best.queue.add((lookup.dest, lookup.source), content, now)
        if lookup_key(lookup.dest) == lookup_key(self.own) and lookup.source != self.own:
            self._route_notify(self.paths.answer(lookup, self._greedy.coords(), now), now)

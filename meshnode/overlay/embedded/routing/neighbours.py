"""Who is one hop away: a neighbour is a key with a port of ours and one link or more."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from meshnode.overlay.embedded.routing.budget import Budget
from meshnode.overlay.embedded.routing.queue import MOST_WAITING, SendQueue
from meshnode.overlay.embedded.wire.filters import EMPTY, Filter
from meshnode.overlay.embedded.wire.packets import Packet, SigReq, SigRes, encode

UNMEASURED_S = 4.294  # the lag of a link before its first measurement, as the Go daemon has it

# A neighbour with a deep tree behind it tells some hundred places at once; more than these is no tree.
TREE_BURST, TREE_RATE = 1000, 50
ASK_BURST, ASK_RATE = 200, 100  # lookups and broken paths


class Link:
    """One connection to a neighbour, as routing sees it."""

    __slots__ = ("answered", "asked_at", "lag_s", "neighbour", "number", "priority", "queue", "rtt_s", "since")

    def __init__(self, number: int, neighbour: Neighbour, priority: int, now: float, most_waiting: int) -> None:
        self.number = number
        self.neighbour = neighbour
        self.priority = priority
        self.since = now
        self.queue = SendQueue(most_waiting)
        self.lag_s = UNMEASURED_S
        self.rtt_s = 0.0  # as measured last; 0 while unknown
        self.asked_at = now
        self.answered = False

    @property
    def cost(self) -> int:
        """Milliseconds, at least one."""
        return max(1, int(self.lag_s * 1000))

    def put(self, packet: Packet) -> None:
        """Send a packet of the tree."""
        self.queue.put(encode(packet))

    def ask(self, request: SigReq, now: float) -> None:
        """Send a request, and take the time until it is answered."""
        self.asked_at, self.answered = now, False
        self.put(request)

    def measure(self, now: float) -> None:
        """The request was answered: the average goes an eighth towards this time, and at most doubles."""
        if self.answered:
            return
        self.answered = True
        self.rtt_s = now - self.asked_at
        if self.lag_s == UNMEASURED_S:
            self.lag_s = 2 * self.rtt_s
        else:
            self.lag_s = self.lag_s * 7 / 8 + min(self.rtt_s, 2 * self.lag_s) / 8


class Neighbour:
    """A key, its port, its links, and what was exchanged with it."""

    __slots__ = (
        "ask_budget",
        "brought",
        "key",
        "links",
        "on_tree",
        "port",
        "received",
        "request",
        "response",
        "sent",
        "sent_at",
        "stale_since",
        "told",
        "tree_budget",
    )

    def __init__(self, key: bytes, port: int) -> None:
        self.key = key
        self.port = port
        self.links: list[Link] = []
        self.request: SigReq | None = None
        self.response: SigRes | None = None
        self.told: set[bytes] = set()  # keys whose place this neighbour knows as we do
        self.brought: set[bytes] = set()  # keys whose place it brought
        self.on_tree = False
        self.received: Filter = EMPTY
        self.sent: Filter = EMPTY
        self.sent_at = 0.0
        self.stale_since: float | None = None  # `sent` has bits that nobody below needs any more
        self.tree_budget = Budget(TREE_BURST, TREE_RATE)
        self.ask_budget = Budget(ASK_BURST, ASK_RATE)

    @property
    def cost(self) -> int:
        """That of its best link."""
        return min(link.cost for link in self.links)

    @property
    def best(self) -> Link:
        """The link that carries its traffic: by priority, then by cost, then the older one."""
        return min(self.links, key=lambda link: (link.priority, link.cost, link.since))

    def put(self, packet: Packet) -> None:
        """Send a packet of the tree on all links."""
        content = encode(packet)
        for link in self.links:
            link.queue.put(content)


class Neighbours:
    """All of them, by key."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._by_key: dict[bytes, Neighbour] = {}
        self._numbers = count(1)
        self._most_waiting = most_waiting

    def __iter__(self) -> Iterator[Neighbour]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: bytes) -> Neighbour | None:
        """The neighbour with this key."""
        return self._by_key.get(key)

    def links(self) -> list[Link]:
        """All links, the oldest first."""
        return sorted((link for one in self for link in one.links), key=lambda link: link.number)

    def join(self, key: bytes, priority: int, now: float) -> Link:
        """A new link; its neighbour gets the lowest free port unless it has one."""
        neighbour = self._by_key.get(key)
        if neighbour is None:
            taken = {one.port for one in self}
            neighbour = self._by_key[key] = Neighbour(key, next(port for port in count(1) if port not in taken))
        link = Link(next(self._numbers), neighbour, priority, now, self._most_waiting)
        neighbour.links.append(link)
        return link

    def leave(self, link: Link) -> bool:
        """A link is gone; True if its neighbour is with it."""
        neighbour = link.neighbour
        neighbour.links.remove(link)
        if neighbour.links:
            return False
        del self._by_key[neighbour.key]
        return True

"""Yggdrasil nodes of ours joined in memory: time is told, nothing is lost unless a test says so."""

import random
from collections.abc import Callable, Iterable

from meshnode.overlay.embedded.node import Node, NodeSettings
from meshnode.overlay.embedded.routing.neighbours import Link
from meshnode.overlay.embedded.routing.sequence import Sequence
from meshnode.overlay.embedded.wire.framing import Frames, frame
from meshnode.overlay.embedded.wire.keys import Identity

DATE = 1_800_000_000


class Seeded:
    """Randomness of a test."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def take(self, purpose: str, size: int) -> bytes:
        return self._random.randbytes(size)

    def between(self, purpose: str, low: float, high: float) -> float:
        return self._random.uniform(low, high)


def identity(number: int) -> Identity:
    return Identity(number.to_bytes(32, "big"))


def packet(source: Node, dest: Node | bytes, body: bytes = b"hello", hop_limit: int = 64) -> bytes:
    """An IPv6 packet without a next header."""
    to = dest if isinstance(dest, bytes) else dest.address
    return b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes((59, hop_limit)) + source.address + to + body


class Member:
    """A node, and what its host got."""

    def __init__(self, net: "Net", number: int, settings: NodeSettings | None = None, date: int = DATE) -> None:
        self.got: list[bytes] = []
        self.kept: list[int] = []
        self.date = date
        self.net = net
        self.number = number
        self.identity = identity(number)
        self.start(settings, 0)

    def start(self, settings: NodeSettings | None, kept: int) -> None:
        sequence = Sequence(kept, lambda: self.date + int(self.net.now), self.kept.append)
        entropy = Seeded(self.number + 1000 * len(self.kept))
        self.node = Node(self.identity, entropy, sequence, self.got.append, settings)

    def send(self, dest: "Member", body: bytes = b"hello") -> None:
        self.node.from_host(packet(self.node, dest.node, body), self.net.now)


class Cable:
    """Both ends of a link."""

    def __init__(self, one: Member, two: Member, now: float, priority: int = 0) -> None:
        self.ends = [(one, one.node.router.join(two.node.own, priority, now), Frames())]
        self.ends.append((two, two.node.router.join(one.node.own, priority, now), Frames()))
        self.passes: Callable[[Member, bytes], bool] = lambda to, content: True
        self.count = self.size = 0  # frames, and their bytes

    def pump(self, now: float) -> bool:
        moved = False
        for (_, link, _), (to, far, frames) in ((self.ends[0], self.ends[1]), (self.ends[1], self.ends[0])):
            for content in frames.feed_untrusted(link.queue.take(1 << 20)):
                moved = True
                self.count += 1
                self.size += len(frame(content))
                if self.passes(to, content):
                    to.node.router.receive_untrusted(far, content, now)
        return moved

    def links(self) -> list[Link]:
        return [link for _, link, _ in self.ends]


class Net:
    """Members and cables."""

    def __init__(self, count: int = 0) -> None:
        self.now = 0.0
        self.cables: list[Cable] = []
        self.members = [Member(self, number + 1) for number in range(count)]

    def join(self, one: Member, two: Member, priority: int = 0) -> Cable:
        cable = Cable(one, two, self.now, priority)
        self.cables.append(cable)
        return cable

    def cut(self, cable: Cable) -> None:
        self.cables.remove(cable)
        for member, link, _ in cable.ends:
            member.node.router.leave(link)

    def line(self) -> list[Cable]:
        return [self.join(one, two) for one, two in zip(self.members, self.members[1:], strict=False)]

    def pump(self) -> None:
        while sum(cable.pump(self.now) for cable in self.cables):
            pass

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.pump()
            self.now += 1
            for member in self.members:
                member.node.maintain(self.now)
            self.pump()

    def hasten(self, quarters: int) -> None:
        """Time as the engine has it: four ticks a second, of which one maintains."""
        for quarter in range(1, quarters + 1):
            self.pump()
            self.now += 0.25
            for member in self.members:
                (member.node.hasten if quarter % 4 else member.node.maintain)(self.now)
            self.pump()

    def settle(self) -> None:
        """Long enough for tree and filters of a small network."""
        self.run(2 * len(self.members) + 5)

    def exchange(self, pairs: Iterable[tuple[Member, Member]]) -> list[tuple[Member, Member]]:
        """Send a packet between each pair; those that did not arrive."""
        pairs = list(pairs)
        for at, (one, two) in enumerate(pairs):
            one.send(two, b"pair %d" % at)
        self.run(3)
        return [
            (one, two)
            for at, (one, two) in enumerate(pairs)
            if packet(one.node, two.node, b"pair %d" % at) not in two.got
        ]

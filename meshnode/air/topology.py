"""Who hears whom: directed links with loss, rate and opening hours, and the shapes people ask for by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt
from typing import Final

from meshnode.air.airtime import Rate
from meshnode.air.draws import CERTAIN, Draws
from meshnode.errors import UsageError

SIDE: Final = 1 << 32  # of the square that nodes are strewn over


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a link is up: spans [from, until) in nanoseconds, repeated every `period_ns` unless that is 0."""

    spans: tuple[tuple[int, int], ...]
    period_ns: int = 0

    def is_up(self, at_ns: int) -> bool:
        """Whether the link is up at that time of the run."""
        at = at_ns % self.period_ns if self.period_ns else at_ns
        return any(start <= at < end for start, end in self.spans)


@dataclass(frozen=True, slots=True)
class Link:
    """One direction: `dst` hears `src`. The loss is a chance (draws.chance) per attempt.

    `delay_ns` passes between the frame's end on the air and its arrival, as behind a bridge; no acknowledgement waits
    for it.
    """

    src: int
    dst: int
    loss: int = 0
    rate: Rate | None = None  # None: the rate of the topology
    schedule: Schedule | None = None  # None: always up
    delay_ns: int = 0

    def is_up(self, at_ns: int) -> bool:
        """Whether anything of `src` reaches `dst` at that time of the run."""
        return self.schedule is None or self.schedule.is_up(at_ns)


@dataclass(frozen=True, slots=True)
class Topology:
    """Nodes 0 .. n-1, their links, the rate for one receiver and the basic rate for groups."""

    nodes: int
    links: tuple[Link, ...]
    rate: Rate
    basic: Rate

    def __post_init__(self) -> None:
        seen: set[tuple[int, int]] = set()
        for link in self.links:
            if link.src == link.dst or not (0 <= link.src < self.nodes and 0 <= link.dst < self.nodes):
                raise UsageError(f"there is no link from node {link.src} to node {link.dst} among {self.nodes}")
            if (link.src, link.dst) in seen:
                raise UsageError(f"the link from node {link.src} to node {link.dst} is given twice")
            if link.delay_ns < 0:
                raise UsageError(f"the delay from node {link.src} to node {link.dst} is negative")
            if not 0 <= link.loss <= CERTAIN:
                raise UsageError(f"the loss from node {link.src} to node {link.dst} is not between 0 and 1")
            seen.add((link.src, link.dst))


def both_ways(
    pairs: Iterable[tuple[int, int]],
    loss: int = 0,
    rate: Rate | None = None,
    schedule: Schedule | None = None,
    delay_ns: int = 0,
) -> tuple[Link, ...]:
    """Links in both directions for each pair."""
    ordered = ((a, b) for pair in pairs for a, b in (pair, pair[::-1]))
    return tuple(Link(a, b, loss, rate, schedule, delay_ns) for a, b in ordered)


def line(nodes: int) -> list[tuple[int, int]]:
    """Each hears the one before and the one after."""
    return [(i, i + 1) for i in range(nodes - 1)]


def ring(nodes: int) -> list[tuple[int, int]]:
    """A line whose ends meet."""
    return line(nodes) + ([(nodes - 1, 0)] if nodes > 2 else [])


def star(nodes: int) -> list[tuple[int, int]]:
    """Node 0 hears all; the others hear only node 0."""
    return [(0, i) for i in range(1, nodes)]


def full(nodes: int) -> list[tuple[int, int]]:
    """Everybody hears everybody."""
    return [(i, j) for i in range(nodes) for j in range(i + 1, nodes)]


def geometric(nodes: int, seed: int, mean_degree: float = 4.0) -> list[tuple[int, int]]:
    """Nodes strewn over a square; the shortest distances are links, as many as the degree asks and all need to meet."""
    places = _places(nodes, seed)
    wanted = round(nodes * mean_degree / 2)
    reach = isqrt(round(mean_degree + 4) * SIDE * SIDE // (3 * max(nodes, 1)))  # about what gives that degree
    while True:
        by_distance = _within(places, reach)
        enough = max(wanted, _until_connected(nodes, by_distance))
        if enough <= len(by_distance) or reach > 2 * SIDE:
            return by_distance[:enough]
        reach += reach // 4 + 1


def ferry(clique: int, period_ns: int, stay_ns: int) -> tuple[Link, ...]:
    """Two cliques that never meet and one last node that visits the first, then half a period later the second."""
    if not 0 < stay_ns <= period_ns // 2:
        raise UsageError("a ferry stays longer than nothing and at most half its period on each side")
    boat = 2 * clique
    cliques = full(clique) + [(a + clique, b + clique) for a, b in full(clique)]
    first = Schedule(((0, stay_ns),), period_ns)
    second = Schedule(((period_ns // 2, period_ns // 2 + stay_ns),), period_ns)
    return (
        both_ways(cliques)
        + both_ways([(i, boat) for i in range(clique)], schedule=first)
        + both_ways([(i + clique, boat) for i in range(clique)], schedule=second)
    )


def _places(nodes: int, seed: int) -> list[tuple[int, int]]:
    draws = Draws(seed)
    return [(draws.word(node, 0), draws.word(node, 1)) for node in range(nodes)]


def _within(places: list[tuple[int, int]], reach: int) -> list[tuple[int, int]]:
    """Pairs that are no farther apart, the nearest first; by squares of that size, since most pairs are far apart."""
    squares: dict[tuple[int, int], list[int]] = {}
    for node, (x, y) in enumerate(places):
        squares.setdefault((x // reach, y // reach), []).append(node)
    found: list[tuple[int, tuple[int, int]]] = []
    for (column, row), here in squares.items():
        around = ((column + right, row + up) for right in (-1, 0, 1) for up in (-1, 0, 1))
        near = [node for square in around for node in squares.get(square, ())]
        pairs = ((one, other) for one in here for other in near if one < other)
        found += [(apart, pair) for pair in pairs if (apart := _squared(places, pair)) <= reach * reach]
    return [pair for _, pair in sorted(found)]


def _squared(places: list[tuple[int, int]], pair: tuple[int, int]) -> int:
    (ax, ay), (bx, by) = places[pair[0]], places[pair[1]]
    return (ax - bx) ** 2 + (ay - by) ** 2


def _until_connected(nodes: int, pairs: list[tuple[int, int]]) -> int:
    """How many of the pairs, from the first on, join all nodes; one more than there are when they do not."""
    group, apart = list(range(nodes)), nodes - 1

    def root(node: int) -> int:
        while group[node] != node:
            group[node] = node = group[group[node]]
        return node

    for count, (one, other) in enumerate(pairs):
        if not apart:
            return count
        here, there = root(one), root(other)
        if here != there:
            group[here] = there
            apart -= 1
    return len(pairs) if not apart else len(pairs) + 1

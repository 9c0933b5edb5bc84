"""What goes wrong: the tables [[faults]] of a scenario, planned into a world.

Partitions, and cuts by actions, overlap: two nodes hear each other again when the last of them is over. Chance has
counters of its own (fault, node, turn), so that a fault moves no other draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from meshnode.air.draws import chance
from meshnode.errors import UsageError
from meshnode_sim.agenda import FAULT, SECOND_NS, nanoseconds
from meshnode_sim.integers import exponential
from meshnode_sim.mishaps import Trick
from meshnode_sim.scenario import Scenario
from meshnode_sim.tables import FaultTable
from meshnode_sim.world import World

CHANCE_UP, CHANCE_DOWN = 80, 81  # purposes of draws
MINUTE_NS: Final = 60 * SECOND_NS
TRICKS: Final = ("corrupt", "duplicate", "reorder")

# Whom a transmitter at x, y (metres) of that EIRP (dBm) drowns: pairs of who sends and who receives.
Jammed = Callable[[float, float, float], list[tuple[int, int]]]


def tricks(scenario: Scenario) -> tuple[Trick, ...]:
    """The faults that a medium plays by itself."""
    number = {name: index for index, name in enumerate(scenario.names)}
    return tuple(_trick(table, number) for table in scenario.faults if table.kind in TRICKS)


def _trick(table: FaultTable, number: dict[str, int]) -> Trick:
    if table.kind not in ("corrupt", "duplicate", "reorder"):
        raise UsageError(f"{table.kind} is nothing that a medium plays")
    nodes = frozenset(number[name] for name in table.nodes) or frozenset(number.values())
    begin, end = _span(table)
    return Trick(table.kind, chance(table.share), nodes, begin, end, nanoseconds(table.delay_s))


def _span(table: FaultTable) -> tuple[int, int | None]:
    """From when to when, in ns."""
    begin = nanoseconds(table.at_s)
    return begin, None if table.for_s is None else begin + nanoseconds(table.for_s)


class Faults:
    """Plans the faults of a world's scenario up to `end_ns`."""

    def __init__(self, world: World, end_ns: int, jammed: Jammed | None = None) -> None:
        self._world = world
        self._end_ns = end_ns
        self._jammed = jammed
        self._walls: Counter[tuple[int, int]] = Counter()
        self._losses: dict[tuple[int, int], list[int]] = {}
        self._number = {name: index for index, name in enumerate(world.scenario.names)}
        for index, table in enumerate(world.scenario.faults):
            self._plan(index, table)

    def _plan(self, index: int, table: FaultTable) -> None:
        nodes = [self._number[name] for name in table.nodes] or list(self._number.values())
        begin, end = _span(table)
        match table.kind:
            case "partition":
                self._partition(table, nodes, begin, end)
            case "loss":
                self._loss(chance(table.loss), self._pairs(nodes), begin, end)
            case "bursts":
                for bad, good in self._churn(index, nodes[0], table, begin, self._end_ns if end is None else end):
                    self._loss(chance(table.loss), self._pairs(nodes), bad, good)
            case "jam":
                self._jam(table, begin, end)
            case "crash":
                for node in nodes:
                    self._crash(node, table, begin, end)
            case "churn":
                for node in nodes:
                    for off, on in self._churn(index, node, table, begin, self._end_ns if end is None else end):
                        self._crash(node, table, off, on)
            case "skew":
                for node in nodes:
                    self._skew(node, table, begin, end)
            case "corrupt" | "duplicate" | "reorder":
                pass  # the medium plays these: `tricks`

    def _pairs(self, nodes: list[int]) -> list[tuple[int, int]]:
        """Everybody whom one of these may hear, the lower number first."""
        pairs = {(min(a, b), max(a, b)) for a in nodes for b in self._number.values() if a != b}
        return sorted(pairs)

    def _jam(self, table: FaultTable, begin: int, end: int | None) -> None:
        """Who is drowned is reckoned when it begins; who moves later stays as it was."""
        if self._jammed is None:
            raise UsageError('a jammer stands at a place: it needs `level = "radio"` under [radio]')
        jammed = self._jammed

        def start() -> None:
            drowned = jammed(table.x_m, table.y_m, table.eirp_dbm)
            pairs = sorted({(min(pair), max(pair)) for pair in drowned})  # a lost answer is a lost frame
            if pairs:
                self._loss(chance(table.share), pairs, self._world.agenda.now_ns, end)

        self._at(begin, 0, partial(start))

    def _skew(self, node: int, table: FaultTable, begin: int, end: int | None) -> None:
        """A jump; with a drift, one more each minute."""
        until = self._end_ns if end is None else end
        for at_ns in range(begin, until if table.drift_ppm else begin + 1, MINUTE_NS):
            skew_s = table.skew_s + (at_ns - begin) / SECOND_NS * table.drift_ppm / 1e6
            self._at(at_ns, node, partial(self._world.set_clock, node, skew_s))
        if end is not None:
            self._at(end, node, partial(self._world.set_clock, node, 0.0))

    def _partition(self, table: FaultTable, nodes: list[int], begin: int, end: int | None) -> None:
        others = [node for node in self._number.values() if node not in nodes]
        if not table.nodes or not others:
            raise UsageError("a partition needs `nodes`: some of them, who then hear none of the others")
        pairs = [(one, other) for one in nodes for other in others]
        self._at(begin, nodes[0], partial(self._wall, pairs, 1))
        if end is not None:
            self._at(end, nodes[0], partial(self._wall, pairs, -1))

    def _wall(self, pairs: list[tuple[int, int]], more: int) -> None:
        for one, other in pairs:
            key = (min(one, other), max(one, other))
            before = self._walls[key]
            self._walls[key] = before + more
            if not before or not self._walls[key]:
                self._world.block(*key, blocked=more > 0)

    def _loss(self, loss: int, pairs: list[tuple[int, int]], begin: int, end: int | None) -> None:
        def change(more: bool) -> None:
            for pair in pairs:
                losses = self._losses.setdefault(pair, [])
                (losses.append if more else losses.remove)(loss)
                self._world.disturb(*pair, max(losses, default=0))

        self._at(begin, pairs[0][0], partial(change, True))
        if end is not None:
            self._at(end, pairs[0][0], partial(change, False))

    def _crash(self, node: int, table: FaultTable, begin: int, end: int | None) -> None:
        stop = {"kept": self._world.stop, "torn": self._world.cut_power, "lost": self._world.lose_store}[table.disk]
        self._at(begin, node, partial(stop, node))
        if end is not None:
            self._at(end, node, partial(self._world.boot, node))

    def _churn(self, index: int, node: int, table: FaultTable, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """When it goes off and on again; on at the latest when the fault is over."""
        up, down = nanoseconds(table.up_s), nanoseconds(table.down_s)
        draws, turn, at_ns = self._world.draws, 0, begin
        while True:
            off = at_ns + exponential(draws.word(CHANCE_UP, index, node, turn), up)
            if off >= end:
                return
            at_ns = min(end, off + 1 + exponential(draws.word(CHANCE_DOWN, index, node, turn), down))
            yield off, at_ns
            turn += 1

    def _at(self, at_ns: int, node: int, do: partial[None]) -> None:
        self._world.at(at_ns, node, do, FAULT)

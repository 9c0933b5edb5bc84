"""What goes wrong: the tables [[faults]] of a scenario, planned into a world.

Partitions, and cuts by actions, overlap: two nodes hear each other again when the last of them is over. Chance has
counters of its own (fault, node, turn), so that a fault moves no other draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from meshnode.air.draws import chance
from meshnode.errors import UsageError
from meshnode_sim.agenda import FAULT, nanoseconds
from meshnode_sim.integers import exponential
from meshnode_sim.tables import FaultTable
from meshnode_sim.world import World

CHANCE_UP, CHANCE_DOWN = 80, 81  # purposes of draws


class Faults:
    """Plans the faults of a world's scenario up to `end_ns`."""

    def __init__(self, world: World, end_ns: int) -> None:
        self._world = world
        self._end_ns = end_ns
        self._walls: Counter[tuple[int, int]] = Counter()
        self._losses: dict[tuple[int, int], list[int]] = {}
        self._number = {name: index for index, name in enumerate(world.scenario.names)}
        for index, table in enumerate(world.scenario.faults):
            self._plan(index, table)

    def _plan(self, index: int, table: FaultTable) -> None:
        nodes = [self._number[name] for name in table.nodes] or list(self._number.values())
        begin = nanoseconds(table.at_s)
        end = None if table.for_s is None else begin + nanoseconds(table.for_s)
        match table.kind:
            case "partition":
                self._partition(table, nodes, begin, end)
            case "loss":
                pairs = [(a, b) for a in nodes for b in self._number.values() if a != b]
                self._loss(chance(table.loss), sorted({(min(pair), max(pair)) for pair in pairs}), begin, end)
            case "crash":
                for node in nodes:
                    self._crash(node, table, begin, end)
            case "churn":
                for node in nodes:
                    for off, on in self._churn(index, node, table, begin, self._end_ns if end is None else end):
                        self._crash(node, table, off, on)
            case "skew":
                for node in nodes:
                    self._at(begin, node, partial(self._world.set_clock, node, table.skew_s))
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

"""Where everybody is at any time: at their place, on a timetable, or walking from one random place to the next.

Places are metres on a flat map. A walk draws the end of each leg and the speed from counters of its own, so that one
walker more moves no other. Only operations that IEEE 754 rounds correctly: every machine has the same places.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from meshnode.air.draws import Draws
from meshnode.errors import UsageError
from meshnode_sim.propagation import Metres
from meshnode_sim.scenario import Scenario
from meshnode_sim.tables import RouteTable, StopTable, WalkTable

CHANCE_PLACE, CHANCE_WAY = 64, 65  # purposes of draws
_WORD: Final = float(1 << 32)


class Mobility:
    """All nodes of a scenario that has places."""

    def __init__(self, scenario: Scenario) -> None:
        number = {name: index for index, name in enumerate(scenario.names)}
        draws = Draws(scenario.seed)
        self._start = _places(scenario, draws)
        self._routes = {number[route.node]: _sorted(route) for route in scenario.routes}
        self._walks: dict[int, _Walk] = {}
        for walk in scenario.walks:
            for node in [number[name] for name in walk.nodes] or range(len(number)):
                if node not in self._routes:
                    self._walks[node] = _Walk(walk, node, self._start[node], draws)

    @property
    def moving(self) -> bool:
        """Whether anybody moves at all."""
        return bool(self._routes or self._walks)

    def places(self, at_s: float) -> Metres:
        """n rows of x, y; times may not fall from one call to the next."""
        found = self._start.copy()
        for node, route in self._routes.items():
            found[node] = _on_route(route, at_s)
        for node, walk in self._walks.items():
            found[node] = walk.at(at_s)
        return found


class _Walk:
    """One walker: the leg it is on."""

    def __init__(self, table: WalkTable, node: int, start: Metres, draws: Draws) -> None:
        self._table = table
        self._node = node
        self._draws = draws
        self._leg = 0
        self._from = self._to = (float(start[0]), float(start[1]))
        self._left_s = self._arrived_s = 0.0
        self._next_s = 0.0

    def at(self, at_s: float) -> tuple[float, float]:
        """Where it is."""
        while at_s >= self._next_s:
            self._begin_leg()
        if at_s >= self._arrived_s or self._arrived_s == self._left_s:
            return self._to
        return _between(self._from, self._to, (at_s - self._left_s) / (self._arrived_s - self._left_s))

    def _begin_leg(self) -> None:
        self._leg += 1
        table = self._table
        slow, fast = table.speed_mps
        speed = slow + (fast - slow) * self._share(2)
        self._from, self._to = self._to, (table.area_m[0] * self._share(0), table.area_m[1] * self._share(1))
        x, y = self._to[0] - self._from[0], self._to[1] - self._from[1]
        self._left_s = self._next_s
        self._arrived_s = self._left_s + float(np.sqrt(x * x + y * y)) / speed
        self._next_s = self._arrived_s + table.pause_s

    def _share(self, what: int) -> float:
        return self._draws.word(CHANCE_WAY, self._node, self._leg, what) / _WORD


def _sorted(route: RouteTable) -> RouteTable:
    times = [stop.at_s for stop in route.stops]
    if times != sorted(set(times)):
        raise UsageError(f"the stops of {route.node} are not in the order of their times")
    if route.period_s is not None and times[-1] > route.period_s:
        raise UsageError(f"the last stop of {route.node} comes after its period of {route.period_s:g} s")
    return route


def _on_route(route: RouteTable, at_s: float) -> tuple[float, float]:
    """Before the first stop it waits there, after the last one it stays, or goes back to the first in time."""
    stops = list(route.stops)
    if route.period_s is not None:
        at_s -= route.period_s * float(int(at_s / route.period_s))
        first = stops[0]
        stops.append(StopTable(first.at_s + route.period_s, first.x_m, first.y_m))
    before = [stop for stop in stops if stop.at_s <= at_s]
    after = [stop for stop in stops if stop.at_s > at_s]
    if not before or not after:
        stop = (before or after)[-1 if before else 0]
        return stop.x_m, stop.y_m
    here, there = before[-1], after[0]
    share = (at_s - here.at_s) / (there.at_s - here.at_s)
    return _between((here.x_m, here.y_m), (there.x_m, there.y_m), share)


def _between(start: tuple[float, float], end: tuple[float, float], share: float) -> tuple[float, float]:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _places(scenario: Scenario, draws: Draws) -> Metres:
    """As the topology says: listed, in a row, on a grid, or strewn over an area."""
    table, count = scenario.topology, len(scenario.names)
    if table.shape == "places":
        return np.array([[place.x_m, place.y_m] for place in table.places], dtype=np.float64)
    if table.shape == "line":
        return np.array([[index * table.spacing_m, 0.0] for index in range(count)], dtype=np.float64)
    if table.shape == "grid":
        across = next(side for side in range(1, count + 1) if side * side >= count)
        return np.array([[(i % across) * table.spacing_m, (i // across) * table.spacing_m] for i in range(count)])
    width, height = table.area_m
    shares = [[draws.word(CHANCE_PLACE, node, axis) / _WORD for axis in (0, 1)] for node in range(count)]
    return np.array([[x * width, y * height] for x, y in shares], dtype=np.float64)

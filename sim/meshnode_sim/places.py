"""Who can be heard where: for each node the others within reach, and how strong it arrives there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from meshnode_sim.propagation import Levels, Metres, PathLoss, Shadowing
from meshnode_sim.terrain import Terrain

FLAT: Final = Terrain((), {})
SHADOW_REACH: Final = 3  # deviations of shadowing by which somebody may be nearer than it seems


@dataclass(frozen=True, slots=True)
class Row:
    """Those whom one node reaches at all, lowest number first, and the level in mdBm at each."""

    nodes: NDArray[np.intp]
    levels: Levels
    at: dict[int, int] = field(default_factory=dict)  # the same by node
    _above: dict[int, tuple[int, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def above(self, least: int) -> tuple[int, ...]:
        """Those at whom the level is at least so high; found once, for it is asked with every frame."""
        found = self._above.get(least)
        if found is None:
            found = self._above[least] = tuple(node for node, level in self.at.items() if level >= least)
        return found


@dataclass(frozen=True, slots=True)
class Budget:
    """What decides a level beside distance: power radiated and the receiver's antenna (dB), and what still matters."""

    eirp_dbm: float
    antenna_dbi: float
    floor_mdbm: int  # below this a signal neither informs nor disturbs


def rows(
    places: Metres, loss: PathLoss, budget: Budget, shadowing: Shadowing | None, terrain: Terrain = FLAT
) -> list[Row]:
    """For places (n rows of x, y in metres) the row of each node."""
    power = round((budget.eirp_dbm + budget.antenna_dbi) * 1000)
    spare = round(SHADOW_REACH * 1000 * shadowing.deviation_db) if shadowing is not None else 0
    pairs = terrain.with_measured(_near(places, loss.reach_m(power - budget.floor_mdbm + spare)))
    one, other = pairs[:, 0], pairs[:, 1]
    apart = places[one] - places[other]
    metres = np.sqrt(apart[:, 0] * apart[:, 0] + apart[:, 1] * apart[:, 1])
    lost = loss.mdb(metres) + terrain.mdb(places[one], places[other])
    if shadowing is not None and len(pairs):
        lost = lost + shadowing.mdb(places, one, other)
    levels = power - terrain.put_measured(lost, one, other)
    kept = levels >= budget.floor_mdbm
    return _rows(len(places), one[kept], other[kept], levels[kept])


def _near(places: Metres, reach_m: float) -> NDArray[np.intp]:
    """Pairs of nodes within reach, the lower number first, in order."""
    pairs = KDTree(places).query_pairs(reach_m, output_type="ndarray")
    found: NDArray[np.intp] = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return found


def _rows(count: int, one: NDArray[np.intp], other: NDArray[np.intp], levels: Levels) -> list[Row]:
    by_node: list[dict[int, int]] = [{} for _ in range(count)]
    for a, b, level in zip(one.tolist(), other.tolist(), levels.tolist(), strict=True):
        by_node[a][b] = by_node[b][a] = level
    return [row_of(dict(sorted(found.items()))) for found in by_node]


def row_of(found: dict[int, int]) -> Row:
    """A row from levels by node, lowest number first."""
    nodes = np.fromiter(found, dtype=np.intp, count=len(found))
    return Row(nodes, np.fromiter(found.values(), dtype=np.int64, count=len(found)), found)


def apart_by_channel(found: Sequence[Row], channels: Sequence[int]) -> list[Row]:
    """The same rows without those who listen elsewhere; channels are taken not to leak into each other."""
    return [
        row_of({other: level for other, level in row.at.items() if channels[other] == channels[node]})
        for node, row in enumerate(found)
    ]

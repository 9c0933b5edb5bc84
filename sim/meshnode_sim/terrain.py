"""What stands between two places besides distance: walls and ridges in the way, and losses that somebody measured.

A wall is a straight line on the map that takes some decibels from every straight way across it: a house's concrete, a
wood, the crest of a hill. Nothing is bent around its ends or over its top; a way that touches it crosses it, one along
it does not. A measured loss is the whole loss from antenna to antenna of one pair, and takes the place of all models.
Whether lines cross is decided by signs of products, which IEEE 754 rounds correctly: every machine says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshnode_sim.propagation import Levels, Metres
from meshnode_sim.tables import LossTable, WallTable


@dataclass(frozen=True, slots=True)
class Terrain:
    """`measured`: the loss in mdB of pairs of nodes, the lower number first."""

    walls: tuple[WallTable, ...]
    measured: dict[tuple[int, int], int]

    def mdb(self, starts: Metres, ends: Metres) -> Levels:
        """What walls take from each way (n rows of x, y in metres)."""
        total = np.zeros(len(starts), dtype=np.int64)
        for wall in self.walls:
            total = total + np.where(_crosses(starts, ends, wall), round(wall.loss_db * 1000), 0)
        return total

    def with_measured(self, pairs: NDArray[np.intp]) -> NDArray[np.intp]:
        """The same pairs, and those measured that are farther apart, in order."""
        if not self.measured:
            return pairs
        known = np.array(sorted(self.measured), dtype=np.intp)
        return np.unique(np.concatenate([pairs.reshape(-1, 2), known]), axis=0)

    def put_measured(self, losses: Levels, one: NDArray[np.intp], other: NDArray[np.intp]) -> Levels:
        """Losses of pairs in mdB, those measured in place of those reckoned."""
        put = losses.copy()
        for a, b in self.measured:
            put[(one == a) & (other == b)] = self.measured[a, b]
        return put


def terrain(walls: tuple[WallTable, ...], losses: Sequence[LossTable], number: dict[str, int]) -> Terrain:
    """From the tables of a scenario; `number`: the nodes by name."""
    measured = {}
    for row in losses:
        low, high = sorted((number[row.a], number[row.b]))
        measured[low, high] = round(row.loss_db * 1000)
    return Terrain(walls, measured)


def _crosses(starts: Metres, ends: Metres, wall: WallTable) -> NDArray[np.bool_]:
    """Which ways cross a wall: its ends lie on either side of the way, and the way's on either side of the wall."""
    begin, end = np.array(wall.from_m), np.array(wall.to_m)
    near, far = _side(begin, end, starts), _side(begin, end, ends)
    parts = _side(starts, ends, begin) * _side(starts, ends, end) <= 0
    return np.asarray((near * far <= 0) & parts & ((near != 0) | (far != 0)))


def _side(begin: Metres, end: Metres, place: Metres) -> Metres:
    """1 left of the line from `begin` to `end`, -1 right of it, 0 on it."""
    along, aside = end - begin, place - begin
    return np.asarray(np.sign(along[..., 0] * aside[..., 1] - along[..., 1] * aside[..., 0]))

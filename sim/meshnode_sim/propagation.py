"""How much of a signal is left after some distance: path loss and shadowing, for all pairs that matter at once.

Models (d in m, f in MHz; IEEE 802.11-11/0968 as quoted by range studies of 802.11ah):

    macro          8    + 37.6 log10 d + 21 log10 (f / 900)     one antenna high above the roofs
    pico          23.3  + 36.7 log10 d + 21 log10 (f / 900)     both below the roofs
    free space    20 log10 d + 20 log10 f - 27.55
    two ray       40 log10 d - 40 log10 h                       over open ground or water, both antennas h m above it
    log distance  reference at 1 m + 10 exponent log10 d

Two ray (Rappaport, Wireless Communications, 4.6) is what a flat earth leaves far from the antennas: the ray that the
ground throws back takes the direct one away. Nearer than 4 pi h^2 / wavelength free space loses more, and is taken.

Shadowing is a field over the map, so that neighbours share it: each place has a level, interpolated between the points
of a grid of independent draws, and a pair has the sum of its two levels, scaled to the deviation asked for. It is the
same both ways, and as long as nobody moves. Levels are integers (mdB); what is reckoned in floats uses only operations
that IEEE 754 rounds correctly, so that every machine gets the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from meshnode.air.draws import Draws
from meshnode_sim.integers import LOG2, ONE, milli_db

Model = Literal["macro", "pico", "free_space", "two_ray", "log_distance"]
Levels: TypeAlias = NDArray[np.int64]
Metres: TypeAlias = NDArray[np.float64]

CLOSEST_M: Final = 1.0  # antennas are not nearer
CHANCE_SHADOW: Final = 32  # purpose of draws

_TABLE: Final = np.array(LOG2, dtype=np.int64)
_MDB_OF_TWO: Final = 3010.299956639812  # 10,000 log10 2


@dataclass(frozen=True, slots=True)
class PathLoss:
    """A model with its constants. `exponent` and `reference_db` (at 1 m) are those of log distance, `antenna_m` (above
    ground) is that of two ray."""

    model: Model
    mhz: float
    exponent: float = 3.5
    reference_db: float = 31.5
    antenna_m: float = 2.0

    def mdb(self, metres: Metres) -> Levels:
        """Loss over each distance in mdB, never less than in free space (but for log distance, which is as told)."""
        log_d = log10_milli(np.maximum(metres, CLOSEST_M))  # 1000 log10 d
        free = _rounded(20.0 * log_d) + self._free_at_one()
        if self.model == "free_space":
            return free
        if self.model == "log_distance":
            return _rounded(10.0 * self.exponent * log_d) + round(self.reference_db * 1000)
        if self.model == "two_ray":
            return np.maximum(_rounded(40.0 * log_d) - 4 * _db10(self.antenna_m), free)
        slope, offset = (37.6, 8_000) if self.model == "macro" else (36.7, 23_300)
        carrier = 21 * (_db10(self.mhz) - _db10(900.0)) // 10
        return np.maximum(_rounded(slope * log_d) + offset + carrier, free)

    def reach_m(self, most_mdb: int) -> float:
        """The distance at which so much is lost."""
        near, far = CLOSEST_M, 1e7
        while far - near > near * 1e-6:
            middle = (near + far) / 2
            near, far = (middle, far) if int(self.mdb(np.array([middle]))[0]) <= most_mdb else (near, middle)
        return near

    def _free_at_one(self) -> int:
        return 2 * _db10(self.mhz) - 27_550


@dataclass(frozen=True, slots=True)
class Shadowing:
    """Log-normal shadowing of `deviation_db`, alike over about `correlation_m`."""

    deviation_db: float
    correlation_m: float
    draws: Draws

    def mdb(self, places: Metres, one: NDArray[np.intp], other: NDArray[np.intp]) -> Levels:
        """For pairs of places (rows of x, y in metres), what is lost in addition; negative where it is a gain."""
        corners, weights = self._weights(places)
        levels = self._levels(corners, weights)
        shared = np.zeros(len(one))
        for mine in range(4):
            for theirs in range(4):
                same = (corners[one, mine] == corners[other, theirs]).all(axis=1)
                shared = shared + np.where(same, weights[one, mine] * weights[other, theirs], 0.0)
        total = (levels[one] + levels[other]) / np.sqrt(2.0 + 2.0 * shared)
        return _rounded(total * (self.deviation_db * 1000.0))

    def _weights(self, places: Metres) -> tuple[NDArray[np.int64], Metres]:
        """The four grid points around each place, and how much each counts; squares of the weights add up to one."""
        on_grid = places / self.correlation_m
        low = np.floor(on_grid)
        part = on_grid - low
        x, y = part[:, 0], part[:, 1]
        weights = np.stack([(1 - x) * (1 - y), (1 - x) * y, x * (1 - y), x * y], axis=1)
        squares = weights * weights
        size = np.sqrt(squares[:, 0] + squares[:, 1] + squares[:, 2] + squares[:, 3])
        steps = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.int64)
        return low.astype(np.int64)[:, None, :] + steps[None, :, :], weights / size[:, None]

    def _levels(self, corners: NDArray[np.int64], weights: Metres) -> Metres:
        drawn: dict[tuple[int, int], float] = {}
        for place in corners.reshape(-1, 2).tolist():
            key = (place[0], place[1])
            if key not in drawn:
                drawn[key] = self._normal(*key)
        values = np.array([drawn[x, y] for x, y in corners.reshape(-1, 2).tolist()]).reshape(-1, 4)
        parts = values * weights
        return np.asarray(parts[:, 0] + parts[:, 1] + parts[:, 2] + parts[:, 3])

    def _normal(self, x: int, y: int) -> float:
        """A normal draw: twelve uniform ones less six."""
        words = sum(self.draws.word(CHANCE_SHADOW, x, y, turn) for turn in range(12))
        return words / ONE - 6.0


def log10_milli(values: Metres) -> Metres:
    """1000 log10 of positive numbers, from the table of integers.py."""
    mantissa, exponent = np.frexp(values)  # exact: mantissa in [0.5, 1)
    scaled = np.floor((2.0 * mantissa - 1.0) * float(1 << 44)).astype(np.int64)
    step, between = scaled >> 32, scaled & (ONE - 1)
    low = _TABLE[step]
    part = low + ((_TABLE[step + 1] - low) * (between >> 8) >> 24)
    whole = (exponent.astype(np.int64) - 1) * 1000
    return np.asarray((whole + part * 1000.0 / ONE) * (_MDB_OF_TWO / 10_000.0))


def _rounded(values: Metres) -> Levels:
    return np.floor(values + 0.5).astype(np.int64)


def _db10(value: float) -> int:
    """10 log10 of a frequency in MHz, or a height in metres, in mdB."""
    return milli_db(round(value * 1_000_000)) - milli_db(1_000_000)

"""Path loss as published, reach as published, shadowing with the deviation and the neighbourhood asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meshnode.air.draws import Draws
from meshnode_sim.phy import sensitivity
from meshnode_sim.places import Budget, rows
from meshnode_sim.propagation import Model, PathLoss, Shadowing, log10_milli

PUBLISHED = {  # dB at 900 MHz by metres
    "macro": {100: 83.2, 200: 94.5, 500: 109.5, 1000: 120.8, 2000: 132.1},
    "pico": {10: 60.0, 50: 85.7, 100: 96.7, 200: 107.7, 500: 122.4, 1000: 133.4, 2000: 144.4},
    "free_space": {10: 51.5, 50: 65.5, 100: 71.5, 200: 77.6, 500: 85.5, 1000: 91.5, 2000: 97.6},
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_path_loss_as_published(model: Model) -> None:
    table = PUBLISHED[model]
    found = PathLoss(model, 900.0).mdb(np.array(list(table), dtype=np.float64))
    assert [round(level / 1000, 1) for level in found.tolist()] == pytest.approx(list(table.values()), abs=0.06)


def test_nothing_is_lost_less_than_in_free_space() -> None:
    assert PathLoss("macro", 900.0).mdb(np.array([10.0])) == PathLoss("free_space", 900.0).mdb(np.array([10.0]))


def test_over_open_ground_the_ground_takes_from_where_its_ray_cancels_the_direct_one() -> None:
    """Antennas 5 m high at 900 MHz: free space until 4 pi h^2 / wavelength, 943 m, and 12 dB a doubling from there."""
    at = np.array([100.0, 900.0, 1000.0, 2000.0, 8000.0])
    found = PathLoss("two_ray", 900.0, antenna_m=5.0).mdb(at).tolist()
    assert found[:2] == PathLoss("free_space", 900.0).mdb(at[:2]).tolist()
    assert found[2:] == pytest.approx([1000 * (40 * math.log10(d / 5.0)) for d in (1000, 2000, 8000)], abs=2)
    assert PathLoss("two_ray", 900.0, antenna_m=0.1).mdb(at[2:3]).tolist() == [160_000]


def test_log_distance_is_as_told() -> None:
    loss = PathLoss("log_distance", 900.0, exponent=3.0, reference_db=30.0)
    assert loss.mdb(np.array([1.0, 10.0, 100.0])).tolist() == [30_000, 60_000, 90_000]


def test_the_frequency_counts() -> None:
    at = np.array([500.0])
    more = PathLoss("pico", 900.0).mdb(at) - PathLoss("pico", 868.0).mdb(at)
    assert abs(int(more[0]) - 21_000 * math.log10(900 / 868)) <= 2


def test_logarithms_of_many_numbers() -> None:
    values = np.array([1.0, 1.5, 2.0, 3.7, 1e3, 123456.789, 1e7])
    assert np.abs(log10_milli(values) - 1000 * np.log10(values)).max() < 1e-5


@pytest.mark.parametrize(
    ("model", "eirp_dbm", "mcs", "metres"),
    [
        # Published range analyses with a 3 dBi antenna: 10 mW macro, 1 W pico, both at MCS10.
        ("macro", 13, 10, (500, 600)),
        ("pico", 33, 10, (800, 900)),
        ("macro", 33, 10, (1000, 2000)),
        ("macro", 33, 0, (1000, 2000)),
        # 200 mW at 1 MHz, from a survey: beyond 1 km, 850 m, about 200 m.
        ("macro", 23, 10, (1000, 1200)),
        ("macro", 23, 0, (800, 900)),
        ("macro", 23, 9, (170, 230)),
    ],
)
def test_reach_within_the_published_spread(model: Model, eirp_dbm: int, mcs: int, metres: tuple[int, int]) -> None:
    reach = PathLoss(model, 900.0).reach_m(eirp_dbm * 1000 - sensitivity(1, mcs, "standard"))
    assert metres[0] <= reach <= metres[1]


def places(count: int, size_m: float, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, size_m, (count, 2))


def test_shadowing_has_its_deviation() -> None:
    one, other = np.arange(2000), np.arange(2000, 4000)
    drawn = Shadowing(8.0, 50.0, Draws(1)).mdb(places(4000, 50_000.0), one, other) / 1000
    assert abs(drawn.mean()) < 0.6
    assert abs(drawn.std() - 8.0) < 0.5


def test_shadowing_is_shared_by_neighbours_and_not_by_strangers() -> None:
    shadowing, many = Shadowing(8.0, 50.0, Draws(1)), np.arange(1000)
    start, end = places(1000, 50_000.0), places(1000, 50_000.0, seed=4)
    here = shadowing.mdb(np.concatenate([start, end]), many, many + 1000)
    beside = shadowing.mdb(np.concatenate([start + 5.0, end]), many, many + 1000)
    apart = shadowing.mdb(np.concatenate([start + 500.0, end + 500.0]), many, many + 1000)
    assert np.corrcoef(here, beside)[0, 1] > 0.9
    assert abs(np.corrcoef(here, apart)[0, 1]) < 0.15


def test_rows_hold_all_pairs_that_matter_both_ways() -> None:
    found = rows(places(60, 3000.0), PathLoss("pico", 900.0), Budget(20.0, 2.0, -110_000), Shadowing(8, 50, Draws(2)))
    for node, row in enumerate(found):
        assert row.nodes.tolist() == sorted(row.at)
        assert row.levels.tolist() == list(row.at.values())
        assert min(row.at.values(), default=0) >= -110_000
        assert all(found[other].at[node] == level for other, level in row.at.items())


def test_nobody_within_reach_is_an_empty_row() -> None:
    far = np.array([[0.0, 0.0], [1e6, 0.0]])
    assert [row.at for row in rows(far, PathLoss("pico", 900.0), Budget(20.0, 0.0, -110_000), None)] == [{}, {}]

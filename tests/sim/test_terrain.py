"""Walls take what they are said to from whatever crosses them, and a measured loss stands instead of all models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import ConfigError
from meshnode_sim.places import Budget, rows
from meshnode_sim.propagation import PathLoss
from meshnode_sim.scenario import parse
from meshnode_sim.sky import Sky
from meshnode_sim.tables import LossTable, WallTable
from meshnode_sim.terrain import Terrain, terrain

WALL = WallTable(from_m=(0.0, 100.0), to_m=(200.0, 100.0), loss_db=20.5)
PICO = PathLoss("pico", 915.0)
FREE = Budget(20.0, 2.0, -150_000)

PLACED = """
[topology]
shape = "places"
places = [
  { name = "mill", x_m = 50, y_m = 50 },
  { name = "inn", x_m = 60, y_m = 150 },
  { name = "farm", x_m = 300, y_m = 60 },
]
[radio]
level = "radio"
width_mhz = 2
"""


def taken(start: tuple[float, float], end: tuple[float, float], *walls: WallTable) -> int:
    return int(Terrain(walls, {}).mdb(np.array([start]), np.array([end]))[0])


@pytest.mark.parametrize(
    ("start", "end", "mdb"),
    [
        ((50, 50), (50, 150), 20_500),  # straight across
        ((50, 50), (150, 90), 0),  # on one side
        ((250, 50), (250, 150), 0),  # past its end
        ((150, 50), (260, 150), 0),  # past its end, askew
        ((150, 50), (220, 150), 20_500),  # just before its end
        ((-50, 100), (-10, 100), 0),  # on its line, outside
        ((50, 100), (150, 100), 0),  # along it
        ((200, 50), (200, 150), 20_500),  # over its very end
        ((50, 50), (50, 100), 20_500),  # up to it
    ],
)
def test_a_wall_takes_from_what_crosses_it(start: tuple[int, int], end: tuple[int, int], mdb: int) -> None:
    assert taken(start, end, WALL) == mdb
    assert taken(start, end, WALL, WALL) == 2 * mdb


PLACE = st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000))


@given(PLACE, PLACE, PLACE, PLACE)
def test_it_is_the_same_both_ways(
    start: tuple[int, int], end: tuple[int, int], one: tuple[int, int], other: tuple[int, int]
) -> None:
    wall = WallTable(from_m=one, to_m=other, loss_db=7)
    assert taken(start, end, wall) == taken(end, start, wall)


def test_rows_are_weaker_by_the_wall() -> None:
    places = np.array([[50.0, 50.0], [60.0, 150.0], [300.0, 60.0]])
    flat, walled = (rows(places, PICO, FREE, None, Terrain(walls, {})) for walls in ((), (WALL,)))
    less = [{other: level - walled[node].at[other] for other, level in row.at.items()} for node, row in enumerate(flat)]
    assert less == [{1: 20_500, 2: 0}, {0: 20_500, 2: 20_500}, {0: 0, 1: 20_500}]


def test_what_was_measured_stands_instead_of_models_and_walls() -> None:
    places = np.array([[50.0, 50.0], [60.0, 150.0], [90_000.0, 60.0]])  # the third is out of reach of every model
    losses = [LossTable("inn", "mill", 100.0), LossTable("mill", "farm", 120.5)]
    known = terrain((WALL,), losses, {"mill": 0, "inn": 1, "farm": 2})
    found = rows(places, PICO, Budget(20.0, 2.0, -110_000), None, known)
    assert [row.at for row in found] == [{1: -78_000, 2: -98_500}, {0: -78_000}, {0: -98_500}]


def test_a_jammer_behind_a_wall_drowns_less() -> None:
    walls = "\n[[walls]]\nfrom_m = [-500, 100]\nto_m = [500, 100]\nloss_db = 60\n"
    free, shielded = (Sky(parse(PLACED + more)).jammed(55, 400, 30) for more in ("", walls))
    assert (2, 0) in free
    assert (2, 0) not in shielded


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[losses]]\na = "mill"\nb = "mill"\nloss_db = 90', "or a node with itself"),
        ('[[losses]]\na = "mill"\nb = "inn"\nloss_db = 90\n[[losses]]\na = "inn"\nb = "mill"\nloss_db = 91', "twice"),
        ('[[losses]]\na = "mill"\nb = "barn"\nloss_db = 90', ":14: .*names barn"),
        ('[[losses]]\na = "mill"\nb = "inn"\nloss_db = 90\n[[walks]]\nnodes = ["inn"]', "inn, which moves"),
        ("[[walls]]\nfrom_m = [0, 0]\nto_m = [9, 9]\nloss_db = -3", ":15: .*loss_db.* >= 0"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(PLACED + text)


def test_links_have_no_walls() -> None:
    with pytest.raises(ConfigError, match=r'need `level = "radio"`'):
        parse('[topology]\nshape = "line"\nnodes = 2\n[[walls]]\nfrom_m = [0, 0]\nto_m = [9, 9]\nloss_db = 3')

"""Places, timetables and walks."""

from __future__ import annotations

import numpy as np
import pytest

from meshnode.errors import ConfigError, UsageError
from meshnode_sim.mobility import Mobility
from meshnode_sim.scenario import parse

RADIO = '[radio]\nlevel = "radio"\nwidth_mhz = 2\n'


def mobility(topology: str, more: str = "", seed: int = 1) -> Mobility:
    return Mobility(parse(f"seed = {seed}\n[topology]\n{topology}\n{RADIO}{more}"))


def at(found: Mobility, at_s: float, node: int) -> tuple[float, float]:
    x, y = found.places(at_s)[node].tolist()
    return x, y


def test_lines_and_grids_have_their_spacing() -> None:
    line = mobility('shape = "line"\nnodes = 3\nspacing_m = 100')
    assert line.places(0.0).tolist() == [[0, 0], [100, 0], [200, 0]]
    grid = mobility('shape = "grid"\nnodes = 5\nspacing_m = 50')
    assert grid.places(0.0).tolist() == [[0, 0], [50, 0], [100, 0], [0, 50], [50, 50]]
    assert not grid.moving


def test_strewn_nodes_lie_within_the_area_and_follow_the_seed() -> None:
    topology = 'shape = "scatter"\nnodes = 200\narea_m = [300, 600]'
    found = mobility(topology).places(0.0)
    assert found.min() >= 0
    assert (found.max(axis=0) <= [300, 600]).all()
    assert np.abs(found.mean(axis=0) - [150, 300]).max() < 40
    assert (mobility(topology, seed=2).places(0.0) != found).any()


def test_a_timetable_is_kept() -> None:
    bus = '[[routes]]\nnode = "B"\nperiod_s = 100\nstops = [\n'
    bus += (
        "  { at_s = 10, x_m = 0, y_m = 0 }, { at_s = 30, x_m = 200, y_m = 0 }, { at_s = 50, x_m = 200, y_m = 40 },\n]\n"
    )
    found = mobility('shape = "places"\nplaces = [{ name = "B", x_m = 9, y_m = 9 }]', bus)
    assert found.moving
    places = [at(found, time, 0) for time in (5, 10, 20, 30, 40, 50, 80, 120)]
    assert places == [(0, 0), (0, 0), (100, 0), (200, 0), (200, 20), (200, 40), (100, 20), (100, 0)]


def test_a_timetable_without_a_period_ends_where_it_ends() -> None:
    route = '[[routes]]\nnode = "A"\nstops = [{ at_s = 0, x_m = 5, y_m = 0 }, { at_s = 10, x_m = 6, y_m = 0 }]\n'
    assert at(mobility('shape = "line"\nnodes = 1', route), 1e6, 0) == (6, 0)


WALK = '[[walks]]\nnodes = ["B"]\narea_m = [100, 200]\nspeed_mps = [1, 2]\npause_s = 10\n'


def test_a_walker_stays_in_its_area_and_within_its_speed() -> None:
    found = mobility('shape = "line"\nnodes = 2\nspacing_m = 50', WALK)
    path = np.array([found.places(float(second)) for second in range(2000)])
    steps = np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=2))
    assert steps[:, 0].max() == 0
    assert 0.9 < steps[:, 1].max() <= 2.0 + 1e-9
    assert (steps[:, 1] == 0).any()
    assert (path[:, 1] >= 0).all()
    assert (path[:, 1] <= [100, 200]).all()


def test_one_walker_more_moves_no_other() -> None:
    alone = mobility('shape = "line"\nnodes = 3', WALK)
    both = mobility('shape = "line"\nnodes = 3', WALK.replace('["B"]', '["B", "C"]'))
    assert [at(alone, time, 1) for time in (100, 500)] == [at(both, time, 1) for time in (100, 500)]


@pytest.mark.parametrize(
    ("stops", "why"),
    [
        ("{ at_s = 10, x_m = 0, y_m = 0 }, { at_s = 5, x_m = 0, y_m = 0 }", "not in the order"),
        ("{ at_s = 150, x_m = 0, y_m = 0 }", "after its period"),
    ],
)
def test_a_timetable_that_makes_no_sense_is_refused(stops: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        mobility('shape = "line"\nnodes = 1', f'[[routes]]\nnode = "A"\nperiod_s = 100\nstops = [{stops}]\n')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[topology]\nshape = "grid"\nnodes = 4\n', "needs `level"),
        ('[topology]\nshape = "line"\nnodes = 4\n[[walks]]\n', "nodes that move need"),
        ('[topology]\nshape = "ring"\nnodes = 4\n' + RADIO, "needs places"),
        ('[topology]\nshape = "line"\nnodes = 4\n[radio]\nlevel = "radio"\n', "needs `width_mhz`"),
        ('[topology]\nshape = "line"\nnodes = 4\n' + RADIO + "basic_width_mhz = 8\n", "wider than"),
        ('[topology]\nshape = "line"\nnodes = 4\nspacing_m = -3\n' + RADIO, ":4: at topology.spacing_m: Expected"),
        (
            '[topology]\nshape = "line"\nnodes = 1\n'
            + RADIO
            + '[[routes]]\nnode = "X"\nstops = [{at_s=0,x_m=0,y_m=0}]\n',
            "a route names X",
        ),
    ],
)
def test_levels_and_places_fit_each_other(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse(text)

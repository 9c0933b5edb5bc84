"""The medium of levels `radio` and `slots` for a scenario: places, levels, rates, and how they change with moves.

Needs numpy and scipy (`pip install 'meshnode[sim]'`); everything else of the simulator does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from meshnode.air.airtime import S1gRate
from meshnode.air.draws import Draws
from meshnode.core.settings import LinkSettings
from meshnode_sim.agenda import FAULT, SECOND_NS, nanoseconds
from meshnode_sim.figures import link_settings_for
from meshnode_sim.ground import Ground
from meshnode_sim.host import NOBODY
from meshnode_sim.mobility import Mobility
from meshnode_sim.phy import noise, sensitivity
from meshnode_sim.places import Budget, Row, apart_by_channel, rows
from meshnode_sim.propagation import Metres, PathLoss, Shadowing
from meshnode_sim.radio import SELDOM, RadioMedium, RadioSettings, best_mcs
from meshnode_sim.scenario import Scenario
from meshnode_sim.slots import SlotMedium
from meshnode_sim.terrain import terrain
from meshnode_sim.world import World

MOVE_S: Final = 5.0  # how often places are reckoned anew: at 20 m/s a hundred metres
DROWNED: Final = 3_000  # mdB above a jammer below which nothing is decoded, nearly what MCS 0 needs over noise
BELOW_NOISE: Final = 6_000  # mdB: weaker signals add less than a decibel to the noise


def sky(scenario: Scenario) -> Ground:
    """The ground of a scenario with places."""
    found = Sky(scenario)
    links = [found.link_settings(node) for node in range(len(scenario.names))]
    return Ground(
        found.medium, links, found.nearest, found.hearing, found.neighbours, found.arrange, found.places, found.jammed
    )


class Sky:
    """One scenario's radios and where they are."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._mobility = Mobility(scenario)
        self._channels = [scenario.run_of(name).channel or 1 for name in scenario.names]
        table, radio = scenario.propagation, scenario.radio
        width = radio.width_mhz or 1
        self._settings = RadioSettings(
            width_mhz=width,
            mcs=radio.mcs if radio.rate_control == "fixed" else None,
            short_gi=radio.short_gi,
            basic_mcs=radio.basic_mcs,
            basic_width_mhz=radio.basic_width_mhz,
            profile=table.profile,
            retries=radio.retries,
            queue_frames=radio.queue_frames,
            aggregate=radio.aggregate,
        )
        self._loss = PathLoss(table.model, table.mhz, table.exponent, table.reference_db, table.antenna_m)
        self._budget = Budget(scenario.eirp_dbm, table.antenna_dbi, noise(1, 0, table.profile) - BELOW_NOISE)
        draws = Draws(scenario.seed)
        shadowed = table.shadowing_db > 0
        self._shadowing = Shadowing(table.shadowing_db, table.correlation_m, draws) if shadowed else None
        numbers = {name: index for index, name in enumerate(scenario.names)}
        self._terrain = terrain(scenario.walls, scenario.losses, numbers)
        self._places = self._mobility.places(0.0)
        self._rows = self._reckon(self._places)
        medium = SlotMedium if radio.level == "slots" else RadioMedium
        self.medium = medium(self._rows, self._settings, scenario.seed)

    def arrange(self, world: World) -> None:
        """Where somebody moves, everybody is put where they are every MOVE_S."""
        if not self.moving:
            return

        def move() -> None:
            now_ns = world.agenda.now_ns
            self.move(now_ns / SECOND_NS)
            world.at(now_ns + nanoseconds(MOVE_S), NOBODY, move, FAULT)

        world.at(0, NOBODY, move, FAULT)

    @property
    def moving(self) -> bool:
        """Whether anybody moves at all."""
        return self._mobility.moving

    def move(self, at_s: float) -> None:
        """Everybody is where they are at that time, which may not fall from one call to the next."""
        self._places = self._mobility.places(at_s)
        self._rows = self._reckon(self._places)
        self.medium.place(self._rows)

    def nearest(self, node: int, most: int) -> Sequence[int]:
        """So many other nodes, nearest first, as at the last move."""
        apart = self._places - self._places[node]
        squares = apart[:, 0] * apart[:, 0] + apart[:, 1] * apart[:, 1]
        farthest = np.partition(squares, most)[most]  # beside the node itself, which is none away
        near = np.nonzero(squares <= farthest)[0].tolist()
        return sorted((other for other in near if other != node), key=lambda n: (squares[n], n))[:most]

    def places(self) -> list[tuple[float, float]]:
        """x and y of every node in metres, as at the last move."""
        return [(x, y) for x, y in self._places.tolist()]

    def neighbours(self) -> list[tuple[int, int]]:
        """Who decodes the basic rate of whom when nobody disturbs, the lower number first."""
        return self._within(0)

    def hearing(self) -> list[tuple[int, int]]:
        """Who decodes anything that is for all of whom, if only now and then."""
        return self._within(SELDOM)

    def _within(self, below: int) -> list[tuple[int, int]]:
        settings = self._settings
        least = sensitivity(settings.basic_width_mhz, settings.basic_mcs, settings.profile) - below
        return [
            (node, other)
            for node, row in enumerate(self._rows)
            for other, level in row.at.items()
            if node < other and level >= least
        ]

    def jammed(self, x_m: float, y_m: float, eirp_dbm: float) -> list[tuple[int, int]]:
        """Whom a transmitter drowns at present: pairs of who sends and who receives."""
        there = np.broadcast_to(np.array([x_m, y_m]), self._places.shape)
        apart = self._places - there
        metres = np.sqrt(apart[:, 0] * apart[:, 0] + apart[:, 1] * apart[:, 1])
        power = round((eirp_dbm + self._budget.antenna_dbi) * 1000)
        heard = (power - self._loss.mdb(metres) - self._terrain.mdb(there, self._places)).tolist()
        return [
            (src, dst)
            for src, row in enumerate(self._rows)
            for dst, level in row.at.items()
            if level - heard[dst] < DROWNED
        ]

    def link_settings(self, node: int) -> LinkSettings:
        """What a node is told of its radio: the rate to the neighbour in the middle of those it reaches."""
        levels = sorted(self._rows[node].levels.tolist())
        settings = self._settings
        usual = best_mcs(levels[len(levels) // 2], settings.width_mhz, settings.profile) if levels else 0
        rate = S1gRate(settings.width_mhz, usual if settings.mcs is None else settings.mcs, settings.short_gi)
        basic = S1gRate(settings.basic_width_mhz, settings.basic_mcs)
        radio = self._scenario.radio
        return link_settings_for(rate.bps, basic.bps, multicast=radio.multicast, country=radio.country)

    def _reckon(self, places: Metres) -> list[Row]:
        found = rows(places, self._loss, self._budget, self._shadowing, self._terrain)
        return found if len(set(self._channels)) < 2 else apart_by_channel(found, self._channels)

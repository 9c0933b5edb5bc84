"""Makes the fake modems that `meshnode-sim modem` serves."""

from __future__ import annotations

from meshnode.air.airtime import S1gRate
from meshnode.air.draws import CERTAIN
from meshnode.air.topology import Topology, both_ways, full
from meshnode.errors import UsageError
from meshnode_sim.modem.air import ModemAir
from meshnode_sim.modem.consoles import FakeTaixin, FakeWarthog
from meshnode_sim.modem.newracom import FakeNewracom
from meshnode_sim.modem.pty import FakeModem, Line

MOST = 32


def offer(dialect: str, count: int, loss: float, seed: int) -> tuple[ModemAir, list[Line]]:
    """That many modems, plugged in, all in hearing of each other. Raises UsageError."""
    if not 1 <= count <= MOST or not 0 <= loss <= 1:
        raise UsageError(f"between 1 and {MOST} modems, and a loss between 0 and 1")
    links = both_ways(full(count), round(loss * CERTAIN))
    air = ModemAir(Topology(count, links, S1gRate(1, 2), S1gRate(1, 0)), seed)
    lines = [Line(_modem(dialect, index, air)) for index in range(count)]
    for line in lines:
        line.plug()
    return air, lines


def _modem(dialect: str, index: int, air: ModemAir) -> FakeModem:
    match dialect:
        case "newracom":
            return FakeNewracom(index, air)
        case "taixin":
            return FakeTaixin()
        case _:
            return FakeWarthog()

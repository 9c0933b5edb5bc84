"""When a simulated node is woken: at the last time it asked for, not at one it has put off since."""

from __future__ import annotations

from typing import Any

from meshnode.core.effects import Effect
from meshnode.core.inputs import Input, MarkRead, Tick
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build

ALONE = '[topology]\nshape = "line"\nnodes = 1\n'


class Sleeper:
    """Wants a Tick at `due`, and notes when it got one."""

    def __init__(self, *_: Any) -> None:
        self.due: float | None = 10.0
        self.ticks: list[float] = []

    def step(self, given: Input, now: float) -> list[Effect]:
        if isinstance(given, Tick):
            self.ticks.append(round(now))
            self.due = None
        return []

    def next_wakeup(self) -> float | None:
        return self.due


def test_what_was_put_off_wakes_nobody() -> None:
    world = build(parse(ALONE), 100 * SECOND_NS)
    host = world.hosts[0]
    host._make = Sleeper
    world.run(2 * SECOND_NS)
    sleeper = host.node
    assert isinstance(sleeper, Sleeper)
    for at_s, due in ((5, 30.0), (40, 50.0), (45, None)):
        world.run(at_s * SECOND_NS)
        sleeper.due = due
        host.give(MarkRead(()))
    world.run(100 * SECOND_NS)
    assert sleeper.ticks == [30], "put off from 10; what was wanted at 50 is not wanted any more"

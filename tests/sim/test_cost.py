"""What a settled world costs, in calls of Python functions: seconds differ from machine to machine, calls do not."""

from __future__ import annotations

import sys
from types import FrameType

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build

LINE = """
[topology]
shape = "line"
nodes = 6
[radio]
rate_bps = 1_000_000
basic_bps = 300_000
[mesh]
contacts = "none"
"""
BESIDE_THE_CORE = ("meshnode_sim.", "meshnode.air.")
SETTLED_NS = 400 * SECOND_NS


def test_a_second_of_a_settled_node_calls_few_functions() -> None:
    world = build(parse(LINE), 2 * SETTLED_NS)
    world.run(SETTLED_NS)
    before, calls, beside = sum(host.steps for host in world.hosts), 0, 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls, beside
        if event == "call":
            calls += 1
            beside += frame.f_globals["__name__"].startswith(BESIDE_THE_CORE)

    sys.setprofile(count)
    world.run(2 * SETTLED_NS)
    sys.setprofile(None)
    steps = sum(host.steps for host in world.hosts) - before
    assert 100 < steps < 220, "beacons alone: 184 when this was written"
    seconds = len(world.hosts) * SETTLED_NS / SECOND_NS
    assert calls / seconds < 14, "11.9 when this was written"
    assert beside / steps < 26, "22.9 when this was written: the world, the hosts and the air, all but the core"

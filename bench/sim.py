"""How fast the simulator is, and where the time goes: worlds of the shipped core in virtual time.

    python bench/sim.py
    python bench/sim.py --nodes 20,100 --shape geometric --settle 60 --more 60
    python bench/sim.py --acquainted 100 --nodes 1000 --shape geometric --settle 120 --more 600
    python bench/sim.py --acquainted 100 --nodes 1000 --shape grid --level radio --settle 120 --more 60
    python bench/sim.py --profile

Each world has one message per node and hour (`--every`), to one of the sender's hundred nearest nodes, beacons and all.
Two stretches are timed apart: `acquaintance`, in which everybody meets and tells everybody of its keys, and `settled`,
what comes after it. With `--acquainted N` everybody knows the N nearest from the beginning, and the first stretch is
that in which neighbours greet each other. Speeds are simulated seconds per CPU second of one core, so that other work
on the machine does not count. `steps` are inputs that a node took; the same code and seed take the same steps on any
machine. `profile` is the share of time, of a third stretch, that each part of the program spent by itself; the profiler
slows calls down, so it is good for shares alone. `mb_at_start` is taken before the first moment. A world that is out of
breath ends a stretch early: `simulated_s` says how far it came.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import emit

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.report import report
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build
from meshnode_sim.world import World

SCENARIO = """
[topology]
shape = "{shape}"
nodes = {nodes}
{places}
[radio]
{radio}
[mesh]
contacts = "none"
acquainted = {acquainted}
"""
TRAFFIC = """
[[traffic]]
pattern = "poisson"
every_s = {every}
nearest = {nearest}
"""
RADIO = {
    "graph": "rate_bps = 1_000_000\nbasic_bps = 300_000",
    "radio": 'level = "radio"\nwidth_mhz = 2\nbasic_width_mhz = 2',
}
DEGREE = 6.0  # strewn nodes: links of each, or more where all would not be joined by so few
SPACING_M = 250.0  # grid
AREA_M = 400.0  # scatter: the side of the square that each node has to itself
PROFILED_S = 300


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--nodes", default="20,100", help="sizes of the worlds, with commas between")
    words.add_argument("--shape", default="line", choices=("line", "grid", "geometric", "scatter"))
    words.add_argument(
        "--level", default="graph", choices=("graph", "radio"), help="grid and scatter are by radio alone"
    )
    words.add_argument("--acquainted", type=int, default=0, help="how many of its nearest everybody knows already")
    words.add_argument("--settle", type=int, default=600, help="simulated seconds until a world counts as settled")
    words.add_argument("--more", type=int, default=3600, help="simulated seconds after that")
    words.add_argument("--patience", type=float, default=300.0, help="CPU seconds after which a stretch is ended")
    words.add_argument(
        "--every", type=int, default=3600, help="seconds between two messages of a node; 0: nobody writes"
    )
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--profile", action="store_true")
    options = words.parse_args()
    emit("sim", vars(options), {nodes: measure(int(nodes), options) for nodes in options.nodes.split(",")})


def measure(nodes: int, options: argparse.Namespace) -> dict[str, Any]:
    """One world, in a process of its own: the memory of another one is not counted with it."""
    from multiprocessing import get_context

    with get_context("fork").Pool(1) as alone:
        return alone.apply(measure_here, (nodes, options))


def measure_here(nodes: int, options: argparse.Namespace) -> dict[str, Any]:
    """One world."""
    told = text(nodes, options.shape, level=options.level, acquainted=options.acquainted, every=options.every)
    begun = time.process_time()
    world = build(
        parse(told, changes=[f"seed={options.seed}"]), (options.settle + options.more + PROFILED_S) * SECOND_NS
    )
    found: dict[str, Any] = {
        "building_s": round(time.process_time() - begun, 1),
        "mb_at_start": memory_mb(),
        "acquaintance": stretch(world, options.settle, options.patience),
        "settled": stretch(world, options.more, options.patience),
    }
    if options.profile:
        found["profile"] = profile(world)
    seen = report(world, 0.0, 0.0)
    found["receptions_per_message"] = seen["receptions_per_message"]
    found["delivered"] = f"{seen['messages']['delivered']} of {seen['messages']['created']}"
    found["memory_mb"] = memory_mb()
    return found


def text(
    nodes: int, shape: str, *, level: str = "graph", acquainted: int = 0, nearest: int = 100, every: int = 3600
) -> str:
    """A scenario: a message of each node in so many seconds, to one of the sender's `nearest`; never for 0."""
    side = AREA_M * nodes**0.5
    places = {
        "geometric": f"mean_degree = {DEGREE}",
        "grid": f"spacing_m = {SPACING_M}",
        "scatter": f"area_m = [{side:.1f}, {side:.1f}]",
    }
    world = SCENARIO.format(
        shape=shape, nodes=nodes, places=places.get(shape, ""), radio=RADIO[level], acquainted=acquainted
    )
    return world + (TRAFFIC.format(every=every, nearest=nearest) if every else "")


def memory_mb() -> int:
    """The most that this process held so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def stretch(world: World, seconds: int, patience: float) -> dict[str, Any]:
    """Lets so many seconds pass, or as many as patience allows."""
    begun_ns, steps, begun = world.agenda.now_ns, taken(world), time.process_time()
    end_ns = begun_ns + seconds * SECOND_NS
    while world.agenda.now_ns < end_ns and time.process_time() - begun < patience:
        world.run(min(end_ns, world.agenda.now_ns + max(SECOND_NS // 10, (end_ns - begun_ns) // 100)))
    spent, passed = time.process_time() - begun, (world.agenda.now_ns - begun_ns) / SECOND_NS
    steps = taken(world) - steps
    return {
        "simulated_s": round(passed, 1),
        "speed": round(passed / spent, 2),
        "steps_per_s": round(steps / passed, 1),
        "us_per_step": round(spent / max(steps, 1) * 1e6, 1),
    }


def taken(world: World) -> int:
    """Inputs that all nodes took so far."""
    return sum(host.steps for host in world.hosts)


def profile(world: World) -> dict[str, float]:
    """Shares of the time by part of the program, the largest first."""
    profiler = cProfile.Profile()
    profiler.enable()
    world.run(world.agenda.now_ns + PROFILED_S * SECOND_NS)
    profiler.disable()
    spent: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        spent[part_of(file)] += own
    return {part: round(own / spent.total(), 3) for part, own in spent.most_common(12)}


def part_of(file: str) -> str:
    """The package a file belongs to, to the second dot: core.gossip, air, the simulator; else what Python brings."""
    folders = Path(file).parts
    for root in ("meshnode", "meshnode_sim"):
        if root in folders:
            within = folders[len(folders) - folders[::-1].index(root) :]
            return ".".join((root, *within[:-1])) if root == "meshnode" else root
    return "python"


if __name__ == "__main__":
    sys.exit(main())

"""How fast a trace of contacts is played with a reference agent: an hour of random meetings, no radio and no core.

    python bench/contacts.py
    python bench/contacts.py --nodes 100 --agent spray --profile

Every pair meets as often as every other one, for `stay` seconds; messages have random ends and `octets` each. `speed`
is simulated seconds per CPU second of one core. `calls` (with --profile) are calls of Python functions per
transfer, which are the same on any machine.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import tempfile
import time
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from random import Random
from typing import Any

from common import emit

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.report import report
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import meetings

SCENARIO = """
[topology]
shape = "trace"
trace = "contacts.txt"
nodes = {nodes}
[radio]
level = "contacts"
rate_bps = 2_000_000
[nodes]
agent = "{agent}"
[mesh]
contacts = "none"
[[traffic]]
pattern = "replay"
file = "events.txt"
"""


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--nodes", type=int, default=500)
    words.add_argument("--contacts", type=int, default=15_000, help="meetings in all")
    words.add_argument("--messages", type=int, default=120)
    words.add_argument("--octets", type=int, default=500)
    words.add_argument("--stay", type=float, default=20.0, help="seconds of a meeting")
    words.add_argument("--hours", type=float, default=1.0)
    words.add_argument("--agent", default="epidemic")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--profile", action="store_true")
    options = words.parse_args()
    emit("contacts", vars(options), measure(options))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One run, timed from the built world to its end."""
    span_s = options.hours * 3600
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "contacts.txt").write_text("".join(contacts(options, span_s)))
        Path(folder, "events.txt").write_text("".join(written(options, span_s)))
        scenario = parse(SCENARIO.format(nodes=options.nodes, agent=options.agent))
        world = meetings(scenario, round(span_s * SECOND_NS), Path(folder))
    profiler = cProfile.Profile() if options.profile else None
    begun = time.process_time()
    if profiler is not None:
        profiler.enable()
    world.run(round(span_s * SECOND_NS))
    if profiler is not None:
        profiler.disable()
    spent = time.process_time() - begun
    told = report(world, 0.0, 0.0)
    found = {
        "speed": round(span_s / spent, 1),
        "us_per_transfer": round(spent / max(told["transfers"], 1) * 1e6, 1),
        "transfers": told["transfers"],
        "events": told["events"],
        "delivered": f"{told['messages']['delivered']} of {told['messages']['created']}",
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if profiler is not None:
        calls = pstats.Stats(profiler).total_calls  # type: ignore[attr-defined]
        found["calls"] = round(calls / max(told["transfers"], 1), 1)
    return found


def contacts(options: argparse.Namespace, span_s: float) -> Iterator[str]:
    """Lines of a trace, in order; two that are together already do not meet once more."""
    random, apart = Random(options.seed), dict[tuple[int, int], float]()
    ups: list[tuple[float, str]] = []
    downs: list[tuple[float, str]] = []
    for at in sorted(random.uniform(0, span_s) for _ in range(options.contacts)):
        one, other = sorted(random.sample(range(options.nodes), 2))
        if at <= apart.get((one, other), -1.0):
            continue
        apart[one, other] = end = at + options.stay
        ups.append((at, f"{at:.6f} CONN {one} {other} up\n"))
        downs.append((end, f"{end:.6f} CONN {one} {other} down\n"))
    return (line for _, line in merge(ups, downs))


def written(options: argparse.Namespace, span_s: float) -> Iterator[str]:
    """Lines of a file of messages, all written in the first half."""
    random = Random(options.seed + 1)
    for number in range(options.messages):
        one, other = random.sample(range(options.nodes), 2)
        yield f"{number * span_s / 2 / options.messages:.6f} C M{number} {one} {other} {options.octets}\n"


if __name__ == "__main__":
    main()

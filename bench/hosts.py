"""What the simulator costs beside the core: every step is taken once and recorded, then the world runs on the record.

    python bench/hosts.py
    python bench/hosts.py --scenario valley --settle 900 --more 7200
    python bench/hosts.py --nodes 1000 --shape geometric --settle 5 --more 0

Worlds are those of bench/sim.py with `--acquainted 100`, or a scenario that ships. The nodes of the second run answer
each input with the effects and the time of the next Tick that the core gave in the first, so its events are the same,
which the fingerprint shows, and what it takes is agenda, hosts, stores, radio and probe alone. Opening and sealing of
datagrams count as the core's. `us_per_step` is the best of three runs, of one core, until `--settle` and after it;
`calls_per_step` are calls of Python functions and of builtins after it, the same on any machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from common import emit

from meshnode.core.clock import Instant
from meshnode.core.effects import Effect
from meshnode.core.inputs import Input
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.agents.contract import CORE, Agent
from meshnode_sim.library import find
from meshnode_sim.scenario import Scenario, parse
from meshnode_sim.sealing import ChargingSealer
from meshnode_sim.simulate import build
from meshnode_sim.world import World
from sim import taken, text

RUNS = 3
Life = tuple[bytes, int]  # persona and epoch


class Record:
    """What the cores of one world answered, by life and step: effects, the work in ns, when the next Tick is wanted."""

    def __init__(self) -> None:
        self.answers: dict[Life, list[tuple[list[Effect], int, Instant | None]]] = {}
        self.births: dict[Life, int] = {}  # what it took to start


class Recorder:
    """A core that is written down."""

    def __init__(self, record: Record, *made_of: Any) -> None:
        self._sealer: ChargingSealer = made_of[3]
        before = self._sealer.spent_ns
        self._node = CORE(*made_of)
        life = made_of[0].persona, made_of[6]
        record.births[life] = self._sealer.spent_ns - before
        self._answers = record.answers[life] = []

    def step(self, given: Input, now: Instant) -> list[Effect]:
        before = self._sealer.spent_ns
        effects = self._node.step(given, now)
        self._answers.append((effects, self._sealer.spent_ns - before, self._node.next_wakeup()))
        return effects

    def next_wakeup(self) -> Instant | None:
        return self._answers[-1][2]


class Player:
    """Answers as one did."""

    def __init__(self, record: Record, *made_of: Any) -> None:
        self._sealer: ChargingSealer = made_of[3]
        life = made_of[0].persona, made_of[6]
        self._sealer.spent_ns += record.births[life]
        self._answers = iter(record.answers[life])
        self._due: Instant | None = None

    def step(self, given: Input, now: Instant) -> list[Effect]:
        effects, spent_ns, self._due = next(self._answers)
        self._sealer.spent_ns += spent_ns
        return effects

    def next_wakeup(self) -> Instant | None:
        return self._due


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scenario", help="one that ships, instead of a shape")
    words.add_argument("--nodes", type=int, default=100)
    words.add_argument("--shape", default="line", choices=("line", "geometric"))
    words.add_argument("--every", type=int, default=0, help="seconds between two messages of a node; 0: nobody writes")
    words.add_argument("--settle", type=int, default=120)
    words.add_argument("--more", type=int, default=2400)
    options = words.parse_args()
    told = None if options.scenario else text(options.nodes, options.shape, acquainted=100, every=options.every)
    scenario = find(options.scenario) if told is None else parse(told)
    emit("hosts", vars(options), measure(scenario, options.settle * SECOND_NS, options.more * SECOND_NS))


def measure(scenario: Scenario, settle_ns: int, more_ns: int) -> dict[str, Any]:
    """One world: recorded, played for time, played for calls."""
    record = Record()
    recorded = world(scenario, lambda *made_of: Recorder(record, *made_of), settle_ns + more_ns)
    recorded.run(settle_ns + more_ns)
    best = [float("inf"), float("inf")]
    for _ in range(RUNS):
        played = world(scenario, lambda *made_of: Player(record, *made_of), settle_ns + more_ns)
        for turn, end_ns in enumerate((settle_ns, settle_ns + more_ns)):
            steps, begun = taken(played), time.process_time()
            played.run(end_ns)
            best[turn] = min(best[turn], (time.process_time() - begun) / max(1, taken(played) - steps) * 1e6)
        if played.agenda.fingerprint() != recorded.agenda.fingerprint():
            raise SystemExit("what was played is not what was recorded")
    counted = world(scenario, lambda *made_of: Player(record, *made_of), settle_ns + more_ns)
    counted.run(settle_ns)
    steps = taken(counted)
    calls = counted_calls(lambda: counted.run(settle_ns + more_ns))
    steps_after = max(1, taken(counted) - steps)
    return {
        "steps": taken(recorded),
        "us_per_step": {"until_settled": round(best[0], 2), "settled": round(best[1], 2)},
        "calls_per_step": {kind: round(number / steps_after, 1) for kind, number in calls.items()},
    }


def world(scenario: Scenario, make: Callable[..., Agent], until_ns: int) -> World:
    """A world whose nodes are made so from now on; what makes them acquainted was the core's."""
    made = build(scenario, until_ns)
    for host in made.hosts:
        host._make = make
    return made


def counted_calls(do: Callable[[], None]) -> Counter[str]:
    """Calls of Python functions and builtins, but for those of this file."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, arg: object) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename != __file__:
            calls["python" if event == "call" else "builtin"] += 1

    sys.setprofile(count)
    do()
    sys.setprofile(None)
    return calls


if __name__ == "__main__":
    sys.exit(main())

"""`meshnode-sim swarm`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Annotated

import tomli_w
from cyclopts import Parameter

from meshnode.errors import SimulationError
from meshnode_sim.cli.options import duration_ns, write
from meshnode_sim.studies.swarm import failure, scenario, shrunk
from meshnode_sim.studies.sweep import seeds_of
from meshnode_sim.studies.workers import workers as pool


def swarm(
    *,
    budget: Annotated[str, Parameter(help="How long to look: 90, 30m, 8h.")] = "1m",
    seeds: Annotated[str, Parameter(help="A..B, the numbers of the scenarios.")] = "1..1000000",
    workers: Annotated[int | None, Parameter(help="Processes; as many as cores when left out.")] = None,
    out: Annotated[Path, Parameter(help="Folder for what fails.")] = Path(),
) -> None:
    """Run random scenarios with random faults until the time is over; what fails is shrunk to a file.

    Everything written must arrive, once, after the faults have ended. Exits 1 at the first failure, with the command
    that replays it.

    Example: meshnode-sim swarm --budget 30m
    """
    ends = time.monotonic() + duration_ns(budget) / 1e9
    done = 0
    for number, why in _results(iter(seeds_of(seeds)), workers or os.cpu_count() or 1, ends):
        done += 1
        if why:
            raise SimulationError(_told(number, why, out))
        if sys.stderr.isatty():
            print(
                f"\r{done} scenarios, {max(0, ends - time.monotonic()):.0f} s left ",
                end="",
                file=sys.stderr,
                flush=True,
            )
    print(f"{done} scenarios held")


def _results(numbers: Iterator[int], count: int, ends: float) -> Iterator[tuple[int, str]]:
    """Number and failure of one after the other, `count` at a time; none is begun when the time is over."""
    running: dict[Future[str], int] = {}
    with pool(count, None) as executor:
        while True:
            while len(running) < count and time.monotonic() < ends and (number := next(numbers, None)) is not None:
                running[executor.submit(outcome_of, number)] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def outcome_of(number: int) -> str:
    """Why the scenario of that number fails, or nothing."""
    return failure(scenario(number))


def _told(number: int, why: str, out: Path) -> str:
    """Shrinks it, writes it, and says what to do with it."""
    small = shrunk(scenario(number), lambda tree: bool(failure(tree)))
    path = out / f"swarm-{number}.toml"
    write(path, tomli_w.dumps(small))
    left = f"{len(small['topology']['names'])} nodes, {len(small['faults'])} faults, {len(small['actions'])} words"
    return f"scenario {number} fails ({why}); shrunk to {left}: meshnode-sim run {path}"

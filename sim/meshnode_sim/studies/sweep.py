"""A sweep: every combination of the values given, each with every seed; one row for each run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from meshnode.errors import UsageError
from meshnode_sim.studies.jobs import Job, Row, keep, kept, perform
from meshnode_sim.studies.workers import done_as_they_come, workers

Progress = Callable[[int, int], None]  # runs done, of how many


def seeds_of(text: str) -> range:
    """`1..10`, or one number."""
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text.strip())
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise UsageError(f"{text} is no range of seeds: write 1..10")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def combinations(changes: Sequence[str]) -> list[tuple[str, ...]]:
    """`KEY=V1,V2` several times becomes every choice of one value for each key; commas inside [ ] or " " divide not."""
    ways = []
    for change in changes:
        key, equals, values = change.partition("=")
        if not equals:
            raise UsageError(f"`{change}` is no change: write KEY=VALUE, or KEY=V1,V2 for several")
        ways.append([f"{key.strip()}={value.strip()}" for value in _values(values)])
    return list(product(*ways))


def _values(text: str) -> list[str]:
    return [found for found in re.findall(r'(?:\[[^\]]*\]|"[^"]*"|[^,\["])+', text) if found.strip()]


def jobs_of(scenario: str, changes: Sequence[str], seeds: range, until_ns: int | None) -> list[Job]:
    """All of a sweep, in a fixed order."""
    return [Job(scenario, way, seed, until_ns) for way in combinations(changes) for seed in seeds]


def sweep(
    jobs: Sequence[Job], out: Path, *, count: int | None, scheduler: str | None, progress: Progress | None
) -> list[Row]:
    """The rows in the order of the jobs. What the folder holds from before is taken as it is."""
    rows = {job: row for job in jobs if (row := kept(out, job)) is not None}
    missing = [job for job in jobs if job not in rows]
    if missing:
        with workers(count, scheduler) as executor:
            for job, row in done_as_they_come(executor, perform, missing):
                keep(out, job, row)
                rows[job] = row
                if progress is not None:
                    progress(len(rows), len(jobs))
    return [rows[job] for job in jobs]

"""`meshnode-sim sweep`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.errors import UsageError
from meshnode_sim import library
from meshnode_sim.cli.options import Until, duration_ns
from meshnode_sim.studies.figures import figures
from meshnode_sim.studies.jobs import MEASURES, Row
from meshnode_sim.studies.sweep import jobs_of, seeds_of
from meshnode_sim.studies.sweep import sweep as swept
from meshnode_sim.studies.tables import estimate, write_csv, write_parquet

SHOWN = ("delivery_ratio", "latency_p50_s", "latency_p95_s", "post_ratio", "airtime_s")


def sweep(
    scenario: str,
    *,
    out: Annotated[Path, Parameter(help="Folder for rows and figures; what is in it from before is not run again.")],
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", help="KEY=V1,V2,…, several values of one key; every combination is run."),
    ] = (),
    seeds: Annotated[str, Parameter(help="A..B, each combination with each of these.")] = "1..5",
    until: Until = None,
    workers: Annotated[int | None, Parameter(help="Processes; as many as cores when left out.")] = None,
    scheduler: Annotated[str | None, Parameter(help="A Dask scheduler instead: tcp://HOST:PORT.")] = None,
) -> None:
    """Run a scenario with several values and seeds: one row for each run, one figure for each measure.

    Writes rows.csv, rows.parquet (with meshnode[study]) and an SVG for each measure that differs. Broken off, the same
    command goes on where it was.

    Example: meshnode-sim sweep line --set radio.loss=0,0.1,0.3 --seeds 1..10 --out loss
    """
    library.find(scenario)
    jobs = jobs_of(scenario, set_, seeds_of(seeds), None if until is None else duration_ns(until))
    for way in {job.changes: None for job in jobs}:
        library.find(scenario, way)  # a wrong change is said before the first run
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made ({error.strerror}): give another folder") from error
    progress = Counted() if sys.stderr.isatty() else None
    rows = swept(jobs, out, count=workers, scheduler=scheduler, progress=progress)
    keys = [change.partition("=")[0].strip() for change in set_]
    write_csv(out / "rows.csv", rows)
    files = ["rows.csv", *(["rows.parquet"] if write_parquet(out / "rows.parquet", rows) else [])]
    files += [path.name for path in figures(rows, keys, out)]
    print(table(rows, keys))
    print(f"\n{len(rows)} runs; {out}: {', '.join(files)}")


def table(rows: Sequence[Row], keys: Sequence[str]) -> str:
    """Means and 95 % intervals over the seeds, a line for each combination."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(" ".join(f"{key}={row[key]}" for key in keys) or str(row["scenario"]), []).append(row)
    columns = [name for name in SHOWN if name in MEASURES and any(row[name] is not None for row in rows)]
    wide = max(len(name) for name in groups)
    lines = [" ".join([" " * wide, *(f"{name:>20}" for name in columns)])]
    for name, group in groups.items():
        told = [str(estimate(row[column] for row in group) or "-") for column in columns]
        lines.append(" ".join([f"{name:{wide}}", *(f"{text:>20}" for text in told)]))
    return "\n".join(lines)


class Counted:
    """Shows how many runs of a study are done, and how long the rest will take, on a terminal."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, of: int) -> None:
        self._first = done - 1 if self._first is None else self._first
        left = (time.monotonic() - self._began) / (done - self._first) * (of - done)
        text = f"{done} of {of} runs, {left:.0f} s left"
        print("\r" + (text if done < of else " " * 40 + "\r"), end="", file=sys.stderr, flush=True)

"""`meshnode-sim compare`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from meshnode.errors import UsageError
from meshnode_sim import library
from meshnode_sim.cli.options import Changes, Json, Until, duration_ns
from meshnode_sim.cli.sweep import Counted
from meshnode_sim.studies.compare import Difference, differences, rows_of
from meshnode_sim.studies.jobs import Job
from meshnode_sim.studies.sweep import seeds_of

USUAL = ("line", "blackout", "ferry")
SIDE = "A branch, tag or commit; `.` for the code as it stands here; or a folder that `sweep` wrote."
LEGEND = """mean over the seeds ± half of its 95 % interval; change: second minus first, seed by seed
* more than chance: the interval of the change leaves out zero"""


def compare(
    first: Annotated[str, Parameter(help=SIDE)],
    second: Annotated[str, Parameter(help="The same, for what it is compared with.")],
    /,
    *scenarios: Annotated[str, Parameter(help="Names or files; line, blackout and ferry when left out.")],
    seeds: Annotated[str, Parameter(help="A..B, each scenario with each of these.")] = "1..5",
    until: Until = None,
    set_: Changes = (),
    workers: Annotated[int | None, Parameter(help="Runs at a time; as many as cores when left out.")] = None,
    json_: Json = False,
) -> None:
    """Run two versions of the code on equal seeds and say what differs, with 95 % confidence intervals.

    Revisions are checked out and run, so this takes a clone. Folders that `sweep` wrote are compared as they are.

    Example: meshnode-sim compare main . valley --seeds 1..10
    """
    until_ns = None if until is None else duration_ns(until)
    paths = [str(library.path_of(name).absolute()) for name in scenarios or USUAL]
    jobs = [Job(path, set_, seed, until_ns) for path in paths for seed in seeds_of(seeds)]
    count = workers or os.cpu_count() or 1
    progress = Counted if sys.stderr.isatty() else lambda: None
    sides = [rows_of(side, jobs, count, progress()) for side in (first, second)]
    if not set(sides[0]) & set(sides[1]):
        raise UsageError(f"{first} and {second} have no scenario and seed in common")
    found = differences(*sides)
    if json_:
        print(json.dumps({"differences": [{**asdict(one), "certain": one.certain} for one in found]}))
    else:
        print(_table(found, first, second))


def _table(found: Sequence[Difference], first: str, second: str) -> str:
    if not found:
        return "no measure differs in any run"
    lines = [f"{'scenario':16} {'measure':20} {first[-20:]:>20} {second[-20:]:>20} {'change':>20}"]
    for one in found:
        mark = "  *" if one.certain else ""
        sides = f"{one.first!s:>20} {one.second!s:>20} {one.change!s:>20}"
        lines.append(f"{one.scenario:16} {one.measure:20} {sides}{mark}")
    return "\n".join([*lines, "", LEGEND])

"""Two revisions, or two folders of results, on equal seeds: what differs, and whether more than by chance.

A revision is checked out beside the repository (git worktree) and runs in processes of its own, so what is compared is
its code and not this one's. Differences are taken seed by seed: much of what chance does is the same on both sides.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshnode.errors import SimulationError, UsageError
from meshnode_sim.studies.jobs import MEASURES, Job, Row, measures
from meshnode_sim.studies.tables import Estimate, estimate

Progress = Callable[[int, int], None]
Key = tuple[str, int]  # scenario, seed

_PROGRAM: Final = "import sys; from meshnode_sim.cli import run; sys.exit(run(sys.argv[1:]))"


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one scenario: the means of both sides, and of second minus first by seed."""

    scenario: str
    measure: str
    first: Estimate
    second: Estimate
    change: Estimate

    @property
    def certain(self) -> bool:
        """Whether the 95 % interval of the change leaves out zero."""
        return self.change.mean != 0 and self.change.half is not None and abs(self.change.mean) > self.change.half


def differences(first: dict[Key, Row], second: dict[Key, Row]) -> list[Difference]:
    """Of every measure that both sides have and that is not the same for all seeds."""
    found = []
    for scenario in dict.fromkeys(name for name, _ in first):
        both = [key for key in first if key in second and key[0] == scenario]
        for measure in MEASURES:
            pairs = [(first[key][measure], second[key][measure]) for key in both]
            found += _difference(scenario, measure, [(a, b) for a, b in pairs if a is not None and b is not None])
    return found


def _difference(scenario: str, measure: str, pairs: list[tuple[float, float]]) -> list[Difference]:
    first, second = estimate(a for a, _ in pairs), estimate(b for _, b in pairs)
    change = estimate(b - a for a, b in pairs)
    if first is None or second is None or change is None or all(a == b for a, b in pairs):
        return []
    return [Difference(scenario, measure, first, second, change)]


# -------------------------------------------------------------------- where rows come from


def rows_of(side: str, jobs: Sequence[Job], count: int, progress: Progress | None) -> dict[Key, Row]:
    """The rows of a folder that a sweep wrote, of the code as it stands (`.`), or of a revision that is run now."""
    folder = Path(side)
    if (folder / "rows").is_dir():
        return _rows_of_folder(folder)
    if side == ".":
        return _rows_of_tree(_top(), jobs, count, progress)
    with _checked_out(side) as tree:
        return _rows_of_tree(tree, jobs, count, progress)


def _rows_of_folder(folder: Path) -> dict[Key, Row]:
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "rows").glob("*.json"))]
    return {(_combination(row), row["seed"]): row for row in rows}


def _combination(row: Row) -> str:
    """The scenario, and the values swept: what is no measure."""
    apart = {"scenario", "seed", "unmet", "fingerprint", *MEASURES}
    return " ".join([row["scenario"], *(f"{key}={value}" for key, value in row.items() if key not in apart)])


def _rows_of_tree(tree: Path, jobs: Sequence[Job], count: int, progress: Progress | None) -> dict[Key, Row]:
    found: dict[Key, Row] = {}
    with ThreadPoolExecutor(count) as pool:
        futures = {pool.submit(_run_there, tree, job): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            found[Path(job.scenario).stem, job.seed] = future.result()
            if progress is not None:
                progress(len(found), len(jobs))
    return found


def _run_there(tree: Path, job: Job) -> Row:
    """One run by the code of a tree, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        words = ["run", job.scenario, "--seed", str(job.seed), "--json", str(file)]
        words += [word for change in job.changes for word in ("--set", change)]
        words += [] if job.until_ns is None else ["--until", f"{job.until_ns / 1e9:f}"]
        environment = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'sim'}"}
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *words],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if not file.exists():
            raise SimulationError(f"{tree.name} cannot run {job.scenario}: {ran.stderr.strip() or ran.returncode}")
        return measures(json.loads(file.read_text(encoding="utf-8")))


@contextmanager
def _checked_out(revision: str) -> Iterator[Path]:
    top = _top()
    with tempfile.TemporaryDirectory(prefix="meshnode-compare-") as folder:
        tree = Path(folder) / "tree"
        _git(top, "worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            yield tree
        finally:
            _git(top, "worktree", "remove", "--force", str(tree))


def _top() -> Path:
    return Path(_git(Path(), "rev-parse", "--show-toplevel").strip())


def _git(where: Path, *words: str) -> str:
    ran = subprocess.run(["git", "-C", str(where), *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        told = ran.stderr.strip().splitlines() or ["git failed"]
        raise UsageError(f"{told[-1]}: compare takes revisions of the repository you are in, or folders of a sweep")
    return ran.stdout

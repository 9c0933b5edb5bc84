"""One run of a study: a pure function of scenario, changes, seed and version of the code, named by their hash.

So a study can be broken off and resumed, and the rows of several machines put in one folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from meshnode import __version__
from meshnode_sim import library
from meshnode_sim.simulate import simulate

# What a row tells of a report: name of the column, and where it stands.
MEASURES: Final = {
    "delivery_ratio": ("messages", "delivery_ratio"),
    "latency_p50_s": ("messages", "latency_s", "p50"),
    "latency_p95_s": ("messages", "latency_s", "p95"),
    "hops_mean": ("messages", "hops", "mean"),
    "post_ratio": ("posts", "delivery_ratio"),
    "post_latency_p95_s": ("posts", "latency_s", "p95"),
    "transfers": ("transfers",),
    "overhead_ratio": ("overhead_ratio",),
    "air_bytes": ("air", "bytes"),
    "airtime_s": ("air", "airtime_s"),
    "collisions": ("air", "collisions"),
    "utilisation_max": ("air", "utilisation_max"),
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """A scenario by file or name, `KEY=VALUE` changes, a seed, and how long (None: as the scenario says)."""

    scenario: str
    changes: tuple[str, ...]
    seed: int
    until_ns: int | None = None

    def name(self) -> str:
        """The same for the same result."""
        text = library.path_of(self.scenario).read_text(encoding="utf-8")
        told = json.dumps([__version__, text, self.changes, self.seed, self.until_ns])
        return blake2b(told.encode(), digest_size=12).hexdigest()


def perform(job: Job) -> Row:
    """Runs it; what was swept, the seed, the measures, and what was not met."""
    scenario = library.find(job.scenario, (*job.changes, f"seed={job.seed}"))
    outcome = simulate(scenario, until_ns=job.until_ns, folder=library.path_of(job.scenario).parent)
    swept = dict(change.split("=", 1) for change in job.changes)
    row = {"scenario": scenario.name or job.scenario, **swept, "seed": job.seed, **measures(outcome.report)}
    return {**row, "unmet": "; ".join(outcome.unmet), "fingerprint": outcome.report["fingerprint"]}


def measures(report: dict[str, Any]) -> Row:
    """The figures of a report that rows have; None where there was nothing to measure."""
    found: Row = {}
    for name, path in MEASURES.items():
        value: Any = report
        for step in path:
            value = value[step]
        found[name] = value
    return found


def kept(folder: Path, job: Job) -> Row | None:
    """The row of a job that was done before."""
    path = _path(folder, job)
    if not path.is_file():
        return None
    row: Row = json.loads(path.read_text(encoding="utf-8"))
    return row


def keep(folder: Path, job: Job, row: Row) -> None:
    """Whole or not at all: what is there is believed when the study is resumed."""
    path = _path(folder, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(row), encoding="utf-8")
    unfinished.replace(path)


def _path(folder: Path, job: Job) -> Path:
    return folder / "rows" / f"{job.name()}.json"

"""Rows of a study as files, and what they say about a measure: mean, and the interval it lies in with 95 %."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from meshnode.errors import UsageError
from meshnode_sim.studies.jobs import Row


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of `count` runs, and half the width of its 95 % confidence interval (Student's t); None for one run."""

    mean: float
    half: float | None
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.4g}" + (f" ± {self.half:.2g}" if self.half is not None else "")


def estimate(values: Iterable[float | None]) -> Estimate | None:
    """Of what was measured; None where nothing was."""
    found = [float(value) for value in values if value is not None]
    if not found:
        return None
    mean = sum(found) / len(found)
    if len(found) == 1:
        return Estimate(mean, None, 1)
    variance = sum((value - mean) ** 2 for value in found) / (len(found) - 1)
    return Estimate(mean, _quantile(len(found) - 1) * sqrt(variance / len(found)), len(found))


def _quantile(freedom: int) -> float:
    """Of Student's t, for 95 % on both sides together."""
    try:
        from scipy.special import stdtrit  # an extra
    except ModuleNotFoundError as error:
        raise UsageError(f"confidence intervals need {error.name}: pip install 'meshnode[sim]'") from error
    return float(stdtrit(freedom, 0.975))


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """With a line of headings."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Sequence[Row]) -> bool:
    """Whether it could be: pyarrow is an extra."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        return False
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return True

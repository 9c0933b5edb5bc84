"""Figures of studies and runs with matplotlib, as SVG whose bytes depend on the data alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from meshnode.errors import UsageError
from meshnode_sim.studies.jobs import MEASURES, Row
from meshnode_sim.studies.tables import estimate


def pyplot() -> Any:
    """matplotlib, drawing to files alone; an extra that takes its time to load."""
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise UsageError(f"figures need {error.name}: pip install 'meshnode[sim]'") from error
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "meshnode"
    matplotlib.rcParams["svg.fonttype"] = "none"  # letters as letters: smaller, and found by who looks for them
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, path: Path) -> None:
    """Without a date, so that the same data give the same file."""
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")


def figures(rows: Sequence[Row], keys: Sequence[str], folder: Path) -> list[Path]:
    """One for each measure that differs: means and 95 % intervals over the first key, a line for each of the rest."""
    plt, written = pyplot(), []
    for measure in MEASURES:
        if len({row[measure] for row in rows if row[measure] is not None}) < 2:
            continue
        figure, axes = plt.subplots(figsize=(6, 4))
        for name, group in _lines(rows, keys):
            _draw(axes, group, keys[0] if keys else "seed", measure, name)
        axes.set_xlabel(keys[0] if keys else "seed")
        axes.set_ylabel(measure)
        if len(keys) > 1:
            axes.legend()
        path = folder / f"{measure}.svg"
        save(figure, path)
        plt.close(figure)
        written.append(path)
    return written


def _lines(rows: Sequence[Row], keys: Sequence[str]) -> Iterable[tuple[str, list[Row]]]:
    """Rows that belong on one line, by the values of the other keys."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(", ".join(f"{key}={row[key]}" for key in keys[1:]), []).append(row)
    return found.items()


def _draw(axes: Any, rows: list[Row], key: str, measure: str, name: str) -> None:
    values: dict[Any, list[float | None]] = {}
    for row in rows:
        values.setdefault(_number(row[key]), []).append(row[measure])
    points = [(value, found) for value, several in values.items() if (found := estimate(several)) is not None]
    axes.errorbar(
        [value for value, _ in points],
        [found.mean for _, found in points],
        yerr=[found.half or 0.0 for _, found in points],
        marker="o",
        capsize=3,
        label=name,
    )


def _number(text: Any) -> Any:
    try:
        return float(text)
    except ValueError:
        return str(text)

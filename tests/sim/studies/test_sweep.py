"""Sweeps: combinations, rows and figures, resuming, an engine that exists, and what stops before the first run."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest
from distributed import LocalCluster

from meshnode.errors import UsageError
from meshnode_sim.cli import run
from meshnode_sim.studies import jobs
from meshnode_sim.studies.jobs import Job, perform
from meshnode_sim.studies.sweep import combinations, jobs_of, seeds_of, sweep
from meshnode_sim.studies.tables import estimate

PAIR = """
name = "pair"
[topology]
shape = "line"
nodes = 2
[[actions]]
at_s = 3
do = "send"
node = "A"
to = "B"
text = "hello"
"""


@pytest.fixture
def pair(tmp_path: Path) -> str:
    file = tmp_path / "pair.toml"
    file.write_text(PAIR)
    return str(file)


def test_every_combination_with_every_seed() -> None:
    found = combinations(["radio.loss=0,0.1", 'topology.names=["a","b"],["c"]', "x=1"])
    assert len(found) == 4
    assert found[1] == ("radio.loss=0", 'topology.names=["c"]', "x=1")
    assert combinations([]) == [()]
    assert [job.seed for job in jobs_of("x", ["a=1,2"], seeds_of("3..4"), None)] == [3, 4, 3, 4]


@pytest.mark.parametrize("text", ["", "5..1", "a..b", "1-3"])
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="no range of seeds"):
        seeds_of(text)


def test_rows_figures_and_a_table(pair: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    words = ["sweep", pair, "--set", "radio.loss=0,0.6", "--seeds", "1..2", "--until", "20", "--out", str(out)]
    assert run([*words, "--workers", "2"]) == 0
    said = capsys.readouterr()
    assert "radio.loss=0.6" in said.out
    assert "4 runs" in said.out
    with (out / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["radio.loss"], row["seed"]) for row in rows] == [("0", "1"), ("0", "2"), ("0.6", "1"), ("0.6", "2")]
    table = pyarrow.parquet.read_table(out / "rows.parquet")
    assert table.column("air_bytes").to_pylist() == [int(row["air_bytes"]) for row in rows]
    assert (out / "air_bytes.svg").read_text().lstrip().startswith("<?xml")
    kept = {path: path.stat().st_mtime_ns for path in (out / "rows").iterdir()}
    assert run(words) == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "rows").iterdir()} == kept


def test_what_is_there_is_not_run_again(pair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(pair, (), 1, 10_000_000_000)
    jobs.keep(tmp_path, job, {"seed": 1, "told": "before"})
    assert sweep([job], tmp_path, count=1, scheduler=None, progress=None) == [{"seed": 1, "told": "before"}]
    Path(pair).write_text(PAIR + "# changed\n")
    assert jobs.kept(tmp_path, job) is None


def test_a_row_says_what_the_report_says(pair: str) -> None:
    row = perform(Job(pair, ("radio.loss=0.1",), 7, 20_000_000_000))
    assert (row["scenario"], row["radio.loss"], row["seed"], row["delivery_ratio"]) == ("pair", "0.1", 7, 1.0)
    assert row["unmet"] == ""


@pytest.fixture
def scheduler() -> Iterator[str]:
    """A Dask scheduler with one worker in this process."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp://", host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.filterwarnings("default")  # what distributed and tornado say about themselves is not ours to mend
def test_a_study_runs_on_a_scheduler_that_exists(pair: str, tmp_path: Path, scheduler: str) -> None:
    here = [Job(pair, (), seed, 10_000_000_000) for seed in (1, 2)]
    rows = sweep(here, tmp_path, count=None, scheduler=scheduler, progress=None)
    assert [row["seed"] for row in rows] == [1, 2]
    assert rows[0]["fingerprint"] == perform(here[0])["fingerprint"]


def test_a_wrong_value_is_said_before_the_first_run(
    pair: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sweep", pair, "--set", "radio.loss=0,many", "--out", str(tmp_path / "x")]) == 1
    assert "at radio.loss" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_intervals_are_students() -> None:
    found = estimate([1.0, 2.0, 3.0, None])
    assert found is not None
    assert (found.mean, found.count) == (2.0, 3)
    assert found.half == pytest.approx(4.303 / 3**0.5, rel=1e-3)  # t of 2 degrees of freedom
    assert str(estimate([5])) == "5"
    assert estimate([None]) is None


def test_a_job_is_named_by_what_decides_its_result(pair: str) -> None:
    names = {
        Job(pair, (), 1).name(),
        Job(pair, (), 2).name(),
        Job(pair, ("seed=1",), 1).name(),
        Job(pair, (), 1, 5).name(),
    }
    assert len(names) == 4
    assert json.dumps(Job(pair, (), 1).name()) == json.dumps(Job(pair, (), 1).name())

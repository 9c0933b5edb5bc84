"""Comparing folders and revisions on equal seeds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from meshnode_sim.cli import run
from meshnode_sim.studies.compare import differences, rows_of
from meshnode_sim.studies.jobs import MEASURES, Job, keep

NOTHING = dict.fromkeys(MEASURES)


def folder(path: Path, values: list[float]) -> Path:
    for seed, value in enumerate(values):
        row = {
            "scenario": "x",
            "seed": seed,
            **NOTHING,
            "airtime_s": value,
            "transfers": 3,
            "unmet": "",
            "fingerprint": "",
        }
        keep(path, Job("line", (), seed), row)
    return path


def test_a_steady_change_is_certain_and_noise_is_not(tmp_path: Path) -> None:
    base = rows_of(str(folder(tmp_path / "a", [1.0, 5.0, 9.0])), [], 1, None)
    steady = rows_of(str(folder(tmp_path / "b", [1.1, 5.1, 9.1])), [], 1, None)
    noise = rows_of(str(folder(tmp_path / "c", [2.0, 4.0, 9.0])), [], 1, None)
    [one] = differences(base, steady)
    assert (one.measure, one.certain) == ("airtime_s", True)
    assert one.change.mean == pytest.approx(0.1)
    [other] = differences(base, noise)
    assert not other.certain
    assert differences(base, base) == []


def test_folders_are_compared_in_words_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [str(folder(tmp_path / "a", [1.0, 2.0])), str(folder(tmp_path / "b", [1.5, 2.5]))]
    assert run(["compare", *sides]) == 0
    assert "airtime_s" in capsys.readouterr().out
    assert run(["compare", *sides, "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["differences"]
    assert found["certain"] is True


REPORT = """import json, sys
def run(words):
    seed = int(words[words.index("--seed") + 1])
    latency = {{"p50": {value}, "p95": 1.0}}
    report = {{"messages": {{"delivery_ratio": 1.0, "latency_s": latency, "hops": {{"mean": 1}}}},
              "posts": {{"delivery_ratio": None, "latency_s": {{"p95": None}}}}, "transfers": seed, "overhead_ratio": 0,
              "air": {{"bytes": 1, "airtime_s": 1, "collisions": 0, "utilisation_max": 0}}}}
    open(words[words.index("--json") + 1], "w").write(json.dumps(report))
    return 0
"""


def git(where: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words], cwd=where, check=True, capture_output=True
    )


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two revisions of a program with our command line: the second one is slower."""
    top = tmp_path / "repository"
    (top / "sim" / "meshnode_sim").mkdir(parents=True)
    git(top, "init", "--quiet")
    for value in ("0.1", "0.1 * seed"):
        (top / "sim" / "meshnode_sim" / "__init__.py").write_text("")
        (top / "sim" / "meshnode_sim" / "cli.py").write_text(REPORT.format(value=value))
        git(top, "add", "-A")
        git(top, "commit", "--quiet", "-m", value)
    monkeypatch.chdir(top)
    return top


def test_revisions_run_their_own_code_and_leave_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "HEAD~1", "HEAD", "line", "--seeds", "1..3", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["differences"]
    assert found["measure"] == "latency_p50_s"
    assert found["change"]["mean"] == pytest.approx((0 + 0.1 + 0.2) / 3)
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def test_the_code_as_it_stands_is_a_side_too(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "HEAD", ".", "line", "--seeds", "1..2"]) == 0
    assert "no measure differs" in capsys.readouterr().out


def test_what_is_no_revision_is_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "nowhere", "HEAD", "line"]) == 1
    assert "compare takes revisions" in capsys.readouterr().err

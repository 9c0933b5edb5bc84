"""The words of `meshnode-sim` and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshnode_sim import library
from meshnode_sim.cli import run
from meshnode_sim.cli.options import Ticker


def test_list_names_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["scenarios"]] == library.shipped()
    assert run(["list"]) == 0
    assert "line" in capsys.readouterr().out


def test_a_folder_called_like_what_ships_is_no_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "line").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run(["list"]) == 0
    assert library.find("line").name == "line"


def test_new_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "mine.toml")
    assert run(["new", file]) == 0
    assert run(["new", file]) == 1
    capsys.readouterr()
    assert run(["check", file, "--json"]) == 0
    counts = {"nodes": 4, "links": 6, "contacts": 0, "actions": 1, "words": 0}
    assert json.loads(capsys.readouterr().out) == {"name": "my mesh", **counts}
    assert run(["check", "valley"]) == 0
    assert capsys.readouterr().out == "21 nodes at places, 1 actions\n"


def test_a_check_reads_the_files_that_a_scenario_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, trace, words = (tmp_path / name for name in ("mine.toml", "trace.txt", "words.txt"))
    file.write_text(
        '[topology]\nshape = "trace"\ntrace = "trace.txt"\nnodes = 3\n[radio]\nlevel = "contacts"\n'
        '[nodes]\nagent = "epidemic"\n[[traffic]]\npattern = "replay"\nfile = "words.txt"\n'
    )
    assert run(["check", str(file)]) == 1
    assert f"{trace} cannot be read" in capsys.readouterr().err
    trace.write_text("1 CONN 0 1 up\n2 CONN 0 1 down\n")
    words.write_text("1 C M1 0 7 100\n")
    assert run(["check", str(file)]) == 1
    assert f"{words}:1: there is no node 7" in capsys.readouterr().err
    words.write_text("1 C M1 0 2 100\n")
    assert run(["check", str(file)]) == 0
    assert capsys.readouterr().out == "3 nodes, 1 pairs that meet, 1 words of a file\n"
    file.write_text(file.read_text().replace("epidemic", "gossip"))
    assert run(["check", str(file)]) == 1
    assert "gossip is no agent" in capsys.readouterr().err


def test_a_wrong_scenario_is_one_sentence_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[topology]\nshape = "line"\nnodes = 2\n[radio]\nspeed = 3\n')
    assert run(["lab", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"meshnode-sim: {file}:5: at radio: there is no key `speed`")


def test_a_run_reports_on_the_screen_and_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "line.json"
    assert run(["run", "line", "--until", "1m", "--seed", "7", "--set", "radio.loss=0", "--json", str(file)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("line: 5 nodes, 60 s simulated")
    assert said.err == ""  # no progress into a pipe
    found = json.loads(file.read_text())
    assert (found["seed"], found["simulated_s"], found["air"]["lost"]) == (7, 60.0, 0)
    assert run(["run", "line", "--until", "1m", "--seed", "7", "--set", "radio.loss=0", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"] == found["fingerprint"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--until", "soon"], "soon is no duration"),
        (["--set", "radio.lost=1"], "there is no key `lost`"),
        (["--set", "radio"], "is no change"),
        (["--set", "seed.x=1"], "seed is not a table"),
        (["--until", "30", "--json", "/nowhere/x.json"], "there is no folder /nowhere"),
        (["--until", "2", "--set", "expect.delivery_ratio_min=1.0"], "expected at least 100 % of the messages"),
    ],
)
def test_a_run_that_fails_says_why(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "line", "--set", "seed=1", *words]) == 1
    assert why in capsys.readouterr().err


def test_progress_is_told_in_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.1, 1.0, 2.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    ticker = Ticker()
    for share in (0.1, 0.5, 1.0):
        ticker(share, 100 * share)
    said = capsys.readouterr().err
    assert said.count("\n") == 0
    assert "50%" in said
    assert "10%" not in said
    assert said.endswith("\r")


def test_the_lab_refuses_what_has_no_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[topology]\nshape = "trace"\ntrace = "x.txt"\nnodes = 2\n')
    assert run(["lab", str(file)]) == 1
    assert "use `meshnode-sim run`" in capsys.readouterr().err


def test_a_reader_who_has_read_enough_is_no_failure_worth_words() -> None:
    program = "import sys; from meshnode_sim.cli import main; sys.argv = ['meshnode-sim', 'list']; main()"
    reader, writer = os.pipe()
    os.close(reader)
    said = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert said.stderr == ""
    assert said.returncode == 1


@pytest.mark.parametrize("words", [["dance"], ["lab"], ["check", "line", "--colour"]])
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert capsys.readouterr().err.startswith("meshnode-sim: ")


@pytest.mark.parametrize("dialect", ["newracom", "taixin", "warthog"])
def test_fake_modems_are_served_for_a_while(dialect: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["modem", dialect, "--count", "2", "--for", "0.01", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dialect"] == dialect
    assert len(set(told["paths"])) == 2
    assert run(["modem", dialect, "--count", "99"]) == 1

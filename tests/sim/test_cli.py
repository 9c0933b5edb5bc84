"""The words of `meshnode-sim` and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshnode_sim import library
from meshnode_sim.cli import run


def test_list_names_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["scenarios"]] == library.shipped()
    assert run(["list"]) == 0
    assert "line" in capsys.readouterr().out


def test_new_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "mine.toml")
    assert run(["new", file]) == 0
    assert run(["new", file]) == 1
    capsys.readouterr()
    assert run(["check", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "my mesh", "nodes": 4, "links": 6, "actions": 1}


def test_a_wrong_scenario_is_one_sentence_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[topology]\nshape = "line"\nnodes = 2\n[radio]\nspeed = 3\n')
    assert run(["lab", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"meshnode-sim: {file}:5: at radio: there is no key `speed`")


@pytest.mark.parametrize("words", [["dance"], ["lab"], ["check", "line", "--colour"]])
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert capsys.readouterr().err.startswith("meshnode-sim: ")

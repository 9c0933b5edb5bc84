"""The swarm: scenarios from numbers, shrinking, and the command that replays what fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from meshnode_sim.cli import run
from meshnode_sim.cli import swarm as command
from meshnode_sim.scenario import parse
from meshnode_sim.studies.swarm import QUIET_S, Tree, failure, scenario, shrunk


def test_a_number_is_a_scenario_and_every_one_is_valid() -> None:
    assert scenario(7) == scenario(7) != scenario(8)
    for number in range(200):
        found = parse(tomli_w.dumps(scenario(number)))
        assert found.for_s is not None
        assert all(fault.at_s + (fault.for_s or 0) <= found.for_s - QUIET_S for fault in found.faults)
        assert all(action.at_s <= found.for_s - QUIET_S for action in found.actions)


def test_what_fails_is_shrunk_to_what_it_takes() -> None:
    whole = next(tree for tree in map(scenario, range(1000)) if len(tree["faults"]) == 4 and tree["radio"]["loss"])
    guilty = whole["faults"][2]

    def fails(tree: Tree) -> bool:
        return guilty in tree["faults"]

    small = shrunk(whole, fails)
    assert small["faults"] == [guilty]
    assert len(small["actions"]) == 1
    assert small["radio"]["loss"] == 0
    parse(tomli_w.dumps(small))


def test_some_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["swarm", "--seeds", "1..3", "--budget", "10m", "--workers", "2"]) == 0
    assert capsys.readouterr().out == "3 scenarios held\n"


def test_a_failure_prints_the_command_that_replays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_results", lambda numbers, count, ends: iter([(5, "lost")]))
    monkeypatch.setattr(command, "failure", lambda tree: "lost" if len(tree["actions"]) else "")
    assert run(["swarm", "--out", str(tmp_path)]) == 1
    file = tmp_path / "swarm-5.toml"
    assert f"meshnode-sim run {file}" in capsys.readouterr().err
    assert len(parse(file.read_text()).actions) == 1


def test_a_failure_is_seen() -> None:
    """A partition that never ends."""
    tree = scenario(1)
    apart = {"kind": "partition", "nodes": tree["topology"]["names"][:1], "at_s": 0}
    word = {
        "at_s": 30,
        "do": "send",
        "node": tree["topology"]["names"][0],
        "to": tree["topology"]["names"][1],
        "text": "x",
    }
    lonely = {**tree, "faults": [apart], "actions": [word], "expect": {"delivery_ratio_min": 1.0}, "for_s": 60}
    assert "of the messages to arrive" in failure(lonely)

"""Whole runs in virtual time: what arrives, what it costs, and that nothing but scenario and seed decides it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numpy._core import _multiarray_umath as umath

from meshnode.errors import UsageError
from meshnode_sim import library
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.report import screen
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import Outcome, simulate

LINE = """
[topology]
shape = "line"
nodes = 5
[radio]
width_mhz = 2
loss = 0.1
[[actions]]
at_s = 30
do = "send"
node = "A"
to = "E"
text = "soup is ready"
[[actions]]
at_s = 40
do = "post"
node = "B"
text = "the bridge is closed"
"""
RELATIVE = ("wall_s", "speed", "memory_peak_mb")


def ran(text: str, for_s: float = 120, *changes: str) -> Outcome:
    return simulate(parse(text, changes=changes), until_ns=round(for_s * SECOND_NS))


def lasting(found: dict[str, Any]) -> dict[str, Any]:
    """A report without what depends on the machine."""
    return {key: value for key, value in found.items() if key not in RELATIVE}


@pytest.fixture(scope="module")
def line() -> Outcome:
    return ran(LINE)


def test_a_message_crosses_four_hops_and_a_post_reaches_everybody(line: Outcome) -> None:
    found = line.report
    assert found["messages"]["delivered"] == found["messages"]["created"] == found["messages"]["acknowledged"] == 1
    assert found["messages"]["hops"]["mean"] == 4
    assert 0.01 < found["messages"]["latency_s"]["p50"] < 5
    assert (found["posts"]["expected"], found["posts"]["delivered"]) == (4, 4)
    assert found["posts"]["hops"]["mean"] == (1 + 1 + 2 + 3) / 4
    assert found["violations"] == found["refusals"] == []
    assert line.unmet == ()


def test_the_report_has_what_others_script_against(line: Outcome) -> None:
    found = json.loads(json.dumps(line.report))
    assert {"scenario", "seed", "nodes", "simulated_s", "wall_s", "transfers", "overhead_ratio"} <= set(found)
    assert {"created", "delivered", "delivery_ratio", "latency_s", "hops"} <= set(found["messages"])
    assert set(found["messages"]["latency_s"]) == {"p50", "p95", "mean"}
    assert {"bytes", "frames", "airtime_s", "collisions", "utilisation_max"} <= set(found["air"])
    assert found["memory_peak_mb"] > 0
    assert [row["name"] for row in found["per_node"]] == list("ABCDE")
    assert sum(row["bytes"] for row in found["per_node"]) == found["air"]["bytes"]
    assert sum(row["bytes"] for row in found["kinds"].values()) == found["air"]["bytes"]
    assert "1 written, 100.0%" in screen(line.report)


def test_the_same_scenario_gives_the_same_run(line: Outcome) -> None:
    assert lasting(ran(LINE).report) == lasting(line.report)
    assert ran(LINE, 120, "seed=2").report["fingerprint"] != line.report["fingerprint"]


def test_shared_answers_change_nothing(line: Outcome) -> None:
    assert lasting(ran(LINE, 120, "processor.crypto=real").report) == lasting(line.report)


def test_a_run_in_two_stretches_is_the_same_run(line: Outcome) -> None:
    said: list[float] = []
    again = simulate(parse(LINE), until_ns=120 * SECOND_NS, progress=lambda share, at_s: said.append(share))
    assert again.report["fingerprint"] == line.report["fingerprint"]
    assert said == sorted(said)
    assert said[-1] == 1.0


def cpu_features() -> str:
    """What numpy can switch off on this machine."""
    return " ".join(name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name))


@pytest.mark.parametrize("name", ["line", "grid"])
def test_another_process_and_processor_gives_the_same_run(name: str, tmp_path: Path) -> None:
    program = "import sys; from meshnode_sim.cli import run; sys.exit(run(sys.argv[1:]))"
    found = []
    for hash_seed, without in (("1", ""), ("2", cpu_features())):
        file = tmp_path / f"{hash_seed}.json"
        words = [sys.executable, "-c", program, "run", name, "--until", "60", "--json", str(file)]
        words += ["--set", "expect.delivery_ratio_min=0.0", "--set", "expect.post_ratio_min=0.0"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "NPY_DISABLE_CPU_FEATURES": without}
        ran_there = subprocess.run(words, timeout=200, env=environment, capture_output=True, text=True)
        assert file.exists(), ran_there.stderr
        found.append(lasting(json.loads(file.read_text())))
    assert found[0] == found[1]


def test_a_slow_processor_delays_and_changes_no_outcome(line: Outcome) -> None:
    slow = ran(LINE, 120, "processor.step_us=30000").report
    assert slow["messages"]["delivered"] == 1
    assert slow["messages"]["latency_s"]["p50"] > line.report["messages"]["latency_s"]["p50"] + 0.1


def test_a_relay_without_power_is_waited_for() -> None:
    found = ran(
        LINE + '[[actions]]\nat_s = 20\ndo = "off"\nnode = "C"\n[[actions]]\nat_s = 100\ndo = "on"\nnode = "C"\n',
        200,
    ).report
    assert found["messages"]["delivered"] == 1
    assert found["messages"]["latency_s"]["p50"] > 69
    assert found["per_node"][2]["boots"] == 2


def test_a_cut_link_is_waited_for() -> None:
    cut = '[[actions]]\nat_s = 20\ndo = "cut"\nnode = "C"\nto = "D"\n'
    assert ran(LINE + cut).report["messages"]["delivered"] == 0
    joined = ran(LINE + cut + '[[actions]]\nat_s = 90\ndo = "join"\nnode = "C"\nto = "D"\n', 200).report
    assert joined["messages"]["delivered"] == 1


def test_a_node_may_start_late() -> None:
    found = ran(LINE + "[node.E]\nstart_s = 60\n", 200).report
    assert found["messages"]["delivered"] == 1
    assert found["messages"]["latency_s"]["p50"] > 30


def test_what_is_expected_and_does_not_come_true_is_said() -> None:
    unmet = ran(LINE, 35, "expect.post_ratio_min=1.0", "expect.utilisation_max=0.000001").unmet
    assert len(unmet) == 2
    assert unmet[0].startswith("expected at least 100 % of the posts to arrive, and it was nothing")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('[[actions]]\nat_s = 1\ndo = "run"\nnode = "A"\n', "only `meshnode-sim lab`"),
        ('[nodes]\noverlay = "system"\n', "only `meshnode-sim lab` runs"),
        ('[node.A]\nprogram = ["ping"]\n', "only `meshnode-sim lab`"),
    ],
)
def test_what_only_the_lab_can_do_is_refused(more: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        ran(LINE + more)


FERRY = """
[topology]
shape = "places"
places = [
  { name = "north", x_m = 0, y_m = 0 },
  { name = "south", x_m = 9000, y_m = 0 },
  { name = "boat", x_m = 0, y_m = 9 },
]
[radio]
level = "radio"
width_mhz = 2
[[routes]]
node = "boat"
stops = [{ at_s = 60, x_m = 0, y_m = 9 }, { at_s = 200, x_m = 9000, y_m = 9 }]
[[actions]]
at_s = 30
do = "post"
node = "north"
text = "is the school open?"
"""


def test_who_is_carried_by_the_boat_arrives_with_the_boat() -> None:
    [post] = ran(FERRY, 300).world.probe.written.values()
    at_s = {node: at_ns / SECOND_NS for node, (at_ns, _) in post.arrivals.items()}
    assert at_s[2] < 60
    assert 150 < at_s[1] < 300


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "meshnode_sim.sky", None)
    with pytest.raises(UsageError, match=r"pip install 'meshnode\[sim\]'"):
        ran(FERRY)


ELSEWHERE = {"liars", "disaster", "duty", *library.LARGE}  # agents/test_liars.py, test_large.py


@pytest.mark.parametrize("name", sorted(set(library.shipped()) - ELSEWHERE))
def test_every_scenario_that_ships_meets_what_it_expects(name: str) -> None:
    scenario = library.find(name)
    outcome = simulate(scenario, until_ns=None if scenario.for_s else 700 * SECOND_NS)
    assert outcome.unmet == ()
    assert outcome.report["violations"] == []

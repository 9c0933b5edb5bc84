"""The benches run, and the floor they measure is what arithmetic says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRIES = 8  # TCP says again what waits for a busy machine a fifth of a second: a run that it did not disturb counts
BENCH = Path(__file__).parents[2] / "bench"


def bench(name: str, *words: str) -> Any:
    done = subprocess.run([sys.executable, str(BENCH / name), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.netns
def test_plain_tcp_over_three_hops_costs_what_its_frames_add_up_to() -> None:
    # each hop carries 101 B of text in 72 B of IPv6 and TCP, and an acknowledgement of 72 B; 38 B of 802.11 on each
    data, acknowledgement = 101 + 72 + 38, 72 + 38
    seen = []
    while not seen or (seen[-1] != 5 * 3 * (data + acknowledgement) and len(seen) < TRIES):
        result = bench("chat.py", "--systems", "T", "--count", "5", "--every", "0.2")["results"]["T"]
        assert (result["delivered"], result["twice"], result["in_order"]) == (5, 0, True)
        seen.append(result["air"]["kinds"]["tcp"])
    assert seen[-1] == 5 * 3 * (data + acknowledgement), seen


@pytest.mark.netns
def test_loss_costs_attempts_and_loses_nothing() -> None:
    # that none of some 120 frames is lost has a chance of 1e-19
    result = bench("chat.py", "--systems", "T", "--count", "20", "--every", "0.05", "--loss", "0.3")["results"]["T"]
    assert (result["delivered"], result["twice"], result["in_order"]) == (20, 0, True)
    assert result["air"]["attempts"] > result["air"]["frames"]


def test_blocks_are_taken_in_and_the_ratio_is_reported() -> None:
    result = bench("ingest.py", "--blocks", "200", "--turns", "5")["results"]
    assert 0 < result["ratio"] < 2


def test_the_simulator_s_speed_is_measured_in_both_stretches() -> None:
    result = bench("sim.py", "--nodes", "3", "--settle", "20", "--more", "20", "--profile")["results"]["3"]
    assert result["acquaintance"]["simulated_s"] == result["settled"]["simulated_s"] == 20
    assert result["settled"]["speed"] > 0
    assert sum(result["profile"].values()) > 0.9


def test_a_world_on_the_record_of_its_cores_is_the_same_world() -> None:
    result = bench("hosts.py", "--nodes", "4", "--settle", "5", "--more", "60")["results"]
    assert result["steps"] > 50, "it ends with an error where the fingerprints differ"
    assert result["calls_per_step"]["python"] < 25 > result["calls_per_step"]["builtin"], "15 and 11 in larger worlds"


def test_a_trace_is_played_and_counted() -> None:
    result = bench("contacts.py", "--nodes", "10", "--contacts", "100", "--messages", "5", "--profile")["results"]
    assert result["delivered"] == "5 of 5"
    assert result["calls"] > 0 < result["speed"]


@pytest.mark.parametrize(
    "name",
    [
        "catchup.py",
        "chat.py",
        "contacts.py",
        "ferry.py",
        "hosts.py",
        "idle.py",
        "ingest.py",
        "memory.py",
        "posts.py",
        "sim.py",
        "spread.py",
    ],
)
def test_each_bench_explains_itself(name: str) -> None:
    done = subprocess.run([sys.executable, str(BENCH / name), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert f"python bench/{name}" in done.stdout

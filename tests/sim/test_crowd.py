"""What it costs when many that all hear each other start at once: bytes on air, exact for a seed."""

from __future__ import annotations

import pytest

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import Outcome, simulate


def cell(nodes: int, until_s: int, loss: float = 0.0) -> Outcome:
    text = f"""
[topology]
shape = "full"
nodes = {nodes}
[radio]
width_mhz = 1
loss = {loss}
"""
    return simulate(parse(text), until_ns=until_s * SECOND_NS)


def all_have_all(outcome: Outcome) -> bool:
    """The same digest everywhere, and a log of each."""
    logs = [host.node.gossip.logs for host in outcome.world.hosts]
    return len({one.digest() for one in logs}) == 1 and len(logs[0].book.logs) == len(logs)


@pytest.mark.parametrize(("nodes", "kilobytes"), [(10, 90), (16, 130)])
def test_what_it_costs_to_meet_grows_with_the_nodes_and_not_with_the_pairs(nodes: int, kilobytes: int) -> None:
    outcome = cell(nodes, until_s=15)
    assert all_have_all(outcome)
    assert outcome.report["air"]["bytes"] < kilobytes * 1000


def test_with_a_third_of_all_frames_lost_it_costs_a_few_times_that() -> None:
    outcome = cell(8, until_s=40, loss=0.3)
    assert all_have_all(outcome)
    assert outcome.report["air"]["bytes"] < 300_000

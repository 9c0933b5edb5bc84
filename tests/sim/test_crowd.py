"""What it costs when many that all hear each other start at once."""

from __future__ import annotations

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import simulate

CELL = """
[topology]
shape = "full"
nodes = 10
[radio]
width_mhz = 1
"""


def test_ten_that_start_at_once_learn_of_each_other_for_half_a_megabyte() -> None:
    outcome = simulate(parse(CELL), until_ns=30 * SECOND_NS)
    digests = {host.node.gossip.logs.digest() for host in outcome.world.hosts}
    assert len(digests) == 1, "everybody has the same"
    assert len(outcome.world.hosts[0].node.gossip.logs.book.logs) == 10, "a log of each"
    assert outcome.report["air"]["bytes"] < 500_000

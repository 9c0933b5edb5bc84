"""Members that lie, in the shipped scenario: each does what it is said to do, and the others are none the worse."""

from __future__ import annotations

import pytest

from meshnode.core.records import EnvelopeRecord, ForkProofRecord
from meshnode_sim import library
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.agents.contract import maker
from meshnode_sim.agents.liars import Liar
from meshnode_sim.simulate import Outcome, simulate
from meshnode_sim.world import World

HONEST = 7
pytestmark = pytest.mark.xdist_group("liars")  # one run serves them all


@pytest.fixture(scope="module")
def liars() -> Outcome:
    return simulate(library.find("liars"), until_ns=400 * SECOND_NS)


def test_what_the_honest_write_arrives_and_costs_what_it_may(liars: Outcome) -> None:
    assert liars.unmet == ()
    assert liars.report["messages"]["created"] == 8
    assert liars.report["violations"] == []


def test_what_liars_write_and_read_counts_nowhere(liars: Outcome) -> None:
    posts = liars.report["posts"]
    assert (posts["created"], posts["expected"]) == (2, 2 * (HONEST - 1))
    assert [row["name"] for row in liars.report["per_node"] if row.get("lies")] == [
        "forker",
        "flooder",
        "dropper",
        "replayer",
        "claimer",
    ]


def test_a_fork_is_proved_to_everybody(liars: Outcome) -> None:
    assert isinstance(liars.world, World)
    hosts = liars.world.hosts[:HONEST]
    assert all(host.memory.every(ForkProofRecord) for host in hosts)


def test_a_flood_fills_no_store(liars: Outcome) -> None:
    """Envelopes to nobody pass through; who may expect nothing of them keeps none."""
    assert isinstance(liars.world, World)
    kept = [len(host.memory.every(EnvelopeRecord)) for host in liars.world.hosts[:HONEST]]
    assert max(kept) <= 50


@pytest.mark.parametrize("name", ["flooder", "dropper", "replayer", "beacon-liar", "forker"])
def test_each_has_a_name(name: str) -> None:
    found = maker(name)
    assert isinstance(found, type)
    assert issubclass(found, Liar)

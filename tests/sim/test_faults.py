"""What goes wrong is planned as told, overlaps as it should, and costs nobody a message."""

from __future__ import annotations

import pytest

from meshnode.errors import ConfigError, UsageError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.host import DAY_ONE
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build, simulate
from meshnode_sim.world import World

LINE = '[topology]\nshape = "line"\nnodes = 4\n'
TALK = '[[traffic]]\npattern = "schedule"\nat_s = [40, 60, 80]\nwriters = ["A"]\nto = ["D"]\n'


def world(*faults: str, head: str = LINE, for_s: float = 600) -> World:
    text = head + "".join(f"[[faults]]\n{fault}\n" for fault in faults)
    return build(parse(text), round(for_s * SECOND_NS))


def test_two_partitions_that_overlap_end_with_the_later_one() -> None:
    found = world(
        'kind = "partition"\nnodes = ["A"]\nat_s = 10\nfor_s = 20',
        'kind = "partition"\nnodes = ["A", "D"]\nat_s = 20\nfor_s = 30',
    )
    seen = []
    for at_s in (5, 15, 25, 35, 55):
        found.run(at_s * SECOND_NS)
        seen.append((0, 1) in found.apart())
    assert seen == [False, True, True, True, False]


def test_a_cut_by_hand_is_not_healed_by_the_end_of_a_partition() -> None:
    head = LINE + '[[actions]]\nat_s = 12\ndo = "cut"\nnode = "A"\nto = "B"\n'
    found = world('kind = "partition"\nnodes = ["A"]\nat_s = 10\nfor_s = 20', head=head)
    found.run(40 * SECOND_NS)
    assert (0, 1) in found.apart()


@pytest.mark.parametrize("disk", ["kept", "torn", "lost"])
def test_a_crashed_relay_comes_back_and_everything_arrives(disk: str) -> None:
    fault = f'[[faults]]\nkind = "crash"\nnodes = ["B"]\nat_s = 50\nfor_s = 40\ndisk = "{disk}"\n'
    outcome = simulate(parse(LINE + TALK + fault), until_ns=400 * SECOND_NS)
    assert outcome.report["messages"]["delivered"] == 3
    assert outcome.unmet == ()
    assert outcome.report["per_node"][1]["boots"] == 2


def test_who_loses_the_store_goes_on_as_a_new_incarnation() -> None:
    found = world('kind = "crash"\nnodes = ["B"]\nat_s = 50\nfor_s = 10\ndisk = "lost"')
    before = found.hosts[1].keys
    found.run(120 * SECOND_NS)
    after = found.hosts[1].keys
    assert (after.persona, after.device) == (before.persona, before.device)
    assert after.incarnation != before.incarnation
    assert after.node != before.node
    assert found.hosts[1].memory.count() > 5


def test_churn_takes_every_node_off_and_on_at_random_and_ends() -> None:
    fault = 'kind = "churn"\nat_s = 30\nfor_s = 300\nup_s = 40\ndown_s = 20\ndisk = "kept"'
    outcome = simulate(parse(LINE + TALK + f"[[faults]]\n{fault}\n"), until_ns=900 * SECOND_NS)
    boots = [row["boots"] for row in outcome.report["per_node"]]
    assert all(2 <= count <= 12 for count in boots)
    assert len(set(boots)) > 1
    assert all(host.on for host in outcome.world.hosts)
    assert outcome.report["violations"] == []
    written = outcome.report["messages"]["created"]  # nobody writes who is off
    assert outcome.report["messages"]["delivered"] == written


def test_a_burst_of_loss_costs_attempts_and_ends() -> None:
    quiet = simulate(parse(LINE + TALK), until_ns=200 * SECOND_NS).report
    fault = '[[faults]]\nkind = "loss"\nat_s = 30\nfor_s = 60\nloss = 0.5\n'
    noisy = simulate(parse(LINE + TALK + fault), until_ns=200 * SECOND_NS)
    assert noisy.report["messages"]["delivered"] == 3
    assert noisy.report["air"]["lost"] > quiet["air"]["lost"] + 10


def test_a_skewed_clock_is_wrong_by_what_it_is_told_and_nothing_is_lost() -> None:
    fault = '[[faults]]\nkind = "skew"\nnodes = ["B"]\nat_s = 20\nfor_s = 100\nskew_s = 86400\n'
    found = build(parse(LINE + TALK + fault), 300 * SECOND_NS)
    for at_s, skew in ((10, 0.0), (50, 86400.0), (150, 0.0)):
        found.run(at_s * SECOND_NS)
        assert found.hosts[1].date().at(found.hosts[1].now) == pytest.approx(DAY_ONE + at_s + skew, abs=0.01)
    found.run(300 * SECOND_NS)
    assert len(found.probe.written) == sum(len(one.arrivals) for one in found.probe.written.values()) == 3


def test_a_clock_is_right_again_after_a_night_without_power() -> None:
    found = world('kind = "crash"\nnodes = ["B"]\nat_s = 50\nfor_s = 300')
    found.run(400 * SECOND_NS)
    host = found.hosts[1]
    assert host.node.ctx.clock.at(host.now) == pytest.approx(DAY_ONE + 400, abs=0.01)


def test_a_fault_moves_no_draw_of_the_traffic() -> None:
    poisson = '[[traffic]]\npattern = "poisson"\nevery_s = 30\n'
    churn = '[[faults]]\nkind = "churn"\nat_s = 100\nup_s = 10\ndown_s = 5\n'
    runs = [build(parse(LINE + poisson + more), 200 * SECOND_NS) for more in ("", churn)]
    prints = []
    for found in runs:
        found.run(99 * SECOND_NS)
        prints.append(found.agenda.fingerprint())
    assert prints[0] == prints[1]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ('kind = "partition"', "needs `nodes`"),
        ('kind = "partition"\nnodes = ["A", "B", "C", "D"]', "needs `nodes`"),
    ],
)
def test_a_partition_needs_two_sides(fault: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        world(fault)


@pytest.mark.parametrize("fault", ['kind = "fire"', 'kind = "loss"\nloss = 2', 'kind = "crash"\nnodes = ["X"]'])
def test_what_makes_no_sense_is_refused(fault: str) -> None:
    with pytest.raises(ConfigError):
        parse(LINE + f"[[faults]]\n{fault}\n")

"""Reference agents over contact traces: closed forms, what a contact can carry, copies; and by radio."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from meshnode.errors import ConfigError, UsageError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.page import page
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import Outcome, simulate

HEAD = """
[topology]
shape = "trace"
trace = "trace.txt"
nodes = {nodes}
[radio]
level = "contacts"
rate_bps = {rate}
[nodes]
agent = "{agent}"
[[traffic]]
pattern = "replay"
file = "words.txt"
"""


def ran(folder: Path, trace: str, words: str, *, agent: str, for_s: int, nodes: int = 4, rate: int = 8_000) -> Outcome:
    (folder / "trace.txt").write_text(trace)
    (folder / "words.txt").write_text(words)
    scenario = parse(HEAD.format(nodes=nodes, rate=rate, agent=agent))
    return simulate(scenario, until_ns=for_s * SECOND_NS, folder=folder)


# Node 0 meets 1, 1 meets 2, 2 meets 3, and in the end 0 meets 3.
CHAIN = "".join(
    f"{at} CONN {a} {b} up\n{at + 50} CONN {a} {b} down\n" for at, a, b in ((100, 0, 1), (200, 1, 2), (300, 2, 3))
)
CHAIN += "400 CONN 0 3 up\n450 CONN 0 3 down\n"


@pytest.mark.parametrize(("agent", "at_s", "hops"), [("epidemic", 301, 3), ("direct", 401, 1)])
def test_a_message_waits_for_meetings_and_takes_its_size_over_the_rate(
    agent: str, at_s: float, hops: int, tmp_path: Path
) -> None:
    found = ran(tmp_path, CHAIN, "10 C M1 0 3 1000\n", agent=agent, for_s=500).report  # 8,000 bits at 8,000 bit/s
    assert found["messages"]["delivered"] == 1
    assert found["messages"]["latency_s"]["p50"] == at_s - 10
    assert found["messages"]["hops"]["mean"] == hops


def test_who_is_met_too_shortly_gets_nothing(tmp_path: Path) -> None:
    found = ran(tmp_path, CHAIN, "10 C M1 0 3 60000\n", agent="epidemic", for_s=500).report
    assert found["messages"]["delivered"] == found["transfers"] == 0


def test_a_node_takes_part_in_one_transfer_at_a_time(tmp_path: Path) -> None:
    star = "".join(f"100 CONN 0 {n} up\n" for n in (1, 2, 3))
    words = "".join(f"10 C M{n} 0 {n} 10000\n" for n in (1, 2, 3))
    written = ran(tmp_path, star, words, agent="direct", for_s=200).world.probe.written.values()
    arrived = sorted(at / SECOND_NS for one in written for at, _ in one.arrivals.values())
    assert arrived == pytest.approx([110, 120, 130], abs=0.5)


def test_copies_are_never_more_than_their_budget(tmp_path: Path) -> None:
    trace = "".join(f"{at} CONN 0 {n} up\n{at + 9} CONN 0 {n} down\n" for n, at in enumerate(range(10, 200, 10), 1))
    found = ran(tmp_path, trace, "1 C M1 0 39 100\n", agent="spray", for_s=300, nodes=40).report
    assert found["transfers"] == 3  # eight copies: 4, 2 and 1 are given, the last one waits
    everybody = ran(tmp_path, trace, "1 C M1 0 39 100\n", agent="epidemic", for_s=300, nodes=40).report
    assert everybody["transfers"] == 19


def meetings(nodes: int, rate_hz: float, for_s: float, seed: int) -> str:
    """Each pair meets at random for a moment, `rate_hz` times a second on average."""
    random, at, lines = Random(seed), 0.0, []
    while at < for_s:
        at += random.expovariate(rate_hz * nodes * (nodes - 1) / 2) + 0.002
        one, other = random.sample(range(nodes), 2)
        lines.append(f"{at:.6f} CONN {one} {other} up\n{at + 0.001:.6f} CONN {one} {other} down\n")
    return "".join(lines)


NODES, RATE_HZ = 20, 0.001


@pytest.mark.parametrize(
    ("agent", "mean_s", "count"),
    [
        ("epidemic", sum(1 / i for i in range(1, NODES)) / (RATE_HZ * (NODES - 1)), 500),  # Groenevelt et al. 2005
        ("direct", 1 / RATE_HZ, 4000),
    ],
)
def test_delays_meet_their_closed_forms(agent: str, mean_s: float, count: int, tmp_path: Path) -> None:
    random = Random(2)
    ends = [random.sample(range(NODES), 2) for _ in range(count)]
    words = "".join(f"{n * 20_000 / count} C M{n} {one} {other} 50\n" for n, (one, other) in enumerate(ends))
    trace = meetings(NODES, RATE_HZ, 26_000, seed=3)
    found = ran(tmp_path, trace, words, agent=agent, for_s=26_000, nodes=NODES, rate=1_000_000_000).report
    assert found["messages"]["delivery_ratio"] > 0.99
    assert found["messages"]["latency_s"]["mean"] == pytest.approx(mean_s, rel=0.05)


def test_the_same_trace_gives_the_same_run(tmp_path: Path) -> None:
    first, again = (ran(tmp_path, CHAIN, "10 C M1 0 3 900\n", agent="epidemic", for_s=500).report for _ in range(2))
    assert first["fingerprint"] == again["fingerprint"]
    assert (
        ran(tmp_path, CHAIN, "11 C M1 0 3 900\n", agent="epidemic", for_s=500).report["fingerprint"]
        != first["fingerprint"]
    )


def test_messages_end_with_their_lifetime_and_buffers_are_bounded(tmp_path: Path) -> None:
    words = "10 C M1 0 3 1000\n"
    (tmp_path / "trace.txt").write_text(CHAIN)
    (tmp_path / "words.txt").write_text(words + "11 C M2 0 3 1000\n")
    base = HEAD.format(nodes=4, rate=80_000, agent="epidemic")
    brief = simulate(parse(base, changes=["nodes.lifetime_s=250"]), until_ns=500 * SECOND_NS, folder=tmp_path)
    assert brief.report["messages"]["delivered"] == 0
    small = simulate(parse(base, changes=["nodes.buffer_octets=1500"]), until_ns=500 * SECOND_NS, folder=tmp_path)
    assert small.report["messages"]["delivered"] == 1


def contacts(folder: Path, trace: str, words: str, *changes: str, agent: str = "epidemic") -> Outcome:
    """Four nodes, a kilobyte a second, and whatever else is asked for."""
    (folder / "trace.txt").write_text(trace)
    (folder / "words.txt").write_text(words)
    scenario = parse(HEAD.format(nodes=4, rate=8_000, agent=agent), changes=changes)
    return simulate(scenario, until_ns=500 * SECOND_NS, folder=folder)


def arrivals(outcome: Outcome) -> list[tuple[int, float]]:
    """Number of each message that arrived, and when, in the order in which they did."""
    written = outcome.world.probe.written.values()
    found = sorted((at / SECOND_NS, one.number) for one in written for at, _ in one.arrivals.values())
    return [(number, at) for at, number in found]


def test_the_names_of_the_one_mean_what_they_mean_there(tmp_path: Path) -> None:
    """Two hops to 3, one to 1: three relays, two of which deliver; nobody gives up what it handed over."""
    trace = "100 CONN 0 1 up\n150 CONN 0 1 down\n200 CONN 1 3 up\n"
    found = contacts(tmp_path, trace, "10 C M1 0 3 1000\n20 C M2 0 1 2000\n").report["dtn"]
    assert found == {
        "created": 2,
        "started": 3,
        "relayed": 3,
        "aborted": 0,
        "dropped": 0,
        "delivered": 2,
        "delivery_prob": 1.0,
        "overhead_ratio": 0.5,
        "latency_avg": (191 + 82) / 2,
        "latency_med": 191,
        "hopcount_avg": 1.5,
        "hopcount_med": 2,
    }


def test_what_is_for_the_other_goes_first(tmp_path: Path) -> None:
    words = "".join(f"{n} C M{n} 0 {3 if n < 5 else 1} 1000\n" for n in range(1, 6))
    assert arrivals(contacts(tmp_path, "100 CONN 0 1 up\n150 CONN 0 1 down\n", words)) == [(4, 101)]


def test_what_a_full_buffer_gave_up_may_come_again(tmp_path: Path) -> None:
    """1 carries M1 from 0, gives it up for its own words, meets 0 again, and brings it to 3 after all."""
    trace = "50 CONN 0 1 up\n51 CONN 0 1 down\n100 CONN 0 1 up\n102 CONN 0 1 down\n200 CONN 1 3 up\n"
    found = contacts(tmp_path, trace, "10 C M1 0 3 1000\n60 C M2 1 2 1000\n", "node.B.buffer_octets=1500")
    assert arrivals(found) == [(0, 201)]
    assert found.report["dtn"]["dropped"] == 2  # M1 for M2, M2 for M1


def test_whoever_gave_something_up_does_not_block_the_contact(tmp_path: Path) -> None:
    """0 offers two and gives one up while it hands over the other: 1 goes on to what there is."""
    trace, words = "100 CONN 0 1 up\n", "10 C M1 0 1 5000\n11 C M2 0 1 5000\n103 C M3 0 1 4000\n"
    found = contacts(tmp_path, trace, words, "nodes.buffer_octets=10000")
    assert [at for _, at in arrivals(found)] == [105, 109]


def test_what_is_longer_than_a_buffer_moves_nothing_in_it(tmp_path: Path) -> None:
    words = "10 C M1 0 3 1000\n20 C M2 0 3 9000\n"
    found = contacts(tmp_path, CHAIN, words, "node.B.buffer_octets=5000")
    assert [number for number, _ in arrivals(found)] == [0, 1]  # over 1 and 2; by 0 itself, at last
    assert found.report["dtn"]["dropped"] == 0


def test_a_contact_that_ends_with_a_transfer_does_not_interrupt_it(tmp_path: Path) -> None:
    trace = "100 CONN 0 1 up\n101 CONN 0 1 down\n200 CONN 2 3 up\n201 CONN 2 3 down\n"
    found = contacts(tmp_path, trace, "10 C M1 0 1 1000\n20 C M2 2 3 1001\n")
    assert arrivals(found) == [(0, 101)]
    assert found.report["dtn"]["aborted"] == 1


def test_a_busy_carrier_does_not_keep_others_from_giving_the_same(tmp_path: Path) -> None:
    """0 and 1 both have M1 for 3; 0 is busy for 30 s with 2 when 3 meets both: 1 gives it at once."""
    trace = "20 CONN 0 1 up\n40 CONN 0 1 down\n50 CONN 0 2 up\n60 CONN 0 3 up\n60 CONN 1 3 up\n"
    words = "10 C M1 0 3 1000\n45 C M2 0 2 30000\n"
    assert arrivals(contacts(tmp_path, trace, words))[0] == (0, 61)


def test_two_with_full_buffers_come_to_hold_the_same(tmp_path: Path) -> None:
    """Who has sent goes on first; by turns they would give each other for ever what the other has just given up."""
    words = "".join(f"{n} C M{n} {n % 2} {2 + n % 2} 1000\n" for n in range(10))
    found = contacts(tmp_path, "100 CONN 0 1 up\n", words, "nodes.buffer_octets=5000").report
    assert found["dtn"]["relayed"] <= 10


LINE = """
[topology]
shape = "line"
nodes = 4
[nodes]
agent = "epidemic"
[[actions]]
at_s = 30
do = "send"
node = "A"
to = "D"
text = "soup is ready"
[[actions]]
at_s = 40
do = "post"
node = "B"
text = "come"
"""


def test_agents_run_over_the_modelled_radio_too() -> None:
    outcome = simulate(parse(LINE, changes=["radio.loss=0.1"]), until_ns=120 * SECOND_NS, filmed=True)
    assert outcome.report["messages"]["delivered"] == 1
    assert outcome.report["messages"]["hops"]["mean"] == 3
    assert outcome.report["posts"]["delivered"] == 3
    assert "all of which arrived" in page(outcome)


def test_damaged_frames_are_as_good_as_lost() -> None:
    """One bit of every fifth frame, wherever it falls: nothing is shown that nobody wrote, nor one message as two."""
    damage = '[[faults]]\nkind = "corrupt"\nshare = 0.2\n'
    found = simulate(parse(LINE + damage), until_ns=120 * SECOND_NS).report
    assert found["violations"] == []
    assert found["messages"]["delivered"] == 1
    assert found["posts"]["delivered"] == 3
    assert found["transfers"] == 6  # two carry the message to its reader, three keep the post


IDEA = '''
from meshnode_sim.agents.carrier import Carrier

class Ring(Carrier):
    """Hands a message on while it came fewer than two hops."""

    def gives(self, message, peer):
        return int(message.hops < 2 or message.to == peer.persona)
'''


def test_an_idea_is_a_file_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "idea.py").write_text(IDEA)
    found = ran(tmp_path, CHAIN, "10 C M1 0 3 900\n", agent="idea:Ring", for_s=500).report
    assert found["messages"]["delivered"] == 1
    assert found["transfers"] == 3


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        ("gossip", "is no agent"),
        ("no.such:Thing", "cannot be imported"),
        ("json:Thing", "has no class Thing"),
        ("os:system", "has no class"),
        ("json:JSONDecoder", "needs `step`"),
        ("broken:A", r"broken\.py:1: .* no Python yet"),
        (":A", "is no agent"),
    ],
)
def test_what_is_no_agent_is_said(agent: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("class A(\n")
    with pytest.raises(UsageError, match=why):
        ran(tmp_path, CHAIN, "", agent=agent, for_s=10)


def test_contacts_have_no_datagrams(tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text(CHAIN)
    (tmp_path / "words.txt").write_text("")
    scenario = parse(HEAD.format(nodes=4, rate=1000, agent="direct"))
    with pytest.raises(UsageError, match="no datagrams"):
        simulate(scenario, until_ns=SECOND_NS, folder=tmp_path, pcap=tmp_path / "x.pcapng")


def test_a_page_shows_who_met_whom(tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text(CHAIN)
    (tmp_path / "words.txt").write_text("10 C M1 0 3 1000\n")
    scenario = parse(HEAD.format(nodes=4, rate=8_000, agent="epidemic"))
    outcome = simulate(scenario, until_ns=500 * SECOND_NS, folder=tmp_path, filmed=True)
    assert outcome.film is not None
    assert sorted(outcome.film.octets) == [(0, 1), (1, 2), (2, 3)]
    assert "1 message, all of which arrived" in page(outcome)


def test_contacts_are_for_agents_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no radio for the core"):
        ran(tmp_path, CHAIN, "", agent="core", for_s=10)
    with pytest.raises(ConfigError, match='shape "trace"'):
        parse('[topology]\nshape = "line"\nnodes = 2\n[radio]\nlevel = "contacts"\n')

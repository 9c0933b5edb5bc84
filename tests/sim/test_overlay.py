"""The overlay in virtual time: sizes as captured, paths, TCP's order and repeats, what a peering says at rest."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from meshnode.air.draws import chance
from meshnode.air.topology import Schedule
from meshnode.overlay.embedded.wire.packets import PathLookup, PathNotify, encode, encode_traffic
from meshnode.overlay.embedded.wire.varint import uvarint
from meshnode_sim.agenda import SECOND_NS, Agenda
from meshnode_sim.overlay import AROUND, DELAYED_ACK_NS, GREETING, IDLE, INIT, LOOKUP, NOTIFY, OUTER, Overlay, Peering
from meshnode_sim.report import screen
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import simulate

MEGABIT = 1_000_000
KEY = bytes(32)
PING = 104  # IPv6 header, ICMPv6 header, 56 octets


class Net:
    """Peerings, and what arrived when."""

    def __init__(self, *peerings: Peering) -> None:
        self.agenda = Agenda()
        self.off: set[int] = set()
        self.overlay = Overlay(self.agenda, peerings, 3, lambda node: node not in self.off)
        self.arrived: list[tuple[int, int]] = []

    def send(self, src: int, dst: int, octets: int = 100, name: int = 0) -> None:
        self.overlay.send(src, dst, octets, lambda: self.arrived.append((name, self.agenda.now_ns)))

    def run(self, seconds: float) -> None:
        self.agenda.run(self.agenda.now_ns + round(seconds * SECOND_NS))

    def greeted(self, src: int, dst: int) -> dict[str, int]:
        """Opens a session with a packet; the octets said so far."""
        self.send(src, dst)
        self.run(2)
        assert len(self.arrived) == 1
        return self.octets()

    def octets(self) -> dict[str, int]:
        nodes = tuple(f"N{number}" for number in range(9))
        kinds: dict[str, int] = self.overlay.report(nodes)["kinds"]
        return kinds


def line(count: int, **how: Any) -> list[Peering]:
    return [Peering(node, node + 1, MEGABIT, **how) for node in range(count - 1)]


def framed(content: bytes) -> int:
    return len(uvarint(len(content))) + len(content)


@pytest.mark.parametrize("hops", [1, 2, 5])
def test_sizes_are_those_of_the_codec(hops: int) -> None:
    """From the root, whose place is an empty path, to a node so many hops below it."""
    root, place = (), (1,) * hops
    sealed = bytes(3 + 1 + 32 + 16 + 1 + PING)  # kind, numbers; seal, next key, payload's kind
    assert framed(encode_traffic(place, root, KEY, KEY, hops, sealed)) == AROUND + hops + PING
    assert framed(encode_traffic(place, root, KEY, KEY, hops, bytes(193))) == INIT + hops
    assert framed(encode(PathLookup(KEY, KEY, place))) == LOOKUP + hops
    notify = PathNotify(place, hops, KEY, KEY, 1_790_000_000, root, bytes(64))
    assert framed(encode(notify)) == NOTIFY + hops


def test_one_hop_costs_what_was_captured() -> None:
    assert (AROUND + 1 + PING, LOOKUP + 1, NOTIFY + 1, INIT + 1) == (228, 68, 140, 264)
    octets = Net(*line(2)).greeted(0, 1)
    assert octets["setup"] == 2 * 68 + 2 * 140 + 3 * 264 + len(GREETING) * OUTER
    assert octets["session"] == 100 + AROUND + 1 + OUTER
    assert octets["acknowledgement"] % OUTER == 0 < octets["acknowledgement"]


def test_each_hop_pays_anew_and_an_octet_more() -> None:
    octets = Net(*line(4)).greeted(0, 3)
    assert octets["session"] == 3 * (100 + AROUND + 3 + OUTER)


def test_a_session_is_begun_once_a_minute_of_silence() -> None:
    net = Net(*line(2))
    setup = net.greeted(0, 1)["setup"]
    for _ in range(3):
        net.run(50)
        net.send(1, 0)
    assert net.octets()["setup"] == setup
    net.run(61)
    net.send(0, 1)
    net.run(1)
    assert net.octets()["setup"] == 2 * setup


def test_while_a_session_begins_only_the_newest_packet_waits() -> None:
    net = Net(*line(2, delay_ns=50_000_000))
    for name in range(3):
        net.send(0, 1, name=name)
    net.run(5)
    assert [name for name, _ in net.arrived] == [2]


def test_a_path_has_few_hops_and_goes_round_what_is_gone() -> None:
    half = Schedule(((0, 100 * SECOND_NS),))
    net = Net(*line(4), Peering(0, 4, MEGABIT, schedule=half), Peering(4, 3, MEGABIT))
    assert net.overlay.path(0, 3) == (0, 4, 3)
    net.run(100)
    assert net.overlay.path(0, 3) == (0, 1, 2, 3)
    net.off.add(2)
    assert net.overlay.path(0, 3) == ()
    assert net.overlay.has_peering(0)
    net.off.add(1)
    assert not net.overlay.has_peering(0)


def test_time_is_the_rate_of_every_line_and_its_delay() -> None:
    net = Net(*line(3, delay_ns=7_000_000))
    net.greeted(0, 2)
    net.run(10)
    began = net.agenda.now_ns
    net.send(0, 2, 1_280)
    net.run(1)
    octets = 1_280 + AROUND + 2 + OUTER
    assert net.arrived[-1][1] - began == 2 * (octets * 8 * SECOND_NS // MEGABIT + 7_000_000)


def test_what_tcp_repeats_comes_late_costs_again_and_stays_in_order() -> None:
    net = Net(*line(2, loss=chance(0.3)))
    net.send(0, 1)
    net.run(20)
    net.arrived.clear()
    for name in range(50):
        net.send(0, 1, name=name)
    net.run(20)
    assert [name for name, _ in net.arrived] == list(range(50))
    assert net.octets()["repeated"] > 5 * (100 + AROUND + 1 + OUTER)
    assert net.overlay.lost == 0


def test_a_line_that_stays_dark_loses_what_was_under_way() -> None:
    dark = Net(*line(2), Peering(1, 2, MEGABIT, schedule=Schedule(((0, 4 * SECOND_NS),))))
    dark.greeted(0, 2)
    dark.agenda.at(4 * SECOND_NS - 1, 0, 0, partial(dark.send, 0, 2))
    dark.run(20)
    assert len(dark.arrived) == 1
    assert dark.overlay.lost == 1


def test_a_queue_has_an_end() -> None:
    net = Net(*line(2))
    net.greeted(0, 1)
    for _ in range(200):
        net.send(0, 1, 1_280)
    net.run(10)
    assert 80 < len(net.arrived) < 100  # 131,070 octets of 1,470
    assert net.overlay.lost == 201 - len(net.arrived)


def test_who_goes_off_takes_nothing() -> None:
    net = Net(*line(2))
    net.greeted(0, 1)
    net.send(0, 1)
    net.off.add(1)
    net.run(1)
    assert len(net.arrived) == 1


def test_a_lone_packet_is_acknowledged_a_little_later_unless_an_answer_does_it() -> None:
    net = Net(*line(2))
    net.greeted(0, 1)
    net.run(5)
    before = net.octets()["acknowledgement"]
    net.send(0, 1)
    net.run(DELAYED_ACK_NS / SECOND_NS / 2)
    assert net.octets()["acknowledgement"] == before
    net.send(1, 0)
    net.run(5)
    assert net.octets()["acknowledgement"] == before + OUTER


def test_a_peering_at_rest_says_its_share_a_minute_while_it_is_there() -> None:
    net = Net(Peering(0, 1, MEGABIT), Peering(1, 2, MEGABIT, schedule=Schedule(((0, 150 * SECOND_NS),))))
    net.run(600)
    assert net.octets() == {"idle": (10 + 2) * 2 * IDLE}
    net.off.add(0)
    net.run(600)
    assert net.octets() == {"idle": (10 + 2) * 2 * IDLE}


APART = """
for_s = 300
[topology]
shape = "links"
links = [{ a = "A", b = "B" }, { a = "C", b = "D" }]
[overlay]
relays = ["isp"]
links = [
  { a = "B", b = "isp", rate_bps = 2_000_000, delay_s = 0.02 },
  { a = "isp", b = "C", rate_bps = 500_000, delay_s = 0.03, loss = 0.02 },
]
sessions = [["B", "C"]]
[[actions]]
at_s = 60
do = "send"
node = "A"
to = "D"
text = "soup is ready"
"""
CRASH = '[[faults]]\nkind = "crash"\nnodes = ["C"]\nat_s = 30\nfor_s = 60\n'


def test_a_message_crosses_between_two_villages() -> None:
    found = simulate(parse(APART)).report
    assert found["messages"]["delivered"] == found["messages"]["acknowledged"] == 1
    assert found["messages"]["latency_s"]["p50"] < 1
    over = found["overlay"]
    assert over["bytes"] == sum(over["kinds"].values()) == sum(row["bytes"] for row in over["peerings"])
    assert over["idle_bytes"] == over["kinds"]["idle"] == 2 * 2 * 5 * IDLE
    assert [(row["a"], row["b"]) for row in over["peerings"]] == [("B", "isp"), ("isp", "C")]
    assert f"overlay    {over['bytes']} bytes over peerings" in screen(found)
    assert simulate(parse(APART)).report["fingerprint"] == found["fingerprint"]


def test_a_bridge_that_comes_back_is_called_again() -> None:
    found = simulate(parse(APART + CRASH)).report
    assert found["messages"]["delivered"] == found["messages"]["acknowledged"] == 1
    assert 30 < found["messages"]["latency_s"]["p50"] < 120
    assert found["violations"] == []


def test_bridges_that_start_anew_at_once_are_told_of_each_other() -> None:
    again = "".join(f'[[actions]]\nat_s = 30\ndo = "restart"\nnode = "{name}"\n' for name in "BC")
    found = simulate(parse(APART + again)).report
    assert found["messages"]["delivered"] == 1
    assert found["messages"]["latency_s"]["p50"] < 10


def test_without_sessions_nothing_crosses() -> None:
    found = simulate(parse(APART.replace('sessions = [["B", "C"]]', ""))).report
    assert found["messages"]["delivered"] == 0
    assert set(found["overlay"]["kinds"]) == {"idle"}
    assert "overlay" not in simulate(parse(APART.split("[overlay]")[0])).report

"""Worlds whose people have met before: what they hold, and that nothing floods at the start."""

from __future__ import annotations

from meshnode.core.node import Node
from meshnode.core.records import BlockRecord, RatchetRecord
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.memory import Memory
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build
from meshnode_sim.world import World

LINE = """
[topology]
shape = "line"
nodes = {nodes}
[mesh]
contacts = "none"
acquainted = {acquainted}
[[actions]]
at_s = 50
do = "send"
node = "A"
to = "B"
text = "still here?"
"""
FAR = """
[[actions]]
at_s = 60
do = "send"
node = "A"
to = "I"
text = "who are you?"
"""
GREETED_NS = 90 * SECOND_NS


def played(nodes: int, acquainted: int, until_ns: int = GREETED_NS, more: str = "") -> World:
    world = build(parse(LINE.format(nodes=nodes, acquainted=acquainted) + more), until_ns)
    world.run(until_ns)
    return world


def frontiers(world: World) -> list[bytes]:
    return [host.node.gossip.logs.digest() for host in world.hosts if isinstance(host.node, Node)]


def steps(world: World) -> int:
    return sum(host.steps for host in world.hosts)


def sessions(world: World) -> list[int]:
    return [len(host.memory.every(RatchetRecord)) for host in world.hosts]


def arrived(world: World) -> bool:
    return all(written.arrivals for written in world.probe.written.values())


def test_who_begins_acquainted_holds_what_becoming_acquainted_brings_and_does_less() -> None:
    before, by_themselves = played(5, 4), played(5, 0)
    assert len(set(frontiers(before))) == 1
    assert frontiers(before) == frontiers(by_themselves)
    assert arrived(before)
    assert arrived(by_themselves)
    assert before.probe.transfers < 5, "the message may be kept by others on its way"
    assert by_themselves.probe.transfers >= 5 * 4 * 3, "three blocks of everybody to everybody else"
    assert steps(before) < steps(by_themselves)


def test_neighbours_that_know_others_leave_it_at_that_for_the_day() -> None:
    world = played(9, 2)
    held = [len(host.node.gossip.logs.book) for host in world.hosts if isinstance(host.node, Node)]
    assert held == [3] * 9, "themselves and two others each"
    assert arrived(world), "the key of B was among them"
    settled = steps(world)
    world.run(GREETED_NS + 300 * SECOND_NS)
    assert steps(world) - settled < 400, "284 when this was written: beacons, and no more talk of what they hold"


def test_who_writes_to_an_acquaintance_has_done_so_before() -> None:
    world = build(parse(LINE.format(nodes=9, acquainted=2) + FAR), GREETED_NS)
    begun = [1, 1] + [0] * 7  # A and B; A has no key of I
    assert sessions(world) == begun
    world.run(GREETED_NS)
    assert sessions(world) == begun, "they went on with what they had"
    first, second = world.probe.written.values()
    assert first.receipt_ns > 0
    assert not second.arrivals


def test_equal_worlds_are_equal_and_rows_are_shared() -> None:
    one, other = played(4, 3, SECOND_NS), played(4, 3, SECOND_NS)
    assert one.agenda.fingerprint() == other.agenda.fingerprint()
    first, second = (blocks(one.hosts[node].memory, one.hosts[3].keys.device) for node in (0, 1))
    assert len(first) == 3, "certificate, profile, prekey"
    assert all(row is same for row, same in zip(first, second, strict=True))


def blocks(memory: Memory, device: bytes) -> list[object]:
    return [row for row in memory.every(BlockRecord) if row.log.startswith(device)]


def test_agents_without_keys_know_everybody_anyway() -> None:
    agents = '[nodes]\nagent = "epidemic"\n'
    one, other = played(3, 2, more=agents), played(3, 0, more=agents)
    assert one.agenda.fingerprint() == other.agenda.fingerprint()

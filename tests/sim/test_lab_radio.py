"""The lab at level `radio`: places decide who hears whom, and one scenario comes to the same in both modes."""

from __future__ import annotations

import json
import sys

import pytest
import trio

from meshnode.errors import UsageError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.lab_radio import lab_radio
from meshnode_sim.node import Node, Running
from meshnode_sim.scenario import Scenario, parse
from meshnode_sim.simulate import simulate
from meshnode_sim.sky import Sky

PATIENCE_S = 300.0
TRIES = 3
THREE = """
[topology]
shape = "places"
places = [{ name = "A", x_m = 0, y_m = 0 }, { name = "B", x_m = 300, y_m = 0 }, { name = "C", x_m = 600, y_m = 0 }]
[radio]
level = "radio"
width_mhz = 2
basic_width_mhz = 2
[propagation]
model = "log_distance"
exponent = 3.4
"""
LISTEN = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 7777))
index = socket.if_nametoindex("halow0").to_bytes(4, "little")
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff02::7777") + index)
print("up", flush=True)
print(s.recv(100).decode(), flush=True)
"""
SAY = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("halow0"))
s.sendto(sys.argv[1].encode(), ("ff02::7777", 7777))
"""


async def say(node: Node, text: str) -> None:
    """Again and again: a frame to a group is sent once, and may be lost."""
    while True:
        async for _ in await node.open([sys.executable, "-c", SAY, text]):
            pass


async def heard(listener: Running, node: Node, text: str) -> str:
    """What a listener hears first once a node says this."""
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say, node, text)
            line = await anext(listener)
            nursery.cancel_scope.cancel()
    return line


@pytest.mark.netns
async def test_who_is_near_hears_and_who_is_far_does_not() -> None:
    scenario = parse(THREE + '[nodes]\nprogram = ["sleep", "1000"]\n')
    assert set(Sky(scenario).neighbours()) == {(0, 1), (1, 2)}
    async with open_lab(scenario) as lab:
        near, far = [await lab[name].open([sys.executable, "-c", LISTEN]) for name in "BC"]
        assert [await anext(near), await anext(far)] == ["up", "up"]
        assert await heard(near, lab["A"], "from A") == "from A"
        assert await heard(far, lab["B"], "from B") == "from B"


@pytest.mark.netns
async def test_each_node_is_told_its_own_rates() -> None:
    scenario = parse(THREE + '[nodes]\nprogram = ["sleep", "1000"]\n')
    sky = Sky(scenario)
    async with open_lab(scenario) as lab:
        for index, node in enumerate(lab.nodes.values()):
            told = json.loads(node.radio_state.read_text())
            assert told["unicast_bps"] == sky.link_settings(index).unicast_bps


def test_what_level_radio_cannot_capture_is_said() -> None:
    with pytest.raises(UsageError, match="run --pcap"):
        lab_radio(parse(THREE), on_attempt=print)


def test_nodes_on_a_timetable_move_in_the_lab() -> None:
    route = '[[routes]]\nnode = "C"\nstops = [{ at_s = 0, x_m = 600, y_m = 0 }, { at_s = 10, x_m = 50, y_m = 0 }]\n'
    radio = lab_radio(parse(THREE + route))
    assert radio.move is not None
    radio.medium.offer(0, b"\x02hello", None, 0, payload=60)
    assert [one.node for one in radio.medium.advance(SECOND_NS)] == [1]
    radio.move(10.0)
    radio.medium.offer(0, b"\x02hello", None, SECOND_NS, payload=60)
    assert [one.node for one in radio.medium.advance(2 * SECOND_NS)] == [1, 2]
    assert lab_radio(parse(THREE)).move is None


BOTH = """
[[actions]]
at_s = 25
do = "send"
node = "A"
to = "C"
text = "soup is ready"
[[actions]]
at_s = 35
do = "send"
node = "C"
to = "A"
text = "on my way"
"""


@pytest.mark.netns
@pytest.mark.soak
async def test_a_scenario_comes_to_the_same_in_both_modes() -> None:
    """Deliveries are equal; bytes on air and airtime lie within a factor of two: daemons start at other moments, and
    begin with the neighbour discovery and group reports of a kernel, which virtual time does not have.

    Daemons that wait long for their turn ask their neighbours again, which was seen to more than double the bytes on a
    machine with twenty tasks in line: one run of three is to be undisturbed.
    """
    seen: list[dict[str, float]] = []
    while not _alike(seen) and len(seen) < TRIES:
        seen.append(await _real_by_virtual(parse(THREE + BOTH)))
    assert _alike(seen), seen


async def _real_by_virtual(scenario: Scenario) -> dict[str, float]:
    """One run in both modes, as long as the real one takes: the ratios of what was on the air."""
    async with open_lab(scenario) as lab:
        await lab.set_up()
        began = trio.current_time()
        await lab.start()
        await lab.play(scenario.actions)
        arrived = await _arrived(lab)
        lasted_s = max(60.0, trio.current_time() - began)
        real = lab.report()
    virtual = simulate(scenario, until_ns=round(lasted_s * SECOND_NS)).report
    assert arrived == [1, 1]
    assert virtual["messages"]["delivered"] == sum(arrived)
    return {measure: real["air"][measure] / virtual["air"][measure] for measure in ("bytes", "airtime_s")}


def _alike(seen: list[dict[str, float]]) -> bool:
    return bool(seen) and all(0.5 < ratio < 2 for ratio in seen[-1].values())


async def _arrived(lab: Lab) -> list[int]:
    """How many messages A and C have, once both have one; a loaded machine may take its time."""
    with trio.fail_after(PATIENCE_S):
        while True:
            said = [await lab[name].cli("inbox", "--json") for name in ("A", "C")]
            counts = [len([one for one in each.json["messages"] if not one.get("outgoing")]) for each in said]
            if all(counts):
                return counts
            await trio.sleep(0.5)

"""What a settled world costs, in calls of Python functions: seconds differ from machine to machine, calls do not."""

from __future__ import annotations

import sys
from statistics import mean
from types import FrameType

import pytest

from meshnode.core.effects import Effect
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.inputs import Input
from meshnode.core.neighbours.neighbour import Heard
from meshnode.core.node import Node
from meshnode.core.wire.frames import Frame
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build
from support.calls import calls

LINE = """
[topology]
shape = "line"
nodes = 6
[radio]
rate_bps = 1_000_000
basic_bps = 300_000
[mesh]
contacts = "none"
"""
TRAFFIC = """
acquainted = 5
[[traffic]]
pattern = "schedule"
at_s = [410, 470, 530, 590, 650, 710]
writers = ["A"]
to = ["F"]
"""
BESIDE_THE_CORE = ("meshnode_sim.", "meshnode.air.")
SETTLED_NS = 400 * SECOND_NS


def test_a_second_of_a_settled_node_calls_few_functions() -> None:
    world = build(parse(LINE), 2 * SETTLED_NS)
    world.run(SETTLED_NS)
    before, calls, beside = sum(host.steps for host in world.hosts), 0, 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls, beside
        if event == "call":
            calls += 1
            beside += frame.f_globals["__name__"].startswith(BESIDE_THE_CORE)

    sys.setprofile(count)
    world.run(2 * SETTLED_NS)
    sys.setprofile(None)
    steps = sum(host.steps for host in world.hosts) - before
    assert 100 < steps < 220, "beacons alone: 184 when this was written"
    seconds = len(world.hosts) * SETTLED_NS / SECOND_NS
    assert calls / seconds < 14, "11.9 when this was written"
    assert beside / steps < 20, "17.5 when this was written: the world, the hosts and the air, all but the core"


def test_a_relay_takes_what_belongs_to_a_message_in_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[str] = []
    spent: dict[str, list[int]] = {}
    step, arrived = Node.step, Forwarding.frame_arrived

    def counted(node: Node, given: Input, now: float) -> list[Effect]:
        out: list[Effect] = []
        came.clear()
        cost = calls(lambda: (out.extend(step(node, given, now)), node.next_wakeup()))
        spent.setdefault("+".join(came), []).append(cost)
        return out

    def noted(part: Forwarding, frame: Frame, heard: Heard) -> bool:
        came.append(type(frame).__name__)
        return arrived(part, frame, heard)

    monkeypatch.setattr(Node, "step", counted)
    monkeypatch.setattr(Forwarding, "frame_arrived", noted)
    build(parse(LINE + TRAFFIC), 2 * SETTLED_NS).run(2 * SETTLED_NS)
    means = {kind: mean(spent[kind]) for kind in ("EnvelopeFrame", "Receipts", "Proofs")}
    assert len(spent["EnvelopeFrame"]) == len(spent["Receipts"]) == 6 * 5, "one of each at each hop"
    assert means["EnvelopeFrame"] < 250, "234 when this was written, 480 when each part was asked after each step"
    assert means["Receipts"] < 203, "190 when this was written, 320 before"
    assert means["Proofs"] < 121, "110 when this was written, 220 before"

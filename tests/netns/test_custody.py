"""Who writes and who reads are never on at the same time: somebody between them keeps the message."""

from __future__ import annotations

import json

import pytest
import trio

from meshnode_sim.node import Node
from support.valley_lab import PATIENCE_S, arrived, received, send, story, valley

pytestmark = pytest.mark.netns

LINE = 'shape = "line"\nnodes = 5'


async def has_custody(node: Node) -> None:
    """Return once the node holds an envelope for others; the command itself is the pace."""
    with trio.fail_after(PATIENCE_S):
        while True:
            if json.loads((await node.cli("status", "--json")).stdout)["counts"]["envelopes"]:
                return


async def test_it_arrives_though_sender_and_recipient_never_meet() -> None:
    async with valley(story(LINE)) as lab:
        await send(lab["E"], "A", "know me", "--wait", "delivered", "--timeout", "120")
        await lab.power_off("E")
        await send(lab["A"], "E", "kept on the way", "--wait", "carried", "--timeout", "120")
        await has_custody(lab["C"])
        await lab.power_off("A")
        await lab.power_on("E")
        await arrived(lab["E"], {"kept on the way"})
        assert await received(lab["E"]) == {"kept on the way": 1}

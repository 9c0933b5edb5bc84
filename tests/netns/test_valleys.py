"""Two valleys of five real daemons, radios in each, and between two bridges a wire that is the internet.

The bridges at one end of the lines have theirs from the beginning; those at the other end get one later, and then the
mesh has two ways.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from random import Random

import pytest

from meshnode.control.client import connect
from meshnode.control.replies import BridgeInfo, StatusReply
from meshnode.control.requests import StatusRequest
from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.node import Node
from meshnode_sim.scenario import parse
from support import netns
from support.valley_lab import arrived, deliver, once, received, send_all, story

pytestmark = [pytest.mark.netns, pytest.mark.soak]

LEFT, RIGHT = "ABCDE", "VWXYZ"
PORT = 9001
LINKS = ", ".join(f'{{ a = "{a}", b = "{b}" }}' for line in (LEFT, RIGHT) for a, b in pairwise(line))
DIALLED, DIALLING = "AE", "VZ"  # the bridges
BRIDGES = "".join(f'[node.{name}]\noverlay = "embedded"\n' for name in DIALLED + DIALLING)


class Wire:
    """The internet between two bridges; `far` is who dials."""

    def __init__(self, near: Node, far: Node, number: int) -> None:
        self.near, self.far, self.name = near, far, f"inet{number}"
        self.uri = f"tcp://192.0.{number}.1:{PORT}"
        ends = [str(end.daemon.pid) for end in (near, far)]
        netns.ip(
            "link", "add", self.name, "netns", ends[0], "type", "veth", "peer", "name", self.name, "netns", ends[1]
        )
        for host, pid in enumerate(ends, 1):
            self._ip(pid, "address", "add", f"192.0.{number}.{host}/24", "dev", self.name)
            self._ip(pid, "link", "set", self.name, "up")

    @staticmethod
    def _ip(pid: str, *words: str) -> str:
        done = subprocess.run(["nsenter", "-t", pid, "-n", "ip", *words], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def carried(self) -> int:
        """Bytes so far, both ways, all headers counted."""
        (shown,) = json.loads(self._ip(str(self.near.daemon.pid), "-j", "-s", "link", "show", self.name))
        return shown["stats64"]["rx"]["bytes"] + shown["stats64"]["tx"]["bytes"]

    async def peer(self) -> None:
        """Both bridges have an uplink from now on."""
        await self.far.cli("peer", "add", self.uri)
        for end in (self.near, self.far):
            await until(end, lambda bridge: bridge.uplinks == 1)

    async def fails(self) -> None:
        await self.far.cli("peer", "remove", self.uri)
        for end in (self.near, self.far):
            await until(end, lambda bridge: bridge.uplinks == 0)


async def bridge_of(node: Node) -> BridgeInfo:
    """What it says of itself."""
    async with connect(node.home / "control.sock") as client:
        return (await client.ask(StatusRequest(), StatusReply)).bridge


async def until(node: Node, true: Callable[[BridgeInfo], bool]) -> None:
    """Ask a bridge how it is until it is so."""
    await once(true, partial(bridge_of, node), f"{node.name} does not get there")


async def chosen(*wires: Wire) -> None:
    """Of two ways one goes first, and its bridges and those of the other have heard so: until then both carry."""

    async def states() -> list[list[str]]:
        return sorted([[(await bridge_of(end)).state for end in (wire.near, wire.far)] for wire in wires])

    await once(lambda seen: seen == [["open", "open"], ["standby", "standby"]], states, "no way goes first")


def is_bridge(node: Node, *rules: str) -> None:
    """From its next start on, with these rules."""
    config = node.home / "config.toml"
    listen = f'listen = ["tcp://0.0.0.0:{PORT}"]'
    lines = ["[overlay]", listen if node.name in DIALLED else "", "[bridge]", "enabled = true", *rules]
    kept = config.read_text().partition("[overlay]")[0]
    config.write_text(kept + "".join(f"{line}\n" for line in lines))


async def restart(node: Node, *rules: str) -> None:
    """As a bridge with other rules."""
    await node.stop()
    is_bridge(node, *rules)
    await node.start()


@asynccontextmanager
async def two_valleys() -> AsyncIterator[Lab]:
    """Ten daemons, ready; four of them are bridges without an uplink."""
    text = story(f'shape = "links"\nlinks = [{LINKS}]', pairs='[["A", "Z"], ["Z", "A"], ["C", "X"], ["X", "C"]]')
    async with open_lab(parse(text + BRIDGES)) as lab:
        await lab.set_up()
        for name in (*DIALLED, *DIALLING):
            is_bridge(lab[name])
        await lab.start()
        yield lab


def texts(what: str, count: int) -> list[str]:
    """Of a thousand bytes that cannot be compressed."""
    draw = Random(what)
    return [f"{what} {number} {draw.randbytes(480).hex()}" for number in range(count)]


async def test_two_valleys_are_one_mesh_through_everything_that_happens_to_their_uplinks() -> None:
    async with two_valleys() as lab:
        first = Wire(lab["E"], lab["V"], 1)
        await first.peer()
        await deliver(lab["A"], "Z", "from end to end")
        await deliver(lab["X"], "C", "and back")
        await lab["B"].cli("post", "square", "market at nine")
        for name in RIGHT:
            await arrived(lab[name], {"market at nine"})

        # The uplink is gone for a while: both sides go on, and the difference crosses when it is back.
        await first.fails()
        night, posts = texts("said at night", 10), texts("posted at night", 10)
        await send_all(lab["A"], "Z", night)
        await lab["Y"].cli("post", "square", "--lines", stdin="".join(f"{text}\n" for text in posts))
        await first.peer()
        await arrived(lab["Z"], set(night))
        await arrived(lab["B"], set(posts))

        # A day that is spent: what is left waits at the bridge and is shown; a second bridge takes it across.
        await restart(lab["V"], "sent_mb_per_day = 0.04")
        await until(lab["V"], lambda bridge: bridge.uplinks == 1)
        spent = texts("too much for a day", 40)
        await send_all(lab["Z"], "A", spent)
        await until(lab["V"], lambda bridge: bridge.held_back > 0)
        assert "day's bytes are spent" in (await lab["V"].cli("queue")).stdout
        assert (await bridge_of(lab["V"])).sent <= 40_000
        second = Wire(lab["A"], lab["Z"], 2)
        await second.peer()
        await arrived(lab["A"], set(spent))

        # Two bridges, both open: what one takes across the other does not.
        await restart(lab["V"])
        await until(lab["V"], lambda bridge: bridge.uplinks == 1)
        wires = first, second
        await chosen(*wires)
        before = [wire.carried() for wire in wires]
        twice = texts("by two ways", 20)
        await send_all(lab["C"], "X", twice)
        await arrived(lab["X"], set(twice))
        less, more = sorted(wire.carried() - past for wire, past in zip(wires, before, strict=True))
        assert less < more / 4, (less, more)
        for name in "AX":
            assert set((await received(lab[name])).values()) == {1}

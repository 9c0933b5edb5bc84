"""A lab: real daemons, each in its own rootless namespace, joined by the modelled radio in real time.

    async with open_lab(scenario) as lab:
        await lab.set_up()      # homes, one mesh, contacts
        await lab.start()       # the daemons, ready
        await lab["A"].cli("send", "D", "hello", "--wait", "delivered")

The one part of the simulator that uses trio: here time is real. Whatever happens to the lab, its namespaces and all
that runs in them end with it (holder.py).
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import trio

from meshnode.air.counters import Counters
from meshnode.air.draws import chance
from meshnode.errors import MeshnodeError, UsageError
from meshnode_sim.ether import Ether
from meshnode_sim.figures import air, radio_state
from meshnode_sim.lab_radio import LabRadio, lab_radio
from meshnode_sim.macs import link_local_of, mac_of
from meshnode_sim.namespace import open_namespace
from meshnode_sim.node import Node
from meshnode_sim.pcap import Capture
from meshnode_sim.scenario import Scenario
from meshnode_sim.tables import ActionTable

INTERFACE = "halow0"
NARROW_PAYLOAD = 384  # the largest datagram for groups, and for one receiver at the lowest modes, of a 1 MHz channel
WIDE_PAYLOAD = 1200
T = TypeVar("T")

AT_ONCE = 4  # commands given at the same time while setting up


class Lab:
    """Nodes and the air between them."""

    def __init__(self, scenario: Scenario, root: Path, nodes: Sequence[Node], ether: Ether) -> None:
        self.scenario = scenario
        self.root = root
        self.nodes = {node.name: node for node in nodes}
        self.ether = ether
        self._started = time.monotonic()

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    # ---------------------------------------------------------------- beginning

    async def set_up(self) -> None:
        """Gives each meshnode a home in one mesh, and the contacts the scenario names."""
        nodes = [node for node in self.nodes.values() if node.table.program is None]
        secret = self.root / "mesh-secret"
        secret.write_text(secrets.token_hex(32) + "\n")
        secret.chmod(0o600)
        words = ["--mesh", self.scenario.mesh.name]
        words += ["--mesh-secret-file", str(secret)] if self.scenario.mesh.secret else ["--open"]
        invites: dict[str, str] = {}

        async def make(node: Node) -> None:
            said = await node.cli("init", "--name", node.name, *words, "--json")
            invites[node.name] = said.json["invite"]

        async def meet(node: Node) -> None:
            for a, b in self.scenario.contacts:  # one after the other: a home has one writer
                if a == node.name and b in invites:
                    await node.cli("contact", "add", invites[b], "--name", b)

        await _each(make, nodes)
        await _each(meet, nodes)

    async def start(self) -> None:
        """Starts every node that the scenario does not start later, and waits until all are ready."""
        await _each(Node.start, [node for node in self.nodes.values() if not node.table.start_s])

    async def stop(self) -> None:
        """Stops every daemon as systemd would; without it they are killed when the lab ends, and lose nothing."""
        await _each(Node.stop, self.nodes.values())

    async def set_routes(self) -> None:
        """For plain programs: an address for each node and static routes along the shortest ways, forwarding on."""
        world = self.scenario.world()
        near: list[list[int]] = [[] for _ in self.nodes]
        for link in world.links:
            near[link.src].append(link.dst)
        nodes = list(self.nodes.values())
        for node in nodes:
            await node.namespace.sysctl("net/ipv6/conf/all/forwarding", "1")
            await node.namespace.add_address(node.address)
            for target, step in _next_steps(near, node.index).items():
                await node.namespace.add_route(nodes[target].address, nodes[step].link_local)

    # ---------------------------------------------------------------- what one may do to it

    def cut(self, a: str, b: str | None = None) -> None:
        """Takes a link down, or with one name all links of a node."""
        self._change(a, b, up=False)

    def join(self, a: str, b: str | None = None) -> None:
        """Brings them back."""
        self._change(a, b, up=True)

    def set_loss(self, a: str, b: str, loss: float) -> None:
        """Sets the loss of a link, both ways."""
        for src, dst in self._links(a, b):
            self.ether.radio.set_loss(src, dst, chance(loss))

    def partition(self, side: Iterable[str]) -> None:
        """Cuts every link between these nodes and the rest."""
        names = set(side)
        for a, b in self._pairs():
            if (a in names) != (b in names):
                self.cut(a, b)

    def heal(self) -> None:
        """Brings every link back, with the loss of the scenario."""
        for a, b in self._pairs():
            self.join(a, b)

    async def power_off(self, name: str) -> None:
        """The node loses its power: daemon and radio."""
        self.ether.channel.set_power(self[name].index, on=False)
        await self[name].kill()

    async def power_on(self, name: str) -> None:
        """The node comes back."""
        self.ether.channel.set_power(self[name].index, on=True)
        await self[name].start()

    # ---------------------------------------------------------------- what it measured

    def counters(self) -> list[Counters]:
        """A snapshot for each node; the difference of two is a window."""
        self.ether.catch_up()
        return [self.ether.channel.counters(node.index) for node in self.nodes.values()]

    def report(self, since: Sequence[Counters] | None = None) -> dict[str, Any]:
        """The counters as JSON, of the whole run or since a snapshot."""
        counters = self.counters()
        if since is not None:
            counters = [now - then for now, then in zip(counters, since, strict=True)]
        per_node = [{"name": name, **_shown(one)} for name, one in zip(self.nodes, counters, strict=True)]
        return {
            "scenario": self.scenario.name,
            "seed": self.scenario.seed,
            "nodes": len(self.nodes),
            "wall_s": round(time.monotonic() - self._started, 3),
            "air": air(counters),
            "late_ms": round(self.ether.late_ns / 1e6, 3),
            "per_node": per_node,
        }

    # ---------------------------------------------------------------- the story

    async def play(self, actions: Sequence[ActionTable]) -> None:
        """Does what the scenario says, when it says so; returns after the last action."""
        moments = [(one.at_s + turn * (one.every_s or 0.0), one) for one in actions for turn in range(one.times)]
        late = [(node.table.start_s or 0.0, node) for node in self.nodes.values() if node.table.start_s]
        async with trio.open_nursery() as nursery:
            for at_s, action in moments:
                nursery.start_soon(self._later, at_s, action)
            for at_s, node in late:
                nursery.start_soon(self._late_start, at_s, node)

    async def _late_start(self, at_s: float, node: Node) -> None:
        await trio.sleep(at_s)
        await node.start()

    async def _later(self, at_s: float, action: ActionTable) -> None:
        await trio.sleep(at_s)
        try:
            await self.act(action)
        except MeshnodeError as error:  # the story goes on: what fails in it is part of what it shows
            print(f"{action.do} at {at_s} s: {error}", file=sys.stderr)

    async def act(self, action: ActionTable) -> None:
        """Does one thing."""
        node = self[action.node]
        match action.do:
            case "send":
                await node.cli("send", action.to or "", action.text)
            case "post":
                await node.cli("post", action.channel, action.text)
            case "run":
                await node.cli(*action.command, may_fail=True)
            case "kill":
                await node.kill()
            case "stop":
                await node.stop()
            case "start":
                await node.start()
            case "restart":
                await node.stop()
                await node.start()
            case "off":
                await self.power_off(action.node)
            case "on":
                await self.power_on(action.node)
            case "cut":
                self.cut(action.node, action.to)
            case "join":
                self.join(action.node, action.to)

    # ---------------------------------------------------------------- details

    def _change(self, a: str, b: str | None, *, up: bool) -> None:
        for src, dst in self._links(a, b):
            self.ether.channel.set_link(src, dst, up=up)

    def _links(self, a: str, b: str | None) -> list[tuple[int, int]]:
        index = self[a].index
        other = None if b is None else self[b].index
        found = [pair for pair in self.ether.radio.links if index in pair and (other is None or other in pair)]
        if not found:
            raise UsageError(f"the topology has no link between {a} and {b}")
        return found

    def _pairs(self) -> list[tuple[str, str]]:
        names = list(self.nodes)
        return sorted({(names[min(pair)], names[max(pair)]) for pair in self.ether.radio.links})


@asynccontextmanager
async def open_lab(scenario: Scenario, *, root: Path | None = None, pcap: Path | None = None) -> AsyncIterator[Lab]:
    """Namespaces and air for the time of the block; without `root` the homes are thrown away afterwards."""
    async with AsyncExitStack() as stack:
        stack.enter_context(_plainly())
        folder = root or Path(tempfile.mkdtemp(prefix="meshnode-lab-"))
        if root is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        capture = Capture(pcap, scenario.names, time.time_ns()) if pcap else None
        if capture is not None:
            stack.callback(capture.close)
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        radio = lab_radio(scenario, capture.add if capture else None)
        count = range(len(scenario.names))
        nodes = [await _open_node(stack, scenario, radio, folder, index, nursery) for index in count]
        ether = Ether(scenario, radio, [node.namespace for node in nodes])
        nursery.start_soon(ether.run)
        yield Lab(scenario, folder, nodes, ether)


async def _open_node(
    stack: AsyncExitStack, scenario: Scenario, radio: LabRadio, root: Path, index: int, nursery: trio.Nursery
) -> Node:
    name = scenario.names[index]
    folder = root / name
    folder.mkdir(exist_ok=True)
    namespace = await stack.enter_async_context(
        open_namespace(nursery, name, interface=INTERFACE, mac=mac_of(index), mtu=scenario.radio.mtu)
    )
    node = Node(
        name=name,
        index=index,
        folder=folder,
        link_local=link_local_of(index),
        address=f"fd00:6d65:7368::{index + 1:x}",
        table=scenario.run_of(name),
        namespace=namespace,
        nursery=nursery,
    )
    node.radio_state.write_text(json.dumps(radio_state(radio.settings(index))))
    return node


def _shown(counters: Counters) -> dict[str, Any]:
    tallies = {"unicast": counters.unicast, "group": counters.group}
    shown = {name: asdict(tally) for name, tally in tallies.items()}
    kinds = {kind: asdict(tally) for kind, tally in sorted(counters.kinds.items())}
    return {**air([counters]), **shown, "kinds": kinds}


@contextmanager
def _plainly() -> Iterator[None]:
    """One error that came through nurseries is raised as itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        if len(leaves) > 1:
            raise
        raise leaves[0] from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _next_steps(near: Sequence[Sequence[int]], start: int) -> dict[int, int]:
    """For each node that can be reached, the neighbour by which the shortest way goes."""
    steps: dict[int, int] = {}
    edge = [(node, node) for node in near[start]]
    while edge:
        following = []
        for node, step in edge:
            if node != start and node not in steps:
                steps[node] = step
                following += [(beyond, step) for beyond in near[node]]
        edge = following
    return steps


async def _each(do: Callable[[T], Awaitable[None]], things: Iterable[T]) -> None:
    """Does one thing to each, a few at a time."""
    limit = trio.CapacityLimiter(AT_ONCE)

    async def one(thing: T) -> None:
        async with limit:
            await do(thing)

    async with trio.open_nursery() as nursery:
        for thing in things:
            nursery.start_soon(one, thing)

"""The systems that are compared, each as something one can talk through: meshnode, T and Y.

- `meshnode`: our daemons. `meshnode+ygg` runs them with the system's yggdrasil.
- `T`: plain TCP over static routes, the kernel forwarding. No product, a floor.
- `Y`: the same program over yggdrasil-go, which finds its peers by multicast on the radio.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from common import texts

from meshnode.errors import UsageError
from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.node import Node, Running
from meshnode_sim.scenario import Scenario, parse

PROGRAM = Path(__file__).with_name("plain_tcp.py")
PORT = 7000
NAMES = ("meshnode", "meshnode+ygg", "T", "Y")


@dataclass
class Inbox:
    """What arrived at one node, by text, and when; more than once is counted."""

    arrived: dict[str, float] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    twice: int = 0
    _news: trio.Condition = field(default_factory=trio.Condition)

    async def add(self, text: str) -> None:
        """Notes an arrival."""
        if text in self.arrived:
            self.twice += 1
            return
        self.arrived[text] = trio.current_time()
        self.order.append(text)
        async with self._news:
            self._news.notify_all()

    async def holds(self, texts: list[str]) -> None:
        """Returns when all of them have arrived."""
        await self._until(lambda: all(text in self.arrived for text in texts))

    async def _until(self, true: Callable[[], bool]) -> None:
        async with self._news:
            while not true():
                await self._news.wait()


class Talk:
    """A way from one node to others that is open while it is used."""

    inboxes: dict[str, Inbox]

    async def send(self, text: str) -> None:
        """One message."""
        raise NotImplementedError

    async def settled(self) -> None:
        """Returns when the sender knows of all arrivals, where the system can know."""


class System:
    """One of the things compared, in a lab of its own."""

    settle_s = 20.0  # from ready to the first word: neighbours bind, yggdrasil builds its tree
    drain_s = 15.0  # after the last word: receipts may wait up to 10 s for company, and belong to what is measured

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name

    async def prepare(self, blocks: int = 0) -> None:
        """Homes, keys, routes; with `blocks` every store holds that many."""

    async def start(self) -> None:
        """Everything runs."""
        await self.lab.start()

    async def blocks(self, node: str) -> int:
        """How many blocks a node's store holds."""
        return 0

    def talk(self, nursery: trio.Nursery, src: str, dst: list[str], *, post: bool = False) -> Any:
        """A Talk as a context: a direct message to one, or with `post` a post to all of `dst`."""
        raise NotImplementedError


# -------------------------------------------------------------------- plain TCP


class TcpTalk(Talk):
    """One connection to each receiver."""

    def __init__(self, speakers: list[Running], inboxes: dict[str, Inbox]) -> None:
        self._speakers = speakers
        self.inboxes = inboxes

    async def send(self, text: str) -> None:
        for speaker in self._speakers:
            await speaker.say(text)


class PlainTcp(System):
    """T."""

    settle_s = 1.0
    drain_s = 1.0

    def address(self, node: Node) -> str:
        return node.address

    async def prepare(self, blocks: int = 0) -> None:
        await self.lab.set_routes()

    async def start(self) -> None:
        pass  # the kernel is all it needs

    @asynccontextmanager
    async def talk(
        self, nursery: trio.Nursery, src: str, dst: list[str], *, post: bool = False
    ) -> AsyncIterator[TcpTalk]:
        inboxes = {name: Inbox() for name in dst}
        started = []
        for name in dst:
            started.append(await self._open(self.lab[name], "listen", str(PORT)))
            nursery.start_soon(_collect, started[-1], inboxes[name])
        speakers = [await self._open(self.lab[src], "talk", self.address(self.lab[n]), str(PORT)) for n in dst]
        yield TcpTalk(speakers, inboxes)
        for running in started + speakers:
            running.child.kill()

    async def _open(self, node: Node, *words: str) -> Running:
        running = await node.open([sys.executable, "-S", str(PROGRAM), *words])
        await running.__anext__()  # "ready"
        return running


async def _collect(running: Running, inbox: Inbox) -> None:
    async for line in running:
        await inbox.add(line)


class Yggdrasil(PlainTcp):
    """Y."""

    settle_s = 20.0

    def address(self, node: Node) -> str:
        said = subprocess.run(
            ["yggdrasil", "-useconffile", str(node.folder / "ygg.json"), "-address"],
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout.strip()

    async def prepare(self, blocks: int = 0) -> None:
        for node in self.lab.nodes.values():
            (node.folder / "ygg.json").write_text(json.dumps(_yggdrasil_configuration()))

    async def start(self) -> None:
        await self.lab.start()


def _yggdrasil_configuration() -> dict[str, Any]:
    said = subprocess.run(["yggdrasil", "-genconf", "-json"], capture_output=True, check=True).stdout
    radio = {"Regex": "halow0", "Beacon": True, "Listen": True, "Port": 0, "Priority": 0, "Password": ""}
    own = {"MulticastInterfaces": [radio], "IfName": "ygg0", "IfMTU": 1280, "AdminListen": "none"}
    return {**json.loads(said), **own}


# -------------------------------------------------------------------- meshnode


class MeshTalk(Talk):
    """`meshnode send --lines` (or `post --lines`) at one end, `meshnode watch` at both."""

    def __init__(self, speaker: Running, inboxes: dict[str, Inbox], goal: set[str]) -> None:
        self._speaker = speaker
        self.inboxes = inboxes
        self._goal = goal
        self.sent = 0
        self.kept: list[str] = []
        self.states: dict[str, str] = {}
        self._news = trio.Condition()

    async def send(self, text: str) -> None:
        self.sent += 1
        await self._speaker.say(text)

    async def settled(self) -> None:
        async with self._news:
            while len(self.kept) < self.sent or not all(self.states.get(one) in self._goal for one in self.kept):
                await self._news.wait()

    async def _take_answers(self) -> None:
        async for line in self._speaker:
            async with self._news:
                self.kept.append(json.loads(line)["id"])
                self._news.notify_all()

    async def _take_states(self, watch: Running) -> None:
        async for line in watch:
            notice = json.loads(line)
            if notice["event"] == "state":
                async with self._news:
                    self.states[notice["id"]] = notice["state"]
                    self._news.notify_all()


class Meshnode(System):
    """Ours."""

    async def prepare(self, blocks: int = 0) -> None:
        await self.lab.set_up()
        if blocks:
            await preload(self.lab, blocks, self.lab.scenario.seed)

    async def blocks(self, node: str) -> int:
        return int((await self.lab[node].cli("status", "--json")).json["counts"]["blocks"])

    @asynccontextmanager
    async def talk(
        self, nursery: trio.Nursery, src: str, dst: list[str], *, post: bool = False
    ) -> AsyncIterator[MeshTalk]:
        inboxes = {name: Inbox() for name in dst}
        words = ["post", "square"] if post else ["send", dst[0]]
        goal = {"written", "kept", "on_air", "carried", "delivered", "read"} if post else {"delivered", "read"}
        ends = [(self.lab[name], inboxes[name]) for name in dst]
        watches = [await _watch(node) for node, _ in ends]
        for watch, (_, inbox) in zip(watches, ends, strict=True):
            nursery.start_soon(_take_messages, watch, inbox)
        own = await _watch(self.lab[src])
        async with self.lab[src].talk(*words, "--lines", "--json") as speaker:
            talk = MeshTalk(speaker, inboxes, goal)
            nursery.start_soon(talk._take_answers)
            nursery.start_soon(talk._take_states, own)
            yield talk
        for watch in [*watches, own]:
            watch.child.kill()


async def _watch(node: Node) -> Running:
    running = await node.open([sys.executable, "-m", "meshnode", "watch", "--json", "--home", str(node.home)])
    async for line in running:
        if json.loads(line)["event"] == "ready":
            return running
    raise UsageError(f"`meshnode watch` ended on node {node.name}")


async def _take_messages(watch: Running, inbox: Inbox) -> None:
    async for line in watch:
        notice = json.loads(line)
        if notice["event"] == "message":
            await inbox.add(notice["text"])


# -------------------------------------------------------------------- choosing


@asynccontextmanager
async def open_system(name: str, scenario: str, *, blocks: int = 0) -> AsyncIterator[System]:
    """One system in a lab of its own, running. `scenario` is TOML without its [nodes]."""
    async with open_lab(_with_nodes(name, scenario)) as lab:
        kinds: dict[str, type[System]] = {"T": PlainTcp, "Y": Yggdrasil}
        system = kinds.get(name, Meshnode)(lab, name)
        await system.prepare(blocks)
        await system.start()
        yield system


def _with_nodes(name: str, scenario: str) -> Scenario:
    own = {
        "T": 'program = ["true"]',
        "Y": 'program = ["yggdrasil", "-useconffile", "{me.folder}/ygg.json"]',
        "meshnode": 'overlay = "none"',
        "meshnode+ygg": 'overlay = "system"',
    }
    return parse(f"{scenario}\n[nodes]\n{own[name]}\n")


def chosen(names: str) -> list[str]:
    """The systems asked for, those left out that this machine does not have."""
    wanted = names.split(",")
    unknown = set(wanted) - set(NAMES)
    if unknown:
        raise UsageError(f"there is no system {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    has = shutil.which("yggdrasil") is not None
    return [name for name in wanted if has or name not in ("Y", "meshnode+ygg")]


async def preload(lab: Lab, count: int, seed: int) -> None:
    """Gives every node the same `count` blocks before any runs: written on the first, a parcel for the others."""
    first, *others = lab.nodes.values()
    parcel = lab.root / "blocks.parcel"
    await first.start()
    async with first.talk("post", "square", "--lines", "--json") as speaker:
        for number, text in enumerate(texts(seed, count, 200)):
            await speaker.say(text)
            if number % 16 == 15:
                await _skip(speaker, 16)
        await _skip(speaker, count % 16)
    await first.cli("export", str(parcel))
    await first.stop()
    for node in others:
        await node.cli("import", str(parcel))


async def _skip(running: Running, lines: int) -> None:
    for _ in range(lines):
        await running.__anext__()

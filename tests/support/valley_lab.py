"""Real daemons in a lab, for tests that tell a story: who writes to whom, and what must have arrived exactly once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.node import Node
from meshnode_sim.scenario import parse

T = TypeVar("T")

PATIENCE_S = 300.0  # a ferry's story alone is seven crossings of fifteen seconds; what needs all of it has failed

RADIO = """
[radio]
rate_bps = 1_000_000
basic_bps = 300_000
loss = {loss}
"""


def story(topology: str, *, loss: float = 0.0, overlay: str = "none", pairs: str = '[["A", "E"], ["E", "A"]]') -> str:
    """A scenario in TOML: the topology table, one modelled channel, who has whom in the address book."""
    return (
        f"[topology]\n{topology}\n{RADIO.format(loss=loss)}\n"
        f'[mesh]\nname = "valley"\ncontacts = {pairs}\n[nodes]\noverlay = "{overlay}"\n'
    )


@asynccontextmanager
async def valley(text: str) -> AsyncIterator[Lab]:
    """A lab with homes made and daemons ready."""
    async with open_lab(parse(text)) as lab:
        await lab.set_up()
        await lab.start()
        yield lab


async def send(node: Node, to: str, text: str, *more: str) -> dict[str, object]:
    """`meshnode send`, its answer."""
    said = await node.cli("send", to, text, "--json", *more)
    answer = said.json
    assert isinstance(answer, dict)
    return answer


async def deliver(node: Node, to: str, text: str) -> None:
    """Send and wait until the receipt is back."""
    answer = await send(node, to, text, "--wait", "delivered", "--timeout", str(int(PATIENCE_S)))
    assert answer["state"] in ("delivered", "read"), answer


async def send_all(node: Node, to: str, texts: Iterable[str]) -> None:
    """`meshnode send --lines`: every line kept before the block ends."""
    said = await node.cli("send", to, "--lines", "--json", stdin="".join(f"{text}\n" for text in texts))
    assert all(json.loads(line)["state"] for line in said.stdout.splitlines())


async def arrived(node: Node, wanted: set[str]) -> None:
    """Return once the node has filed all these texts from others; fail when patience ends."""
    got: set[str] = set()
    with trio.move_on_after(PATIENCE_S):
        async with node.talk("watch", "--since", "0", "--json") as running:
            async for line in running:
                notice = json.loads(line)
                if notice["event"] == "message":
                    got.add(notice["text"])
                if wanted <= got:
                    return
    missing = sorted(wanted - got)
    raise AssertionError(f"{len(missing)} of {len(wanted)} did not arrive at {node.name}: {missing[:5]}")


async def status(node: Node) -> dict[str, Any]:
    """What `meshnode status` says."""
    answer = (await node.cli("status", "--json")).json
    assert isinstance(answer, dict)
    return answer


async def once(true: Callable[[T], object], ask: Callable[[], Awaitable[T]], otherwise: str) -> T:
    """Ask again until the answer is as it should be, and return it; fail with the last one when patience ends."""
    answer: T | None = None
    with trio.move_on_after(PATIENCE_S):
        while True:
            answer = await ask()
            if true(answer):
                return answer
            await trio.sleep(0.2)
    raise AssertionError(f"{otherwise}: {answer}")


async def inbox(node: Node) -> list[dict[str, object]]:
    """Everything the node filed, oldest first."""
    messages = (await node.cli("inbox", "--limit", "0", "--json")).json["messages"]
    assert isinstance(messages, list)
    return messages


async def received(node: Node) -> Counter[str]:
    """How often each text of others was filed."""
    return Counter(str(m["text"]) for m in await inbox(node) if m["from"] != node.name)


async def all_delivered(node: Node) -> None:
    """Return once every message of the node has its receipt."""

    async def late() -> Counter[str]:
        mine = [m for m in await inbox(node) if m["from"] == node.name and m.get("to")]
        return Counter(str(m["state"]) for m in mine if m["state"] not in ("delivered", "read"))

    await once(lambda states: not states, late, f"{node.name} still waits for receipts")

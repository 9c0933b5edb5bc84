"""A file over a line: seconds, and how near that comes to what plain TCP makes of the same channel.

    python bench/files.py                         1 MiB over one hop and over three, 4 Mbit/s
    python bench/files.py --loss 0.3              with 30 % loss on each link
    python bench/files.py --cut 3                 the link of the reader is cut after 3 s, for 10 s
    python bench/files.py --kill 3                one node after the other is killed and started again, every 3 s
    python bench/files.py --sources 2 --hops 1    the reader stands between two who have it

Systems take turns, each on a channel of its own. T is plain TCP on a connection that stands already; ours counts from
the moment a person asks for the file until it is whole and on disk, looking for it included.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from random import Random
from typing import Any

import trio
from common import Window, emit, progress
from systems import PORT, PROGRAM, PlainTcp, System, chosen, open_system

from meshnode.control import client, replies, requests
from meshnode_sim.node import Node, Running

PATIENCE_S = 900.0
SETTLE_S = 20.0
DARK_S = 10.0
SCENARIO = """
name = "files"
seed = {seed}
[topology]
shape = "line"
nodes = {nodes}
[radio]
rate_bps = {rate}
basic_bps = 300000
loss = {loss}
"""


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--systems", default="T,meshnode")
    words.add_argument("--hops", default="1,3")
    words.add_argument("--size", type=int, default=1 << 20)
    words.add_argument("--rate", type=int, default=4_000_000)
    words.add_argument("--loss", type=float, default=0.0)
    words.add_argument("--runs", type=int, default=1)
    words.add_argument("--cut", type=float, default=0.0)
    words.add_argument("--kill", type=float, default=0.0)
    words.add_argument("--sources", type=int, choices=(1, 2), default=1)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    results: dict[str, Any] = {}
    for hops in map(int, options.hops.split(",")):
        for run in range(options.runs):
            for name in chosen(options.systems):
                result = trio.run(measure, name, hops, options)
                results.setdefault(f"{hops} hops", {}).setdefault(name, []).append(result)
                progress(f"{name}, {hops} hops, run {run + 1}: {result['seconds']} s, {result['bytes_per_s']:.0f} B/s")
    emit("files", vars(options), results, over_T={hops: over_tcp(found) for hops, found in results.items()})


def over_tcp(found: dict[str, Any]) -> dict[str, float]:
    """Mean speed of each system over that of plain TCP."""
    speed = {name: sum(one["bytes_per_s"] for one in runs) / len(runs) for name, runs in found.items()}
    return {name: round(mean / speed["T"], 3) for name, mean in speed.items() if name != "T" and speed.get("T")}


async def measure(name: str, hops: int, options: argparse.Namespace) -> dict[str, Any]:
    """One run of one system."""
    nodes = hops + 1 if options.sources == 1 else 3
    scenario = SCENARIO.format(seed=options.seed, nodes=nodes, rate=options.rate, loss=options.loss)
    async with open_system(name, scenario) as system, trio.open_nursery() as nursery:
        await trio.sleep(SETTLE_S if name != "T" else system.settle_s)
        with trio.move_on_after(PATIENCE_S):
            how = tcp if isinstance(system, PlainTcp) else ours
            result = await how(nursery, system, options)
        nursery.cancel_scope.cancel()
    return result


# -------------------------------------------------------------------- plain TCP


async def tcp(nursery: trio.Nursery, system: System, options: argparse.Namespace) -> dict[str, Any]:
    """From the word to the last byte."""
    first, *_, last = system.lab.nodes.values()
    taker = await _open(last, "take", str(PORT), str(options.size))
    giver = await _open(first, "give", last.address, str(PORT), str(options.size))
    await trio.sleep(1.0)
    window, begun = Window(system.lab), trio.current_time()
    await giver.say("go")
    whole = await taker.__anext__() == "whole"
    result = _result(options, trio.current_time() - begun, window, whole)
    for running in (taker, giver):
        running.child.kill()
    return result


async def _open(node: Node, *words: str) -> Running:
    running = await node.open([sys.executable, "-S", str(PROGRAM), *words])
    await running.__anext__()  # "ready"
    return running


# -------------------------------------------------------------------- meshnode


async def ours(nursery: trio.Nursery, system: System, options: argparse.Namespace) -> dict[str, Any]:
    """From asking to a whole file with the right bytes."""
    lab, nodes = system.lab, list(system.lab.nodes.values())
    data = Random(options.seed).randbytes(options.size)
    source = lab.root / "file.bin"
    source.write_bytes(data)
    reader = nodes[-1] if options.sources == 1 else nodes[1]
    await nodes[0].cli("post", "square", "read this", "--file", str(source))
    file = await _announced(reader)
    if options.sources == 2:
        await _ask(nodes[2], requests.FileGetRequest(id=file, timeout_s=PATIENCE_S))
        await _drop(reader, file)
    await trio.sleep(5.0)
    window, begun = Window(lab), trio.current_time()
    if options.cut:
        nursery.start_soon(_cut, system, reader, options.cut)
    if options.kill:
        nursery.start_soon(_kill, system, options.kill)
    out = lab.root / "got.bin"
    await _until_whole(reader, file, out)
    result = _result(options, trio.current_time() - begun, window, _same(out, data))
    return {**result, "late_ms": lab.report()["late_ms"]}


async def _until_whole(reader: Node, file: str, out: Path) -> None:
    """Ask as a person would, and again when the node was killed meanwhile."""
    while True:
        try:
            reply = await _ask(reader, requests.FileGetRequest(id=file, path=str(out), timeout_s=PATIENCE_S))
            if reply.reached:
                return
        except Exception as error:  # noqa: BLE001 - the node behind the socket may be dying in many ways
            progress(f"asking again: {error}")
            await trio.sleep(0.5)


async def _announced(reader: Node) -> str:
    while True:
        async with client.connect(reader.home / "control.sock") as asking:
            found = await asking.ask(requests.FilesRequest(), replies.FilesReply)
        if found.files:
            return found.files[0].file.id
        await trio.sleep(0.5)


async def _ask(node: Node, request: requests.Request) -> replies.FileReply:
    async with client.connect(node.home / "control.sock") as asking:
        return await asking.ask(request, replies.FileReply)


async def _drop(node: Node, file: str) -> None:
    """What it kept for others on the way is not here any more: the bench wants both sources to be asked."""
    await _ask(node, requests.FileGetRequest(id=file, timeout_s=PATIENCE_S))
    await _ask(node, requests.FileDropRequest(id=file))


async def _cut(system: System, reader: Node, after: float) -> None:
    await trio.sleep(after)
    system.lab.cut(reader.name)
    await trio.sleep(DARK_S)
    system.lab.join(reader.name)


async def _kill(system: System, every: float) -> None:
    """kill -9 of each node in turn."""
    for node in list(system.lab.nodes.values()):
        await trio.sleep(every)
        await node.kill()
        await node.start()
        progress(f"{node.name} was killed and is back")


def _same(out: Path, data: bytes) -> bool:
    return out.exists() and hashlib.blake2b(out.read_bytes()).digest() == hashlib.blake2b(data).digest()


def _result(options: argparse.Namespace, seconds: float, window: Window, whole: bool) -> dict[str, Any]:
    spent = window.close()
    return {
        "whole": whole,
        "seconds": round(seconds, 2),
        "bytes_per_s": round(options.size / seconds, 1),
        "bytes_over_payload": round(spent["bytes"] / options.size, 3),
        "air": spent,
    }


if __name__ == "__main__":
    main()

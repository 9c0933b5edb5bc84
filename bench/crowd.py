"""Many nodes that all hear each other: bytes on air while they meet, and over twenty minutes with a few messages.

    python bench/crowd.py                         5, 10, 25 and 50 nodes
    python bench/crowd.py --nodes 10 --loss 0.3

In virtual time, so the same words give the same bytes on every machine; fifty nodes take a quarter of an
hour. All start within a second of each other. `start` counts until `--meet` seconds, `settled_s` is when all had a log
of everybody; `whole` counts to the end. After four minutes 17 posts to all and 17 messages from one to another are
written, one of each every 50 s. Bytes are bytes on air of all nodes by class of traffic (`docs/protocol.md`, classes):
every attempt, headers included.
"""

from __future__ import annotations

import argparse
from typing import Any

from common import emit, progress

from meshnode.air.counters import Tally
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.report import report
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build
from meshnode_sim.world import World

WORDS = 17
FIRST_S = 240
EVERY_S = 50


def main() -> None:
    """Parses the words and measures one crowd after the other."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--nodes", default="5,10,25,50")
    words.add_argument("--seconds", type=int, default=1200)
    words.add_argument("--meet", type=int, default=60)
    words.add_argument("--loss", type=float, default=0.0)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    results = {nodes: measure(int(nodes), options) for nodes in options.nodes.split(",")}
    emit("crowd", vars(options), results)


def measure(nodes: int, options: argparse.Namespace) -> dict[str, Any]:
    """One crowd."""
    end_ns = options.seconds * SECOND_NS
    world = build(parse(scenario(nodes, options)), end_ns)
    settled_s = None
    for second in range(1, options.meet + 1):
        world.run(second * SECOND_NS)
        if settled_s is None and settled(world):
            settled_s = second
    start = on_air(world)
    progress(f"{nodes} nodes met")
    world.run(end_ns)
    found = report(world, 0.0, 0.0)
    delivered = {what: found[what] for what in ("messages", "posts")}
    return {"start": {**start, "settled_s": settled_s}, "whole": on_air(world), **delivered}


def scenario(nodes: int, options: argparse.Namespace) -> str:
    """One place, and who writes when: each in turn, to all, and to the next but two."""
    place = f"""
seed = {options.seed}
[topology]
shape = "full"
nodes = {nodes}
[radio]
width_mhz = 1
loss = {options.loss}
"""
    names = parse(place).names
    for turn in range(WORDS):
        at_s, writer, reader = FIRST_S + EVERY_S * turn, names[turn % nodes], names[(turn + 3) % nodes]
        place += f"""
[[actions]]
at_s = {at_s}
do = "post"
node = "{writer}"
text = "word {turn} to all"
[[actions]]
at_s = {at_s + EVERY_S // 2}
do = "send"
node = "{writer}"
to = "{reader}"
text = "word {turn} to you"
"""
    return place


def settled(world: World) -> bool:
    """Everybody holds the same, and a log of each."""
    logs = [host.node.gossip.logs for host in world.hosts if host.on]
    return len({one.digest() for one in logs}) == 1 and len(logs[0].book.logs) == len(world.hosts)


def on_air(world: World) -> dict[str, Any]:
    """Bytes of all nodes so far, and by class."""
    kinds: dict[str, Tally] = {}
    for host in world.hosts:
        for kind, tally in world.medium.counters(host.index).kinds.items():
            kinds[kind] = kinds.get(kind, Tally()) + tally
    return {
        "bytes": sum(tally.bytes for tally in kinds.values()),
        "airtime_s": round(sum(tally.airtime_ns for tally in kinds.values()) / SECOND_NS, 3),
        "classes": {kind: tally.bytes for kind, tally in sorted(kinds.items())},
    }


if __name__ == "__main__":
    main()

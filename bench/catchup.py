"""Catch-up over one hop: one node has 1,000 posts of 200 B, the other none; then they meet.

    python bench/catchup.py

Bytes over payload, and seconds from the moment the link is there until the last post is in the other's hands.
"""

from __future__ import annotations

import argparse
from typing import Any

import trio
from common import Window, emit, progress, ratios, texts
from systems import System, chosen, open_system

PATIENCE_S = 300.0
AFTER_S = 5.0  # acknowledgements and farewells belong to the window
SCENARIO = """
name = "catchup"
seed = {seed}
[topology]
shape = "line"
nodes = 2
[mesh]
contacts = "none"
[radio]
loss = {loss}
"""


def main() -> None:
    """Parses the words and measures, one system after the other."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--systems", default="meshnode,T,Y")
    words.add_argument("--count", type=int, default=1000)
    words.add_argument("--size", type=int, default=200)
    words.add_argument("--loss", type=float, default=0.0)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    results = {name: trio.run(measure, name, options) for name in chosen(options.systems)}
    emit("catchup", vars(options), results, ratio_to_T=ratios(results, ["bytes_over_payload", "seconds"]))


async def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One system."""
    async with open_system(name, SCENARIO.format(seed=options.seed, loss=options.loss)) as system:
        await trio.sleep(system.settle_s)
        async with trio.open_nursery() as nursery:
            result = await catch_up(nursery, system, options)
            nursery.cancel_scope.cancel()
    return result


async def catch_up(nursery: trio.Nursery, system: System, options: argparse.Namespace) -> dict[str, Any]:
    """Writes while the two are apart, then lets them meet. Plain TCP stays connected and is simply given all."""
    lines = texts(options.seed, options.count, options.size)
    ours = system.name.startswith("meshnode")
    async with system.talk(nursery, "A", ["B"], post=True) as talk:
        inbox = talk.inboxes["B"]
        if ours:
            system.lab.cut("A", "B")
            for text in lines:
                await talk.send(text)
            await talk.settled()
            progress(f"{system.name}: {len(lines)} posts written")
        window, begun = Window(system.lab), trio.current_time()
        if ours:
            system.lab.join("A", "B")
        else:
            for text in lines:
                await talk.send(text)
        with trio.move_on_after(PATIENCE_S):
            await inbox.holds(lines)
        await trio.sleep(AFTER_S)
        spent = window.close()
    payload = options.count * options.size
    return {
        "arrived": len(inbox.arrived),
        "twice": inbox.twice,
        "in_order": inbox.order == lines,
        "bytes_over_payload": round(spent["bytes"] / payload, 3),
        "seconds": round(max(inbox.arrived.values(), default=begun) - begun, 2),
        "first_after_s": round(min(inbox.arrived.values(), default=begun) - begun, 2),
        "air": spent,
    }


if __name__ == "__main__":
    main()

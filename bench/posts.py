"""Posts to all: bytes per post and receiver, seconds until everybody has everything.

python bench/posts.py                                     200 posts of 200 B, a line of six
python bench/posts.py --shape geometric --nodes 10        ten nodes strewn over a square
"""

from __future__ import annotations

import argparse
from typing import Any

import trio
from common import Window, emit, progress, ratios, texts
from systems import System, chosen, open_system

PATIENCE_S = 300.0
AFTER_S = 5.0


def main() -> None:
    """Parses the words and measures, one system after the other."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--systems", default="meshnode,T,Y")
    words.add_argument("--shape", default="line")
    words.add_argument("--nodes", type=int, default=6)
    words.add_argument("--count", type=int, default=200)
    words.add_argument("--size", type=int, default=200)
    words.add_argument("--loss", type=float, default=0.0)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    results = {name: trio.run(measure, name, options) for name in chosen(options.systems)}
    emit("posts", vars(options), results, ratio_to_T=ratios(results, ["bytes_per_post_and_receiver", "seconds"]))


async def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One system."""
    scenario = (
        f'name = "posts"\nseed = {options.seed}\n[topology]\nshape = "{options.shape}"\nnodes = {options.nodes}\n'
        f'[radio]\nloss = {options.loss}\n[mesh]\ncontacts = "none"\n'
    )
    async with open_system(name, scenario) as system:
        await trio.sleep(system.settle_s)
        async with trio.open_nursery() as nursery:
            result = await spread_posts(nursery, system, options)
            nursery.cancel_scope.cancel()
    return result


async def spread_posts(nursery: trio.Nursery, system: System, options: argparse.Namespace) -> dict[str, Any]:
    """The first node writes everything at once; the first post goes before, so that every way is open."""
    first, *others = system.lab.nodes
    warm, *lines = texts(options.seed, options.count + 1, options.size)
    async with system.talk(nursery, first, others, post=True) as talk:
        with trio.move_on_after(PATIENCE_S):
            await talk.send(warm)
            for name in others:
                await talk.inboxes[name].holds([warm])
        await trio.sleep(system.settle_s)
        progress(f"{system.name}: warm")
        window, begun = Window(system.lab), trio.current_time()
        for text in lines:
            await talk.send(text)
        with trio.move_on_after(PATIENCE_S):
            for name in others:
                await talk.inboxes[name].holds(lines)
        await trio.sleep(AFTER_S)
        spent = window.close()
    times = [at - begun for name in others for text, at in talk.inboxes[name].arrived.items() if text != warm]
    receptions = len(lines) * len(others)
    return {
        "arrived": len(times),
        "of": receptions,
        "twice": sum(inbox.twice for inbox in talk.inboxes.values()),
        "bytes_per_post_and_receiver": round(spent["bytes"] / receptions, 1),
        "seconds": round(max(times, default=0.0), 2),
        "air": spent,
    }


if __name__ == "__main__":
    main()

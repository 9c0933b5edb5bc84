"""What a settled mesh spends on being there: bytes per node and minute, nobody writing, 2,000 blocks in every store.

python bench/idle.py                        ten nodes strewn over a square, five minutes
python bench/idle.py --shape line --nodes 5
"""

from __future__ import annotations

import argparse
from typing import Any

import trio
from common import Window, emit, progress
from systems import chosen, open_system


def main() -> None:
    """Parses the words and measures; all systems at the same time, each on a channel of its own."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--systems", default="meshnode,meshnode+ygg,Y")
    words.add_argument("--shape", default="geometric")
    words.add_argument("--nodes", type=int, default=10)
    words.add_argument("--blocks", type=int, default=2000)
    words.add_argument("--settle", type=float, default=120.0)
    words.add_argument("--minutes", type=float, default=5.0)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    emit("idle", vars(options), trio.run(measure, options))


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One result for each system."""
    results: dict[str, Any] = {}
    names = chosen(options.systems)
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(one, name, options, results)
    return {name: results[name] for name in names}


async def one(name: str, options: argparse.Namespace, results: dict[str, Any]) -> None:
    """One system: settle, then watch the counters."""
    scenario = (
        f'name = "idle"\nseed = {options.seed}\n[topology]\nshape = "{options.shape}"\nnodes = {options.nodes}\n'
        '[mesh]\ncontacts = "none"\n'
    )
    async with open_system(name, scenario, blocks=options.blocks) as system:
        progress(f"{name}: running, {options.settle} s to settle")
        await trio.sleep(options.settle)
        window = Window(system.lab)
        await trio.sleep(options.minutes * 60)
        spent = window.close()
        stored = [await system.blocks(node) for node in system.lab.nodes]
    share = options.nodes * options.minutes
    results[name] = {
        "blocks": [min(stored), max(stored)],
        "bytes_per_node_and_minute": round(spent["bytes"] / share, 1),
        "airtime_ms_per_node_and_minute": round(spent["airtime_s"] * 1000 / share, 2),
        "air": spent,
    }


if __name__ == "__main__":
    main()

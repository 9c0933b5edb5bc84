"""Memory of an idle node: proportional set size of its processes, 2,000 blocks in store, one neighbour.

    python bench/memory.py

A yggdrasil that runs beside it is shown apart.
"""

from __future__ import annotations

import argparse
from typing import Any

import trio
from common import emit
from systems import chosen, open_system

SCENARIO = 'name = "memory"\nseed = {seed}\n[topology]\nshape = "line"\nnodes = 2\n[mesh]\ncontacts = "none"\n'


def main() -> None:
    """Parses the words and measures, one system after the other."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--systems", default="meshnode,meshnode+ygg,Y")
    words.add_argument("--blocks", type=int, default=2000)
    words.add_argument("--settle", type=float, default=60.0)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    results = {name: trio.run(measure, name, options) for name in chosen(options.systems)}
    emit("memory", vars(options), results)


async def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The second node: it has only ever received."""
    async with open_system(name, SCENARIO.format(seed=options.seed), blocks=options.blocks) as system:
        await trio.sleep(options.settle)
        node, blocks = system.lab["B"], await system.blocks("B")
        shared, whole = node.memory_kb("Pss"), node.memory_kb("Rss")
    return {
        "blocks": blocks,
        "own_mb": round(sum(size for program, size in shared.items() if program != "yggdrasil") / 1024, 1),
        "pss_mb": {program: round(size / 1024, 1) for program, size in shared.items()},
        "rss_mb": {program: round(size / 1024, 1) for program, size in whole.items()},
    }


if __name__ == "__main__":
    main()

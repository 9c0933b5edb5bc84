"""What spreading everybody's keys costs as a mesh grows: lines of the shipped core in virtual time.

    python bench/spread.py                                                      # a scale model, some minutes
    python bench/spread.py --per-hop 64 --nearest 100 --nodes 100,300,1000      # the real thing, hours

Strangers' logs are taken up to so many a day from each neighbour (`core/gossip/admission.py`), so the cost of a node
ends to grow with the mesh once the mesh is larger than what its neighbours may bring. At 64 that takes a mesh of
hundreds, which is slow to play; with 8 a line of 40 is as far beyond it as a line of 320 with 64. Each world has one
message per node and hour, to one of the sender's `nearest`. Octets are those on the air, per node.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from statistics import median
from typing import Any

from common import emit

from meshnode.core.gossip import admission
from meshnode.core.node import Node
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.host import Host
from meshnode_sim.report import report
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build
from meshnode_sim.world import World
from sim import text

FIRST_S = 60
SETTLED_S = 600
END_S = SETTLED_S + 1200


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--nodes", default="20,40,80,160", help="lengths of the lines, with commas between")
    words.add_argument("--per-hop", type=int, default=8, help="new logs of strangers a day from each neighbour")
    words.add_argument("--nearest", type=int, default=12, help="how many of its nearest a node writes to")
    options = words.parse_args()
    emit("spread", vars(options), {nodes: measure(int(nodes), options) for nodes in options.nodes.split(",")})


def measure(nodes: int, options: argparse.Namespace) -> dict[str, Any]:
    """One world, in a process of its own: the memory of another one is not counted with it."""
    from multiprocessing import get_context

    with get_context("fork").Pool(1) as alone:
        return alone.apply(measure_here, (nodes, options))


def measure_here(nodes: int, options: argparse.Namespace) -> dict[str, Any]:
    """One world."""
    admission.NEW_PER_HOP = options.per_hop  # type: ignore[misc]  # the knob of the scale model
    begun = time.process_time()
    world = build(parse(text(nodes, "line", nearest=options.nearest)), END_S * SECOND_NS)
    octets = [octets_until(world, until_s) for until_s in (FIRST_S, SETTLED_S, END_S)]
    told = report(world, 0.0, 0.0)
    return {
        "logs_held": median(
            len(host.node.gossip.logs.book.logs) for host in world.hosts if isinstance(host.node, Node)
        ),
        "octets_first_minute": octets[0] // nodes,
        "octets_settling": (octets[1] - octets[0]) // nodes,
        "octets_an_hour_settled": (octets[2] - octets[1]) * 3600 // (END_S - SETTLED_S) // nodes,
        "receptions_per_message": told["receptions_per_message"],
        "delivered": f"{told['messages']['delivered']} of {told['messages']['created']}",
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "cpu_s": round(time.process_time() - begun, 1),
    }


def logs_held(host: Host) -> int:
    """Of how many writers' logs a node has something."""
    return len(host.node.gossip.logs.book.logs) if isinstance(host.node, Node) else 0


def octets_until(world: World, until_s: int) -> int:
    """What all nodes together sent so far."""
    world.run(until_s * SECOND_NS)
    return int(report(world, 0.0, 0.0)["air"]["bytes"])


if __name__ == "__main__":
    sys.exit(main())

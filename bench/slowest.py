"""Talk over three hops at the slowest rate there is, under Europe's law: how long a message takes, and what it costs.

    python bench/slowest.py                       60 messages, one a minute, over links that lose a tenth
    python bench/slowest.py --every 20 --loss 0

Four boxes in a line at 1 MHz and MCS 10 (150 kbit/s), each allowed 2.8 % of any hour, in virtual time: the same words
give the same figures on every machine. `messages` counts until the recipient has them; `duty_worst` is the largest part
of an hour that any box was on the air, which the law wants below 0.028.
"""

from __future__ import annotations

import argparse
from typing import Any

from common import emit

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.report import report
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build

MEET_S = 120


def main() -> None:
    """Parses the words and runs the hour."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--messages", type=int, default=60)
    words.add_argument("--every", type=int, default=60)
    words.add_argument("--loss", type=float, default=0.1)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    end_s = MEET_S + options.messages * options.every + 120
    world = build(parse(scenario(options)), end_s * SECOND_NS)
    world.run(end_s * SECOND_NS)
    emit("slowest", vars(options), measured(report(world, 0.0, 0.0)))


def measured(found: dict[str, Any]) -> dict[str, Any]:
    """What arrived, and what it took of the air."""
    shown = {name: found[name] for name in ("messages", "air", "kinds", "violations", "warnings")}
    radiated = max(node["radiated_s"] for node in found["per_node"])
    return {**shown, "duty_worst": max(node["duty"] for node in found["per_node"]), "radiated_worst_s": radiated}


def scenario(options: argparse.Namespace) -> str:
    """The line, and one end writing to the other."""
    return f"""
seed = {options.seed}
[topology]
shape = "line"
nodes = 4
[radio]
width_mhz = 1
mcs = 10
basic_mcs = 10
country = "EU"
loss = {options.loss}
[[actions]]
at_s = {MEET_S}
do = "send"
node = "A"
to = "D"
text = "is the road to the upper village open?"
every_s = {options.every}
times = {options.messages}
"""


if __name__ == "__main__":
    main()

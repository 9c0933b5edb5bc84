"""Random scenarios that must hold: a small mesh, a few faults that end, messages; then quiet, and everything arrived.

A scenario follows from its number alone. What fails is shrunk by leaving out faults, words and nodes while it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import tomli_w

from meshnode.errors import MeshnodeError
from meshnode_sim.scenario import letters, parse
from meshnode_sim.simulate import simulate

TROUBLE_S: Final = 300  # in which everything is written and every fault begins
LONGEST_S: Final = 120
QUIET_S: Final = 480  # afterwards, until which all must have arrived

Tree = dict[str, Any]

_FAULTS: Final[dict[str, Callable[[Random], Tree]]] = {
    "partition": lambda random: {},
    "crash": lambda random: {"disk": random.choice(["kept", "torn"])},
    "churn": lambda random: {"disk": random.choice(["kept", "torn"]), "up_s": 40, "down_s": 15},
    "loss": lambda random: {"loss": round(random.uniform(0.3, 1), 2)},
    "bursts": lambda random: {"loss": 0.95, "up_s": 20, "down_s": 5},
    "skew": lambda random: {"skew_s": random.choice([-86400, -60, 60, 86400]), "drift_ppm": 50},
    "corrupt": lambda random: {"share": round(random.uniform(0.01, 0.2), 2)},
    "duplicate": lambda random: {"share": round(random.uniform(0.01, 0.5), 2)},
    "reorder": lambda random: {"share": round(random.uniform(0.01, 0.5), 2), "delay_s": 1.0},
}


def scenario(number: int) -> Tree:
    """The scenario of that number, as TOML would hold it."""
    random = Random(number)
    names = [letters(index) for index in range(random.randint(3, 7))]
    tree = {
        "name": f"swarm-{number}",
        "about": "Found by meshnode-sim swarm: everything must arrive once, whatever happens before.",
        "seed": number,
        "for_s": TROUBLE_S + LONGEST_S + QUIET_S,
        "topology": {"shape": random.choice(["line", "ring", "star", "full", "geometric"]), "names": names},
        "radio": {"loss": round(random.choice([0, random.uniform(0, 0.3)]), 2)},
        "actions": sorted((_word(random, names, n) for n in range(random.randint(3, 8))), key=lambda one: one["at_s"]),
        "faults": [_fault(random, names) for _ in range(random.randint(0, 4))],
    }
    return _expecting(tree)


def _expecting(tree: Tree) -> Tree:
    """With what must come of the words in it."""
    kinds = {action["do"] for action in tree["actions"]}
    bounds = {"send": "delivery_ratio_min", "post": "post_ratio_min"}
    return {**tree, "expect": {bound: 1.0 for do, bound in bounds.items() if do in kinds}}


def _word(random: Random, names: list[str], number: int) -> Tree:
    writer, reader = random.sample(names, 2)
    word = {"at_s": random.randint(20, TROUBLE_S), "node": writer, "text": f"word {number}"}
    return {**word, "do": "post"} if random.random() < 0.3 else {**word, "do": "send", "to": reader}


def _fault(random: Random, names: list[str]) -> Tree:
    kind = random.choice(sorted(_FAULTS))
    concerned = random.sample(names, random.randint(1, len(names) - 1))
    span = {"at_s": random.randint(10, TROUBLE_S), "for_s": random.randint(5, LONGEST_S)}
    return {"kind": kind, "nodes": sorted(concerned), **span, **_FAULTS[kind](random)}


def failure(tree: Tree) -> str:
    """Why it fails; empty where everything holds. What nobody could write, being off, need not arrive."""
    try:
        unmet = simulate(parse(tomli_w.dumps(tree))).unmet
    except MeshnodeError as error:
        return f"{type(error).__name__}: {error}"
    return "; ".join(text for text in unmet if not text.endswith("it was nothing"))


def shrunk(tree: Tree, fails: Callable[[Tree], bool]) -> Tree:
    """A smaller scenario that fails too; each step leaves out one fault, one word, one node, or the loss."""
    while smaller := next((one for one in _smaller(tree) if fails(one)), None):
        tree = smaller
    return tree


def _smaller(tree: Tree) -> Iterator[Tree]:
    for part in ("faults", "actions"):
        for index in range(len(tree[part])):
            if part == "faults" or len(tree[part]) > 1:
                yield _expecting({**tree, part: tree[part][:index] + tree[part][index + 1 :]})
    names = tree["topology"]["names"]
    told = {name for fault in tree["faults"] for name in fault["nodes"]}
    told |= {action[end] for action in tree["actions"] for end in ("node", "to") if end in action}
    for name in names if len(names) > 2 else ():
        if name not in told:
            yield {**tree, "topology": {**tree["topology"], "names": [one for one in names if one != name]}}
    if tree["radio"]["loss"]:
        yield {**tree, "radio": {"loss": 0.0}}

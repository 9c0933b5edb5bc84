"""The sequence of events in each scenario that ships is the one written down, on any machine: places, radio, faults,
traffic, order and chance. A reference agent stands in the place of the core, so that changes of the protocol, which
transcripts show, leave these alone. `MESHNODE_TRANSCRIPTS=refresh` with `-n0` writes fingerprints.txt anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.library import LARGE, find, shipped
from meshnode_sim.scenario import Scenario
from meshnode_sim.simulate import build

WRITTEN = Path(__file__).with_name("fingerprints.txt")
SPAN_NS = 180 * SECOND_NS


def without_core(scenario: Scenario) -> Scenario:
    own = {name: replace(table, agent="epidemic") for name, table in scenario.node.items()}
    return replace(scenario, nodes=replace(scenario.nodes, agent="epidemic"), node=own)


def played(name: str) -> str:
    world = build(without_core(find(name)), SPAN_NS)
    world.run(SPAN_NS)
    return f"{name} {world.agenda.events} {world.agenda.fingerprint()}"


@pytest.mark.parametrize("name", sorted(set(shipped()) - set(LARGE)))
def test_what_happens_is_what_is_written_down(name: str) -> None:
    now = played(name)
    if os.environ.get("MESHNODE_TRANSCRIPTS") == "refresh":
        others = [line for line in WRITTEN.read_text().splitlines() if line.split()[0] != name]
        WRITTEN.write_text("".join(f"{line}\n" for line in sorted([*others, now])))
    assert now in WRITTEN.read_text().splitlines(), "meant? then MESHNODE_TRANSCRIPTS=refresh writes it down"

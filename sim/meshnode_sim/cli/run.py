"""`meshnode-sim run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.errors import SimulationError
from meshnode_sim import library
from meshnode_sim.cli.options import Changes, Until, duration_ns, progress, writable, write
from meshnode_sim.page import check_able, page
from meshnode_sim.report import screen
from meshnode_sim.simulate import simulate
from meshnode_sim.trace import trace as traced


def run(
    scenario: str,
    *,
    seed: Annotated[int | None, Parameter(help="Instead of the scenario's.")] = None,
    until: Until = None,
    set_: Changes = (),
    json_: Annotated[
        Path | None,
        Parameter(name="--json", allow_leading_hyphen=True, help="Write the report to this file; - is stdout."),
    ] = None,
    report: Annotated[
        Path | None, Parameter(help="Write a page to this file that shows the run: map, journeys, figures; offline.")
    ] = None,
    pcap: Annotated[Path | None, Parameter(help="Write every datagram that arrives to this pcapng file.")] = None,
    trace: Annotated[
        Path | None, Parameter(help="Write what happened to each message to this file, a line of JSON for each step.")
    ] = None,
) -> None:
    """Run the shipped protocol code in virtual time, and report what came of it.

    The same scenario and seed give the same result, byte for byte. Exits 1 where what the scenario expects does not
    come true.

    Example: meshnode-sim run valley --report valley.html
    """
    for file in filter(None, (json_, report, pcap, trace)):
        writable(file)
    changes = (*set_, *(() if seed is None else (f"seed={seed}",)))
    path = library.path_of(scenario)
    wanted = library.find(scenario, changes)
    if report is not None:
        check_able(wanted)
    outcome = simulate(
        wanted,
        until_ns=None if until is None else duration_ns(until),
        folder=path.parent,
        progress=progress(),
        filmed=bool(report or trace),
        pcap=pcap,
    )
    text = json.dumps(outcome.report, indent=1)
    print(text if str(json_) == "-" else screen(outcome.report))
    if json_ is not None and str(json_) != "-":
        write(json_, text)
    if report is not None:
        write(report, page(outcome))
    if trace is not None:
        write(trace, traced(outcome.world.probe, [row["name"] for row in outcome.report["per_node"]]))
    if outcome.unmet:
        raise SimulationError("; ".join(outcome.unmet))

"""`meshnode-sim list`, `new`, `check` and `import`: scenarios as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode_sim import library
from meshnode_sim.cli.options import Json, write
from meshnode_sim.importing import scenario_of


def list_(*, json_: Json = False) -> None:
    """List the scenarios that ship.

    Example: meshnode-sim list
    """
    found = [{"name": name, "about": library.find(name).about} for name in library.shipped()]
    if json_:
        print(json.dumps({"scenarios": found}))
        return
    for row in found:
        print(f"{row['name']:12} {row['about']}")


def new(file: Path) -> None:
    """Write a commented scenario to start from.

    Example: meshnode-sim new mine.toml
    """
    library.write_template(file)
    print(f"{file} is a line of four; `meshnode-sim run {file}` plays it, `meshnode-sim lab {file}` runs real daemons")


def check(scenario: str, *, json_: Json = False) -> None:
    """Read a scenario and say what it is, or what is wrong with it.

    Example: meshnode-sim check mine.toml
    """
    found = library.find(scenario)
    links = len(found.world().links)
    facts = {"name": found.name, "nodes": len(found.names), "links": links, "actions": len(found.actions)}
    print(json.dumps(facts) if json_ else f"{facts['nodes']} nodes, {links} one-way links, {facts['actions']} actions")


def import_(
    file: Path,
    *,
    out: Annotated[Path | None, Parameter(help="Write the scenario here; else to stdout.")] = None,
) -> None:
    """Make a scenario of a map or a recording: GraphML, GeoJSON points, or a trace of contacts.

    Example: meshnode-sim import village.geojson --out village.toml
    """
    text = scenario_of(file)
    if out is None:
        print(text, end="")
    else:
        write(out, text.rstrip())
        print(f"{out}; `meshnode-sim check {out}` reads it, `meshnode-sim run {out}` runs it")

"""`meshnode-sim list`, `new`, `check` and `import`: scenarios as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode_sim import library
from meshnode_sim.agents.contract import maker
from meshnode_sim.cli.options import Json, write
from meshnode_sim.ground import contacts_of_trace
from meshnode_sim.importing import scenario_of
from meshnode_sim.scenario import PLACED
from meshnode_sim.traffic import replayed


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
    """Read a scenario and the files it names, and say what it is, or what is wrong with it.

    Example: meshnode-sim check mine.toml
    """
    found, folder = library.find(scenario), library.path_of(scenario).parent
    contacts = contacts_of_trace(found, folder)
    words = replayed(found, folder)
    for agent in {found.run_of(name).agent for name in found.names} - {None}:
        maker(str(agent), folder)
    counts = {
        "nodes": len(found.names),
        "links": len(found.world().links),
        "contacts": len({(contact.one, contact.other) for contact in contacts}),
        "actions": len(found.actions),
        "words": len(words),
    }
    if json_:
        print(json.dumps({"name": found.name, **counts}))
        return
    where = [f"{counts['nodes']} nodes at places" if found.radio.level in PLACED else f"{counts['nodes']} nodes"]
    said = [
        ("links", "one-way links"),
        ("contacts", "pairs that meet"),
        ("actions", "actions"),
        ("words", "words of a file"),
    ]
    print(", ".join(where + [f"{counts[key]} {what}" for key, what in said if counts[key]]))


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

"""The program `meshnode-sim`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import trio
from cyclopts import App, CycloptsError, Parameter

from meshnode import __version__
from meshnode.errors import MeshnodeError
from meshnode_sim import library
from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.node import RADIO_STATE
from meshnode_sim.scenario import Scenario

DONE, FAILED, WRONG_WORDS, INTERRUPTED = 0, 1, 2, 130

HELP = """Meshes on one machine, over a modelled HaLow radio.

Start here:
  meshnode-sim list                  the scenarios that ship
  meshnode-sim lab line --for 30     five real daemons in a line, for half a minute
  meshnode-sim new mine.toml         a commented scenario to change"""

app = App(
    name="meshnode-sim",
    help=HELP,
    help_format="plaintext",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON alone.", show_default=False)]


@app.command
def lab(
    scenario: str,
    *,
    for_s: Annotated[float | None, Parameter(name="--for", help="Seconds to run; else until Ctrl-C.")] = None,
    pcap: Annotated[Path | None, Parameter(help="Write every attempt on the air to this pcapng file.")] = None,
    homes: Annotated[
        Path | None, Parameter(help="Keep the homes in this folder instead of throwing them away.")
    ] = None,
    json_: Json = False,
) -> None:
    """Run real daemons in namespaces, joined by the modelled radio. No root is needed.

    Prints each node's home, plays the scenario's actions, and at the end the counters of the radio.

    Example: meshnode-sim lab line --for 30 --pcap line.pcapng
    """
    trio.run(_lab, library.find(scenario), for_s, pcap, homes, json_)


@app.command(name="list")
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


@app.command
def new(file: Path) -> None:
    """Write a commented scenario to start from.

    Example: meshnode-sim new mine.toml
    """
    library.write_template(file)
    print(f"{file} is a line of four nodes; `meshnode-sim lab {file}` runs it")


@app.command
def check(scenario: str, *, json_: Json = False) -> None:
    """Read a scenario and say what it is, or what is wrong with it.

    Example: meshnode-sim check mine.toml
    """
    found = library.find(scenario)
    links = len(found.world().links)
    facts = {"name": found.name, "nodes": len(found.names), "links": links, "actions": len(found.actions)}
    print(json.dumps(facts) if json_ else f"{facts['nodes']} nodes, {links} one-way links, {facts['actions']} actions")


def main() -> None:
    """The entry point of the installed program."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """One command line; the number is the exit code."""
    try:
        app(words, exit_on_error=False, print_error=False, help_on_error=False)
    except CycloptsError as error:
        print(f"meshnode-sim: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_WORDS
    except MeshnodeError as error:
        print(f"meshnode-sim: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


# -------------------------------------------------------------------- the lab


async def _lab(scenario: Scenario, for_s: float | None, pcap: Path | None, homes: Path | None, as_json: bool) -> None:
    async with open_lab(scenario, root=homes, pcap=pcap) as running:
        _say(f"{len(running.nodes)} namespaces are up; making homes", as_json)
        await running.set_up()
        await running.start()
        # From the first word about the nodes on, Ctrl-C is the way to end it, not to break it off.
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            _introduce(running, as_json)
            await _until_enough(running, for_s or scenario.for_s, signals)
        report = running.report()
        await running.stop()
    print(json.dumps(report) if as_json else _summary(report))


async def _until_enough(running: Lab, for_s: float | None, signals: AsyncIterator[int]) -> None:
    """Plays the actions, and returns after the time given, or at Ctrl-C or SIGTERM."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.play, running.scenario.actions)
        with trio.move_on_after(float("inf") if for_s is None else for_s):
            async for _ in signals:
                break
        nursery.cancel_scope.cancel()


def _introduce(running: Lab, as_json: bool) -> None:
    for node in running.nodes.values():
        fact: dict[str, Any] = {
            "event": "node",
            "name": node.name,
            "home": str(node.home),
            RADIO_STATE: str(node.radio_state),
        }
        print(json.dumps(fact) if as_json else f"  {node.name:8} meshnode status --home {node.home}", flush=True)
    _say("running; Ctrl-C ends it", as_json)


def _say(text: str, as_json: bool) -> None:
    print(text, file=sys.stderr if as_json else sys.stdout, flush=True)


def _summary(report: dict[str, Any]) -> str:
    rows = [f"{'node':8} {'frames':>8} {'attempts':>8} {'bytes':>10} {'airtime s':>10} {'lost':>6} {'dropped':>8}"]
    for one in [*report["per_node"], {"name": "all", **report["air"]}]:
        rows.append(
            f"{one['name']:8} {one['frames']:8} {one['attempts']:8} {one['bytes']:10} {one['airtime_s']:10.3f} "
            f"{one['lost']:6} {one['dropped']:8}"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()

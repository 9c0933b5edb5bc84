"""The program `meshnode-sim`."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

import trio
from cyclopts import App, CycloptsError, Parameter

from meshnode import __version__
from meshnode.errors import MeshnodeError, SimulationError, UsageError
from meshnode_sim import library
from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.modem.pty import serve as serve_modems
from meshnode_sim.modem.serving import offer
from meshnode_sim.node import RADIO_STATE
from meshnode_sim.report import screen
from meshnode_sim.scenario import Scenario
from meshnode_sim.simulate import simulate

DONE, FAILED, WRONG_WORDS, INTERRUPTED = 0, 1, 2, 130

HELP = """Meshes on one machine, over a modelled HaLow radio.

Start here:
  meshnode-sim list                  the scenarios that ship
  meshnode-sim run line              one of them in virtual time, in a second or two
  meshnode-sim lab line --for 30     five real daemons in a line, for half a minute
  meshnode-sim new mine.toml         a commented scenario to change
  meshnode-sim modem newracom        fake serial modems on pseudo-terminals"""

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
    trio.run(_lab, _with_links(library.find(scenario)), for_s, pcap, homes, json_)


@app.command(name="run")
def run_(
    scenario: str,
    *,
    seed: Annotated[int | None, Parameter(help="Instead of the scenario's.")] = None,
    until: Annotated[str | None, Parameter(help="Virtual time to run: 90, 30m, 12h, 7d.")] = None,
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", help="KEY=VALUE, a change to the scenario: radio.loss=0.2."),
    ] = (),
    json_: Annotated[
        Path | None,
        Parameter(name="--json", allow_leading_hyphen=True, help="Write the report to this file; - is stdout."),
    ] = None,
) -> None:
    """Run the shipped protocol code in virtual time, and report what came of it.

    The same scenario and seed give the same result, byte for byte. Exits 1 where what the scenario expects does not
    come true.

    Example: meshnode-sim run line --until 1h --set radio.loss=0.3 --json line.json
    """
    changes = (*set_, *(() if seed is None else (f"seed={seed}",)))
    path = library.path_of(scenario)
    outcome = simulate(
        library.find(scenario, changes),
        until_ns=None if until is None else duration_ns(until),
        folder=path.parent,
        progress=Ticker() if sys.stderr.isatty() else None,
    )
    text = json.dumps(outcome.report, indent=1)
    if json_ is None or str(json_) != "-":
        print(screen(outcome.report))
    else:
        print(text)
    if json_ is not None and str(json_) != "-":
        _write(json_, text)
    if outcome.unmet:
        raise SimulationError("; ".join(outcome.unmet))


@app.command
def modem(
    dialect: Literal["newracom", "taixin", "warthog"],
    *,
    count: Annotated[int, Parameter(help="How many, in hearing of each other.")] = 2,
    loss: Annotated[float, Parameter(help="Part of all attempts on the air that is lost, 0 to 1.")] = 0.0,
    seed: int = 1,
    for_s: Annotated[float | None, Parameter(name="--for", help="Seconds to run; else until Ctrl-C.")] = None,
    json_: Json = False,
) -> None:
    """Run fake serial modems on pseudo-terminals, to try programs against without hardware.

    Newracom modems carry datagrams to each other over the modelled channel (1 MHz); the others are consoles. Prints the
    path of each.

    Example: meshnode-sim modem newracom --count 3 --loss 0.1
    """
    air, lines = offer(dialect, count, loss, seed)
    paths = [line.path for line in lines]
    print(json.dumps({"dialect": dialect, "paths": paths}) if json_ else "\n".join(paths), flush=True)
    end = None if for_s is None else time.monotonic() + for_s
    try:
        serve_modems(lines, air, lambda: end is not None and time.monotonic() >= end)
    finally:
        for line in lines:
            line.unplug()


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


# -------------------------------------------------------------------- runs

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_ns(text: str) -> int:
    """90, 90s, 30m, 1.5h or 7d as nanoseconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{text} is no duration: write 90, 30m, 12h or 7d")
    return round(float(found[1]) * _UNITS[found[2]] * 1_000_000_000)


class Ticker:
    """Shows how far a run is, twice a second, on a terminal."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()

    def __call__(self, share: float, simulated_s: float) -> None:
        now = time.monotonic()
        if share < 1 and now - self._shown < 0.5:
            return
        self._shown = now
        left = (now - self._began) * (1 - share) / share
        line = f"{share:4.0%}  {simulated_s:10.0f} s simulated  {left:5.0f} s left"
        print("\r" + (line if share < 1 else " " * len(line) + "\r"), end="", file=sys.stderr, flush=True)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): give another name") from error


# -------------------------------------------------------------------- the lab


def _with_links(scenario: Scenario) -> Scenario:
    """The lab's radio knows links; what has none is refused."""
    if scenario.topology.shape == "trace":
        raise UsageError("a contact trace is played in virtual time: use `meshnode-sim run`")
    if scenario.radio.level == "radio":
        raise UsageError('level "radio" is played in virtual time: use `meshnode-sim run`')
    return scenario


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

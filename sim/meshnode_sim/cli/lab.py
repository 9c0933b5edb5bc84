"""`meshnode-sim lab`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import trio
from cyclopts import Parameter

from meshnode.errors import UsageError
from meshnode_sim import library
from meshnode_sim.cli.options import Json
from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.node import RADIO_STATE
from meshnode_sim.scenario import Scenario


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


def _with_links(scenario: Scenario) -> Scenario:
    """What virtual time alone can do is refused."""
    if scenario.topology.shape == "trace":
        raise UsageError("a contact trace is played in virtual time: use `meshnode-sim run`")
    if any(scenario.run_of(name).agent not in (None, "core") for name in scenario.names):
        raise UsageError("an `agent` is played in virtual time: use `meshnode-sim run`")
    if scenario.radio.level == "slots":
        raise UsageError('level "slots" is played in virtual time: use `meshnode-sim run`, or level "radio"')
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

"""From a scenario to a report: builds the world, plans what happens, runs it, checks what was expected."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshnode.errors import UsageError
from meshnode_sim.agenda import FAULT, SECOND_NS, nanoseconds
from meshnode_sim.agents.contract import Maker, maker
from meshnode_sim.expectations import Check, checks
from meshnode_sim.faults import Faults, tricks
from meshnode_sim.film import MOMENTS, Film
from meshnode_sim.ground import Ground, contacts_of_trace, graph
from meshnode_sim.meetings import Meetings
from meshnode_sim.mishaps import Mishaps
from meshnode_sim.overheard import Overheard
from meshnode_sim.report import report
from meshnode_sim.scenario import Scenario
from meshnode_sim.sealing import Costs, Memo
from meshnode_sim.sniffer import Sniffer
from meshnode_sim.tables import ActionTable, ProcessorTable
from meshnode_sim.traffic import Word, contacts_of, plan, until
from meshnode_sim.world import World

Progress = Callable[[float, float], None]  # share done, simulated seconds so far


@dataclass(frozen=True, slots=True)
class Outcome:
    """The world as it is at the end, its report, what was expected of it, and the film where one was wanted."""

    world: World | Meetings
    report: dict[str, Any]
    checks: tuple[Check, ...]
    film: Film | None = None

    @property
    def unmet(self) -> tuple[str, ...]:
        """A sentence for each expectation that did not come true."""
        return tuple(check.text for check in self.checks if not check.met)


def simulate(
    scenario: Scenario,
    *,
    until_ns: int | None = None,
    folder: Path = Path(),
    progress: Progress | None = None,
    filmed: bool = False,
    pcap: Path | None = None,
) -> Outcome:
    """One run; the same scenario gives the same report but for wall time and memory.

    `filmed`: keeps what a page or a trace tells. `pcap`: a file for every datagram that arrives.
    """
    began = time.monotonic()
    end_ns = until(scenario, until_ns)
    film = Film(end_ns) if filmed else None
    world: World | Meetings
    places = sniffer = None
    if scenario.radio.level == "contacts":
        if pcap is not None:
            raise UsageError('level "contacts" has no datagrams to capture: leave out --pcap')
        world = meetings(scenario, end_ns, folder, film)
    else:
        ground = _ground(scenario, folder)
        world, places = build(scenario, end_ns, folder, ground, film), ground.places
        if pcap is not None:
            sniffer = Sniffer(pcap, scenario.names, world.plaintexts())
            world.medium = Overheard(world.medium, sniffer)
    for moment in range(1, MOMENTS + 1):
        world.run(end_ns * moment // MOMENTS)
        if film is not None:
            film.moment(world, places)
        if progress is not None:
            progress(moment / MOMENTS, world.agenda.now_ns / SECOND_NS)
    if sniffer is not None:
        sniffer.close()
    found = report(world, time.monotonic() - began, _memory_peak_mb())
    return Outcome(world, found, tuple(checks(scenario.expect, found)), film)


def build(
    scenario: Scenario, end_ns: int, folder: Path = Path(), ground: Ground | None = None, film: Film | None = None
) -> World:
    """The world before its first moment, with everything planned."""
    _check(scenario)
    ground = ground or _ground(scenario, folder)
    words = plan(scenario, end_ns, ground.nearest, folder)
    played = tricks(scenario)
    medium = Mishaps(ground.medium, played, scenario.seed) if played else ground.medium
    world = World(
        scenario,
        medium if film is None else Overheard(medium, film),
        ground.links,
        contacts=contacts_of(scenario, words),
        costs=_costs(scenario.processor),
        memo=Memo() if scenario.processor.crypto == "shared" else None,
        makers=_makers(scenario, folder),
    )
    if film is not None:
        world.probe.moves = []
    if scenario.mesh.acquainted:
        _acquaint(world, ground, words)
    ground.arrange(world)
    Faults(world, end_ns, ground.jammed)
    for word in words:
        _plan_word(world, word)
    for action in scenario.actions:
        _plan_action(world, action)
    return world


def _acquaint(world: World, ground: Ground, words: Sequence[Word]) -> None:
    table = world.scenario.mesh
    if any(not getattr(agent, "LIES", False) for agent in world.makers.values()):
        return  # reference agents seal nothing: everybody knows everybody
    writing = [(word.writer, word.to) for word in words if word.to >= 0]
    most = min(table.acquainted, len(world.hosts) - 1)
    world.acquaint(most, ground.nearest, hearing=ground.hearing(), joined=ground.joined(), writing=writing)


def meetings(scenario: Scenario, end_ns: int, folder: Path, film: Film | None = None) -> Meetings:
    """The world of level `contacts` before its first moment."""
    _check(scenario)
    if scenario.faults or any(action.do not in ("send", "post") for action in scenario.actions):
        raise UsageError('level "contacts" has neither faults nor actions but `send` and `post`')
    count = range(len(scenario.names))
    words = plan(scenario, end_ns, lambda node, most: [other for other in count if other != node][:most], folder)
    on_transfer = None if film is None else film.carried
    world = Meetings(scenario, contacts_of_trace(scenario, folder), words, _makers(scenario, folder), on_transfer)
    if film is not None:
        world.probe.moves = []
    return world


def _makers(scenario: Scenario, folder: Path) -> dict[str, Maker]:
    """What runs on each node that does not run the core."""
    wanted = {name: agent for name in scenario.names if (agent := scenario.run_of(name).agent)}
    return {name: maker(agent, folder) for name, agent in wanted.items()}


def _ground(scenario: Scenario, folder: Path) -> Ground:
    return graph(scenario, folder) if scenario.radio.level == "graph" else _sky(scenario)


def _sky(scenario: Scenario) -> Ground:
    try:
        from meshnode_sim.sky import sky  # numpy and scipy are an extra, and take their time to load
    except ModuleNotFoundError as error:
        raise UsageError(f"level \"radio\" needs {error.name}: pip install 'meshnode[sim]'") from error
    return sky(scenario)


def _check(scenario: Scenario) -> None:
    """What only real daemons can do is refused, instead of left out in silence."""
    for name in scenario.names:
        how = scenario.run_of(name)
        if how.program is not None or how.options:
            raise UsageError(f"{name} has `program` or `options`, which only `meshnode-sim lab` can run")
        if how.overlay != "none":
            raise UsageError(
                f'{name} has overlay "{how.overlay}", which only `meshnode-sim lab` runs: here say who is peered with '
                "whom under [overlay]"
            )


def _costs(table: ProcessorTable) -> Costs:
    micros = (table.verify_us, table.sign_us, table.agree_us, table.hpke_us, table.step_us)
    return Costs(*(round(us * 1000) for us in micros))


def _plan_word(world: World, word: Word) -> None:
    if word.to < 0:
        world.at(word.at_ns, word.writer, lambda: world.post(word.writer, word.text, word.channel, word.cls))
    elif word.to != word.writer:
        world.at(word.at_ns, word.writer, lambda: world.write(word.writer, word.to, word.text, word.cls))


def _plan_action(world: World, action: ActionTable) -> None:
    """Everything but writing; a daemon's own words (`run`) exist only in the lab."""
    do = _doing(world, action)
    if do is None:
        return
    for turn in range(action.times):
        at_s = action.at_s + turn * (action.every_s or 0.0)
        world.at(nanoseconds(at_s), world.scenario.names.index(action.node), do, FAULT)


def _doing(world: World, action: ActionTable) -> Callable[[], None] | None:
    number = {name: index for index, name in enumerate(world.scenario.names)}
    node = number[action.node]
    others = [number[action.to]] if action.to is not None else [n for n in number.values() if n != node]
    match action.do:
        case "send" | "post":
            return None
        case "kill" | "stop":
            return lambda: world.stop(node)
        case "off":
            return lambda: world.cut_power(node)
        case "start" | "on":
            return lambda: world.boot(node)
        case "restart":
            return lambda: world.restart(node)
        case "cut" | "join":
            return lambda: world.set_links(node, others, up=action.do == "join")
        case _:
            raise UsageError(f"the action at {action.at_s:g} s is `{action.do}`, which only `meshnode-sim lab` can do")


def _memory_peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

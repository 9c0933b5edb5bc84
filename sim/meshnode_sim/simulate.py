"""From a scenario to a report: builds the world, plans what happens, runs it, checks what was expected."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from meshnode.air.channel import Channel
from meshnode.air.draws import chance
from meshnode.air.topology import Topology, both_ways
from meshnode.errors import UsageError
from meshnode_sim.agenda import FAULT, SECOND_NS, nanoseconds
from meshnode_sim.contacts import Contact, read_contacts
from meshnode_sim.figures import link_settings
from meshnode_sim.report import report
from meshnode_sim.scenario import ActionTable, Scenario
from meshnode_sim.sealing import Costs
from meshnode_sim.tables import ExpectTable, ProcessorTable
from meshnode_sim.traffic import Word, contacts_of, plan, until
from meshnode_sim.world import World

STRETCHES: Final = 200  # how often progress may be told

Progress = Callable[[float, float], None]  # share done, simulated seconds so far


@dataclass(frozen=True, slots=True)
class Outcome:
    """The world as it is at the end, its report, and a sentence for each expectation that was not met."""

    world: World
    report: dict[str, Any]
    unmet: tuple[str, ...]


def simulate(
    scenario: Scenario, *, until_ns: int | None = None, folder: Path = Path(), progress: Progress | None = None
) -> Outcome:
    """One run; the same scenario gives the same report but for wall time and memory."""
    began = time.monotonic()
    end_ns = until(scenario, until_ns)
    world = build(scenario, end_ns, folder)
    for stretch in range(1, STRETCHES + 1):
        world.run(end_ns * stretch // STRETCHES)
        if progress is not None:
            progress(stretch / STRETCHES, world.agenda.now_ns / SECOND_NS)
    found = report(world, time.monotonic() - began, _memory_peak_mb())
    return Outcome(world, found, tuple(_unmet(scenario.expect, found)))


def build(scenario: Scenario, end_ns: int, folder: Path = Path()) -> World:
    """The world before its first moment, with everything planned."""
    _check(scenario)
    contacts = _contacts(scenario, folder)
    topology = _with_contacts(scenario, contacts)
    medium = Channel(topology, scenario.seed, retries=scenario.radio.retries, queue_frames=scenario.radio.queue_frames)
    words = plan(scenario, end_ns, lambda node: _by_hops(topology, node), folder)
    world = World(
        scenario,
        topology,
        medium,
        link_settings(scenario),
        contacts=contacts_of(scenario, words),
        costs=_costs(scenario.processor),
        memo=scenario.processor.crypto == "shared",
    )
    _plan_contacts(world, contacts)
    for word in words:
        _plan_word(world, word)
    for action in scenario.actions:
        _plan_action(world, action)
    return world


def _contacts(scenario: Scenario, folder: Path) -> list[Contact]:
    if scenario.topology.shape != "trace":
        return []
    number = {name: index for index, name in enumerate(scenario.names)}
    return read_contacts(folder / scenario.topology.trace, number)


def _with_contacts(scenario: Scenario, contacts: list[Contact]) -> Topology:
    """The scenario's links, and one for each pair that ever meets."""
    topology = scenario.world()
    known = {(link.src, link.dst) for link in topology.links}
    pairs = sorted({(one.one, one.other) for one in contacts} - known)
    met = both_ways(pairs, chance(scenario.radio.loss))
    return replace(topology, links=topology.links + met)


def _plan_contacts(world: World, contacts: list[Contact]) -> None:
    """Those who ever meet begin apart."""
    for one, other in sorted({(contact.one, contact.other) for contact in contacts}):
        world.set_links(one, (other,), up=False)
    for contact in contacts:
        change = partial(world.set_links, contact.one, (contact.other,), up=contact.up)
        world.at(contact.at_ns, contact.one, change, FAULT)


def _check(scenario: Scenario) -> None:
    """What only real daemons can do is refused, instead of left out in silence."""
    for name in scenario.names:
        how = scenario.run_of(name)
        if how.program is not None or how.options:
            raise UsageError(f"{name} has `program` or `options`, which only `meshnode-sim lab` can run")
        if how.overlay != "none":
            raise UsageError(
                f'{name} has overlay "{how.overlay}", and virtual time has none: run it with `meshnode-sim lab`'
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


def _by_hops(topology: Topology, start: int) -> Sequence[int]:
    """Every other node, the fewest hops away first, then by number; those out of reach come last."""
    near: list[list[int]] = [[] for _ in range(topology.nodes)]
    for link in topology.links:
        near[link.src].append(link.dst)
    found, edge = {start: 0}, deque([start])
    while edge:
        node = edge.popleft()
        for other in sorted(near[node]):
            if other not in found:
                found[other] = found[node] + 1
                edge.append(other)
    far = topology.nodes
    return sorted((n for n in range(topology.nodes) if n != start), key=lambda n: (found.get(n, far), n))


def _unmet(expect: ExpectTable, found: dict[str, Any]) -> list[str]:
    checks: list[tuple[str, float | None, float | None, bool]] = [
        ("of the messages arrived", found["messages"]["delivery_ratio"], expect.delivery_ratio_min, True),
        ("of the posts arrived", found["posts"]["delivery_ratio"], expect.post_ratio_min, True),
        ("s until 95 % of what arrived had", found["messages"]["latency_s"]["p95"], expect.latency_p95_max_s, False),
        ("of the time the busiest air was taken", found["air"]["utilisation_max"], expect.utilisation_max, False),
        ("s of airtime were used", found["air"]["airtime_s"], expect.airtime_max_s, False),
    ]
    said = [f"a rule of the protocol was broken: {text}" for text in found["violations"]]
    for what, value, bound, least in checks:
        if bound is None:
            continue
        if value is None or (value < bound if least else value > bound):
            shown = "nothing" if value is None else f"{value:g}"
            said.append(f"expected {'at least' if least else 'at most'} {bound:g} {what}, and it was {shown}")
    return said


def _memory_peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

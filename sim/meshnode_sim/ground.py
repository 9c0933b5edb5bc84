"""What a world stands on: a medium, what each node is told of its radio, who is near whom, how it changes with time.

Here for level `graph`: links from a shape, a list, or a contact trace. Level `radio` is in sky.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from meshnode.air.channel import Channel
from meshnode.air.draws import chance
from meshnode.air.topology import Topology, both_ways
from meshnode.core.settings import LinkSettings
from meshnode_sim.agenda import FAULT
from meshnode_sim.contacts import Contact, read_contacts
from meshnode_sim.figures import link_settings
from meshnode_sim.medium import Medium
from meshnode_sim.scenario import Scenario
from meshnode_sim.traffic import Nearest
from meshnode_sim.world import World


@dataclass(frozen=True, slots=True)
class Ground:
    """`nearest`: of the others so many, nearest to a node first, as at the beginning. `arrange` plans what changes.
    `hearing`: pairs who may hear each other, `joined`: who hear each other well, both at the beginning where they move.

    `places`: x and y of every node in metres at present, where they have places. `jammed`: whom a
    transmitter at x, y (metres) of an EIRP (dBm) drowns, as pairs of who sends and who receives.
    """

    medium: Medium
    links: Sequence[LinkSettings]
    nearest: Nearest
    hearing: Callable[[], Iterable[tuple[int, int]]]
    joined: Callable[[], Iterable[tuple[int, int]]]
    arrange: Callable[[World], None]
    places: Callable[[], list[tuple[float, float]]] | None = None
    jammed: Callable[[float, float, float], list[tuple[int, int]]] | None = None


def graph(scenario: Scenario, folder: Path) -> Ground:
    """Links, through the model that lab and demo use."""
    contacts = contacts_of_trace(scenario, folder)
    topology = _with_contacts(scenario, contacts)
    joined = [(link.src, link.dst) for link in topology.links]
    radio = scenario.radio
    return Ground(
        Channel(topology, scenario.seed, retries=radio.retries, queue_frames=radio.queue_frames),
        [link_settings(scenario)] * topology.nodes,
        by_hops(topology),
        lambda: joined,
        lambda: joined,
        lambda world: _plan_contacts(world, contacts),
    )


def contacts_of_trace(scenario: Scenario, folder: Path) -> list[Contact]:
    """Who meets whom, where the topology is a trace."""
    if scenario.topology.shape != "trace":
        return []
    number = {name: index for index, name in enumerate(scenario.names)}
    return read_contacts(folder / scenario.topology.trace, number)


def _with_contacts(scenario: Scenario, contacts: list[Contact]) -> Topology:
    """The scenario's links, and one for each pair that ever meets."""
    topology = scenario.world()
    met = sorted({(contact.one, contact.other) for contact in contacts})
    return replace(topology, links=topology.links + both_ways(met, chance(scenario.radio.loss)))


def _plan_contacts(world: World, contacts: list[Contact]) -> None:
    """Those who ever meet begin apart."""
    for one, other in sorted({(contact.one, contact.other) for contact in contacts}):
        world.set_links(one, (other,), up=False)
    for contact in contacts:
        change = partial(world.set_links, contact.one, (contact.other,), up=contact.up)
        world.at(contact.at_ns, contact.one, change, FAULT)


def by_hops(topology: Topology) -> Nearest:
    """The fewest hops away first, then by number; those out of reach come last."""
    near: list[list[int]] = [[] for _ in range(topology.nodes)]
    for link in topology.links:
        near[link.src].append(link.dst)

    def nearest(start: int, most: int) -> Sequence[int]:
        found, edge = dict.fromkeys((start,)), {start}
        while edge and len(found) <= most:
            edge = {other for node in edge for other in near[node] if other not in found}
            found.update(dict.fromkeys(sorted(edge)))
        if len(found) <= most:
            found.update(dict.fromkeys(range(topology.nodes)))
        return list(found)[1 : most + 1]

    return nearest

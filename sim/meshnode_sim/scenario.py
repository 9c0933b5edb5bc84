"""The story that simulator and lab play, read from TOML: who hears whom, radio, mesh, nodes, and who does what when.

Every key that carries a quantity names its unit (`rate_bps`, `at_s`). A key nobody knows is an error, and the error
names file, line and place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from meshnode.air import topology as shapes
from meshnode.air.airtime import PlainRate, Rate, S1gRate
from meshnode.air.draws import chance
from meshnode.air.topology import Link, Schedule, Topology
from meshnode.core.settings import BridgeRules, Settings
from meshnode.errors import ConfigError, UsageError
from meshnode_sim.blame import check_numbers, for_people, line_of, line_of_sentence
from meshnode_sim.lawful import check_width, eirp_dbm
from meshnode_sim.plausible import check_spans, check_story, check_ways
from meshnode_sim.tables import (
    ActionTable,
    EnergyTable,
    ExpectTable,
    FaultTable,
    LossTable,
    OverlayTable,
    PeeringTable,
    PlaceTable,
    Positive,
    ProcessorTable,
    PropagationTable,
    RouteTable,
    Seconds,
    Share,
    TrafficTable,
    WalkTable,
    WallTable,
)

SECOND_NS = 1_000_000_000

PLACED = ("radio", "slots")  # levels at which who hears whom follows from places
MOST_SLOTTED = 300  # nodes: every slot of every one that waits is an event

Shape = Literal["line", "ring", "star", "full", "geometric", "ferry", "links", "trace", "grid", "scatter", "places"]
Overlay = Literal["auto", "system", "embedded", "none"]  # in the order of config.py: typing takes the two for one


class LinkTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Two nodes that hear each other, or with `one_way` only `b` hears `a`."""

    a: str
    b: str
    loss: Share | None = None
    rate_bps: Annotated[int, Meta(gt=0)] | None = None
    up_s: tuple[tuple[Seconds, Seconds], ...] = ()
    period_s: Positive | None = None
    one_way: bool = False
    delay_s: Seconds = 0.0  # behind the radio: a bridge, a wire


class TopologyTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A shape by name, or links listed."""

    shape: Shape
    nodes: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    names: tuple[str, ...] = ()
    links: tuple[LinkTable, ...] = ()
    mean_degree: Positive = 4.0  # geometric
    period_s: Positive = 60.0  # ferry
    stay_s: Positive = 25.0  # ferry
    trace: str = ""  # trace: a file of contacts, beside the scenario
    spacing_m: Positive = 200.0  # line, grid
    area_m: tuple[Positive, Positive] = (1000.0, 1000.0)  # scatter
    places: tuple[PlaceTable, ...] = ()  # places


class RadioTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A rate in bit/s, or a mode of 802.11ah. At `radio` and `slots` the air follows from places, else from links.

    Level `contacts` has no air: messages take their size over `rate_bps` between who meets (for agents alone).
    """

    level: Literal["graph", "radio", "slots", "contacts"] = "graph"
    rate_control: Literal["best", "fixed"] = "best"  # level radio: by signal, or always `mcs`
    aggregate: bool = True  # level radio
    country: str = ""  # whose law is kept, as hardware/regions has it
    rate_bps: Annotated[int, Meta(gt=0)] | None = None
    basic_bps: Annotated[int, Meta(gt=0)] | None = None
    width_mhz: Literal[1, 2, 4, 8, 16] | None = None
    mcs: Annotated[int, Meta(ge=0, le=10)] = 2
    basic_mcs: Annotated[int, Meta(ge=0, le=10)] = 0
    basic_width_mhz: Literal[1, 2, 4, 8, 16] = 1
    short_gi: bool = False
    loss: Share = 0.0
    retries: Annotated[int, Meta(ge=0, le=255)] = 7
    queue_frames: Annotated[int, Meta(ge=1)] = 128
    multicast: bool = True  # false: the driver lets only address resolution through to groups
    mtu: Annotated[int, Meta(ge=1280, le=2304)] = 1500


class MeshTable(Struct, frozen=True, forbid_unknown_fields=True):
    """The mesh all nodes belong to; without a secret file it has a fresh secret.

    `acquainted`: every node has the keys of so many others, its nearest, from the beginning (virtual time), and has
    written before to those of them to whom it writes.
    """

    name: str = "lab"
    secret: bool = True
    contacts: Literal["all", "none"] | tuple[tuple[str, str], ...] = "all"
    acquainted: Annotated[int, Meta(ge=0, le=1000)] = 0


class NodeTable(Struct, frozen=True, forbid_unknown_fields=True):
    """How one node, or every node, is run."""

    overlay: Overlay | None = None
    program: tuple[str, ...] | None = None  # instead of meshnode; {name}, {address}, {home} are filled in
    start_s: Seconds | None = None
    agent: str | None = None  # virtual time: core, epidemic, direct, spray, or module:Class
    options: tuple[str, ...] | None = None  # more words for `meshnode run`
    copies: Annotated[int, Meta(ge=1, le=64)] | None = None  # of each message that is spread by copies
    channel: Annotated[int, Meta(ge=1, le=60)] | None = None  # level radio: who is on another one hears nothing
    lifetime_s: Annotated[int, Meta(ge=1)] | None = None  # of messages
    buffer_octets: Annotated[int, Meta(ge=1)] | None = None  # agents: what they keep; the longest held goes first


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    topology: TopologyTable
    name: str = ""
    about: str = ""
    seed: int = 1
    for_s: Positive | None = None
    radio: RadioTable = RadioTable()
    mesh: MeshTable = MeshTable()
    nodes: NodeTable = NodeTable()
    node: dict[str, NodeTable] = {}
    actions: tuple[ActionTable, ...] = ()
    traffic: tuple[TrafficTable, ...] = ()
    faults: tuple[FaultTable, ...] = ()
    propagation: PropagationTable = PropagationTable()
    routes: tuple[RouteTable, ...] = ()
    walks: tuple[WalkTable, ...] = ()
    walls: tuple[WallTable, ...] = ()
    losses: tuple[LossTable, ...] = ()
    processor: ProcessorTable = ProcessorTable()
    energy: EnergyTable | None = None
    expect: ExpectTable = ExpectTable()
    overlay: OverlayTable = OverlayTable()

    def __post_init__(self) -> None:
        _check_radio(self.radio, self.propagation)
        _check_level(self)
        _check_terrain(self)
        check_story(self.actions, self.traffic, self.faults)
        check_ways(self.routes, self.walks)
        timed: list[LinkTable | PeeringTable] = [*self.topology.links, *self.overlay.links]
        for link in timed:
            check_spans(f"the link from {link.a} to {link.b}", link.up_s, link.period_s)
        if bool(self.topology.trace) != (self.topology.shape == "trace"):
            raise UsageError(
                'a topology of shape "trace" needs `trace`, a file of contacts, and no other shape has one'
            )
        names = self.names
        known = set(names)
        if len(known) != len(names):
            raise UsageError("two nodes have the same name")
        _check_overlay(self)
        for place, mentioned in _mentions(self):
            if mentioned not in known:
                raise UsageError(f"{place} names {mentioned}, and no node is called that: there are {', '.join(names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes, in order."""
        table = self.topology
        if table.shape == "places":
            return tuple(place.name for place in table.places)
        count = len(table.names) if table.nodes is None else table.nodes
        if table.shape == "links" and not table.names and table.nodes is None:
            return tuple(sorted({end for link in table.links for end in (link.a, link.b)}))
        if not count or (table.names and len(table.names) != count):
            raise UsageError("a topology needs `nodes` (how many) or `names`, and as many names as nodes")
        return table.names or tuple(letters(number) for number in range(count))

    @property
    def contacts(self) -> list[tuple[str, str]]:
        """Who has whom in the address book, from the beginning."""
        if self.mesh.contacts == "all":
            return [(a, b) for a in self.names for b in self.names if a != b]
        return [] if self.mesh.contacts == "none" else list(self.mesh.contacts)

    @property
    def eirp_dbm(self) -> float:
        """What every radio radiates, at the levels that have places. UsageError for more than the country allows."""
        return eirp_dbm(self.radio.country, self.radio.width_mhz or 1, self.propagation.eirp_dbm)

    def run_of(self, name: str) -> NodeTable:
        """How one node is run: its own words before those for all."""
        own, common = self.node.get(name, NodeTable()), self.nodes
        return NodeTable(
            overlay=own.overlay or common.overlay or "none",
            program=own.program if own.program is not None else common.program,
            start_s=own.start_s if own.start_s is not None else common.start_s,
            agent=own.agent or common.agent,
            copies=own.copies or common.copies,
            lifetime_s=own.lifetime_s or common.lifetime_s,
            channel=own.channel or common.channel,
            buffer_octets=own.buffer_octets or common.buffer_octets,
            options=own.options if own.options is not None else common.options,
        )

    def settings_of(self, name: str, *, open_mesh: bool) -> Settings:
        """What the core, or an agent, of one node is told."""
        run, usual = self.run_of(name), Settings()
        far = any(name in pair for pair in self.overlay.sessions)
        return Settings(
            name=name,
            open_mesh=open_mesh,
            store_limit=run.buffer_octets or usual.store_limit,
            copies=run.copies or usual.copies,
            lifetime_s=run.lifetime_s or usual.lifetime_s,
            bridge=BridgeRules() if far else None,
        )

    def world(self) -> Topology:
        """The topology, for the channel."""
        rate, basic = rates(self.radio)
        return Topology(len(self.names), _links(self), rate, basic)


def letters(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    name = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        name = chr(ord("A") + digit) + name
    return name


def rates(radio: RadioTable) -> tuple[Rate, Rate]:
    """The rate for one receiver and the basic rate."""
    if radio.width_mhz is not None:
        unicast = S1gRate(radio.width_mhz, radio.mcs, radio.short_gi)
        return unicast, S1gRate(min(radio.basic_width_mhz, radio.width_mhz), radio.basic_mcs)
    return PlainRate(radio.rate_bps or 1_000_000), PlainRate(radio.basic_bps or 300_000)


def load(path: Path, changes: Sequence[str] = ()) -> Scenario:
    """Reads a scenario, with `KEY=VALUE` changes (dotted keys, TOML values); ConfigError with file, line and reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): give the name of a scenario file") from error
    return parse(text, str(path), changes)


def parse(text: str, where: str = "the scenario", changes: Sequence[str] = ()) -> Scenario:
    """A scenario from its text; ConfigError says where it is wrong."""
    try:
        tree = msgspec.toml.decode(text)
        for change in changes:
            _change(tree, change)
        check_numbers(tree)
        scenario = msgspec.convert(tree, Scenario)
        scenario.world()
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}{line_of(text, str(error))}: {for_people(str(error))}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{where} is not TOML: {error}") from error
    except UsageError as error:
        raise ConfigError(f"{where}{line_of_sentence(text, str(error))}: {error}") from error
    return scenario


def _change(tree: dict[str, Any], change: str) -> None:
    """Puts one `KEY=VALUE` into a tree: the key dotted, the value as TOML writes it (a bare word is a text)."""
    key, equals, value = change.partition("=")
    *path, last = key.strip().split(".")
    if not equals or not last or not all(path):
        raise ConfigError(f"--set `{change}` is no change: write KEY=VALUE, as in radio.loss=0.2")
    for part in path:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set `{change}`: {part} is not a table")
    try:
        tree[last] = msgspec.toml.decode(f"value = {value}")["value"]
    except msgspec.DecodeError:
        tree[last] = value.strip()


# -------------------------------------------------------------------- checks


def _check_radio(radio: RadioTable, propagation: PropagationTable) -> None:
    if radio.width_mhz is not None and (radio.rate_bps or radio.basic_bps):
        raise UsageError("the radio has both a rate in bit/s and a mode of 802.11ah (`width_mhz`): give one of them")
    check_width(radio.country, radio.width_mhz)
    eirp_dbm(radio.country, radio.width_mhz or 1, propagation.eirp_dbm)
    rates(radio)


def _check_level(scenario: Scenario) -> None:
    """Places belong to levels `radio` and `slots`, links to level `graph`."""
    shape, level = scenario.topology.shape, scenario.radio.level
    if level == "contacts" and shape != "trace":
        raise UsageError('level "contacts" needs who meets whom when: a topology of shape "trace"')
    if level == "contacts" and any(scenario.run_of(name).agent in (None, "core") for name in scenario.names):
        raise UsageError('level "contacts" has no radio for the core: give [nodes] an `agent`, such as "epidemic"')
    if level not in PLACED and shape in ("grid", "scatter", "places"):
        raise UsageError(f'shape "{shape}" says where nodes are: it needs `level = "radio"` under [radio]')
    if level not in PLACED and (scenario.routes or scenario.walks):
        raise UsageError('nodes that move need `level = "radio"` under [radio]')
    if level not in PLACED:
        return
    if shape not in ("line", "grid", "scatter", "places") or scenario.topology.links:
        raise UsageError(f'level "{level}" needs places: a topology of shape "line", "grid", "scatter" or "places"')
    if scenario.radio.rate_bps or scenario.radio.basic_bps or scenario.radio.width_mhz is None:
        raise UsageError(f'level "{level}" needs `width_mhz`, and no rates in bit/s: they follow from the signal')
    if level == "slots" and len(scenario.names) > MOST_SLOTTED:
        raise UsageError(f'level "slots" counts every slot of every node: {MOST_SLOTTED} nodes at most; use "radio"')
    if scenario.radio.basic_width_mhz > scenario.radio.width_mhz:
        raise UsageError("`basic_width_mhz` is wider than `width_mhz`")


def _check_terrain(scenario: Scenario) -> None:
    """Walls stand on the map of a radio; a loss is measured once for a pair, and of nodes that stay where they are."""
    if (scenario.walls or scenario.losses) and scenario.radio.level not in PLACED:
        raise UsageError('[[walls]] and [[losses]] need `level = "radio"` under [radio]')
    walkers = {name for walk in scenario.walks for name in walk.nodes or scenario.names}
    moving = walkers | {route.node for route in scenario.routes}
    seen: set[frozenset[str]] = set()
    for row in scenario.losses:
        pair = frozenset((row.a, row.b))
        if len(pair) == 1 or pair in seen:
            raise UsageError(f"[[losses]] has {row.a} and {row.b} twice, or a node with itself: one row for each pair")
        if pair & moving:
            raise UsageError(f"[[losses]] names {min(pair & moving)}, which moves: a measured loss is that of a place")
        seen.add(pair)


def _check_overlay(scenario: Scenario) -> None:
    """Peerings join two known nodes or relays, once; sessions are those of nodes of the mesh, along peerings."""
    table, names = scenario.overlay, scenario.names
    if not table.links and (table.sessions or table.relays):
        raise UsageError("[overlay] has sessions or relays, and no `links`: say who is peered with whom")
    if len({*names, *table.relays}) != len(names) + len(table.relays):
        raise UsageError(
            "[overlay] `relays` has a name twice, or that of a node: nodes carry without being listed there"
        )
    if table.links and scenario.radio.level == "contacts":
        raise UsageError('level "contacts" has no sessions for [overlay]: leave one of them out')
    pairs = [frozenset((link.a, link.b)) for link in table.links]
    for pair in pairs + [frozenset(pair) for pair in table.sessions]:
        if len(pair) == 1:
            raise UsageError(f"[overlay] joins {min(pair)} with itself: name two different nodes")
    if len(set(pairs)) != len(pairs):
        raise UsageError("[overlay] `links` has two nodes twice: one link serves both directions")


def _mentions(scenario: Scenario) -> list[tuple[str, str]]:
    table = scenario.topology
    found = [("a link", end) for link in table.links for end in (link.a, link.b)]
    found += [("a table [node]", name) for name in scenario.node]
    if not isinstance(scenario.mesh.contacts, str):
        found += [("a contact", name) for pair in scenario.mesh.contacts for name in pair]
    for action in scenario.actions:
        found.append(("an action", action.node))
        if action.to is not None:
            found.append(("an action", action.to))
    found += [("a fault", name) for fault in scenario.faults for name in fault.nodes]
    found += [("a route", route.node) for route in scenario.routes]
    found += [("a table [[losses]]", name) for row in scenario.losses for name in (row.a, row.b)]
    found += [("a table [[walks]]", name) for walk in scenario.walks for name in walk.nodes]
    found += [("a table [[traffic]]", name) for one in scenario.traffic for name in (*one.writers, *one.to)]
    found += [("a session of [overlay]", name) for pair in scenario.overlay.sessions for name in pair]
    ends = [end for link in scenario.overlay.links for end in (link.a, link.b)]
    found += [("a link of [overlay]", end) for end in ends if end not in scenario.overlay.relays]
    return found


# -------------------------------------------------------------------- links


def _links(scenario: Scenario) -> tuple[Link, ...]:
    table = scenario.topology
    loss = chance(scenario.radio.loss)
    number = {name: index for index, name in enumerate(scenario.names)}
    shaped = tuple(_with_loss(link, loss) for link in _shape(table, len(number), scenario.seed))
    listed = tuple(link for row in table.links for link in _listed(row, number, loss))
    special = {(link.src, link.dst) for link in listed}
    return tuple(link for link in shaped if (link.src, link.dst) not in special) + listed


def _with_loss(link: Link, loss: int) -> Link:
    return Link(link.src, link.dst, loss, link.rate, link.schedule)


def _shape(table: TopologyTable, count: int, seed: int) -> tuple[Link, ...]:
    if table.shape in ("links", "trace", "grid", "scatter", "places"):
        return ()
    if table.shape == "geometric":
        return shapes.both_ways(shapes.geometric(count, seed, table.mean_degree))
    if table.shape == "ferry":
        if count % 2 == 0:
            raise UsageError("a ferry scenario has an odd number of nodes: two equal sides, and the ferry as the last")
        return shapes.ferry((count - 1) // 2, round(table.period_s * SECOND_NS), round(table.stay_s * SECOND_NS))
    plain = {"line": shapes.line, "ring": shapes.ring, "star": shapes.star, "full": shapes.full}
    return shapes.both_ways(plain[table.shape](count))


def _listed(row: LinkTable, number: dict[str, int], loss: int) -> tuple[Link, ...]:
    own = loss if row.loss is None else chance(row.loss)
    rate = None if row.rate_bps is None else PlainRate(row.rate_bps)
    schedule = schedule_of(row)
    pair, delay = (number[row.a], number[row.b]), round(row.delay_s * SECOND_NS)
    if row.one_way:
        return (Link(*pair, own, rate, schedule, delay),)
    return shapes.both_ways([pair], own, rate, schedule, delay)


def schedule_of(row: LinkTable | PeeringTable) -> Schedule | None:
    """When a link or a peering is up; None: always."""
    if not row.up_s:
        return None
    spans = tuple((round(start * SECOND_NS), round(end * SECOND_NS)) for start, end in row.up_s)
    return Schedule(spans, round(row.period_s * SECOND_NS) if row.period_s else 0)

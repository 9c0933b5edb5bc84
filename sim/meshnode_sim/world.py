"""A world in virtual time: hosts of the core, the radio between them, a plan of what people do and what breaks.

Everything follows from the scenario and the seed. Each kind of chance has a stream of its own (air/draws.py), so that
a fault added to a scenario moves no other draw. Nothing here knows trio or the time of day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import Final
from zlib import crc32

from meshnode.air.draws import Draws
from meshnode.air.events import Delivery
from meshnode.core.effects import Dial, Effect, Hangup, Notify, Persist, ReadStored, Send, SendRecord
from meshnode.core.ids import NodeKey, channel_id
from meshnode.core.inputs import (
    ClockSet,
    Compose,
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    FrameReceived,
    Input,
    RecordReceived,
    SessionWritable,
    SetChannel,
    SetContact,
)
from meshnode.core.node import RENEW_FACT
from meshnode.core.notices import Warned
from meshnode.core.records import FactRecord, MessageRecord, Record
from meshnode.core.sealing.mesh import MeshKeys, closed_mesh, open_mesh
from meshnode.core.settings import LinkSettings
from meshnode.errors import UsageError
from meshnode_sim.acquainted import acquaint
from meshnode_sim.agenda import AIR, FAULT, PEOPLE, SECOND_NS, Agenda
from meshnode_sim.agents.contract import CORE, Maker
from meshnode_sim.host import LINK, NOBODY, Host
from meshnode_sim.medium import Medium
from meshnode_sim.memory import Pool
from meshnode_sim.probe import Probe
from meshnode_sim.scenario import Scenario
from meshnode_sim.sealing import Costs, Memo
from meshnode_sim.streams import TAG, Lines, Streams
from meshnode_sim.uplinks import FIRST, Uplinks

TO_ONE, TO_ALL = b"\x00", b"\x02"  # first octet of a datagram on the medium; segments of sessions have TAG
UDP_HEADERS: Final = 48  # IPv6 and UDP
SQUARE: Final = "square"
READER: Final = "\0reader"  # no node is called that
RENEWAL_NS: Final = SECOND_NS  # until a node that asks for new keys has them
READ_NS: Final = 1_000_000  # a read from the store: a millisecond
_PREFIX: Final = "fe80::"
_NOTHING: Final = FrameReceived(LINK, "", False, b"")

CHANCE_BOOT, CHANCE_POWER = range(2)  # purposes of the world's own draws


class World:
    """One run. Make it, `run` it in one or several stretches, read `probe`, the medium's counters, `agenda`."""

    def __init__(
        self,
        scenario: Scenario,
        medium: Medium,
        links: Sequence[LinkSettings],
        *,
        contacts: Iterable[tuple[int, int]],
        costs: Costs | None = None,
        memo: Memo | None = None,
        makers: Mapping[str, Maker] = MappingProxyType({}),
    ) -> None:
        self.scenario = scenario
        self.medium = medium
        self.agenda = Agenda()
        self.draws = Draws(scenario.seed)
        self.refusals: list[str] = []
        self.warnings: Counter[str] = Counter()
        self._armed_ns: int | None = None
        self._apart: set[tuple[int, int]] = set()  # pairs that do not meet at present, or were cut by an action
        self._blocked: set[tuple[int, int]] = set()  # pairs with a wall between them
        self._pool, self._memo = Pool(), memo
        self._costs = costs or Costs()
        self.makers = makers  # by name of a node; the core for all others
        self._mesh = _mesh(scenario)
        self.hosts = [self._host(index, name, links[index]) for index, name in enumerate(scenario.names)]
        lying = (index for index, name in enumerate(scenario.names) if getattr(makers.get(name), "LIES", False))
        self.liars = frozenset(lying)  # what they write and read counts nowhere
        self.probe = Probe({host.keys.persona: host.index for host in self.hosts}, self.liars)
        self._contacts: list[list[int]] = [[] for _ in self.hosts]
        for one, other in contacts:
            self._contacts[one].append(other)
        self.streams = Streams(self.agenda, self._lines())
        self.uplinks = Uplinks(scenario, self.agenda, self.hosts) if scenario.overlay.links else None
        for host in self.hosts:
            self._first_boot(host)

    # ---------------------------------------------------------------- for whoever drives it

    def run(self, until_ns: int) -> None:
        """Lets everything happen up to that time."""
        self.agenda.run(until_ns)

    def at(self, at_ns: int, node: int, do: Callable[[], object], kind: int = PEOPLE) -> None:
        """Plans something."""
        self.agenda.at(at_ns, kind, node, do)

    def write(self, node: int, to: int, text: str, cls: int = 2) -> None:
        """A person writes to another one."""
        self.hosts[node].give(Compose(text, to=self.hosts[to].keys.persona, cls=cls))

    def post(self, node: int, text: str, channel: str = SQUARE, cls: int = 2) -> None:
        """A person writes to a channel."""
        self.hosts[node].give(Compose(text, channel=channel_id(channel), cls=cls))

    def boot(self, node: int) -> None:
        """Power on; nothing where it is on already."""
        host = self.hosts[node]
        if host.on:
            return
        self.medium.set_power(node, True)
        host.boot(*(() if host.memory.count() else self._set_up(host)))
        self._air_changed()

    def stop(self, node: int) -> None:
        """The node's process ends; what it wrote is kept."""
        host = self.hosts[node]
        if host.on:
            host.stop()
            self.medium.set_power(node, False)
            self.streams.power_off(node)
            if self.uplinks is not None:
                self.uplinks.power_off(node)

    def cut_power(self, node: int) -> None:
        """The battery is empty: the newest commits that nobody was promised may be lost."""
        self.stop(node)
        host = self.hosts[node]
        host.memory.lose_power(lambda n: self.draws.word(CHANCE_POWER, node, host.boots) % (n + 1))
        self.probe.remembers(node, {message.id for message in host.memory.every(MessageRecord)})

    def lose_store(self, node: int) -> None:
        """The card is broken: the person goes on with a new one, and remembers nothing."""
        self.stop(node)
        self.hosts[node].lose_store()
        self.probe.forgot(node)

    def set_clock(self, node: int, skew_s: float) -> None:
        """The node's clock is that much ahead of the true date from now on."""
        host = self.hosts[node]
        host.skew_s = skew_s
        if host.on:
            host.give(ClockSet(host.date()))

    def disturb(self, one: int, other: int, loss: int) -> None:
        """An additional loss between two nodes, both ways (air/draws.py: a chance); 0 ends it."""
        for src, dst in ((one, other), (other, one)):
            if self.medium.knows(src, dst):
                self.medium.disturb(src, dst, loss)

    def restart(self, node: int) -> None:
        """The process ends and comes back at once."""
        self.stop(node)
        self.boot(node)

    def set_links(self, node: int, others: Iterable[int], *, up: bool) -> None:
        """Cuts or joins a node and others, both ways; where there is no link there is nothing to change."""
        for other in others:
            pair = (min(node, other), max(node, other))
            (self._apart.discard if up else self._apart.add)(pair)
            self._connect(pair)
        self._air_changed()

    def block(self, one: int, other: int, *, blocked: bool) -> None:
        """A wall between two nodes, or none: beside `set_links`, and neither undoes the other."""
        pair = (min(one, other), max(one, other))
        (self._blocked.add if blocked else self._blocked.discard)(pair)
        self._connect(pair)
        self._air_changed()

    def apart(self) -> set[tuple[int, int]]:
        """Pairs, lower number first, kept apart at present by an action, a trace or a fault."""
        return self._apart | self._blocked

    def _connect(self, pair: tuple[int, int]) -> None:
        up = pair not in self._apart and pair not in self._blocked
        for src, dst in (pair, pair[::-1]):
            if self.medium.knows(src, dst):
                self.medium.set_link(src, dst, up=up)

    def plaintexts(self) -> Mapping[bytes, bytes]:
        """From now on, what is in each datagram, by the tag at its end; nothing where every node computes anew."""
        if self._memo is None:
            return {}
        self._memo.plain = {}
        return self._memo.plain

    # ---------------------------------------------------------------- what nodes ask

    def perform(self, host: Host, effects: list[Effect]) -> None:
        """Everything of one step that leaves the node."""
        for effect in effects:
            match effect:
                case Send():
                    self._send(host, effect)
                case SendRecord(session, data):
                    self.agenda.note(AIR, host.index, crc32(data))
                    self._sessions(session).send(host.index, session, data)
                case Dial(address, "overlay"):
                    if self.uplinks is not None:
                        self.uplinks.dial(host.index, address)
                case Dial(address):
                    self.streams.dial(host.index, number_of(address))
                case Hangup(session):
                    self._sessions(session).hangup(host.index, session)
                case ReadStored():
                    self._read(host, effect)

    def committed(self, host: Host, effects: list[Effect], source: int) -> None:
        """One step was committed."""
        self.probe.committed(host.index, self.agenda.now_ns, effects, source)
        for effect in effects:
            if isinstance(effect, Notify) and isinstance(effect.notice, Warned):
                self.warnings[effect.notice.code] += 1
            elif isinstance(effect, Persist) and any(_asks_for_renewal(record) for record in effect.records):
                self.agenda.at(self.agenda.now_ns + RENEWAL_NS, FAULT, host.index, partial(self.restart, host.index))

    def refused(self, host: Host, given: Input, error: UsageError) -> None:
        """A person asked for something that cannot be."""
        self.refusals.append(f"{host.settings.name}: {error}")

    def _send(self, host: Host, send: Send) -> None:
        self.agenda.note(AIR, host.index, crc32(send.data))
        dst = None if send.to is None else number_of(send.to)
        frame = (TO_ALL if dst is None else TO_ONE) + send.data
        self._offer(host.index, frame, dst, len(send.data) + UDP_HEADERS, f"class {send.cls}")

    def _read(self, host: Host, asked: ReadStored) -> None:
        node = host.node

        def answer() -> None:
            if host.on and host.node is node:
                host.give(host.memory.answer(asked))

        self.agenda.at(self.agenda.now_ns + READ_NS, AIR, host.index, answer)

    # ---------------------------------------------------------------- the air

    def _offer(self, node: int, frame: bytes, dst: int | None, octets: int, kind: str) -> bool:
        now = self.agenda.now_ns
        if self._armed_ns is not None and self._armed_ns <= now:  # else nothing is due
            self._hand_out(self.medium.advance(now))
        taken = self.medium.offer(node, frame, dst, now, payload=octets, kind=kind)
        self._arm()
        return taken

    def _air_changed(self) -> None:
        arrived = self.medium.advance(self.agenda.now_ns)
        if arrived:
            self._hand_out(arrived)
        self._arm()

    def _arm(self) -> None:
        upcoming = self.medium.next_event_ns()
        if upcoming is not None and (self._armed_ns is None or upcoming < self._armed_ns):
            self._armed_ns = upcoming
            self.agenda.at(upcoming, AIR, NOBODY, self._air)

    def _air(self) -> None:
        if self._armed_ns == self.agenda.now_ns:
            self._armed_ns = None
            self._air_changed()

    def _hand_out(self, deliveries: list[Delivery]) -> None:
        given, last = _NOTHING, b""
        for node, src, frame, _ in deliveries:
            if frame[0] == TAG:
                self.streams.arrived(node, frame)
                continue
            if frame is not last:  # all who hear one broadcast are told the very same
                given, last = FrameReceived(LINK, address_of(src), frame[:1] == TO_ALL, frame[1:]), frame
            self.hosts[node].give(given, src)

    # ---------------------------------------------------------------- sessions

    def _sessions(self, session: int) -> Streams:
        """Those over the radio, or those over the overlay."""
        return self.uplinks.streams if self.uplinks is not None and session >= FIRST else self.streams

    def _lines(self) -> Lines:
        hosts = self.hosts

        def opened(node: int, session: int, other: int, called: bool) -> None:
            far = hosts[other].keys.node
            hosts[node].give(EncounterBegan(session, NodeKey(far), "link", address_of(other), called), other)

        return Lines(
            send=lambda src, dst, packet, octets: self._offer(src, packet, dst, octets, "session"),
            opened=opened,
            failed=lambda node, other: hosts[node].give(DialFailed(address_of(other), "no answer")),
            arrived=lambda node, session, data, other: hosts[node].give(RecordReceived(session, data), other),
            writable=lambda node, session, queued: hosts[node].give(SessionWritable(session, queued)),
            ended=lambda node, session: hosts[node].give(EncounterEnded(session)),
        )

    # ---------------------------------------------------------------- the beginning

    def acquaint(
        self,
        most: int,
        nearest: Callable[[int, int], Sequence[int]],
        *,
        hearing: Iterable[tuple[int, int]],
        joined: Iterable[tuple[int, int]],
        writing: Iterable[tuple[int, int]],
    ) -> None:
        """Before the first moment: every node knows so many others, as after days of running (acquainted.py)."""
        reader = self._host(NOBODY, READER, self.hosts[0].link)
        acquaint(
            self.hosts,
            reader,
            most,
            told=self._set_up,
            nearest=nearest,
            hearing=hearing,
            joined=joined,
            writing=writing,
        )

    def _host(self, index: int, name: str, link: LinkSettings) -> Host:
        return Host(
            index,
            self.scenario.settings_of(name, open_mesh=self._mesh.open),
            self._mesh,
            link,
            f"{self.scenario.seed}/{name}",
            agenda=self.agenda,
            outside=self,
            pool=self._pool,
            memo=self._memo,
            costs=self._costs,
            make=self.makers.get(name, CORE),
        )

    def _first_boot(self, host: Host) -> None:
        """Within the first second, or when the scenario says."""
        start_s = self.scenario.run_of(host.settings.name).start_s
        early = self.draws.word(CHANCE_BOOT, host.index) * SECOND_NS >> 32
        self.medium.set_power(host.index, False)

        at_ns = early if start_s is None else round(start_s * SECOND_NS)
        self.agenda.at(at_ns, PEOPLE, host.index, partial(self.boot, host.index))

    def _set_up(self, host: Host) -> list[Input]:
        """What a person tells a new home: the square and the address book."""
        book = (self.hosts[other] for other in self._contacts[host.index])
        known = [SetContact(other.keys.persona, other.settings.name, False, False) for other in book]
        return [SetChannel(channel_id(SQUARE), SQUARE, True), *known]


@cache
def address_of(node: int) -> str:
    """The link-local address of a node."""
    return f"{_PREFIX}{node + 1:x}"


@cache
def number_of(address: str) -> int:
    """The node behind a link-local address."""
    return int(address.removeprefix(_PREFIX), 16) - 1


def _asks_for_renewal(record: Record) -> bool:
    return isinstance(record, FactRecord) and record.name == RENEW_FACT


def _mesh(scenario: Scenario) -> MeshKeys:
    if not scenario.mesh.secret:
        return open_mesh(scenario.mesh.name)
    secret = scenario.seed.to_bytes(32, "little", signed=True)
    return closed_mesh(scenario.mesh.name, secret)

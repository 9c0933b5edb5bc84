"""The world of level `contacts`: a trace says who meets whom, a message takes its size over the rate.

For agents alone (agents/): the core brings a radio's beacons and seals, which a trace of contacts knows nothing of. As
in simulators of delay-tolerant networks a node takes part in one transfer at a time, control is free, and a transfer
that the end of a contact interrupts is lost.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from meshnode.air.counters import Counters, Tally
from meshnode.core.effects import Effect, Send
from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.inputs import FrameReceived, Input, LinkChanged, PeerSeen, Tick
from meshnode.core.records import Snapshot
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode_sim.agenda import AIR, FAULT, PEOPLE, SECOND_NS, WAKE, Agenda
from meshnode_sim.agents.carrier import Bulk, Words
from meshnode_sim.agents.contract import Agent, Maker
from meshnode_sim.contacts import Contact
from meshnode_sim.memory import Memory, Pool
from meshnode_sim.probe import Probe
from meshnode_sim.scenario import Scenario
from meshnode_sim.traffic import Word

LINK: Final = "contact"
UNBOUNDED: Final = 1 << 24  # octets of a frame
_Transfer = tuple[int, int, bytes, int]  # from, to, data, octets


class Station:
    """One node of this world, with what a report reads of it. An agent keeps its messages in itself: no rows."""

    def __init__(self, index: int, settings: Settings, keys: Keys, agent: Agent) -> None:
        self.index, self.settings, self.keys, self.agent = index, settings, keys, agent
        self.name = settings.name
        self.memory = Memory(Pool())
        self.boots, self.steps, self.busy_ns, self.on = 1, 0, 0, True
        self.counters = Counters()
        self.waiting: deque[_Transfer] = deque()
        self.transfer: _Transfer | None = None  # it takes part in
        self.wake_ns = -1


class Meetings:
    """One run; what a report reads has the names it has in world.World."""

    def __init__(
        self,
        scenario: Scenario,
        contacts: Sequence[Contact],
        words: Sequence[Word],
        makers: Mapping[str, Maker],
        on_transfer: Callable[[int, int, int, int], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self.medium = self  # it counts, too
        self._on_transfer = on_transfer  # told src, dst, when, octets
        self.agenda = Agenda()
        self.liars: frozenset[int] = frozenset()  # here everybody is taken to be honest
        self.refusals: list[str] = []
        self.warnings: Counter[str] = Counter()
        self._rate = scenario.radio.rate_bps or 1_000_000
        self._pending: deque[tuple[Station, Input, int]] = deque()
        self._near: list[set[int]] = [set() for _ in scenario.names]
        self.hosts = [self._station(index, name, makers[name]) for index, name in enumerate(scenario.names)]
        self._number = {host.name: host.index for host in self.hosts}
        self.probe = Probe({host.keys.persona: host.index for host in self.hosts})
        link = LinkChanged(LINK, LinkSettings(UNBOUNDED, unicast_bps=self._rate, multicast=False))
        for host in self.hosts:
            self.agenda.at(0, PEOPLE, host.index, partial(self._give, host, link, -1))
        for contact in contacts:
            self.agenda.at(contact.at_ns, FAULT, contact.one, partial(self._change, contact))
        for word in words:
            self.agenda.at(word.at_ns, PEOPLE, word.writer, partial(self._say, word))

    def run(self, until_ns: int) -> None:
        """Lets everything happen up to that time."""
        self.agenda.run(until_ns)

    def counters(self, node: int) -> Counters:
        """What a node's radio did."""
        return self.hosts[node].counters

    # ---------------------------------------------------------------- what happens

    def _station(self, index: int, name: str, make: Maker) -> Station:
        seed = f"{self.scenario.seed}/{name}"
        sealer, entropy = SeededSealer(seed), SeededEntropy(seed)
        keys = new_keys(sealer, entropy)
        settings = self.scenario.settings_of(name, open_mesh=True)
        agent = make(keys, open_mesh(self.scenario.mesh.name), settings, sealer, entropy, Snapshot(), 1)
        return Station(index, settings, keys, agent)

    def _say(self, word: Word) -> None:
        host = self.hosts[word.writer]
        to = None if word.to < 0 else self.hosts[word.to].keys.persona
        octets = word.octets or len(word.text.encode())
        self._give(host, Words(word.text, to, None, word.cls, octets=octets), -1)

    def _change(self, contact: Contact) -> None:
        pair = (contact.one, contact.other)
        if not contact.up:
            self._break(pair)
        for one, other in (pair, pair[::-1]):
            (self._near[one].add if contact.up else self._near[one].discard)(other)
            seen = PeerSeen(self.hosts[other].name, "link", contact.up)
            self._pending.append((self.hosts[one], seen, -1))
        self._settle()

    def _give(self, host: Station, given: Input, source: int) -> None:
        self._pending.append((host, given, source))
        self._settle()

    def _settle(self) -> None:
        """Everything that happens in no time: control frames are free, so one input leads to others."""
        pending = self._pending
        while pending:
            host, given, source = pending.popleft()
            host.steps += 1
            effects = host.agent.step(given, self.agenda.now_ns / SECOND_NS)
            if effects:
                self.probe.committed(host.index, self.agenda.now_ns, effects, source)
                self._perform(host, effects)
            self._rewake(host)

    def _perform(self, host: Station, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Bulk):
                host.waiting.append((host.index, self._number[effect.to or ""], effect.data, effect.octets))
                self._start(host)
            elif isinstance(effect, Send) and effect.to is not None:
                other = self.hosts[self._number[effect.to]]
                self._pending.append((other, FrameReceived(LINK, host.name, False, effect.data), host.index))

    def _rewake(self, host: Station) -> None:
        due = host.agent.next_wakeup()
        if due is None:
            return
        at_ns = max(round(due * SECOND_NS), self.agenda.now_ns + 1)
        if host.wake_ns <= self.agenda.now_ns or at_ns < host.wake_ns:
            host.wake_ns = at_ns
            self.agenda.at(at_ns, WAKE, host.index, partial(self._give, host, Tick(), -1))

    # ---------------------------------------------------------------- transfers

    def _start(self, host: Station) -> None:
        """The first that waits and whose other end is free."""
        if host.transfer is not None:
            return
        for transfer in host.waiting:
            other = self.hosts[transfer[1]]
            if other.transfer is None:
                host.waiting.remove(transfer)
                host.transfer = other.transfer = transfer
                span_ns = transfer[3] * 8 * SECOND_NS // self._rate
                _charge(host.counters, transfer[3], span_ns)
                self.agenda.at(self.agenda.now_ns + span_ns, AIR, host.index, partial(self._end, transfer))
                return

    def _end(self, transfer: _Transfer) -> None:
        src, dst, data, octets = transfer
        host, other = self.hosts[src], self.hosts[dst]
        if host.transfer is not transfer:
            return  # interrupted
        self.agenda.note(AIR, src, octets)
        other.counters.received += 1
        if self._on_transfer is not None:
            self._on_transfer(src, dst, self.agenda.now_ns, octets)
        self._free(host, other)
        self._give(other, FrameReceived(LINK, host.name, False, data), src)
        self._go_on(host, other)

    def _break(self, pair: tuple[int, int]) -> None:
        """The two are apart: what was under way between them is lost, and what waited goes nowhere."""
        one, other = (self.hosts[node] for node in pair)
        for host in (one, other):
            host.waiting = deque(t for t in host.waiting if {t[0], t[1]} != set(pair))
        if one.transfer is not None and one.transfer is other.transfer:
            self.hosts[one.transfer[0]].counters.failed += 1
            self._free(one, other)
            self._go_on(one, other)

    def _free(self, one: Station, other: Station) -> None:
        one.transfer = other.transfer = None

    def _go_on(self, *hosts: Station) -> None:
        """Whoever has become free goes on, and so does who waited for it."""
        for host in hosts:
            self._start(host)
            for neighbour in [] if host.transfer is not None else self._waiting_for(host):
                self._start(neighbour)

    def _waiting_for(self, host: Station) -> list[Station]:
        near = [self.hosts[node] for node in sorted(self._near[host.index])]
        return [other for other in near if any(transfer[1] == host.index for transfer in other.waiting)]


def _charge(counters: Counters, octets: int, span_ns: int) -> None:
    tally = Tally(1, 1, octets, span_ns, span_ns)
    counters.unicast += tally
    counters.kinds["message"] = counters.kinds.get("message", Tally()) + tally
    counters.busy_ns += span_ns

"""The world of level `contacts`: a trace says who meets whom, a message takes its size over the rate.

For agents alone (agents/): the core brings a radio's beacons and seals, which a trace of contacts knows nothing of. As
in simulators of delay-tolerant networks a node takes part in one transfer at a time, control is free, and a transfer
that the end of a contact interrupts is lost. Whenever somebody has become free, or has something new to offer,
transfers begin between those who are free: first what arrives with it, then anything, to whom one met first. Who has
just sent goes on before others have a turn (`_match`): so two whose buffers are full come to hold the same, where by
turns they would give each other for ever what the other has just given up.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from meshnode.air.counters import Counters, Tally
from meshnode.air.draws import Draws
from meshnode.core.effects import Effect, Forget, Send
from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.inputs import FrameReceived, Input, LinkChanged, PeerSeen, Tick
from meshnode.core.records import Snapshot
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode_sim.agenda import AIR, FAULT, PEOPLE, SECOND_NS, WAKE, Agenda
from meshnode_sim.agents.contract import Agent, Maker
from meshnode_sim.agents.frames import Bulk, Incoming, Lacking, Turn, Words
from meshnode_sim.contacts import Contact
from meshnode_sim.memory import Memory, Pool
from meshnode_sim.probe import Probe
from meshnode_sim.scenario import Scenario
from meshnode_sim.traffic import Word

LINK: Final = "contact"
UNBOUNDED: Final = 1 << 24  # octets of a frame
CHANCE_FIRST: Final = 97  # purpose of draws


@dataclass(frozen=True, slots=True, eq=False)
class _Transfer:
    src: int
    dst: int
    data: bytes
    octets: int
    end_ns: int


class Station:
    """One node of this world, with what a report reads of it. An agent keeps its messages in itself: no rows."""

    def __init__(self, index: int, settings: Settings, keys: Keys, agent: Agent) -> None:
        self.index, self.settings, self.keys, self.agent = index, settings, keys, agent
        self.name = settings.name
        self.memory = Memory(Pool())
        self.boots, self.steps, self.busy_ns, self.on = 1, 0, 0, True
        self.counters = Counters()
        self.near: dict[int, None] = {}  # whom it met first comes first
        self.sources: set[int] = set()  # who may have something for it to take
        self.own_sources: set[int] = set()  # who may have something that is for it
        self.takers: set[int] = set()  # who may take something from it
        self.waiting: deque[tuple[int, Bulk]] = deque()  # said without a turn
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
        self.started = self.aborted = self.dropped = 0
        self._rate = scenario.radio.rate_bps or 1_000_000
        self._pending: deque[tuple[Station, Input, int]] = deque()
        self._stirred: set[int] = set()  # free, or something changed for them: a transfer may begin
        self._sender = -1  # whose transfer has just ended
        self._draws, self._rounds = Draws(scenario.seed), 0
        self.hosts = [self._station(index, name, makers[name]) for index, name in enumerate(scenario.names)]
        self._number = {host.name: host.index for host in self.hosts}
        self.probe = Probe({host.keys.persona: host.index for host in self.hosts}, again=True)
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
        """A contact begins or ends; what is whole at the moment of its end has arrived."""
        one, other = self.hosts[contact.one], self.hosts[contact.other]
        for host, peer in ((one, other), (other, one)):
            if contact.up:
                host.near[peer.index] = None
            else:
                self._leave(host, peer)
        if not contact.up and one.transfer is not None and one.transfer is other.transfer:
            self._end(one.transfer)
        for host, peer in ((one, other), (other, one)):
            self._pending.append((host, PeerSeen(peer.name, "link", contact.up), -1))
        self._settle()

    def _leave(self, host: Station, peer: Station) -> None:
        host.near.pop(peer.index, None)
        for among in (host.sources, host.own_sources, host.takers):
            among.discard(peer.index)
        host.waiting = deque(said for said in host.waiting if said[0] != peer.index)

    def _give(self, host: Station, given: Input, source: int) -> None:
        self._pending.append((host, given, source))
        self._settle()

    def _settle(self) -> None:
        """Everything that happens in no time: control frames are free, and transfers begin where they can."""
        self._drain()
        while self._stirred:
            self._match()

    def _drain(self) -> None:
        """One input leads to others."""
        pending = self._pending
        while pending:
            self._step(*pending.popleft())

    def _step(self, host: Station, given: Input, source: int) -> list[Effect]:
        host.steps += 1
        effects = host.agent.step(given, self.agenda.now_ns / SECOND_NS)
        if effects:
            self.probe.committed(host.index, self.agenda.now_ns, effects, source)
            self._perform(host, effects)
        self._rewake(host)
        return effects

    def _perform(self, host: Station, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Forget):
                self.dropped += len(effect.keys)
            elif isinstance(effect, Send) and effect.to is not None:
                other = self.hosts[self._number[effect.to]]
                if isinstance(effect, Bulk):
                    self._hand_over(host, other, effect)
                elif isinstance(effect, Lacking):
                    self._may_take(host, other, effect.yours)
                else:
                    self._pending.append((other, FrameReceived(LINK, host.name, False, effect.data), host.index))

    def _may_take(self, taker: Station, giver: Station, yours: bool) -> None:
        if giver.index in taker.near:
            (taker.own_sources if yours else taker.sources).add(giver.index)
            giver.takers.add(taker.index)
            self._stirred |= {taker.index, giver.index}

    def _rewake(self, host: Station) -> None:
        due = host.agent.next_wakeup()
        if due is None:
            return
        at_ns = max(round(due * SECOND_NS), self.agenda.now_ns + 1)
        if host.wake_ns <= self.agenda.now_ns or at_ns < host.wake_ns:
            host.wake_ns = at_ns
            self.agenda.at(at_ns, WAKE, host.index, partial(self._give, host, Tick(), -1))

    # ---------------------------------------------------------------- whose turn it is

    def _match(self) -> None:
        """Each that is free, in an order drawn anew, begins what it can."""
        self._rounds += 1
        last, self._sender = self._sender, -1
        free = [node for node in self._stirred if self.hosts[node].transfer is None]
        self._stirred.clear()
        if len(free) > 1:
            word, turn = self._draws.word, self._rounds
            free.sort(key=lambda node: (node != last, word(CHANCE_FIRST, turn, node), node))
        for node in free:
            host = self.hosts[node]
            if host.transfer is None and not self._begin_waiting(host):
                self._begin(host)

    def _begin(self, host: Station) -> bool:
        """What arrives with its taker goes first: the node's own to give, then its own to take; then anything."""
        return (
            any(host.index in taker.own_sources and self._turn(taker, host, True) for taker in self._free_takers(host))
            or any(self._turn(host, giver, True) for giver in self._free(host, host.own_sources))
            or any(host.index in taker.sources and self._turn(taker, host, False) for taker in self._free_takers(host))
        )

    def _free_takers(self, host: Station) -> list[Station]:
        return self._free(host, host.takers)

    def _free(self, host: Station, among: set[int]) -> list[Station]:
        """Those of them that take part in nothing, whom it met first before others."""
        if not among:
            return []
        found = (self.hosts[node] for node in host.near if node in among)
        return [other for other in found if other.transfer is None]

    def _turn(self, taker: Station, giver: Station, yours: bool) -> bool:
        """Has the taker ask until something comes, or it lacks nothing that the giver has. Whether a transfer began."""
        while self._step(taker, Turn(giver.name, yours), -1):
            self._drain()
            if taker.transfer is not None:
                return True
        (taker.own_sources if yours else taker.sources).discard(giver.index)
        if giver.index not in taker.own_sources and giver.index not in taker.sources:
            giver.takers.discard(taker.index)
        return False

    # ---------------------------------------------------------------- transfers

    def _hand_over(self, host: Station, other: Station, bulk: Bulk) -> None:
        if host.transfer is None and other.transfer is None and other.index in host.near:
            self._start(host, other, bulk)
        elif other.index in host.near:
            host.waiting.append((other.index, bulk))

    def _begin_waiting(self, host: Station) -> bool:
        """The first that was said without a turn, and whose other end is free."""
        for said in host.waiting:
            other = self.hosts[said[0]]
            if other.transfer is None:
                host.waiting.remove(said)
                self._start(host, other, said[1])
                return True
        return False

    def _start(self, host: Station, other: Station, bulk: Bulk) -> None:
        span_ns = max(1, bulk.octets * 8 * SECOND_NS // self._rate)
        end_ns = self.agenda.now_ns + span_ns
        host.transfer = other.transfer = transfer = _Transfer(host.index, other.index, bulk.data, bulk.octets, end_ns)
        self.started += 1
        _charge(host.counters, bulk.octets, span_ns)
        self.agenda.at(end_ns, AIR, host.index, partial(self._over, transfer))
        self._pending.append((other, Incoming(bulk.octets), host.index))

    def _over(self, transfer: _Transfer) -> None:
        if self.hosts[transfer.src].transfer is transfer:
            self._end(transfer)
            self._settle()

    def _end(self, transfer: _Transfer) -> None:
        """It is whole, or the contact was over before."""
        host, other = self.hosts[transfer.src], self.hosts[transfer.dst]
        whole = self.agenda.now_ns >= transfer.end_ns
        host.transfer = other.transfer = None
        self._sender = host.index
        if whole:
            self.agenda.note(AIR, host.index, transfer.octets)
            other.counters.received += 1
            if self._on_transfer is not None:
                self._on_transfer(host.index, other.index, self.agenda.now_ns, transfer.octets)
            self._pending.append((other, FrameReceived(LINK, host.name, False, transfer.data), host.index))
        else:
            self.aborted += 1
            host.counters.failed += 1
        for freed in (host, other):
            self._stirred |= {freed.index} | freed.own_sources | freed.sources | freed.takers


def _charge(counters: Counters, octets: int, span_ns: int) -> None:
    tally = Tally(1, 1, octets, span_ns, span_ns)
    counters.unicast += tally
    counters.kinds["message"] = counters.kinds.get("message", Tally()) + tally
    counters.busy_ns += span_ns

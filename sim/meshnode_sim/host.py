"""One simulated node: the shipped core, its store, its powered-on clock, and a processor that takes its time.

    off --boot--> on, idle --input--> stepping for as long as the work costs --> what goes out goes out --> idle
      <--stop: what was written is in the store; power cut: the newest unsynced commits are gone

Inputs that arrive while the processor is busy wait their turn. Rows are committed when a step is taken; what it sends
or tells leaves when the processor is through, unless the power went in between (write first, then speak).
"""

from __future__ import annotations

from collections import deque
from functools import partial
from math import ceil
from typing import Final, Protocol

from meshnode.core.clock import EPOCH_2026, WallClock
from meshnode.core.effects import Effect, Forget, Notify, Persist
from meshnode.core.identity.keys import Keys, new_keys, with_new_incarnation
from meshnode.core.inputs import ClockSet, Input, LinkChanged, Tick
from meshnode.core.node import RENEW_FACT
from meshnode.core.records import ROLE_OWN, EnvelopeRecord, FactRecord, PrekeyRecord, RatchetRecord, RecordKey
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.sealing.seeded import SeededEntropy
from meshnode.core.settings import LinkSettings, Settings
from meshnode.errors import UsageError
from meshnode_sim.agenda import SECOND_NS, WAKE, WORK, Agenda
from meshnode_sim.agents.contract import CORE, Agent, Maker
from meshnode_sim.memory import KEEP_NOW_S, Memory, Pool
from meshnode_sim.sealing import ChargingSealer, Costs, Memo

LINK: Final = "halow0"
NOBODY: Final = -1  # the source of what no other node sent
DAY_ONE: Final = EPOCH_2026 + 150 * 86400  # the date at which every run begins: 2026-05-31
CLOCK_UNCERTAINTY_S: Final = 5.0
_KEPT: Final = frozenset({Persist, Forget})  # effects that leave nothing to perform
_TOLD: Final = frozenset({*_KEPT, Notify})  # effects that the store or a listener is told of
_TICK: Final = Tick()
_NEVER: Final = 1 << 63
_SOONEST_NS: Final = 1_000  # a timer that is due again at once comes a microsecond later


class Outside(Protocol):
    """Who carries out what a node asks, and who listens."""

    def perform(self, host: Host, effects: list[Effect]) -> None:
        """Everything of one step that leaves the node."""
        ...

    def committed(self, host: Host, effects: list[Effect], source: int) -> None:
        """One step that kept or told something was committed; `source`: the node that sent what it was about."""
        ...

    def refused(self, host: Host, given: Input, error: UsageError) -> None:
        """A person asked for something that cannot be."""
        ...


class Host:
    """A box: on, it holds a running node; off, only its keys and its store."""

    def __init__(
        self,
        index: int,
        settings: Settings,
        mesh: MeshKeys,
        link: LinkSettings,
        seed: str,
        *,
        agenda: Agenda,
        outside: Outside,
        pool: Pool,
        memo: Memo | None,
        costs: Costs,
        make: Maker = CORE,
    ) -> None:
        self.index = index
        self.settings = settings
        self.link = link
        self.on = False
        self.boots = 0
        self.steps = 0
        self.busy_ns = 0  # what the processor worked in all
        self.skew_s = 0.0  # by how much its clock is ahead of the true date
        self.node: Agent
        self.memory = Memory(pool)
        self._make = make
        self._mesh = mesh
        self._seed = seed
        self._agenda = agenda
        self._outside = outside
        self._memo = memo
        self._costs = costs
        self._sealer = self._new_sealer("keys")
        self.keys: Keys = new_keys(self._sealer, SeededEntropy(f"{seed}/keys"))
        self._pool = pool
        self._lost = False  # the store went, and the next start will be a new incarnation
        self._began_ns = 0  # world time at which our own clock would have been zero
        self._free_ns = 0  # when the processor is through
        self._inbox: deque[tuple[Input, int]] = deque()
        self._asked: float | None = None  # when the node wants a Tick, as it said last
        self._asked_ns = _NEVER  # the same in world time
        self._due_ns = _NEVER  # when it gets it: not while its processor works
        self._wake_ns = _NEVER  # when it is looked at next, which may be sooner

    # ---------------------------------------------------------------- power

    def boot(self, *first: Input) -> None:
        """Goes on from the store, under a higher epoch; `first` is what the node is told before the link is up."""
        self.boots += 1
        seed = f"{self._seed}/{self.boots}"
        self._sealer = self._new_sealer(seed)
        self._renew_if_due(SeededEntropy(f"{seed}/renewal"))
        self._began_ns = self._agenda.now_ns - ceil(self.memory.now * SECOND_NS)
        self.node = self._from_store(self._sealer, seed)
        self.on = True
        self._free_ns, self._wake_ns = self._agenda.now_ns, _NEVER
        self._asked, self._asked_ns = None, _NEVER
        for given in (ClockSet(self.date()), *first, LinkChanged(LINK, self.link)):
            self.give(given)

    def begin_early(self, *first: Input) -> Agent:
        """Its first start, before the run and in nobody's hearing: what a new home writes is in its store."""
        seed = f"{self._seed}/early"
        node = self._from_store(self._new_sealer(seed), seed)
        for given in (ClockSet(self.date()), *first):
            self.memory.commit(node.step(given, 0.0), 0.0)
        return node

    def stop(self) -> None:
        """The process is killed; what was written is in the store."""
        self.on = False
        self._inbox.clear()

    def lose_store(self) -> None:
        """A new card in the slot: the persona is kept, as a person restores it, everything else is gone."""
        self.memory = Memory(self._pool)
        self._lost = True

    def date(self) -> WallClock:
        """What its clock says, which it believes to five seconds; a skew it does not know of."""
        unix_s = DAY_ONE + self._agenda.now_ns / SECOND_NS + self.skew_s
        return WallClock(unix_s, self.now, CLOCK_UNCERTAINTY_S, "system")

    @property
    def now(self) -> float:
        """Powered-on seconds of this home."""
        return (self._agenda.now_ns - self._began_ns) / SECOND_NS

    # ---------------------------------------------------------------- inputs

    def give(self, given: Input, source: int = NOBODY) -> None:
        """An input arrives; nothing happens while the node is off."""
        if not self.on:
            return
        if self._inbox or self._free_ns > self._agenda.now_ns:
            if not self._inbox:
                self._agenda.at(self._free_ns, WORK, self.index, partial(self._next, self.node))
            self._inbox.append((given, source))
        else:
            self._step(given, source)

    def _next(self, node: Agent) -> None:
        if not self.on or self.node is not node:
            return
        given, source = self._inbox.popleft()
        self._step(given, source)
        if self._inbox:
            self._agenda.at(self._free_ns, WORK, self.index, partial(self._next, node))

    def _step(self, given: Input, source: int) -> None:
        now_ns = self._agenda.now_ns
        now = (now_ns - self._began_ns) / SECOND_NS
        try:
            effects = self.node.step(given, now)
        except UsageError as error:
            self._outside.refused(self, given, error)
            return
        self.steps += 1
        spent = self._sealer.spent_ns + self._costs.step
        self._sealer.spent_ns = 0
        self.busy_ns += spent
        self._free_ns = now_ns + spent
        if effects:
            self._carry_out(effects, now, source)
        elif now >= self.memory.now + KEEP_NOW_S:
            self.memory.commit((), now)
        due = self.node.next_wakeup()
        if due != self._asked:
            self._asked = due
            self._asked_ns = _NEVER if due is None else ceil(due * SECOND_NS) + self._began_ns
        self._wake_by(self._asked_ns)

    def _carry_out(self, effects: list[Effect], now: float, source: int) -> None:
        """Rows are kept and listeners told at once; what leaves the node does so when the processor is through."""
        told = leaves = False
        for effect in effects:
            told = told or type(effect) in _TOLD
            leaves = leaves or type(effect) not in _KEPT
        if told or now >= self.memory.now + KEEP_NOW_S:
            self.memory.commit(effects, now)
        if told:
            self._outside.committed(self, effects, source)
        if leaves:
            self._agenda.at(self._free_ns, WORK, self.index, partial(self._leave, self.node, effects))

    def _leave(self, node: Agent, effects: list[Effect]) -> None:
        """Unless the power went in between."""
        if self.on and self.node is node:
            self._outside.perform(self, effects)

    # ---------------------------------------------------------------- timers

    def _wake_by(self, due_ns: int) -> None:
        """Has the node looked at when it is due; where it was to be looked at sooner that stays, and puts it off."""
        soonest = self._agenda.now_ns + _SOONEST_NS
        if due_ns < soonest or due_ns < self._free_ns:
            due_ns = max(self._free_ns, soonest)
        self._due_ns = due_ns
        if due_ns < self._wake_ns:
            self._wake_at(due_ns)

    def _wake_at(self, at_ns: int) -> None:
        self._wake_ns = at_ns
        self._agenda.at(at_ns, WAKE, self.index, self._wake)

    def _wake(self) -> None:
        """What was due may have become due later since, or not at all: then nobody is woken."""
        now_ns = self._agenda.now_ns
        if not self.on or self._wake_ns != now_ns:
            return
        self._wake_ns = _NEVER
        if self._due_ns <= now_ns:
            self.give(_TICK)
        elif self._due_ns < _NEVER:
            self._wake_at(self._due_ns)

    def _from_store(self, sealer: ChargingSealer, seed: str) -> Agent:
        """The node as its store has it, under the next epoch."""
        epoch = self.memory.raise_epoch()
        entropy, snapshot = SeededEntropy(seed), self.memory.snapshot()
        return self._make(self.keys, self._mesh, self.settings, sealer, entropy, snapshot, epoch)

    def _renew_if_due(self, entropy: SeededEntropy) -> None:
        """As the daemon does it: who met its double, or lost its store, goes on as a new incarnation."""
        fact = self.memory.get(FactRecord, RENEW_FACT)
        if not self._lost and (fact is None or not fact.value):
            return
        self._lost = False
        self.keys = with_new_incarnation(self.keys, self._sealer, entropy)
        gone = [RecordKey(FactRecord, (RENEW_FACT,))]
        gone += [RecordKey(RatchetRecord, (one.device, one.root_id)) for one in self.memory.every(RatchetRecord)]
        gone += [RecordKey(PrekeyRecord, (one.block,)) for one in self.memory.every(PrekeyRecord)]
        own = [one for one in self.memory.every(EnvelopeRecord) if one.role == ROLE_OWN]
        gone += [RecordKey(EnvelopeRecord, (one.id,)) for one in own]
        self.memory.commit([Forget(tuple(gone), promise=True)], self.memory.now)

    def _new_sealer(self, seed: str) -> ChargingSealer:
        return ChargingSealer(f"{self._seed}/{seed}", self._costs, self._memo)

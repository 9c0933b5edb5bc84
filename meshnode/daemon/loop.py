"""The loop: the only caller of `step`. It gathers what waits, steps, commits once, and only then lets anything out.

    gather   all inputs that wait, or a tick when a timer of the node is due
    step     each in its turn; effects pile up in order
    commit   every Persist and Forget of the turn, in one transaction
    perform  everything else, in order; then those who asked are answered

A turn that promises something is synced in full before it performs: at once when the last such turn is a while ago;
else the turn goes on gathering, until 20 ms after the last sync at most, so that a burst shares one sync (rule 11.1).

When the disk is full nothing of the turn was written, and nothing of it gets out. The node has then promised to itself
what the disk does not hold, so it is made anew from the store, as after a power cut, which all its parts survive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog
import trio

from meshnode.core.chat.chat import Why
from meshnode.core.clock import Instant
from meshnode.core.effects import Effect, Forget, Notify, Persist
from meshnode.core.ids import MessageId
from meshnode.core.inputs import (
    ClockSet,
    EncounterBegan,
    EncounterEnded,
    Input,
    LinkChanged,
    PeerSeen,
    StoreState,
    Tick,
)
from meshnode.core.node import RENEW_FACT
from meshnode.core.notices import Notice, Waiting, Warned
from meshnode.core.records import FactRecord
from meshnode.daemon.adapters import Started
from meshnode.daemon.clock import PoweredClock
from meshnode.daemon.disk import Disk
from meshnode.daemon.perform import Performer
from meshnode.daemon.recording import Recording
from meshnode.daemon.systemd import Systemd
from meshnode.errors import MeshnodeError, StoreFullError, UsageError

WAITING = 1024  # inputs in the channel; senders wait beyond
BATCH = 256  # inputs of one turn
GROUP_S = 0.02  # promises made within this time of the last sync share the next one
TEND_S = 10.0  # how often the store's size is looked at
TEND_ROWS = 2000  # or after so many effects
FULL_PAUSE_S = 1.0  # after a full disk: others may be making room
KEEP_NOW_S = 600.0  # how often `now` is written when nothing else is

_log = structlog.get_logger("daemon")


class NodeLike(Protocol):
    """The core, as the loop sees it."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What was dropped and refused."""
        ...

    def step(self, given: Input, now: Instant, /) -> list[Effect]:
        """Take one input."""
        ...

    def next_wakeup(self) -> Instant | None:
        """When a timer is due."""
        ...

    def status(self) -> dict[str, object]:
        """What it knows of itself."""
        ...

    def queue(self) -> list[Waiting]:
        """What waits, most urgent first."""
        ...

    def why(self, message: MessageId, /) -> Why | None:
        """Where an own message is."""
        ...


NodeMaker = Callable[[], Awaitable[NodeLike]]


@dataclass(eq=False, slots=True)
class Asked:
    """An input somebody waits for, and what came of it."""

    given: Input
    done: trio.Event = field(default_factory=trio.Event)
    notices: tuple[Notice, ...] = ()
    error: UsageError | StoreFullError | None = None


@dataclass(slots=True)
class _Turn:
    """What one turn has gathered: the effects in order, and who waits."""

    effects: list[Effect] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    promise: bool = False


class Loop:
    """Drives one node until it is cancelled."""

    def __init__(
        self,
        make_node: NodeMaker,
        disk: Disk,
        performer: Performer,
        clock: PoweredClock,
        *,
        recording: Recording | None = None,
        systemd: Systemd | None = None,
        on_link: Callable[[LinkChanged], None] | None = None,
    ) -> None:
        self._on_link = on_link
        self.inputs, self._waiting = trio.open_memory_channel[Input | Asked](WAITING)
        self.node: NodeLike
        self.store = StoreState(0, 0, False)
        self._make_node = make_node
        self._disk = disk
        self._performer = performer
        self._clock = clock
        self._recording = recording
        self._systemd = systemd or Systemd()
        self.renewal = trio.Event()
        self._own: deque[Input] = deque()  # for the node, from the loop itself
        self._world = _World()
        self._synced_at = float("-inf")
        self._tended_at = self._kept_at = clock.now()
        self._untended = 0

    async def submit(self, given: Input) -> tuple[Notice, ...]:
        """Have the node take an input; the notices of that step, once all it wrote is on disk as it asked."""
        asked = Asked(given)
        await self.inputs.send(asked)
        await asked.done.wait()
        if asked.error is not None:
            raise asked.error
        return asked.notices

    async def submit_all(self, given: Sequence[Input]) -> list[tuple[Notice, ...] | MeshnodeError]:
        """Have the node take inputs in a row: the notices of each, once on disk as asked, or why it was refused."""
        asked = [Asked(one) for one in given]
        for one in asked:
            await self.inputs.send(one)
        for one in asked:
            await one.done.wait()
        return [one.error or one.notices for one in asked]

    async def run(self, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Make the node, then turn for ever."""
        self.node = await self._make_node()
        await self._tend()
        task_status.started()
        while True:
            await self._turn()
            self._systemd.alive()

    async def _turn(self) -> None:
        turn = _Turn()
        with trio.move_on_at(self._wake_at()):
            self._step(turn, await self._next())
        self._drain(turn)
        if trio.current_time() >= self._clock.until(self.node.next_wakeup()):
            self._step(turn, Tick())
        if turn.promise:
            await self._gather_more(turn)
        await self._finish(turn)
        if self._clock.now() >= self._tended_at + TEND_S or self._untended >= TEND_ROWS:
            await self._tend()

    def _wake_at(self) -> float:
        """On trio's clock: when something is due even if nobody says anything."""
        alive = trio.current_time() + (self._systemd.watchdog_s or float("inf"))
        tend = self._clock.until(self._tended_at + TEND_S)
        return min(self._clock.until(self.node.next_wakeup()), tend, alive)

    async def _next(self) -> Input | Asked:
        if self._own:
            return self._own.popleft()
        return await self._waiting.receive()

    def _drain(self, turn: _Turn) -> None:
        """Step all that waits already, up to a batch."""
        for _ in range(BATCH):
            if self._own:
                self._step(turn, self._own.popleft())
                continue
            try:
                self._step(turn, self._waiting.receive_nowait())
            except trio.WouldBlock:
                return

    async def _gather_more(self, turn: _Turn) -> None:
        """While the last sync is fresh: let others join the next one."""
        with trio.move_on_at(self._synced_at + GROUP_S):
            while True:
                self._step(turn, await self._waiting.receive())

    def _step(self, turn: _Turn, given: Input | Asked) -> None:
        now = self._clock.now()
        asked = given if isinstance(given, Asked) else None
        told = given.given if isinstance(given, Asked) else given
        if self._recording is not None:
            self._recording.told(told, now)
        self._world.note(told)
        if self._on_link is not None and isinstance(told, LinkChanged):
            self._on_link(told)
        try:
            effects = self.node.step(told, now)
        except UsageError as error:
            if asked is None:
                raise
            asked.error = error
            effects = []
        if self._recording is not None:
            self._recording.came(effects, now)
        if asked is not None:
            asked.notices = tuple(effect.notice for effect in effects if isinstance(effect, Notify))
            turn.asked.append(asked)
        turn.effects += effects
        turn.promise = turn.promise or any(isinstance(e, Persist | Forget) and e.promise for e in effects)

    async def _finish(self, turn: _Turn) -> None:
        kept = [effect for effect in turn.effects if isinstance(effect, Persist | Forget)]
        if kept:
            try:
                await self._commit(kept, turn.promise)
            except StoreFullError as error:
                await self._start_over(turn, error)
                return
        for asked_for in self._performer.perform(turn.effects):
            self._own.append(await self._disk.answer(asked_for))
        for asked in turn.asked:
            asked.done.set()
        if self._recording is not None:
            self._recording.flush()

    async def _commit(self, kept: list[Persist | Forget], promise: bool) -> None:
        now = self._clock.now()
        await self._disk.commit(kept, now, promise)
        self._kept_at = now
        self._untended += len(kept)
        if any(isinstance(effect, Persist) and _asks_for_renewal(effect) for effect in kept):
            self.renewal.set()
        if promise:
            self._synced_at = trio.current_time()

    async def _start_over(self, turn: _Turn, error: StoreFullError) -> None:
        """Answer nobody's promise; go on from what the disk holds."""
        _log.warning("store full", dropped=len(turn.effects))
        for asked in turn.asked:
            asked.error = asked.error or error
            asked.done.set()
        for session in self._world.sessions:
            self._performer.hang_up(session)
        self.node = await self._make_again()
        self._own.clear()
        self.store = StoreState(0, 0, False)
        await self._tend()
        self._own.extend(self._world.retold())
        await trio.sleep(FULL_PAUSE_S)

    async def _make_again(self) -> NodeLike:
        """A node from the store; not even that can be begun while there is no room at all, so wait for some."""
        while True:
            try:
                return await self._make_node()
            except StoreFullError as error:
                self._turn_away(error)
                if not self.store.refusing:
                    self._say_full()
                self._systemd.alive()
                await trio.sleep(FULL_PAUSE_S)

    def _turn_away(self, error: StoreFullError) -> None:
        """Nothing that waits can be taken; who asked is told, and what holds is remembered."""
        try:
            while True:
                given = self._waiting.receive_nowait()
                if isinstance(given, Asked):
                    given.error = error
                    given.done.set()
                else:
                    self._world.note(given)
        except trio.WouldBlock:
            return

    async def _tend(self) -> None:
        """Mind the store's size, keep `now`, and tell the node when the answer changed."""
        now = self._tended_at = self._clock.now()
        self._untended = 0
        if now >= self._kept_at + KEEP_NOW_S:
            await self._commit([], promise=False)
        before, self.store = self.store, await self._disk.tend(now)
        if (dropped := await self._disk.dropped()).blocks:
            self._own.append(dropped)
        if before.refusing != self.store.refusing or before.limit != self.store.limit:
            self._own.append(self.store)
        if self.store.refusing and not before.refusing:
            self._performer.tell(Warned("store_full", "The store is full: only own words and receipts are kept."))

    def _say_full(self) -> None:
        self.store = replace(self.store, refusing=True)
        self._performer.tell(Warned("store_full", "The disk is full: nothing can be kept until there is room."))


def _asks_for_renewal(effect: Persist) -> bool:
    return any(isinstance(record, FactRecord) and record.name == RENEW_FACT for record in effect.records)


class _World:
    """What a node that is made anew must be told again."""

    def __init__(self) -> None:
        self._links: dict[str, LinkChanged] = {}
        self._peers: dict[str, PeerSeen] = {}
        self._clock: ClockSet | None = None
        self.sessions: set[int] = set()

    def note(self, given: Input) -> None:
        """Remember what holds until it is told otherwise."""
        match given:
            case LinkChanged(link):
                self._links[link] = given
            case PeerSeen(address):
                self._peers[address] = given
            case ClockSet():
                self._clock = given
            case EncounterBegan(session):
                self.sessions.add(session)
            case EncounterEnded(session):
                self.sessions.discard(session)
            case _:
                pass

    def retold(self) -> list[Input]:
        """Everything that holds, in an order that fits."""
        clock: list[Input] = [self._clock] if self._clock else []
        return [*clock, *self._links.values(), *self._peers.values()]

"""What gossip remembers of one neighbour: what it said it has, and how the talk about differences goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.ids import LogId
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.wire.frames import Change

MAX_TOLD: Final = 512
MAX_RESOLVED: Final = 8
MAX_WITNESSED: Final = 1024
DELTAS_AT_ONCE: Final = 4  # each is compared with all we have and all it told: no matter for a hundred in a datagram
HOLD_OFF_S: Final = 10.0
HOLD_OFF_MAX_S: Final = 3600.0


@dataclass(slots=True)
class Peer:
    """One neighbour. `told`: by log handle, the highest head it ever claimed, newest last."""

    frontier: bytes = b""
    told_at: Instant = NEVER  # when it said so first
    met_at: Instant = NEVER  # when it came within reach
    told: dict[bytes, Change] = field(default_factory=dict)
    differs_since: Instant | None = None
    check_at: Instant | None = None
    acted_at: Instant = NEVER
    next_act: Instant = NEVER
    acts: int = 0  # since something new came from it: a digest that changes with each beacon counts like one that stays
    rounds: int = 0  # acts since the difference began, or since something new came of them
    hold_off_s: float = 0.0
    hold_until: Instant = NEVER  # what it claims is not asked for before
    tries: int = 0  # wants since something new came from it
    reset_at: Instant = NEVER
    deltas: tuple[Instant, int] = (NEVER, 0)  # when it told us some last, and how many at that moment
    delta_at: Instant = NEVER  # when we told it a delta last
    delta_for: tuple[bytes, bytes] = (b"", b"")
    delta_next: int = 0  # where the next page of the frontier begins
    complete_for: bytes = b""  # its digest, once what it told adds up to it
    told_all_for: bytes = b""  # our digest, once it heard all that it lacks of it
    wanted_at: Instant = NEVER  # when it asked us for something last
    resolved: dict[tuple[bytes, bytes], None] = field(default_factory=dict)
    witnessed: dict[LogId, int] = field(default_factory=dict)  # heads it vouched for itself
    wants: dict[LogId, tuple[Instant, int]] = field(default_factory=dict)  # asked of it: until when, up to where
    dial_at: Instant = NEVER  # not before
    dial_wait_s: float = 0.0
    node: bytes = b""  # its key
    refusing: bool = False  # its disk is full: what it lacks now it will want later

    def tell(self, change: Change) -> None:
        """It claims a head."""
        known = self.told.pop(change.handle, None)
        if known is not None and (known.head, known.forked) > (change.head, change.forked):
            change = known if not change.forked else change
        self.told[change.handle] = change
        while len(self.told) > MAX_TOLD:
            del self.told[next(iter(self.told))]

    def resolve(self, theirs: bytes, ours: bytes) -> None:
        """An exchange ended with nothing wanted either way: until one of the two changes they count as equal."""
        self.resolved.pop((theirs, ours), None)
        self.resolved[(theirs, ours)] = None
        while len(self.resolved) > MAX_RESOLVED:
            del self.resolved[next(iter(self.resolved))]
        self.settled()

    def may_tell(self, now: Instant) -> bool:
        """True unless it tells more deltas at one moment than a datagram of an honest node holds."""
        at, times = self.deltas
        self.deltas = (now, times + 1 if at == now else 1)
        return self.deltas[1] <= DELTAS_AT_ONCE

    def settled(self) -> None:
        """There is no difference, or one that nobody minds."""
        self.differs_since = self.check_at = None
        self.rounds = 0

    def reconsider(self) -> None:
        """One of us may take what it refused before: no difference is settled any more."""
        self.resolved.clear()
        self.settled()
        self.forgive()
        self.complete_for = self.told_all_for = b""
        self.delta_for = (b"", b"")

    def agrees(self, ours: bytes) -> bool:
        """True when what it said last is what we have, or a settled difference."""
        return self.frontier == ours or (self.frontier, ours) in self.resolved

    def forgive(self) -> None:
        """Something new came from it: it is worth our air again."""
        self.acts = self.tries = 0
        self.hold_off_s = 0.0
        self.next_act = self.hold_until = NEVER

    def hold_off(self) -> float:
        """The wait after an exchange that brought nothing new: 10 s, doubling to an hour (rule 5.3)."""
        self.hold_off_s = min(HOLD_OFF_MAX_S, max(HOLD_OFF_S, 2 * self.hold_off_s))
        return self.hold_off_s

    def open_wants(self, now: Instant) -> int:
        """How many logs we still wait for; those waited for too long are given up."""
        for log in [log for log, (until, _) in self.wants.items() if until <= now]:
            del self.wants[log]
        return len(self.wants)

    def witness(self, log: LogId, head: int) -> bool:
        """It vouched for having a log up to this head; True when that is news."""
        if head <= self.witnessed.get(log, 0):
            return False
        self.witnessed.pop(log, None)
        self.witnessed[log] = head
        while len(self.witnessed) > MAX_WITNESSED:
            del self.witnessed[next(iter(self.witnessed))]
        return True

"""How far each message has come. A state only moves forward, and each has a witness that nobody else can fake.

    written < kept (own disk) < on_air (the radio took it) < carried (valid proofs of N bound nodes; of a post: N whose
    frontier covers it) < delivered (the receipt) < read (a sealed note)          expired: over, before it was delivered

Overheard copies, beacons and unverified frames never raise one (rule 9.8).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.timers import Timers
from meshnode.core.ids import MessageId
from meshnode.core.notices import StateChanged
from meshnode.core.records import STATES, Snapshot, StateRecord

EXPIRED: Final = "expired"
NEVER: Final = 0.0  # as `expires_at`
MAX_WITNESSES: Final = 16
_REMEMBERED: Final = 10_000  # finished messages whose state is kept in memory


class States:
    """The states of the messages of one node; the disk has them all."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._states: dict[MessageId, StateRecord] = {}
        self._expiry: Timers[MessageId] = Timers(ctx.chat_due.sooner)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, StateRecord):
                self._states[record.message] = record
                self._await_end(record)

    def get(self, message: MessageId) -> StateRecord | None:
        """Where a message stands, if it is remembered."""
        return self._states.get(message)

    def begin(self, message: MessageId, expires_at: Instant) -> StateRecord:
        """A message is on its way to our disk; the row is for the caller's Persist, `tell` for after it."""
        record = StateRecord(message, "kept", (), expires_at, 0, self._ctx.now)
        self._keep(record)
        return record

    def tell(self, message: MessageId) -> None:
        """Say where a message stands."""
        record = self._states.get(message)
        if record is not None:
            self._ctx.notify(StateChanged(message, record.state, record.witnesses))

    def advance(self, message: MessageId, state: str, *witnesses: str) -> bool:
        """A witness vouches for a state; true if the message moved, or gained a witness."""
        before = self._states.get(message)
        if before is None or rank(state) < rank(before.state) or before.state == EXPIRED:
            return False
        known = before.witnesses if before.state == state else ()
        vouching = tuple(dict.fromkeys((*known, *witnesses)))[:MAX_WITNESSES]
        if (state, vouching) == (before.state, before.witnesses):
            return False
        record = replace(before, state=state, witnesses=vouching, changed_at=self._ctx.now)
        self._keep(record)
        self._ctx.persist(record)
        self.tell(message)
        return True

    def read_here(self, message: MessageId) -> None:
        """A message that came to us was read."""
        known = self._states.get(message)
        if known is None or known.state != "read":
            record = StateRecord(message, "read", (), NEVER, 0, self._ctx.now)
            self._keep(record)
            self._ctx.persist(record)
            self.tell(message)

    def resealed(self, message: MessageId) -> StateRecord | None:
        """Count one more try with a new key; the row is for the caller's Persist."""
        before = self._states.get(message)
        if before is None:
            return None
        record = replace(before, attempts=before.attempts + 1)
        self._keep(record)
        return record

    def expire(self) -> list[MessageId]:
        """Messages whose time is over before they were delivered."""
        over = list(self._expiry.due(self._ctx.now))
        return [message for message in over if self.advance(message, EXPIRED)]

    def wakeup(self) -> Instant | None:
        """When the next one expires."""
        return self._expiry.next()

    def _keep(self, record: StateRecord) -> None:
        self._states.pop(record.message, None)
        self._states[record.message] = record
        self._await_end(record)
        if len(self._states) > _REMEMBERED:
            self._forget_one()

    def _await_end(self, record: StateRecord) -> None:
        if record.expires_at != NEVER and rank(record.state) < rank("delivered"):
            self._expiry.set(record.message, record.expires_at)
        else:
            self._expiry.cancel(record.message)

    def _forget_one(self) -> None:
        for message in self._states:
            if message not in self._expiry:
                del self._states[message]
                return


def rank(state: str) -> int:
    """How far a state is; expired is beyond all that can still happen."""
    return len(STATES) if state == EXPIRED else STATES.index(state)

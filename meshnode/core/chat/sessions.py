"""The sessions with the devices of others: which one to send on, which tag belongs to which, when one is over.

A session is replaced, never mended: after a week, 96 unproved or 1,000 messages, or when a receipt stays out for a day.
Retired sessions stay open for receiving for as long as an envelope can live. Where both sides began one at the same
time both receive on both, and send on the one with the lower H(root) once they know that the other holds it (rule 7.7).

    state on disk = incarnation of the other device 4 | 1: twice its distance in hops, 1 more if retired | ratchet
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.chat.distance import Distance
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import DeviceKey, Incarnation, PersonaKey, Tag
from meshnode.core.records import RatchetRecord, RecordKey, Snapshot
from meshnode.core.sealing.envelope import LONGEST_S
from meshnode.core.sealing.ratchet import REPLACE_AFTER_S, Ratchet

MAX_PER_DEVICE: Final = 32
_OVER_S: Final = REPLACE_AFTER_S + LONGEST_S + 86400.0
_INCARNATION_SIZE: Final = 4
_RETIRED: Final = 1


@dataclass(slots=True, eq=False)
class Session:
    """One session. `retired`: no more sending on it."""

    device: DeviceKey
    persona: PersonaKey
    incarnation: Incarnation
    began_at: Instant
    ratchet: Ratchet
    retired: bool = False
    distance: Distance = field(default_factory=Distance)

    @property
    def key(self) -> tuple[DeviceKey, bytes]:
        """Names it among all."""
        return self.device, self.ratchet.root_id

    def row(self) -> RatchetRecord:
        """As it stands on disk."""
        told = self.distance.hops << 1 | (_RETIRED if self.retired else 0)
        state = self.incarnation + bytes((told,)) + self.ratchet.encode_state()
        return RatchetRecord(self.device, self.ratchet.root_id, self.persona, self.began_at, state)


class Sessions:
    """All sessions of one node, by device and by the tags they expect."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._sessions: dict[tuple[DeviceKey, bytes], Session] = {}
        self._tags: dict[Tag, Session] = {}

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk; the snapshot is our own, so a damaged state is an error of the store."""
        for record in snapshot.records:
            if isinstance(record, RatchetRecord):
                incarnation = Incarnation(record.state[:_INCARNATION_SIZE])
                ratchet = Ratchet.decode_state_untrusted(record.state[_INCARNATION_SIZE + 1 :])
                told = record.state[_INCARNATION_SIZE]
                retired, distance = bool(told & _RETIRED), Distance(told >> 1)
                self._index(
                    Session(record.device, record.persona, incarnation, record.began_at, ratchet, retired, distance)
                )

    def expecting(self, tag: Tag) -> Session | None:
        """The session in which an envelope of this tag would open."""
        return self._tags.get(tag)

    def awaiting(self, tag: Tag) -> tuple[Session, int] | None:
        """The session in which we sent under this tag and have no proof yet, and the place in its chain."""
        for session in self._sessions.values():
            if (index := session.ratchet.sent_index(tag)) is not None:
                return session, index
        return None

    def begins(self, tag: Tag) -> bool:
        """A first message went under this tag, and the other may not have it: what follows opens only after it."""
        session, index = self.awaiting(tag) or (None, 0)
        return session is not None and index == 0 and not session.ratchet.confirmed and not session.retired

    def of(self, device: DeviceKey) -> Iterator[Session]:
        """The sessions with a device."""
        return (session for session in self._sessions.values() if session.device == device)

    def add(self, session: Session) -> tuple[Tag, ...]:
        """A session began: the tags it expects. The device is as far away as it was."""
        mine = sorted(self.of(session.device), key=lambda held: held.began_at)
        if mine:
            session.distance = mine[-1].distance
        for oldest in mine[: max(0, len(mine) - MAX_PER_DEVICE + 1)]:
            self._drop(oldest)
        self._index(session)
        return tuple(session.ratchet.expected)

    def moved(self, session: Session, before: frozenset[Tag]) -> tuple[Tag, ...]:
        """An envelope was opened: give back the tags that came into the window, forget those used up."""
        now = session.ratchet.expected
        for tag in before - now.keys():
            self._tags.pop(tag, None)
        fresh = tuple(tag for tag in now if tag not in before)
        for tag in fresh:
            self._tags[tag] = session
        return fresh

    def to_send_on(self, device: DeviceKey, incarnation: Incarnation) -> Session | None:
        """The session for the next message, if there is one that is not worn."""
        usable = [
            s
            for s in self.of(device)
            if not s.retired and s.incarnation == incarnation and not s.ratchet.worn(self._ctx.now - s.began_at)
        ]
        confirmed = [session for session in usable if session.ratchet.confirmed]
        if confirmed:
            return min(confirmed, key=lambda session: session.ratchet.root_id)
        return max(usable, key=lambda session: session.began_at, default=None)

    def crowded(self, device: DeviceKey, incarnation: Incarnation) -> bool:
        """No session to send on, but one that a receipt would open again."""
        held = [s for s in self.of(device) if s.incarnation == incarnation and s.ratchet.confirmed and not s.retired]
        young = [s for s in held if self._ctx.now - s.began_at < REPLACE_AFTER_S]
        return self.to_send_on(device, incarnation) is None and any(s.ratchet.crowded for s in young)

    def met(self, device: DeviceKey, incarnation: Incarnation) -> bool:
        """The other, as it is now, opened something of ours or sealed to our prekey: it holds our certificate.

        Not said where a session was retired because answers stayed out: who knows what is left over there.
        """
        return any(s.ratchet.confirmed and not s.retired for s in self.of(device) if s.incarnation == incarnation)

    def retire(self, device: DeviceKey) -> None:
        """No more sending on what there is with a device."""
        retiring = [session for session in self.of(device) if not session.retired]
        for session in retiring:
            session.retired = True
        if retiring:
            self._ctx.persist(*(session.row() for session in retiring), promise=True)

    def drop_device(self, device: DeviceKey) -> None:
        """The device was removed by its persona: its tags leave the window (rule 15.1)."""
        for session in list(self.of(device)):
            self._drop(session)

    def expire(self) -> None:
        """Drop sessions under which nothing can be on its way any more, and old skipped keys."""
        now = self._ctx.now
        for session in list(self._sessions.values()):
            if session.began_at + _OVER_S <= now:
                self._drop(session)
                continue
            before = frozenset(session.ratchet.expected)
            if session.ratchet.expire(now):
                self.moved(session, before)
                self._ctx.persist(session.row())

    def _index(self, session: Session) -> None:
        self._sessions[session.key] = session
        for tag in session.ratchet.expected:
            self._tags[tag] = session

    def _drop(self, session: Session) -> None:
        del self._sessions[session.key]
        for tag in session.ratchet.expected:
            self._tags.pop(tag, None)
        self._ctx.forget(RecordKey(RatchetRecord, session.key))

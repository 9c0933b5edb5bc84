"""The inner hash chain with each device of a contact: what we sent last, what we got, what is missing between.

It is what makes a message arrive exactly once: a seq that is not above the last one and not a known gap was here
before, whichever session carried it. When a device begins anew, the chain of its old incarnation is set aside, not
forgotten: what it wrote may still be on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from meshnode.core.context import Context
from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import DeviceKey, Incarnation, PersonaKey
from meshnode.core.records import ConversationRecord, FactRecord, Record, RecordKey, Snapshot
from meshnode.core.sealing.inner import NO_PREVIOUS, PREVIOUS_SIZE, Inner, chain_hash

MAX_GAPS: Final = 1024
MAX_ASIDE: Final = 64  # chains of a device's old incarnations: it may say that it began anew as often as it likes
_ASIDE: Final = "chain/"

Key = tuple[PersonaKey, DeviceKey]


@dataclass(frozen=True, slots=True)
class Got:
    """The place of an arrived message. `rows` are for the caller's Persist; none when it was here before."""

    new: bool
    missing: int = 0
    rows: tuple[Record, ...] = ()


class Chains:
    """Both directions. What we sent to a persona stands under our own device, what we got under theirs."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._chains: dict[Key, ConversationRecord] = {}
        self._aside: dict[tuple[DeviceKey, bytes], ConversationRecord] = {}

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, ConversationRecord):
                self._chains[record.persona, record.device] = record
            elif isinstance(record, FactRecord) and record.name.startswith(_ASIDE):
                kept = _decode_aside(record.value)
                self._aside[kept.device, kept.incarnation] = kept

    def sent(self, persona: PersonaKey) -> ConversationRecord:
        """What we sent last to a persona, in this incarnation."""
        keys = self._ctx.keys
        record = self._chains.get((persona, keys.device)) or _empty(persona, keys.device, keys.incarnation)
        if record.incarnation != keys.incarnation:
            return replace(record, incarnation=keys.incarnation, sent_seq=0, sent_hash=NO_PREVIOUS)
        return record

    def got(self) -> Iterator[ConversationRecord]:
        """The chains of what we got."""
        return (record for record in self._chains.values() if record.got_seq)

    def send(self, persona: PersonaKey, inner: Inner) -> ConversationRecord:
        """We write the next one; the row is for the caller's Persist."""
        record = replace(self.sent(persona), sent_seq=inner.seq, sent_hash=chain_hash(inner))
        self._chains[persona, record.device] = record
        return record

    def get(self, persona: PersonaKey, device: DeviceKey, incarnation: Incarnation, inner: Inner) -> Got:
        """One arrived: is it new, and how many before it are missing?"""
        record, rows = self._chain_of(persona, device, incarnation)
        if inner.seq <= record.got_seq and inner.seq not in record.gaps:
            return Got(False)
        if inner.seq in record.gaps:
            gaps = tuple(seq for seq in record.gaps if seq != inner.seq)
            after = replace(record, gaps=gaps)
        else:
            if inner.seq == record.got_seq + 1 and inner.previous != record.got_hash:
                self._ctx.count("conversation_hash_differs")
            opened = range(max(record.got_seq + 1, inner.seq - MAX_GAPS), inner.seq)
            gaps = (*record.gaps, *opened)[-MAX_GAPS:]
            after = replace(record, gaps=gaps, got_seq=inner.seq, got_hash=chain_hash(inner))
        return Got(True, sum(seq < inner.seq for seq in after.gaps), (*rows, self._keep(after)))

    def _chain_of(
        self, persona: PersonaKey, device: DeviceKey, incarnation: Incarnation
    ) -> tuple[ConversationRecord, tuple[Record, ...]]:
        """The chain of an incarnation; a newer one sets the old chain aside."""
        record = self._chains.get((persona, device))
        if record is None:
            return _empty(persona, device, incarnation), ()
        if record.incarnation == incarnation:
            return record, ()
        aside = self._aside.get((device, incarnation))
        if aside is not None:
            return aside, ()
        self._aside[device, record.incarnation] = record
        self._forget_oldest(device)
        fresh = replace(record, incarnation=incarnation, got_seq=0, got_hash=NO_PREVIOUS, gaps=())
        self._chains[persona, device] = fresh
        return fresh, (_aside_row(record),)

    def _forget_oldest(self, device: DeviceKey) -> None:
        aside = [key for key in self._aside if key[0] == device]
        for key in aside[: max(0, len(aside) - MAX_ASIDE)]:
            self._ctx.forget(RecordKey(FactRecord, (_aside_row(self._aside.pop(key)).name,)))

    def _keep(self, record: ConversationRecord) -> Record:
        if (record.device, record.incarnation) in self._aside:
            self._aside[record.device, record.incarnation] = record
            return _aside_row(record)
        self._chains[record.persona, record.device] = record
        return record


def _empty(persona: PersonaKey, device: DeviceKey, incarnation: Incarnation) -> ConversationRecord:
    return ConversationRecord(persona, device, incarnation, 0, NO_PREVIOUS, 0, NO_PREVIOUS, ())


def _aside_row(record: ConversationRecord) -> FactRecord:
    numbers = b"".join(number.to_bytes(4, "big") for number in (record.got_seq, len(record.gaps), *record.gaps))
    value = record.persona + record.device + record.incarnation + record.got_hash + numbers
    return FactRecord(f"{_ASIDE}{record.device.hex()}/{record.incarnation.hex()}", value)


def _decode_aside(value: bytes) -> ConversationRecord:
    cursor = Cursor(value, "a conversation set aside")
    persona, device = PersonaKey(cursor.take(32)), DeviceKey(cursor.take(32))
    incarnation, got_hash = Incarnation(cursor.take(4)), cursor.take(PREVIOUS_SIZE)
    got_seq = cursor.number(4)
    gaps = tuple(cursor.number(4) for _ in range(cursor.number(4)))
    return ConversationRecord(persona, device, incarnation, 0, NO_PREVIOUS, got_seq, got_hash, gaps)

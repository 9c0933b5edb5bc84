"""The request box: first words of people who are not in the address book. A hundred, and no receipt for any of them.

So strangers can neither fill the inbox nor learn who is alive (rule 8.8). When a person becomes a contact, the
receipts that were held back go out.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.context import Context
from meshnode.core.ids import PersonaKey, Receipt, Tag
from meshnode.core.notices import ContactChanged
from meshnode.core.records import FactRecord, RecordKey, Snapshot, TombstoneRecord
from meshnode.core.sealing.envelope import LONGEST_S, RECEIPT_SIZE, receipt_tag

MAX_REQUESTS: Final = 100
_BOX: Final = "stranger/"


class RequestBox:
    """Receipts held back, by the persona that would get them."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._held: dict[str, PersonaKey] = {}
        self._receipts: dict[str, Receipt] = {}

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, FactRecord) and record.name.startswith(_BOX):
                self._held[record.name] = PersonaKey(record.value[RECEIPT_SIZE:])
                self._receipts[record.name] = Receipt(record.value[:RECEIPT_SIZE])

    @property
    def full(self) -> bool:
        """No room for another."""
        return len(self._held) >= MAX_REQUESTS

    def put(self, persona: PersonaKey, stone: TombstoneRecord) -> FactRecord:
        """Hold a receipt back; the row is for the caller's Persist."""
        name = _BOX + stone.tag.hex()
        self._held[name] = persona
        self._receipts[name] = Receipt(stone.receipt)
        return FactRecord(name, stone.receipt + persona)

    def accept(self, persona: PersonaKey) -> list[TombstoneRecord]:
        """The person became a contact: the receipts that may go out now, on disk already."""
        names = [name for name, held in self._held.items() if held == persona]
        until = self._ctx.now + LONGEST_S
        stones = []
        for name in names:
            receipt = self._receipts.pop(name)
            del self._held[name]
            stones.append(TombstoneRecord(Tag(receipt_tag(receipt)), receipt, until))
        if stones:
            self._ctx.persist(*stones, promise=True)
            self._ctx.forget(*(RecordKey(FactRecord, (name,)) for name in names))
        return stones

    def tell(self, persona: PersonaKey) -> None:
        """Say that somebody unknown wrote."""
        text = f"{persona[:4].hex()} is not among your contacts and wrote to you."
        self._ctx.notify(ContactChanged(persona, "request", text))

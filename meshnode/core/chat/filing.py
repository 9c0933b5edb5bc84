"""Filing messages: the cursor that grows with arrival, and request ids: a repeated call is the same message."""

from __future__ import annotations

from typing import Final

from meshnode.core.clock import ABOUT_S
from meshnode.core.context import Context
from meshnode.core.ids import MessageId
from meshnode.core.notices import MessageFiled
from meshnode.core.records import FactRecord, MessageRecord, RecordKey, Snapshot

CURSOR_FACT: Final = "cursor"
_REQUEST: Final = "request/"
MAX_REQUESTS: Final = 1000


class Filing:
    """Counts and remembers for one node; rows are for the caller's Persist."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._cursor = 0
        self._requests: dict[str, MessageId] = {}

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        known: list[tuple[int, str, MessageId]] = []
        for record in snapshot.records:
            match record:
                case FactRecord(name, value) if name == CURSOR_FACT:
                    self._cursor = int.from_bytes(value, "big")
                case FactRecord(name, value) if name.startswith(_REQUEST):
                    known.append((int.from_bytes(value[16:], "big"), name, MessageId(value[:16])))
        self._requests = {name: message for _, name, message in sorted(known)}

    def next(self) -> tuple[int, FactRecord]:
        """The cursor of the next message, and its row."""
        self._cursor += 1
        return self._cursor, FactRecord(CURSOR_FACT, self._cursor.to_bytes(8, "big"))

    def requested(self, request: bytes) -> MessageId | None:
        """The message that was written for a request id."""
        return self._requests.get(_REQUEST + request.hex()) if request else None

    def request_row(self, request: bytes, message: MessageId) -> tuple[FactRecord, ...]:
        """Remember the request; the oldest of a thousand is forgotten."""
        if not request:
            return ()
        name = _REQUEST + request.hex()
        self._requests[name] = message
        if len(self._requests) > MAX_REQUESTS:
            oldest = next(iter(self._requests))
            del self._requests[oldest]
            self._ctx.forget(RecordKey(FactRecord, (oldest,)))
        return (FactRecord(name, message + self._cursor.to_bytes(8, "big")),)

    def date(self) -> float:
        """Unix seconds now, 0 while the date is unknown."""
        clock = self._ctx.date
        return clock.at(self._ctx.now) if clock.known else 0.0

    def about(self, written: float = 0.0) -> bool:
        """Whether a date filed now is not sure to five minutes: ours, or one that lies so far ahead that it is cut."""
        clock, now = self._ctx.date, self._ctx.now
        return clock.known and (clock.uncertainty_at(now) > ABOUT_S or written > clock.at(now) + ABOUT_S)

    def tell(self, message: MessageRecord) -> None:
        """Say that a message was filed."""
        self._ctx.notify(MessageFiled(message))

"""Writing a parcel: every log from its start, page by page, then hang up. The host seals the records into a file.

Frames of one parcel are runs with full log ids: whoever finds the parcel on its way knows nothing of us.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.context import Context
from meshnode.core.effects import Hangup, ReadStored, SendRecord
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.serve import fork_frame, runs
from meshnode.core.ids import DeviceKey, LogId, log_device
from meshnode.core.inputs import Stored
from meshnode.core.wire.codec import encode_frame

PAGE: Final = 256  # blocks read at once
RECORD: Final = 32 * 1024
TOKENS: Final = 3 << 32  # tokens of exports begin here, so that they meet no other part's


@dataclass(slots=True)
class _Parcel:
    session: int
    since: float
    pages: deque[tuple[LogId, int, int]] = field(default_factory=deque)


class Export:
    """Parcels being written."""

    def __init__(self, ctx: Context, logs: Logs) -> None:
        self._ctx = ctx
        self._logs = logs
        self._reading: dict[int, _Parcel] = {}
        self._token = TOKENS

    def begin(self, session: int, since: float, without: Collection[DeviceKey] = ()) -> None:
        """Write all logs, or only blocks that arrived at `since` or later; not those of the reader's own devices."""
        parcel = _Parcel(session, since)
        for log in self._logs.book.logs.values():
            if log.proof is not None:
                self._ctx.emit(SendRecord(session, encode_frame(fork_frame(log.proof))))
            if log_device(log.id) in without:
                continue
            for first in range(1, log.head + 1, PAGE):
                parcel.pages.append((log.id, first, min(PAGE, log.head - first + 1)))
        self._next(parcel)

    def stored(self, stored: Stored) -> bool:
        """A page was read; False when somebody else asked for it."""
        parcel = self._reading.pop(stored.token, None)
        if parcel is None:
            return False
        rows = [row for row in stored.blocks if row.received_at >= parcel.since]
        for run, _, _ in runs(rows, RECORD, {row.log for row in rows}):
            self._ctx.emit(SendRecord(parcel.session, encode_frame(run)))
        self._next(parcel)
        return True

    def _next(self, parcel: _Parcel) -> None:
        if not parcel.pages:
            self._ctx.emit(Hangup(parcel.session))
            return
        self._token += 1
        self._reading[self._token] = parcel
        self._ctx.emit(ReadStored(self._token, (parcel.pages.popleft(),)))

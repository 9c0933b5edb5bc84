"""What a node asks of its host, in order. A host commits every Persist and Forget of a step before its first Send."""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.ids import EnvelopeId, FileId, LogId
from meshnode.core.notices import Notice
from meshnode.core.records import Record, RecordKey


@dataclass(frozen=True, slots=True)
class Persist:
    """Write these rows (insert or replace). `promise`: the disk must have them before anything of this step is sent."""

    records: tuple[Record, ...]
    promise: bool = False


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete these rows."""

    keys: tuple[RecordKey, ...]
    promise: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Put one sealed datagram on a link: multicast when `to` is None, else to that address. `cls` for the counters."""

    link: str
    to: str | None
    data: bytes
    cls: int


@dataclass(frozen=True, slots=True)
class SendRecord:
    """Send frames in a row as one record of a session; the host seals it."""

    session: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a session to an address; answered by EncounterBegan or DialFailed."""

    address: str
    carrier: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close a session after what was sent is written."""

    session: int


@dataclass(frozen=True, slots=True)
class ReadStored:
    """Read blocks (log, first seq, count; bodies included), envelopes or chunks; answer with `Stored(token, ...)`.

    No more than the first `most` of those blocks; 0: all that are there.
    """

    token: int
    blocks: tuple[tuple[LogId, int, int], ...] = ()
    envelopes: tuple[EnvelopeId, ...] = ()
    most: int = 0
    chunks: tuple[tuple[FileId, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell whoever watches."""

    notice: Notice


Effect = Persist | Forget | Send | SendRecord | Dial | Hangup | ReadStored | Notify

"""What the daemon asks of its carriers, and what it offers to the control server: the few Protocols between them.

Each part has one `run`: it serves until it is cancelled, which is how it is stopped, and calls `task_status.started()`
as soon as the others may count on it. A part that raises is started again after a while (supervise.py), so `run` may be
called several times on one object. What a part learns it sends into `inputs`, a bounded channel: a full one makes it
wait, so a flood is held up where it comes from. The other way all calls are plain functions that neither wait nor
raise: what cannot be sent is lost like any frame, and counted by the part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from meshnode.core.ids import ChannelId, FileId, MessageId, PersonaKey
from meshnode.core.inputs import Input
from meshnode.core.notices import Notice, Waiting
from meshnode.core.records import (
    ChannelRecord,
    ChunkRecord,
    ContactRecord,
    FileRecord,
    MessageRecord,
    Record,
    StateRecord,
)
from meshnode.errors import MeshnodeError
from meshnode.store.reads import Reads

R = TypeVar("R", bound=Record)
T = TypeVar("T")

Inputs = trio.MemorySendChannel[Input]
Started = trio.TaskStatus[None]


class LinkAdapter(Protocol):
    """One bound interface: datagrams in and out.

    Gives `LinkChanged` when it comes, changes or goes, and `FrameReceived`.
    """

    @property
    def name(self) -> str:
        """The name `Send.link` and `LinkChanged.link` use."""
        ...

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; an interface that is missing or vanishes is waited for, not an error."""
        ...

    def send(self, to: str | None, data: bytes) -> None:
        """Put one datagram on the air: multicast for None, else to that address. Dropped and counted if it cannot."""
        ...

    def status(self) -> Mapping[str, object]:
        """`name`, `driver`, `state` and what else is known, ready for JSON."""
        ...


class Sessions(Protocol):
    """TCP sessions on the overlay and on link-local addresses, handshake and record seal included.

    Gives `EncounterBegan`, `RecordReceived`, `EncounterEnded`, `SessionWritable`, `DialFailed`. Its session numbers are
    above 0 and never used twice in one run of the daemon; the daemon keeps those below 0 for parcels.
    """

    @property
    def counters(self) -> Mapping[str, int]:
        """Who was not let in, and why; `status` shows them with those of the core."""
        ...

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, and serve what was dialled, until cancelled."""
        ...

    def dial(self, address: str, carrier: str, link: str) -> None:
        """Open a session; `EncounterBegan` or `DialFailed` follows. `carrier` is "overlay" or "link"."""
        ...

    def send(self, session: int, data: bytes) -> None:
        """Queue one record; `SessionWritable` follows when the queue is short again. Unknown sessions are ignored."""
        ...

    def hangup(self, session: int) -> None:
        """Close after what is queued has been written; `EncounterEnded` follows."""
        ...

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """End the sessions over these interfaces, and open none there until told otherwise."""
        ...

    async def close_all(self) -> None:
        """Write what is queued and the final records, for at most a second, and close everything."""
        ...

    def status(self) -> Sequence[Mapping[str, object]]:
        """One row for each open session, ready for JSON: see `replies.SessionInfo`."""
        ...


class Overlay(Protocol):
    """Yggdrasil, or none. Gives `PeerSeen` for peers that may be dialled."""

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Attach or supervise until cancelled; `started` once it is known whether there is an address."""
        ...

    def status(self) -> Mapping[str, object]:
        """`backend`, `address`, `public_key`, `peers`, ready for JSON; empty strings where unknown."""
        ...

    async def add_peer(self, uri: str) -> None:
        """Peer with this address from now on; OverlayError if it cannot be."""
        ...

    async def remove_peer(self, uri: str) -> None:
        """Stop peering with it; OverlayError if it is not a peer."""
        ...

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """Drop the peerings over these interfaces, and make none there until told otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class FileHere:
    """What is here of a file: its row, and how many of its chunks."""

    record: FileRecord
    chunks: int


@dataclass(frozen=True, slots=True)
class Filed:
    """A message of the inbox and where it stands; a message that arrived and was not read has no state."""

    message: MessageRecord
    state: StateRecord | None
    here: FileHere | None = None  # of the file that goes with it


@dataclass(frozen=True, slots=True)
class HealthWarning:
    """Something a person should know: a documented code, what it is, why, what to do, and when (Unix seconds or 0)."""

    code: str
    text: str
    cause: str
    remedy: str
    at: float


class ControlHandlers(Protocol):
    """What the daemon does for the control server. Everything raises MeshnodeError with one sentence when it cannot."""

    async def submit(self, given: Input) -> tuple[Notice, ...]:
        """Have the node take one input; the notices of that step, once all it wrote is on disk as it asked."""
        ...

    async def submit_all(self, given: Sequence[Input]) -> list[tuple[Notice, ...] | MeshnodeError]:
        """Have the node take inputs in a row, so that they share a turn: the notices of each, or why it was refused."""
        ...

    async def inbox(
        self, since: int = 0, contact: PersonaKey | None = None, channel: ChannelId | None = None, limit: int = 100
    ) -> list[Filed]:
        """Messages with a cursor above `since`, oldest first."""
        ...

    async def before_last(self, contact: PersonaKey | None, channel: ChannelId | None, limit: int) -> int:
        """The cursor after which the newest `limit` messages stand: of all, of one contact, or of one channel."""
        ...

    async def read(self, question: Callable[[Reads], T]) -> T:
        """Anything else of the store, a page at a time."""
        ...

    async def copy_store(self, target: Path) -> None:
        """Write a copy of the store as it is now; StoreError where it cannot be."""
        ...

    async def message(self, prefix: bytes) -> Filed | None:
        """The one message whose id begins so; UsageError if several do."""
        ...

    async def attached(self) -> list[Filed]:
        """The messages that announce a file, oldest first."""
        ...

    async def files(self) -> list[FileHere]:
        """The files that are here, or partly, those kept for others too."""
        ...

    async def chunks(self, wanted: Sequence[tuple[FileId, int]]) -> tuple[ChunkRecord, ...]:
        """The chunks (file, number) that are here, in the order asked."""
        ...

    def waiting_for(self, message: MessageId) -> str:
        """What an own message still needs of the mesh, in a few words; empty if nothing, or if it is not known."""
        ...

    def queue(self) -> Sequence[Waiting]:
        """What waits for air, for a carrier, or for a key, most urgent first."""
        ...

    async def contacts(self) -> list[ContactRecord]:
        """The address book, by name."""
        ...

    async def channels(self) -> list[tuple[ChannelRecord, int]]:
        """The channels known here by name, each with how many of its messages are unread."""
        ...

    async def every(self, kind: type[R]) -> list[R]:
        """All records of one class; for small tables (devices, prekeys, envelopes)."""
        ...

    @property
    def now(self) -> float:
        """The powered-on second it is for the node."""
        ...

    async def export(self, to: PersonaKey | None = None, since: float = 0.0) -> list[bytes]:
        """The records (frames in a row) of a parcel."""
        ...

    async def import_records(self, records: Sequence[bytes]) -> Mapping[str, int]:
        """Take the opened records of a parcel; counts `blocks`, `envelopes`, `chunks`, `refused`."""
        ...

    def status(self) -> dict[str, object]:
        """All that `meshnode status --json` prints."""
        ...

    def warnings(self) -> tuple[HealthWarning, ...]:
        """What was found since the start and still holds, newest last."""
        ...

    async def add_peer(self, uri: str) -> str:
        """Peer on the overlay, kept over restarts; says in a sentence whether it works."""
        ...

    async def remove_peer(self, uri: str) -> None:
        """Forget an overlay peer."""
        ...

    def stop(self) -> None:
        """End the daemon cleanly."""
        ...

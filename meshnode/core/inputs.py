"""What a host may tell a node. Frozen facts; the core believes none of their bytes."""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.clock import WallClock
from meshnode.core.ids import ChannelId, DeviceKey, FileId, LogId, MessageId, NodeKey, PersonaKey
from meshnode.core.records import BlockRecord, ChunkRecord, EnvelopeRecord
from meshnode.core.settings import LinkSettings


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due timers run."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A link came up (settings given), changed, or went away (None)."""

    link: str
    settings: LinkSettings | None


@dataclass(frozen=True, slots=True)
class LinkUsed:
    """The counters of an interface since it appeared, by the kernel: ours and everybody else's.

    Octets with the 14 of the Ethernet header. `group_*`: the part of what was sent that went to groups. `retries`:
    frames the radio says it sent again.
    """

    link: str
    sent_packets: int
    sent_octets: int
    group_packets: int
    group_octets: int
    received_packets: int
    received_octets: int
    retries: int = 0


@dataclass(frozen=True, slots=True)
class StationSeen:
    """The radio of a link has somebody in hearing whom it had not before: perhaps a node. A hint, and no proof."""

    link: str


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A datagram heard on a link: still sealed. `source` answers by unicast; `multicast` is how it was sent."""

    link: str
    source: str
    multicast: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class EncounterBegan:
    """A session with an authenticated peer is open. `carrier` is "overlay", "link" (TCP on link-local) or "parcel"."""

    session: int
    node: NodeKey
    carrier: str
    address: str
    initiator: bool


@dataclass(frozen=True, slots=True)
class RecordReceived:
    """One opened record of a session or parcel: frames in a row."""

    session: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EncounterEnded:
    """The session is over, whoever ended it."""

    session: int


@dataclass(frozen=True, slots=True)
class SessionWritable:
    """The peer has taken what was sent: the session's send queue is short again, `queued` bytes are left in it."""

    session: int
    queued: int


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A session asked for by `Dial` could not be opened."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeerSeen:
    """An overlay peer, or one a person configured, that may be dialled. Gone when `present` is False.

    `uplink`: it is peered with by a person's word, not as a neighbour on the bound interface. `calls`: it may call us
    as well, and of two that see each other at once one is to be first.
    """

    address: str
    carrier: str
    present: bool = True
    uplink: bool = False
    calls: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to `ReadStored`: the items that are still there, in the order asked."""

    token: int
    blocks: tuple[BlockRecord, ...] = ()
    envelopes: tuple[EnvelopeRecord, ...] = ()
    chunks: tuple[ChunkRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreState:
    """How full the store is; `refusing` when nothing but own words, chain steps and receipts may be written."""

    used: int
    limit: int
    refusing: bool


@dataclass(frozen=True, slots=True)
class BodiesDropped:
    """The store made room: the bodies of these blocks (log, seq) are gone, their headers stay."""

    blocks: tuple[tuple[LogId, int], ...]


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The host learnt (or lost) the date."""

    clock: WallClock


@dataclass(frozen=True, slots=True)
class Compose:
    """A person writes. To a contact's persona, or to a channel; `request` makes a repeated call the same message.

    `file` is the manifest of a file that is whole here.
    """

    text: str
    to: PersonaKey | None = None
    channel: ChannelId | None = None
    cls: int = 2
    request: bytes = b""  # 16 random bytes from the caller, or empty
    prompt: bool = False  # somebody waits: the receipt shall not wait for company
    probe: bool = False  # an empty message whose way is traced
    file: bytes = b""


@dataclass(frozen=True, slots=True)
class KeepFile:
    """A person attaches a file: its chunks follow, then a message that announces it."""

    file: FileId
    size: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class KeepChunks:
    """Chunks of a file begun by `KeepFile`, from number `first` on, as they travel. The host hashed them."""

    file: FileId
    first: int
    bodies: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FetchFile:
    """A person wants a file whose manifest is here."""

    file: FileId
    size: int


@dataclass(frozen=True, slots=True)
class DropFile:
    """A person wants a file no longer: neither kept nor fetched."""

    file: FileId


@dataclass(frozen=True, slots=True)
class MarkRead:
    """A person has read these messages."""

    messages: tuple[MessageId, ...]


@dataclass(frozen=True, slots=True)
class SetContact:
    """A contact was added or changed in the address book."""

    persona: PersonaKey
    name: str
    verified: bool
    blocked: bool


@dataclass(frozen=True, slots=True)
class RemoveContact:
    """A contact was removed from the address book."""

    persona: PersonaKey


@dataclass(frozen=True, slots=True)
class SetChannel:
    """A public channel was joined or left."""

    channel: ChannelId
    name: str
    joined: bool


@dataclass(frozen=True, slots=True)
class RevokeDevice:
    """The person removes a device certificate; `statement` is the signed removal (identity/certificate.py)."""

    statement: bytes


@dataclass(frozen=True, slots=True)
class AdoptBranches:
    """The person says of a device of theirs whose logs split: what this node holds of them is right."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class BeginExport:
    """Write a parcel: the host opens pseudo-session `session` (carrier "parcel") and takes `SendRecord`s for it.

    `to` limits it to what one contact may want; `since` (Instant) to what came after.
    """

    session: int
    to: PersonaKey | None = None
    since: float = 0.0


Input = (
    Tick
    | LinkChanged
    | LinkUsed
    | StationSeen
    | FrameReceived
    | EncounterBegan
    | RecordReceived
    | EncounterEnded
    | SessionWritable
    | DialFailed
    | PeerSeen
    | Stored
    | StoreState
    | BodiesDropped
    | ClockSet
    | Compose
    | KeepFile
    | KeepChunks
    | FetchFile
    | DropFile
    | MarkRead
    | SetContact
    | RemoveContact
    | SetChannel
    | RevokeDevice
    | AdoptBranches
    | BeginExport
)

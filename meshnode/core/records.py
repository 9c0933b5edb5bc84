"""The rows a node asks its host to keep. Each class is one table; `KEY` names its primary key, `SECRET` what is sealed
at rest. A host stores them as they are and hands them back in a `Snapshot` when the node starts again.

Instants are powered-on seconds of this home (clock.py). Empty bytes mean "none".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from meshnode.core.ids import (
    BlockId,
    ChannelId,
    DeviceKey,
    EnvelopeId,
    FileId,
    LogId,
    MessageId,
    NeighbourId,
    NodeKey,
    PersonaKey,
    Tag,
)

# here; wanted; dropped by quota; removed by its author (the values stand in chain/kinds.py)
BODY_HELD, BODY_MISSING, BODY_DROPPED, BODY_REMOVED = range(4)

ROLE_OWN, ROLE_CUSTODY, ROLE_TRANSIT = range(3)  # written here; promised to keep; passing through within the island

FILE_OWN, FILE_WANTED, FILE_CARRIED = range(3)  # attached here; fetched for a person here; kept for others

STATES = ("written", "kept", "on_air", "carried", "delivered", "read")  # "expired" ends any but the last two


class Keyed:
    """What every record class says of itself."""

    __slots__ = ()
    KEY: ClassVar[tuple[str, ...]] = ()
    SECRET: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class BlockRecord(Keyed):
    """One verified block. `content` is the signed content as received; `body` is empty unless BODY_HELD."""

    KEY: ClassVar = ("log", "seq")
    log: LogId
    seq: int
    id: BlockId
    content: bytes
    signature: bytes
    body: bytes
    body_state: int
    kind: int
    received_at: float


@dataclass(frozen=True, slots=True)
class LogRecord(Keyed):
    """What is held of one log. Headers are complete from `start` (so far 1) to `head`; bodies may go below `floor`.

    `frozen_at`: first seq of a fork (0: none). `adopted`: seq 4 | id 32 of the block up to which its owner adopted one.
    """

    KEY: ClassVar = ("log",)
    log: LogId
    start: int
    head: int
    floor: int
    frozen_at: int
    adopted: bytes
    ring: int
    bytes: int
    used_at: float


@dataclass(frozen=True, slots=True)
class ForkProofRecord(Keyed):
    """Two signed contents of one log at one seq; `replaced` counts how often a lower seq took its place."""

    KEY: ClassVar = ("log",)
    log: LogId
    seq: int
    content_a: bytes
    signature_a: bytes
    content_b: bytes
    signature_b: bytes
    replaced: int


@dataclass(frozen=True, slots=True)
class RefusedRecord(Keyed):
    """A log refused or evicted by quota: not wanted again before `until`."""

    KEY: ClassVar = ("log",)
    log: LogId
    until: float


@dataclass(frozen=True, slots=True)
class DeviceRecord(Keyed):
    """A device known to belong to a persona. `revocation` is the signed removal, empty while the device is in use."""

    KEY: ClassVar = ("device",)
    device: DeviceKey
    persona: PersonaKey
    certificate: bytes
    incarnation: bytes
    revocation: bytes


@dataclass(frozen=True, slots=True)
class PeerPrekeyRecord(Keyed):
    """The newest prekey of another device. Dates in minutes since 2026, 0 unknown; `arrived_at` is an Instant."""

    KEY: ClassVar = ("device",)
    device: DeviceKey
    incarnation: bytes
    block: BlockId
    seq: int
    public: bytes
    hint: int
    made: int
    open_until: int
    arrived_at: float = 0.0


@dataclass(frozen=True, slots=True)
class PrekeyRecord(Keyed):
    """A prekey of our own. Erased `open_until` (Instant). `roots` are the H(root) seen, 16 B each in a row."""

    KEY: ClassVar = ("block",)
    SECRET: ClassVar = ("secret",)
    block: BlockId
    secret: bytes
    public: bytes
    made_at: float
    open_until: float
    roots: bytes


@dataclass(frozen=True, slots=True)
class RatchetRecord(Keyed):
    """The symmetric session with one device of a contact, from one root. `state` is sealed (sealing/ratchet.py)."""

    KEY: ClassVar = ("device", "root_id")
    SECRET: ClassVar = ("state",)
    device: DeviceKey
    root_id: bytes
    persona: PersonaKey
    began_at: float
    state: bytes


@dataclass(frozen=True, slots=True)
class EnvelopeRecord(Keyed):
    """A sealed message on its way. `data` is immutable header and sealed part; `copies` what may still be given.

    `age` in minutes at `held_since`; `giver` is the node it came from (empty for our own).
    """

    KEY: ClassVar = ("id",)
    id: EnvelopeId
    tag: Tag
    data: bytes
    role: int
    copies: int
    age: int
    held_since: float
    expires_at: float
    giver: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class HandoverRecord(Keyed):
    """A valid custody proof: `taker` keeps the envelope."""

    KEY: ClassVar = ("envelope", "taker")
    envelope: EnvelopeId
    taker: NodeKey
    proved_at: float


@dataclass(frozen=True, slots=True)
class TombstoneRecord(Keyed):
    """A receipt that opened a tag: its envelopes are purged and stay away until `until`."""

    KEY: ClassVar = ("tag",)
    tag: Tag
    receipt: bytes
    until: float


@dataclass(frozen=True, slots=True)
class SeenRecord(Keyed):
    """An envelope id that was here once."""

    KEY: ClassVar = ("envelope",)
    envelope: EnvelopeId
    until: float


HOPS_UNKNOWN = -1  # no envelope says how far it came; a probe does


@dataclass(frozen=True, slots=True)
class MessageRecord(Keyed):
    """What a person wrote or received. `text` is sealed at rest. Dates are Unix seconds, 0 unknown.

    `peer` is the other persona of a direct message, or the writer of a post; `channel` is empty for direct messages.
    `cursor` grows with arrival. `missing` counts messages of this writer known to be lost or late before this one.
    `about`: the dates are not sure to five minutes.
    `file` is the manifest of what is attached (sealing/manifest.py), with its key.
    """

    KEY: ClassVar = ("id",)
    SECRET: ClassVar = ("text", "file")
    id: MessageId
    cursor: int
    outgoing: bool
    peer: PersonaKey
    device: DeviceKey
    channel: bytes
    seq: int
    text: str
    cls: int
    sent_at: float
    received_at: float
    hops: int
    missing: int
    request: bytes
    about: bool = False
    file: bytes = b""


@dataclass(frozen=True, slots=True)
class StateRecord(Keyed):
    """The delivery state of one message; it only moves forward. `attempts` counts reseals; `changed_at` an Instant."""

    KEY: ClassVar = ("message",)
    message: MessageId
    state: str
    witnesses: tuple[str, ...]
    expires_at: float
    attempts: int
    changed_at: float


@dataclass(frozen=True, slots=True)
class ConversationRecord(Keyed):
    """The inner hash chain with one device of a contact: what we sent last, what we got last, what is missing."""

    KEY: ClassVar = ("persona", "device")
    persona: PersonaKey
    device: DeviceKey
    incarnation: bytes
    sent_seq: int
    sent_hash: bytes
    got_seq: int
    got_hash: bytes
    gaps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ContactRecord(Keyed):
    """A person in my address book."""

    KEY: ClassVar = ("persona",)
    persona: PersonaKey
    name: str
    verified: bool
    blocked: bool
    added_at: float


@dataclass(frozen=True, slots=True)
class ChannelRecord(Keyed):
    """A public channel whose name is known here."""

    KEY: ClassVar = ("channel",)
    channel: ChannelId
    name: str
    joined: bool


@dataclass(frozen=True, slots=True)
class NeighbourRecord(Keyed):
    """A node one hop away whose HELLO was verified; highest (epoch, counter) and the window below it stop replays."""

    KEY: ClassVar = ("id",)
    id: NeighbourId
    node: NodeKey
    exchange: bytes
    epoch: int
    counter: int
    window: int
    heard_at: float


@dataclass(frozen=True, slots=True)
class FileRecord(Keyed):
    """A file that is here, or partly. `size` as it travels; `hashes` of its chunks, 32 B each, empty while unknown."""

    KEY: ClassVar = ("file",)
    file: FileId
    size: int
    role: int
    used_at: float
    hashes: bytes


@dataclass(frozen=True, slots=True)
class ChunkRecord(Keyed):
    """A chunk of a file, verified against its hash. A snapshot gives their numbers alone."""

    KEY: ClassVar = ("file", "number")
    file: FileId
    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class FactRecord(Keyed):
    """A single fact under a name: boot epoch, incarnation, cursors, Trickle state."""

    KEY: ClassVar = ("name",)
    name: str
    value: bytes


Record = (
    BlockRecord
    | LogRecord
    | ForkProofRecord
    | RefusedRecord
    | DeviceRecord
    | PeerPrekeyRecord
    | PrekeyRecord
    | RatchetRecord
    | EnvelopeRecord
    | HandoverRecord
    | TombstoneRecord
    | SeenRecord
    | MessageRecord
    | StateRecord
    | ConversationRecord
    | ContactRecord
    | ChannelRecord
    | NeighbourRecord
    | FileRecord
    | ChunkRecord
    | FactRecord
)


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Which row of which table: `key` in the order of the table's KEY."""

    table: type[Keyed]
    key: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class BlockIndex:
    """What a node keeps in memory of a stored block; a snapshot gives them by log, lowest seq first.

    `prev` is the backlink, bytes 64 to 84 of the content: it lets a restart check how rows hang together. Left empty,
    blocks beyond a gap are fetched anew.
    """

    log: LogId
    seq: int
    id: BlockId
    kind: int
    body_state: int
    body_len: int
    prev: bytes = b""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All a node needs to go on after a restart. `pending`: own direct messages without receipt, texts too."""

    now: float = 0.0
    blocks: tuple[BlockIndex, ...] = ()
    records: tuple[Record, ...] = field(default=())  # every other table but messages and chunks
    pending: tuple[MessageRecord, ...] = ()
    chunks: tuple[tuple[FileId, int], ...] = ()

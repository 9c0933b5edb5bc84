"""What may be shown to a person or counted for one. No key, and no words except in `MessageFiled`."""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.clock import WallClock
from meshnode.core.ids import BlockId, FileId, LogId, MessageId, NodeKey, PersonaKey
from meshnode.core.records import MessageRecord


@dataclass(frozen=True, slots=True)
class MessageFiled:
    """A message of one's own was written, or one arrived."""

    message: MessageRecord


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A message moved forward. `witnesses` name who vouches for it (short node names)."""

    message: MessageId
    state: str
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeighbourChanged:
    """A neighbour came, became bound, or went. `state` is "heard", "bound" or "lost"."""

    node: str  # short name: first 8 hex digits of the neighbour id
    link: str
    address: str
    state: str


@dataclass(frozen=True, slots=True)
class PeerChanged:
    """A session with a peer began or ended. `state` is "open" or "closed"."""

    node: str
    address: str
    carrier: str
    state: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know. `code` is documented in docs/how-to/warnings.md."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ForkFound:
    """A log split in two: often a restored backup."""

    log: LogId
    seq: int
    persona: PersonaKey | None


@dataclass(frozen=True, slots=True)
class BranchAdopted:
    """The writer of a log that split at `split` says that it counts up to this block."""

    log: LogId
    split: int
    seq: int
    block: BlockId
    persona: PersonaKey | None


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """Something visible about a contact changed: a new device, a new incarnation, a first message request."""

    persona: PersonaKey
    what: str  # "device" "incarnation" "request" "revoked"
    text: str


@dataclass(frozen=True, slots=True)
class ProbeHop:
    """One hop of the way a probe took. `carrier` is "link" or "overlay"; `rtt_s` from sending to this answer."""

    message: MessageId
    hop: int
    node: str
    carrier: str
    rtt_s: float


@dataclass(frozen=True, slots=True)
class FileMoved:
    """A file came nearer. `state` is "here", "coming" or "gone"; `held` of `size` bytes are here, as they travel."""

    file: FileId
    state: str
    held: int
    size: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits, as `queue` shows it. `kind`: a frame, "envelope" or "message"; `to`: a node or a person."""

    kind: str
    cls: int
    bytes: int
    waits_for: str
    to: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class SessionMet:
    """A node of another mesh, or with a version too old, was met: why nothing is exchanged with it."""

    node: NodeKey
    why: str


@dataclass(frozen=True, slots=True)
class DateTaken:
    """The neighbours agree on a date; it counts where the host has none that is sure."""

    clock: WallClock


@dataclass(frozen=True, slots=True)
class OthersStopped:
    """What others send on a link whose host cannot hold them has used its part of the hour; not `stopped`: go on."""

    link: str
    stopped: bool


Notice = (
    MessageFiled
    | StateChanged
    | NeighbourChanged
    | PeerChanged
    | Warned
    | ForkFound
    | BranchAdopted
    | ContactChanged
    | ProbeHop
    | FileMoved
    | SessionMet
    | DateTaken
    | OthersStopped
)

"""What a running node answers: the fields of a command's JSON, so that a command line may print them as they are.

Times are RFC 3339 UTC texts, ids and keys lower-case hex, cursors opaque. A field never changes its meaning; a reader
ignores fields it does not know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

State = Literal["written", "kept", "on_air", "carried", "delivered", "read", "expired"]


def utc_text(unix_s: float) -> str:
    """A moment as RFC 3339 UTC text with milliseconds."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. Readers ignore fields they do not know."""


class DoneReply(Reply, frozen=True):
    """It was done; `text` says what, in one sentence."""

    text: str = ""


class InterfaceInfo(Reply, frozen=True):
    """The bound interface. `state` is "up", "down" or "missing"; rates in bit/s as used for pacing, payloads in B.

    `detail`: why a serial modem is not up.
    """

    name: str
    driver: str
    state: str
    detail: str = ""
    address: str = ""
    mac: str = ""
    mtu: int = 0
    unicast_bps: int = 0
    multicast_bps: int = 0
    unicast_payload: int = 0
    multicast_payload: int = 0
    multicast: bool = True
    counters: dict[str, int] = {}  # datagrams sent, received, and dropped by reason


class S1gChannelInfo(Reply, frozen=True):
    """A true S1G channel: centre in kHz, width in MHz, its number where the region has one."""

    centre_khz: int
    width_mhz: int
    number: int | None = None


class RateInfo(Reply, frozen=True):
    """A true rate, by MCS, width and guard interval; null is not known."""

    mcs: int | None = None
    width_mhz: int | None = None
    short_gi: bool = False
    kbps: float | None = None


class StationInfo(Reply, frozen=True):
    """One station that the radio hears; null is not known."""

    mac: str
    signal_dbm: int | None = None
    average_dbm: int | None = None
    tx: RateInfo | None = None
    rx: RateInfo | None = None
    inactive_ms: int | None = None
    peering: str = ""
    tx_packets: int | None = None
    tx_retries: int | None = None
    tx_failed: int | None = None
    rx_packets: int | None = None
    tx_bytes: int | None = None
    rx_bytes: int | None = None


class RadioInfo(Reply, frozen=True):
    """The HaLow radio under the link. What is not known is null, and `missing` says why.

    `source` is "nl80211", "file", "tool" or "none"; `shown_mhz` what the driver shows where that is another frequency.
    """

    interface: str
    source: str
    family: str = ""
    role: str | None = None
    network: str = ""
    region: str = ""
    channel: S1gChannelInfo | None = None
    shown_mhz: float | None = None
    noise_dbm: int | None = None
    tx_power_dbm: float | None = None
    neighbours: list[StationInfo] = []
    missing: list[str] = []


class OverlayPeerInfo(Reply, frozen=True):
    """One Yggdrasil peering. `latency_ms` and `uptime_s` are 0 while unknown."""

    uri: str
    up: bool
    inbound: bool
    address: str = ""
    key: str = ""
    cost: int = 0
    latency_ms: float = 0.0
    uptime_s: float = 0.0
    last_error: str = ""


class OverlayInfo(Reply, frozen=True):
    """The overlay. `backend` is "system", "child", "embedded" or "none"; `detail` says why in one sentence."""

    backend: str
    address: str
    public_key: str
    peers: list[OverlayPeerInfo]
    state: str = ""
    interface: str = ""
    version: str = ""
    detail: str = ""
    holder_pid: int = 0  # of the namespace the overlay is in; 0: the host sees it


class NeighbourInfo(Reply, frozen=True):
    """One neighbour. `carrier` is "link" or "overlay"; `bound` when two-way hearing is proven."""

    node: str
    address: str
    carrier: str
    last_heard_s: float
    link: str = ""
    bound: bool = False
    session: bool = False


class CountsInfo(Reply, frozen=True):
    """How much is held."""

    logs: int
    blocks: int
    envelopes: int
    chunks: int


class StoreInfo(Reply, frozen=True):
    """How full the store is."""

    bytes: int
    limit: int


class ClockInfo(Reply, frozen=True):
    """What is known about the date; both numbers are absent (null) while nothing is.

    `offset_s`: how far the system's clock is ahead of it. `source`: "ntp", "gps", "system", "neighbours" or "unknown".
    """

    offset_s: float | None
    uncertainty_s: float | None
    source: str


class WarningInfo(Reply, frozen=True):
    """One warning that holds now; `at` is null where the date was not known then."""

    code: str
    text: str
    at: str | None


class BridgeInfo(Reply, frozen=True):
    """What a bridge says of itself. Bytes of the last 24 hours; a limit of 0 is none, and then nothing is counted.

    `state` is "open", "standby" (another bridge goes first), "spent", "hours", "no-date" or "apart".
    """

    state: str
    opens_in_s: float | None
    uplinks: int
    sent: int
    sent_per_day: int
    received: int
    received_per_day: int
    held_back: int


class OtherBridgeInfo(Reply, frozen=True):
    """Another bridge of the mesh, as it told. `sent_left` and `received_left` are null where it has no limit."""

    node: str
    state: str
    opens_in_s: float | None
    sent_left: int | None
    received_left: int | None
    hops: int
    heard_s: float


class StatusReply(Reply, frozen=True):
    """`status`."""

    version: str
    persona: str
    uptime_s: float
    interface: InterfaceInfo
    overlay: OverlayInfo
    neighbours: list[NeighbourInfo]
    counts: CountsInfo
    airtime: dict[str, float]
    store: StoreInfo
    clock: ClockInfo
    name: str = ""
    node: str = ""
    node_short: str = ""  # as `neighbours`, `trace` and the witnesses of other nodes call this one
    mesh: str = ""
    radio: RadioInfo | None = None
    bridge: BridgeInfo | None = None
    bridges: list[OtherBridgeInfo] = []
    open_mesh: bool = False
    counters: dict[str, int] = {}
    warnings: list[WarningInfo] = []


class CheckInfo(Reply, frozen=True):
    """One check. `state` is "ok", "warn" or "fail"; `remedy` is empty where none is needed."""

    name: str
    state: str
    detail: str
    remedy: str


class DoctorReply(Reply, frozen=True):
    """`doctor`."""

    checks: list[CheckInfo]


class UriReply(Reply, frozen=True):
    """`invite`, `mesh invite`, `mesh renew`; `mesh` is the mesh's name in the latter two, `number` of a new secret."""

    uri: str
    mesh: str = ""
    number: int | None = None


class SecretInfo(Reply, frozen=True):
    """One secret of a mesh. `current`: the one that is spoken; the others are understood."""

    number: int
    current: bool


class MeshReply(Reply, frozen=True):
    """`mesh join`, `secrets`, `use` and `drop`: the mesh, and what is held of it; an open mesh has no secrets."""

    mesh: str
    text: str = ""
    secrets: list[SecretInfo] = []


class StateReply(Reply, frozen=True):
    """`send`, `post`, `why`: where a message is. `reached` is False when the state waited for did not come in time."""

    id: str
    state: State
    witnesses: list[str]
    waiting_for: str = ""
    reached: bool = True


class LinesReply(Reply, frozen=True):
    """`send --lines`, `post --lines`: one state for each text, up to the first that was refused, and why it was."""

    states: list[StateReply]
    refused: str = ""


class FileInfo(Reply, frozen=True):
    """A file that a message announced. `state`: "offered", "coming" or "here"; `held` of `size` bytes are here.

    `preview` is a small picture of it, or empty.
    """

    name: str
    size: int
    state: str
    id: str = ""
    media: str = ""
    held: int = 0
    preview: bytes = b""


class MessageInfo(Reply, frozen=True):
    """One message. Direct ones have `to`, posts have `channel`; `hops` is null where it is not known.

    `about`: the dates are not sure to five minutes; say "about".
    `persona` is the other one of a direct message, the writer of a post; `outgoing`: written here.
    `device` wrote it. `cancels`: the id of an earlier message that this one takes back, if one device wrote both.
    `request`: the id an own message was sent under, if it was given one.
    """

    id: str
    cursor: str
    sender: str = msgspec.field(name="from")
    text: str
    files: list[FileInfo]
    sent_at: str | None
    received_at: str | None
    state: State
    hops: int | None
    about: bool = False
    to: str | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    persona: str = ""
    conversation: str = ""
    outgoing: bool = False
    urgent: bool = False
    device: str = ""
    cancels: str = ""
    request: str = ""


class ConversationInfo(Reply, frozen=True):
    """One conversation. `kind` is "direct" or "channel"; `contact` and what follows are of a person."""

    id: str
    kind: str
    name: str
    unread: int
    last: MessageInfo | None = None
    contact: bool = False
    verified: bool = False
    blocked: bool = False


class ConversationsReply(Reply, frozen=True):
    """`conversations`, the newest first."""

    conversations: list[ConversationInfo]


class HistoryReply(Reply, frozen=True):
    """`history` (oldest first) and `search` (newest first); `more`: there are others before, or after, these."""

    messages: list[MessageInfo]
    more: bool
    before: str = ""  # of a search: where to go on


class InboxReply(Reply, frozen=True):
    """`inbox`: the messages, and the cursor to go on from."""

    messages: list[MessageInfo]
    cursor: str


class NeighboursReply(Reply, frozen=True):
    """`neighbours`."""

    neighbours: list[NeighbourInfo]


class SessionInfo(Reply, frozen=True):
    """One open session. `carrier` is "link" or "overlay"."""

    node: str
    address: str
    carrier: str
    initiator: bool
    open_s: float
    bytes_sent: int
    bytes_received: int


class PeersReply(Reply, frozen=True):
    """`peers`."""

    sessions: list[SessionInfo]
    overlay: list[OverlayPeerInfo]


class GoingInfo(Reply, frozen=True):
    """Something that goes when the store is full; never what it says.

    `kind`: a sealed message that "expired", was "delivered" or is in "transit", the "body" of a block, a "post".
    `age_s`: for how long it is here, absent where the date is not known. `who`: who wrote it, or the node that gave the
    sealed message; a name where there is one, else a key, else empty. `channel`: its name, empty where it is not known.
    """

    kind: Literal["expired", "delivered", "transit", "body", "post"]
    bytes: int
    age_s: float | None
    who: str
    channel: str


class GoingReply(Reply, frozen=True):
    """`going`: the first ones, in order."""

    going: list[GoingInfo]


class QueueItem(Reply, frozen=True):
    """Something that waits. `kind` names the frame or "envelope"; `to` is a node, or empty for everybody."""

    kind: str
    cls: int
    bytes: int
    waits_for: str
    to: str = ""
    id: str = ""


class QueueReply(Reply, frozen=True):
    """`queue`."""

    queue: list[QueueItem]
    backlog_s: float = 0.0


class FileRow(Reply, frozen=True):
    """A file and the message that announced it; a file without one was attached and never announced."""

    file: FileInfo
    message: str = ""
    sender: str = msgspec.field(name="from", default="")


class FilesReply(Reply, frozen=True):
    """`files`."""

    files: list[FileRow]


class FileReply(Reply, frozen=True):
    """`files get` and `files drop`; `reached` is False when it was not whole in time."""

    file: FileInfo
    reached: bool = True
    path: str = ""


class FilePartReply(Reply, frozen=True):
    """`files read`: bytes from `offset` on, fewer than asked where the rest is not here, or not at all."""

    file: FileInfo
    offset: int
    data: bytes


class ChannelInfo(Reply, frozen=True):
    """One channel. `kind` is "public"."""

    name: str
    id: str
    kind: str
    members: int
    unread: int


class ChannelsReply(Reply, frozen=True):
    """`channel list`, `join` and `leave`: the channels this node is in."""

    channels: list[ChannelInfo]


class ContactInfo(Reply, frozen=True):
    """One contact. `words` are shown where they are to be compared."""

    name: str
    persona: str
    verified: bool
    ring: int
    blocked: bool = False
    words: str = ""


class ContactsReply(Reply, frozen=True):
    """All `contact` commands: the contacts meant."""

    contacts: list[ContactInfo]


class PeeringsReply(Reply, frozen=True):
    """`peer add`, `remove` and `list`: the peerings kept, and how each is doing."""

    peers: list[OverlayPeerInfo]
    text: str = ""


class HopInfo(Reply, frozen=True):
    """One hop of a trace."""

    node: str
    carrier: str
    rtt_ms: float


class TraceReply(Reply, frozen=True):
    """`trace`; `reached` is False when the far end did not answer in time."""

    path: list[HopInfo]
    reached: bool


class DeviceInfo(Reply, frozen=True):
    """One device of my persona. `split`: how many of its logs split without a word from me which branch is right."""

    device: str
    incarnation: str
    own: bool
    revoked: bool
    split: int = 0


class BranchInfo(Reply, frozen=True):
    """The branch of a log that counts now: it split at `split`, and ends at `seq` with the block of that id."""

    log: str
    split: int
    seq: int
    block: str


class DevicesReply(Reply, frozen=True):
    """`device list`, `revoke` and `adopt`; `adopted` of the last."""

    devices: list[DeviceInfo]
    adopted: list[BranchInfo] = []


class ParcelReply(Reply, frozen=True):
    """`export` and `import`."""

    blocks: int
    envelopes: int
    chunks: int
    refused: int
    text: str = ""


class BackupReply(Reply, frozen=True):
    """`backup`: where it is, how large, and how many profiles are in it beside the home."""

    path: str
    bytes: int
    profiles: int


class RestoredReply(Reply, frozen=True):
    """`restore look`, `restore`: what a backup holds. `kind`: of a whole box, or of one profile.

    `made_at`: when, UTC, empty where the box did not know; `members`: who has a profile in it; `messages`: how many in
    all; `keeper`: it has one.
    """

    kind: Literal["box", "profile"]
    name: str
    persona: str
    version: str
    made_at: str
    members: list[str]
    messages: int
    keeper: bool


class SetAsideReply(Reply, frozen=True):
    """`set aside`: how many homes backups took the place of, and their bytes; gone now, where that was asked."""

    homes: int
    bytes: int


class ProfileInfo(Reply, frozen=True):
    """One profile of a box. `open`: its node runs; a locked one is kept for until its member signs in."""

    name: str
    persona: str
    open: bool


class HouseholdReply(Reply, frozen=True):
    """`household`: the box, its page, and who has a profile on it. `keeper`: there is one."""

    name: str
    mesh: str
    keeper: bool
    guests: bool
    sign_up: bool
    clock: ClockInfo
    members: list[ProfileInfo]


class MemberReply(Reply, frozen=True):
    """`keeper set`, `profile make`, `profile open`, `guest open`: who came in, and the control socket of that node."""

    name: str
    role: Literal["guest", "member", "keeper"]
    persona: str
    socket: str


class CodeReply(Reply, frozen=True):
    """`set-up code`; `addresses` are where the page is, `absent` those of them that no interface has now."""

    code: str
    addresses: list[str] = []
    absent: list[str] = []

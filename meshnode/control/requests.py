"""What one may ask a running node over its control socket.

A request is one line of JSON that carries its name in `request`; an unknown field is refused. The answers are in
`replies.py`, the stream of `watch` in `notices.py`, and how a line of the server looks in `lines.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]  # a year is for ever
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Class = Annotated[int, Meta(ge=1, le=4)]
Page = Annotated[int, Meta(ge=1, le=200)]
Conversation = Annotated[str, Meta(pattern="^(d-[0-9a-f]{64}|c-[0-9a-f]{32})$")]  # with a persona, or a channel
Number = Annotated[int, Meta(ge=0, le=3)]  # of a mesh secret
Passphrase = Annotated[str, Meta(max_length=256)]
NewPassphrase = Annotated[str, Meta(min_length=8, max_length=256)]
Wait = Literal["", "kept", "on_air", "carried", "delivered", "read"]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="request"):
    """A question for the node."""


class StatusRequest(_Request, frozen=True, tag="status"):
    """The state of everything, on one screen."""


class DoctorRequest(_Request, frozen=True, tag="doctor"):
    """Check everything from driver to clock."""


class StopRequest(_Request, frozen=True, tag="stop"):
    """Stop the node cleanly."""


class InviteRequest(_Request, frozen=True, tag="invite"):
    """My contact as an URI."""


class FileGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to attach: the node reads it at `path` (absolute). `preview`: a small picture, at most 2,400 bytes."""

    path: str
    name: str = ""  # empty: as in the path
    media: str = ""
    preview: bytes = b""


class SendRequest(_Request, frozen=True, tag="send"):
    """A direct message. `wait` holds the answer back until that state, `timeout_s` at the longest."""

    contact: str
    text: str
    wait: Wait = ""
    timeout_s: Seconds = 60.0
    cls: Class = 2
    request_id: str = ""  # 32 hex digits: the same id is the same message
    file: FileGiven | None = None


class PostRequest(_Request, frozen=True, tag="post"):
    """A post to a channel; a public one is joined by it."""

    channel: str
    text: str
    cls: Class = 2
    request_id: str = ""
    file: FileGiven | None = None


class SendLinesRequest(_Request, frozen=True, tag="send_lines"):
    """Direct messages in a row, each kept like one of `send`; on disk, and on the air, together."""

    contact: str
    texts: list[str]
    cls: Class = 2


class PostLinesRequest(_Request, frozen=True, tag="post_lines"):
    """Posts to a channel in a row."""

    channel: str
    texts: list[str]


class InboxRequest(_Request, frozen=True, tag="inbox"):
    """What arrived and was sent, oldest first: the first `limit` after the cursor `since`; without one, the newest.

    `since` "0" is before everything; a limit of 0 is none.
    """

    channel: str = ""
    contact: str = ""
    since: str = ""
    limit: Count = 1000
    mark_read: bool = False


class ConversationsRequest(_Request, frozen=True, tag="conversations"):
    """With whom, and in which channels, there are messages; the newest first."""


class HistoryRequest(_Request, frozen=True, tag="history"):
    """A page of one conversation: the newest before the cursor `before` (empty: of all), or the first after `after`."""

    conversation: Conversation
    before: str = ""
    after: str = ""
    limit: Page = 50


class MarkReadRequest(_Request, frozen=True, tag="mark read"):
    """A person has read a conversation up to this cursor."""

    conversation: Conversation
    until: str


class SearchRequest(_Request, frozen=True, tag="search"):
    """Messages that hold these words, newest first, in any case; goes on before the cursor `before`."""

    text: Annotated[str, Meta(min_length=1, max_length=200)]
    before: str = ""
    limit: Page = 50


class WatchRequest(_Request, frozen=True, tag="watch"):
    """Notices as they happen; with `since`, first those that came after that cursor."""

    since: str = ""


class WhyRequest(_Request, frozen=True, tag="why"):
    """Where a message is, who has it, and what it waits for."""

    id: str


class CancelRequest(_Request, frozen=True, tag="cancel"):
    """Take an own emergency back: a second message says so to all who got it. Asked again, it is the same one.

    `under`: how the request id has to begin that it was sent under, where several people write under one persona.
    """

    id: str
    under: str = ""  # hex


class GoingRequest(_Request, frozen=True, tag="going"):
    """What would leave the store first if room were needed."""


class NeighboursRequest(_Request, frozen=True, tag="neighbours"):
    """Who is heard."""


class PeersRequest(_Request, frozen=True, tag="peers"):
    """Open sessions, and what Yggdrasil is connected to."""


class QueueRequest(_Request, frozen=True, tag="queue"):
    """What waits for air or for a carrier."""


class FilesRequest(_Request, frozen=True, tag="files"):
    """The files that messages and posts announced, oldest first."""


class FileGetRequest(_Request, frozen=True, tag="files get"):
    """Fetch a file (the beginning of its id): answered when it is whole, or after `timeout_s`; fetching goes on.

    With `path` (absolute) it is written there once it is whole.
    """

    id: str
    path: str = ""
    timeout_s: Seconds = 60.0


class FileReadRequest(_Request, frozen=True, tag="files read"):
    """Bytes of a file from `offset` on, as far as they are here."""

    id: str
    offset: Annotated[int, Meta(ge=0)] = 0
    size: Annotated[int, Meta(ge=1, le=262_144)] = 65_536


class FileDropRequest(_Request, frozen=True, tag="files drop"):
    """Keep, and fetch, a file no longer."""

    id: str


class ChannelListRequest(_Request, frozen=True, tag="channel list"):
    """The channels this node is in."""


class ChannelCreateRequest(_Request, frozen=True, tag="channel create"):
    """Begin a public channel and be in it."""

    channel: str


class ChannelJoinRequest(_Request, frozen=True, tag="channel join"):
    """Join a public channel by name."""

    channel: str


class ChannelLeaveRequest(_Request, frozen=True, tag="channel leave"):
    """Leave a channel."""

    channel: str


class ContactListRequest(_Request, frozen=True, tag="contact list"):
    """The address book."""


class ContactAddRequest(_Request, frozen=True, tag="contact add"):
    """Take a contact from its `mesh:` URI."""

    uri: str
    name: str = ""


class ContactVerifyRequest(_Request, frozen=True, tag="contact verify"):
    """Without `confirm`, show the words to compare; with it, mark the contact verified."""

    name: str
    confirm: bool = False


class ContactRenameRequest(_Request, frozen=True, tag="contact rename"):
    """Give a contact another petname."""

    name: str
    to: str


class ContactRemoveRequest(_Request, frozen=True, tag="contact remove"):
    """Remove a contact from the address book."""

    name: str


class ContactBlockRequest(_Request, frozen=True, tag="contact block"):
    """Refuse a contact's traffic, or take it again."""

    name: str
    blocked: bool = True


class MeshInviteRequest(_Request, frozen=True, tag="mesh invite"):
    """Mesh name and secret as an URI: it gives membership."""


class MeshJoinRequest(_Request, frozen=True, tag="mesh join"):
    """Take mesh name and secret from an URI."""

    uri: str


class MeshSecretsRequest(_Request, frozen=True, tag="mesh secrets"):
    """The secrets of the mesh that are held, by number."""


class MeshRenewRequest(_Request, frozen=True, tag="mesh renew"):
    """Hold a new secret; the answer is its invite, for all who stay."""


class MeshUseRequest(_Request, frozen=True, tag="mesh use"):
    """Speak one of the secrets that are held."""

    number: Number


class MeshDropRequest(_Request, frozen=True, tag="mesh drop"):
    """Let go of a secret that is not spoken."""

    number: Number


class PeerAddRequest(_Request, frozen=True, tag="peer add"):
    """Add a Yggdrasil peering and keep it over restarts."""

    uri: str


class PeerRemoveRequest(_Request, frozen=True, tag="peer remove"):
    """Remove a Yggdrasil peering."""

    uri: str


class PeerListRequest(_Request, frozen=True, tag="peer list"):
    """The Yggdrasil peerings that are kept."""


class TraceRequest(_Request, frozen=True, tag="trace"):
    """The way a probe takes to a contact."""

    contact: str
    timeout_s: Seconds = 60.0


class DeviceListRequest(_Request, frozen=True, tag="device list"):
    """The devices of my persona."""


class DeviceRevokeRequest(_Request, frozen=True, tag="device revoke"):
    """Remove a device certificate."""

    device: str


class DeviceAdoptRequest(_Request, frozen=True, tag="device adopt"):
    """Where the history of a device split, adopt what this node holds of it; empty: of this device."""

    device: str = ""


class ExportRequest(_Request, frozen=True, tag="export"):
    """Write a parcel to `path` (absolute), for one contact only or after `since` where given."""

    path: str
    contact: str = ""
    since: str = ""


class ImportRequest(_Request, frozen=True, tag="import"):
    """Take in the parcel at `path` (absolute)."""

    path: str


class CaptureRequest(_Request, frozen=True, tag="capture"):
    """Write our frames to `path` (absolute) as pcapng, one progress notice a second, until the client goes."""

    path: str


class BackupRequest(_Request, frozen=True, tag="backup"):
    """Write everything of this home and its profiles to `path` (absolute), sealed; empty: beside the home's files."""

    passphrase: NewPassphrase
    path: str = ""


class StoreCopyRequest(_Request, frozen=True, tag="store copy"):
    """Write a copy of the store to `path` (absolute), as it is now."""

    path: str


class RestoreMayRequest(_Request, frozen=True, tag="restore may"):
    """Whether a backup of so many bytes may be restored on this box, by its keeper or by who has the set-up code.

    Without either it may be the backup of a profile, where people may make those themselves. `awaited`: bytes of
    other backups that have still to come; `visitors`: of all those that others than the keeper bring, here or to come.
    """

    size: int
    code: str = ""
    by_keeper: bool = False
    awaited: int = 0
    visitors: int = 0


class RestoreLookRequest(_Request, frozen=True, tag="restore look"):
    """What the backup at `path` (absolute) holds, once all of it was opened and checked."""

    path: str
    passphrase: Passphrase
    code: str = ""
    by_keeper: bool = False


class RestoreRequest(_Request, frozen=True, tag="restore"):
    """Restore the backup at `path` (absolute): a profile beside the others; or the box, at its next start."""

    path: str
    passphrase: Passphrase
    code: str = ""
    by_keeper: bool = False


class BeginAnewRequest(_Request, frozen=True, tag="begin anew"):
    """Be what a backup of a box held that was restored here; the node ends and begins in that home."""


class SetAsideRequest(_Request, frozen=True, tag="set aside"):
    """What this home was before backups took its place, and is kept in it; with `forget` it is removed."""

    forget: bool = False


class HouseholdRequest(_Request, frozen=True, tag="household"):
    """Who has a profile on this box, and whether it has a keeper."""


class SetUpCodeRequest(_Request, frozen=True, tag="set-up code"):
    """The code with which the first visitor of the page becomes its keeper; empty when there is one."""


class KeeperSetRequest(_Request, frozen=True, tag="keeper set"):
    """Become the keeper of the box, whose own persona the page then writes under."""

    code: str
    passphrase: NewPassphrase


class ProfileMakeRequest(_Request, frozen=True, tag="profile make"):
    """Make a profile on this box, and open it. `by_keeper`: also where nobody may sign up alone."""

    name: str
    passphrase: NewPassphrase
    by_keeper: bool = False


class ProfileOpenRequest(_Request, frozen=True, tag="profile open"):
    """Open a profile, or check that it is open and whose it is; the keeper's is called as the box is."""

    name: str
    passphrase: Passphrase


class ProfilePassphraseRequest(_Request, frozen=True, tag="profile passphrase"):
    """Another passphrase for a profile, or for the keeper; the one it had proves who asks."""

    name: str
    passphrase: Passphrase
    to: NewPassphrase


class ProfileLockRequest(_Request, frozen=True, tag="profile lock"):
    """Close a profile until its member opens it again; the box keeps what comes for it."""

    name: str


class ProfileRemoveRequest(_Request, frozen=True, tag="profile remove"):
    """Remove a profile from this box, with everything in it."""

    name: str


class GuestOpenRequest(_Request, frozen=True, tag="guest open"):
    """The node that guests write from."""


Request = (
    StatusRequest
    | DoctorRequest
    | StopRequest
    | InviteRequest
    | SendRequest
    | PostRequest
    | SendLinesRequest
    | PostLinesRequest
    | InboxRequest
    | ConversationsRequest
    | HistoryRequest
    | MarkReadRequest
    | SearchRequest
    | WatchRequest
    | WhyRequest
    | CancelRequest
    | GoingRequest
    | NeighboursRequest
    | PeersRequest
    | QueueRequest
    | FilesRequest
    | FileGetRequest
    | FileReadRequest
    | FileDropRequest
    | ChannelListRequest
    | ChannelCreateRequest
    | ChannelJoinRequest
    | ChannelLeaveRequest
    | ContactListRequest
    | ContactAddRequest
    | ContactVerifyRequest
    | ContactRenameRequest
    | ContactRemoveRequest
    | ContactBlockRequest
    | MeshInviteRequest
    | MeshJoinRequest
    | MeshSecretsRequest
    | MeshRenewRequest
    | MeshUseRequest
    | MeshDropRequest
    | PeerAddRequest
    | PeerRemoveRequest
    | PeerListRequest
    | TraceRequest
    | DeviceListRequest
    | DeviceRevokeRequest
    | DeviceAdoptRequest
    | ExportRequest
    | ImportRequest
    | CaptureRequest
    | BackupRequest
    | StoreCopyRequest
    | RestoreMayRequest
    | RestoreLookRequest
    | RestoreRequest
    | BeginAnewRequest
    | SetAsideRequest
    | HouseholdRequest
    | SetUpCodeRequest
    | KeeperSetRequest
    | ProfileMakeRequest
    | ProfileOpenRequest
    | ProfilePassphraseRequest
    | ProfileLockRequest
    | ProfileRemoveRequest
    | GuestOpenRequest
)

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
Number = Annotated[int, Meta(ge=0, le=3)]  # of a mesh secret
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


class SendRequest(_Request, frozen=True, tag="send"):
    """A direct message. `wait` holds the answer back until that state, `timeout_s` at the longest."""

    contact: str
    text: str
    wait: Wait = ""
    timeout_s: Seconds = 60.0
    cls: Class = 2
    request_id: str = ""  # 32 hex digits: the same id is the same message


class PostRequest(_Request, frozen=True, tag="post"):
    """A post to a channel; a public one is joined by it."""

    channel: str
    text: str
    request_id: str = ""


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
    """What arrived and was sent, oldest first, after the cursor `since`."""

    channel: str = ""
    contact: str = ""
    since: str = ""
    limit: Count = 1000
    mark_read: bool = False


class WatchRequest(_Request, frozen=True, tag="watch"):
    """Notices as they happen; with `since`, first those that came after that cursor."""

    since: str = ""


class WhyRequest(_Request, frozen=True, tag="why"):
    """Where a message is, who has it, and what it waits for."""

    id: str


class NeighboursRequest(_Request, frozen=True, tag="neighbours"):
    """Who is heard."""


class PeersRequest(_Request, frozen=True, tag="peers"):
    """Open sessions, and what Yggdrasil is connected to."""


class QueueRequest(_Request, frozen=True, tag="queue"):
    """What waits for air or for a carrier."""


class FilesRequest(_Request, frozen=True, tag="files"):
    """Files under way."""


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
    | WatchRequest
    | WhyRequest
    | NeighboursRequest
    | PeersRequest
    | QueueRequest
    | FilesRequest
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
)

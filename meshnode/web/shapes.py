"""What the page sends, and the answers that are not already those of the control socket (control/replies.py).

JSON both ways. An unknown field in what is sent is refused; a reader ignores fields it does not know.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from meshnode.control.replies import ClockInfo, MessageInfo, NeighbourInfo, Reply

Role = Literal["anyone", "guest", "member", "keeper"]  # each may do what those before it may

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Passphrase = Annotated[str, Meta(min_length=8, max_length=256)]
Text = Annotated[str, Meta(min_length=1, max_length=64_000)]
RequestId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="The same id is the same message.")]
Cursor = Annotated[str, Meta(pattern=r"^[0-9@.]{0,40}$")]


class Sent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something the page sends."""


class SetUp(Sent, frozen=True):
    """The first keeper: the code that `meshnode web` shows on the box, and a passphrase of one's own."""

    code: Annotated[str, Meta(max_length=64)]
    passphrase: Passphrase


class SignUp(Sent, frozen=True):
    """A new profile on this box."""

    name: Name
    passphrase: Passphrase


class SignIn(Sent, frozen=True):
    """A profile of this box; the keeper's is called as the box is."""

    name: Name
    passphrase: Annotated[str, Meta(max_length=256)]


class NewWords(Sent, frozen=True):
    """Another passphrase for who is signed in; `passphrase` is the one until now."""

    passphrase: Annotated[str, Meta(max_length=256)]
    to: Passphrase


class GuestName(Sent, frozen=True):
    """What a guest wants to be called. With the same `key`, which nobody else knows, it is the same guest again."""

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    key: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")] = ""


class Attached(Sent, frozen=True):
    """A whole upload that goes with a message; `preview` is a small picture of it, at most 2,400 bytes."""

    upload: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    media: Annotated[str, Meta(max_length=80)] = ""
    preview: Annotated[bytes, Meta(max_length=2400)] = b""


class NewMessage(Sent, frozen=True):
    """A message, a file, or both; `client_id` makes a repeated call the same message. `urgent` goes before all else."""

    client_id: RequestId
    text: Annotated[str, Meta(max_length=64_000)] = ""
    urgent: bool = False
    file: Attached | None = None


class NewUpload(Sent, frozen=True):
    """A file is about to come; its size in bytes."""

    size: Annotated[int, Meta(ge=1, le=1 << 40)]


class ReadUntil(Sent, frozen=True):
    """Everything up to this cursor was read."""

    cursor: Cursor


class ChannelName(Sent, frozen=True):
    """A public channel."""

    name: Name


class NewContact(Sent, frozen=True):
    """An invite: its `mesh:` URI, or its words; or else the persona of somebody who wrote here.

    `name` is the petname, else the name in the invite.
    """

    invite: Annotated[str, Meta(max_length=1024)] = ""
    persona: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    name: Annotated[str, Meta(max_length=64)] = ""


class ContactChange(Sent, frozen=True):
    """What is to change of a contact; what is left out stays."""

    name: Annotated[str, Meta(max_length=64)] = ""
    verified: Literal[True] | None = None
    blocked: bool | None = None


class NewMember(Sent, frozen=True):
    """A profile that the keeper makes for somebody."""

    name: Name
    passphrase: Passphrase


class BackupWords(Sent, frozen=True):
    """What a backup shall be sealed with; nothing else opens it."""

    passphrase: Passphrase


class NewRestore(Sent, frozen=True):
    """A backup is about to come, of so many bytes; with the set-up code on a box that has no keeper."""

    size: Annotated[int, Meta(ge=1, le=1 << 40)]
    code: Annotated[str, Meta(max_length=64)] = ""


class RestoreWords(Sent, frozen=True):
    """What opens a backup, and again the set-up code, on a box that has no keeper."""

    passphrase: Annotated[str, Meta(max_length=256)]
    code: Annotated[str, Meta(max_length=64)] = ""


class UploadState(Reply, frozen=True):
    """How far an upload is: go on at `offset`."""

    id: str
    offset: int
    size: int


class Me(Reply, frozen=True):
    """Who is signed in. `persona` is the key messages are written under; guests share that of the box's guests.

    `id` tells who it is from everybody else here: the persona, or a guest's mark, with which the `request` of the own
    messages begins.
    """

    name: str
    role: Role
    persona: str
    id: str


class Limits(Reply, frozen=True):
    """What the box takes at most."""

    text: int
    page: int
    streams: int
    file: int


class Welcome(Reply, frozen=True):
    """The box as anyone on the hotspot sees it. `set_up`: it has a keeper."""

    version: str
    name: str
    mesh: str
    set_up: bool
    guests: bool
    sign_up: bool
    now: str | None
    clock: ClockInfo
    limits: Limits
    me: Me | None = None


class SecureState(Reply, frozen=True):
    """The secure page. `state` is "off", "on" or "leaving"; `fits`: it speaks for all that the box is called now.

    `port` of it, 0 while it does not listen; `fingerprint`: SHA-256 of the authority, as phones show it.
    """

    state: Literal["off", "on", "leaving"]
    port: int
    fingerprint: str
    fits: bool


class Invite(Reply, frozen=True):
    """My contact, to hand out: as URI, as words to read aloud; `qr` is where its picture is."""

    uri: str
    words: str
    qr: str


class Nearby(Reply, frozen=True):
    """Somebody who has a profile on this box."""

    name: str
    persona: str
    invite: str
    contact: bool


class NearbyList(Reply, frozen=True):
    """Who may be added with one tap."""

    people: list[Nearby]


class Found(Reply, frozen=True):
    """Messages that were found, newest first; `before` is where to go on, empty at the end."""

    messages: list[MessageInfo]
    before: str


class Station(Reply, frozen=True):
    """How strongly the radio heard a station."""

    mac: str
    signal_dbm: int | None = None


class Moment(Reply, frozen=True):
    """Who was near at one time."""

    ago_s: float
    neighbours: list[NeighbourInfo]
    stations: list[Station]


class HourReply(Reply, frozen=True):
    """The last hour, a moment a minute, the oldest first; less after a start."""

    moments: list[Moment]


class GuestHere(Reply, frozen=True):
    """Somebody who is here as a guest; `id` as in `Me`."""

    id: str
    name: str


class GuestList(Reply, frozen=True):
    """Who is here as a guest now, by name."""

    guests: list[GuestHere]


class Problem(Reply, frozen=True):
    """It failed: `kind` names the error, `text` is a sentence for a person."""

    kind: str
    text: str

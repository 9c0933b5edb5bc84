"""What a running node tells whoever watches: one line of JSON each, its name in `event`.

A notice with a `cursor` can be asked for again: `watch` with `since` starts after it.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from meshnode.control.replies import FileInfo, State


class _Notice(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that happened. `cursor` goes on from here in a later `watch`; empty where nothing need be missed."""

    at: str
    cursor: str = ""


class ReadyNotice(_Notice, frozen=True, tag="ready"):
    """The node runs. `interface_state` is "up", "down" or "missing"; `web`: where its page is."""

    pid: int
    overlay_address: str
    home: str = ""
    interface: str = ""
    interface_state: str = ""
    web: list[str] = []


class StoppedNotice(_Notice, frozen=True, tag="stopped"):
    """The node stops; nothing follows."""

    reason: str = ""


class MessageNotice(_Notice, frozen=True, tag="message"):
    """A message was written here or arrived: the fields of `inbox`."""

    id: str
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


class StateNotice(_Notice, frozen=True, tag="state"):
    """A message moved forward."""

    id: str
    state: State
    witnesses: list[str]


class FileNotice(_Notice, frozen=True, tag="file"):
    """A file came nearer: `state` "coming", "here" or "gone"; `held` of `size` bytes as they travel."""

    id: str
    state: str
    held: int
    size: int


class NeighbourNotice(_Notice, frozen=True, tag="neighbour"):
    """A neighbour came, was bound, or went."""

    node: str
    link: str
    address: str
    state: str


class PeerNotice(_Notice, frozen=True, tag="peer"):
    """A session with a peer began or ended."""

    node: str
    address: str
    carrier: str
    state: str


class InterfaceNotice(_Notice, frozen=True, tag="interface"):
    """The bound interface came, changed or went ("up", "down"); or a radio did ("plugged", "unplugged").

    `detail`: what the link carries from now on.
    """

    name: str
    state: str
    detail: str = ""


class WarningNotice(_Notice, frozen=True, tag="warning"):
    """Something a person should know."""

    code: str
    text: str


class ContactNotice(_Notice, frozen=True, tag="contact"):
    """Something visible about a contact changed."""

    persona: str
    what: str
    text: str


class ForkNotice(_Notice, frozen=True, tag="fork"):
    """A device's history split: often a restored backup. `adopted`: its owner says now which branch is right."""

    device: str
    seq: int
    persona: str = ""
    adopted: bool = False


class CaptureNotice(_Notice, frozen=True, tag="capture"):
    """How much a capture has written."""

    frames: int
    bytes: int


class GapNotice(_Notice, frozen=True, tag="gap"):
    """The watcher was too slow: `missed` notices were not sent. The stream ends; ask again from the last cursor."""

    missed: int


Notice = (
    ReadyNotice
    | StoppedNotice
    | MessageNotice
    | StateNotice
    | FileNotice
    | NeighbourNotice
    | PeerNotice
    | InterfaceNotice
    | WarningNotice
    | ContactNotice
    | ForkNotice
    | CaptureNotice
    | GapNotice
)

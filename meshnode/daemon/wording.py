"""What the core keeps and notices, as the replies and notices of the control socket."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from meshnode.control import notices as told
from meshnode.control import replies
from meshnode.control.replies import utc_text
from meshnode.core import notices
from meshnode.core.chat.cancel import take_cancelled
from meshnode.core.ids import ChannelId, LogId, PersonaKey, log_channel, log_device
from meshnode.core.records import (
    FILE_OWN,
    FILE_WANTED,
    HOPS_UNKNOWN,
    ChannelRecord,
    ContactRecord,
    DeviceRecord,
    FileRecord,
    LogRecord,
    MessageRecord,
)
from meshnode.core.sealing.manifest import Manifest, chunk_count, content_step, decode_manifest_untrusted
from meshnode.core.settings import LinkSettings
from meshnode.daemon.adapters import Filed, FileHere
from meshnode.daemon.book import Book
from meshnode.store.room import Going

RING_CONTACT = 1
EMERGENCY = 1  # the class of a message that goes before all others


def moment(unix_s: float) -> str | None:
    """RFC 3339 UTC, or None when the date is not known."""
    return utc_text(unix_s) if unix_s > 0 else None


def link(settings: LinkSettings) -> str:
    """What a link carries, in a few words."""
    law = f", {settings.law.duty_ppm / 10_000:g} % of the time" if settings.law.limited else ""
    return (
        f"{settings.unicast_bps / 1000:g} kbit/s to one, {settings.multicast_bps / 1000:g} to all, datagrams of"
        f" {settings.unicast_payload} and {settings.multicast_payload} bytes{law}"
    )


def state_of(filed: Filed) -> replies.State:
    """Where a message stands; one that arrived is at our box until it is read."""
    if filed.state is not None:
        return known_state(filed.state.state)
    return "kept" if filed.message.outgoing else "delivered"


def known_state(state: str) -> replies.State:
    """The state by its name in the contract."""
    match state:
        case "written" | "kept" | "on_air" | "carried" | "delivered" | "read" | "expired":
            return state
        case _:
            raise ValueError(f"no delivery state is called {state}")


def message(filed: Filed, book: Book, me: str) -> replies.MessageInfo:
    """A message as `inbox` shows it."""
    record = filed.message
    writer = me if record.outgoing else book.name_of(record.peer)
    reader = book.name_of(record.peer) if record.outgoing else me
    cancels, text = take_cancelled(record.text)
    return replies.MessageInfo(
        id=record.id.hex(),
        cursor=str(record.cursor),
        sender=writer,
        text=text,
        files=files(filed),
        sent_at=moment(record.sent_at),
        received_at=moment(record.received_at),
        state=state_of(filed),
        hops=record.hops if record.hops != HOPS_UNKNOWN else None,
        about=record.about,
        to=UNSET if record.channel else reader,
        channel=book.channel_name(ChannelId(record.channel)) if record.channel else UNSET,
        persona=record.peer.hex(),
        conversation=conversation_id(record.peer, record.channel),
        outgoing=record.outgoing,
        urgent=record.cls == EMERGENCY,
        device=record.device.hex(),
        cancels=cancels,
        request=record.request.hex(),
    )


def conversation_id(peer: bytes, channel: bytes) -> str:
    """How the control socket calls the conversation with a persona, or in a channel."""
    return f"c-{channel.hex()}" if channel else f"d-{peer.hex()}"


def files(filed: Filed) -> list[replies.FileInfo]:
    """The file of a message, and how far it is."""
    if not filed.message.file:
        return []
    return [file(decode_manifest_untrusted(filed.message.file), filed.here)]  # it was checked when it came


def file(manifest: Manifest, here: FileHere | None) -> replies.FileInfo:
    """A file as `inbox` and `files` show it."""
    whole = here is not None and here.chunks == chunk_count(manifest.size)
    coming = here is not None and here.record.role == FILE_WANTED
    held = min(manifest.content_size, here.chunks * content_step(manifest.key)) if here else 0
    return replies.FileInfo(
        name=manifest.name,
        size=manifest.content_size,
        state="here" if whole else "coming" if coming else "offered",
        id=manifest.file.hex(),
        media=manifest.media,
        held=manifest.content_size if whole else held,
        preview=manifest.preview,
    )


def contact(record: ContactRecord, words: str = "") -> replies.ContactInfo:
    """A contact as `contact list` shows it."""
    return replies.ContactInfo(
        name=record.name,
        persona=record.persona.hex(),
        verified=record.verified,
        ring=RING_CONTACT,
        blocked=record.blocked,
        words=words,
    )


def channel(record: ChannelRecord, unread: int, logs: Sequence[LogId]) -> replies.ChannelInfo:
    """A channel as `channel list` shows it; `logs` are all that are held."""
    members = {log_device(log) for log in logs if log_channel(log) == record.channel}
    return replies.ChannelInfo(
        name=record.name, id=record.channel.hex(), kind="public", members=len(members), unread=unread
    )


def going(one: Going, now: float, date: float | None, book: Book) -> replies.GoingInfo:
    """What leaves the store when it is full; `now` as the store counts, `date` as Unix seconds."""
    until = date if one.kind == "post" else now
    channel = book.channel_name(ChannelId(one.channel)) if one.channel else ""
    return replies.GoingInfo(
        kind=one.kind,
        bytes=one.size,
        age_s=None if until is None or not one.since else max(0.0, until - one.since),
        who=book.name_of(PersonaKey(one.who)) if one.who else "",
        channel="" if channel == one.channel.hex() else channel,
    )


def device(record: DeviceRecord, own: bytes, split: int) -> replies.DeviceInfo:
    """A device as `device list` shows it; `split` of its logs want a word."""
    return replies.DeviceInfo(
        device=record.device.hex(),
        incarnation=record.incarnation.hex(),
        own=record.device == own,
        revoked=bool(record.revocation),
        split=split,
    )


def is_split(record: LogRecord) -> bool:
    """True for a log that split, while its owner has not said which branch is right."""
    return record.frozen_at > 0 and int.from_bytes(record.adopted[:4], "big") < record.frozen_at


def branch(adopted: notices.BranchAdopted) -> replies.BranchInfo:
    """A branch as `device adopt` shows it."""
    return replies.BranchInfo(log=adopted.log.hex(), split=adopted.split, seq=adopted.seq, block=adopted.block.hex())


def warning(given: notices.Notice, book: Book) -> notices.Warned | None:
    """What of a notice `status` goes on showing, if anything."""
    match given:
        case notices.Warned():
            return given
        case notices.ForkFound(log, seq, persona):
            name = book.name_of(persona) if persona else ""
            known = persona is not None and name != persona.hex()
            whose = f"A device of {name}" if known else f"Device {log[:4].hex()}"
            return notices.Warned(
                "history_split", f"{whose}: its history split at block {seq} (often a restored backup)."
            )
        case notices.SessionMet():
            return notices.Warned("other-mesh", _met(given))
        case _:
            return None


def _met(met: notices.SessionMet) -> str:
    return f"node {met.node.hex()[:8]}: {met.why}"


def notice(given: notices.Notice, at: str, cursor: str, book: Book, me: str) -> told.Notice | None:
    """A notice for whoever watches; None for what only one caller waits for."""
    match given:
        case notices.MessageFiled(record):
            return message_notice(message(Filed(record, None, _just_attached(record)), book, me), at, cursor)
        case notices.FileMoved(file, state, held, size):
            return told.FileNotice(at=at, id=file.hex(), state=state, held=held, size=size)
        case notices.StateChanged(id, state, witnesses):
            return told.StateNotice(
                at=at, cursor=cursor, id=id.hex(), state=known_state(state), witnesses=list(witnesses)
            )
        case notices.NeighbourChanged(node, link, address, state):
            return told.NeighbourNotice(at=at, node=node, link=link, address=address, state=state)
        case notices.PeerChanged(node, address, carrier, state):
            return told.PeerNotice(at=at, node=node, address=address, carrier=carrier, state=state)
        case notices.Warned(code, text):
            return told.WarningNotice(at=at, code=code, text=text)
        case notices.ForkFound(log, seq, persona):
            who = persona.hex() if persona else ""
            return told.ForkNotice(at=at, device=log[:32].hex(), seq=seq, persona=who)
        case notices.BranchAdopted(log, split, _, _, persona):
            who = persona.hex() if persona else ""
            return told.ForkNotice(at=at, device=log[:32].hex(), seq=split, persona=who, adopted=True)
        case notices.ContactChanged(persona, what, text):
            return told.ContactNotice(at=at, persona=persona.hex(), what=what, text=text)
        case notices.SessionMet():
            return told.WarningNotice(at=at, code="other-mesh", text=_met(given))
        case notices.ProbeHop() | notices.DateTaken() | notices.OthersStopped():
            return None


def _just_attached(record: MessageRecord) -> FileHere | None:
    """What is here of a message's file at the moment it was filed: all if it is ours, else nothing is looked up."""
    if not record.outgoing or not record.file:
        return None
    manifest = decode_manifest_untrusted(record.file)
    row = FileRecord(manifest.file, manifest.size, FILE_OWN, 0.0, b"")
    return FileHere(row, chunk_count(manifest.size))


def message_notice(info: replies.MessageInfo, at: str, cursor: str) -> told.MessageNotice:
    """A message as `watch` shows it."""
    return told.MessageNotice(
        at=at,
        cursor=cursor,
        id=info.id,
        sender=info.sender,
        text=info.text,
        files=info.files,
        sent_at=info.sent_at,
        received_at=info.received_at,
        state=info.state,
        hops=info.hops,
        about=info.about,
        to=info.to,
        channel=info.channel,
        persona=info.persona,
        conversation=info.conversation,
        outgoing=info.outgoing,
        urgent=info.urgent,
        device=info.device,
        cancels=info.cancels,
        request=info.request,
    )

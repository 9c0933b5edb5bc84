"""Public channels: posts are blocks in the log of their writer, one log for each device and channel.

    body of a POST block = UTF-8 text        id of the message = first 16 B of the block's id
    body of a MANIFEST block = the manifest of a file, and text
    body of a PROFILE block = nothing: it goes before a first post too long for people who do not know us

Posts of joined channels are filed as they come; others are carried only, and filed when somebody joins. A post whose
body is not here (dropped on the way, quota) is filed when the body comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.compact import MAX_BODY
from meshnode.core.chain.kinds import MANIFEST, POST, POSTS, PROFILE, acted_upon
from meshnode.core.chat.filing import Filing
from meshnode.core.chat.histories import Histories
from meshnode.core.chat.ownlogs import OwnLogs
from meshnode.core.chat.states import NEVER, States
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.admission import FIRST_BODY
from meshnode.core.ids import BlockId, ChannelId, DeviceKey, LogId, MessageId, PersonaKey, log_channel, log_device
from meshnode.core.inputs import Compose, SetChannel, Stored
from meshnode.core.records import (
    HOPS_UNKNOWN,
    ChannelRecord,
    FactRecord,
    MessageRecord,
    RecordKey,
    Snapshot,
)
from meshnode.core.sealing.manifest import attach, take_attached_untrusted
from meshnode.core.trust.rings import Rings
from meshnode.errors import UsageError, WireError

POST_CLASS: Final = 3
_LEFT: Final = "left/"
_WATCHED: Final = 256  # newest posts of ours whose spread is followed, for each log
_NAMELESS: Final = 256  # newest posts whose writer is not known yet


class Channels:
    """Posts, ours and theirs."""

    def __init__(self, ctx: Context, logs: OwnLogs, states: States, filing: Filing, rings: Rings) -> None:
        self._ctx = ctx
        self._logs = logs
        self._states = states
        self._filing = filing
        self._rings = rings
        self._channels: dict[ChannelId, ChannelRecord] = {}
        self._left_at: dict[ChannelId, Instant] = {}
        self._heads: dict[ChannelId, dict[LogId, int]] = {}  # logs with posts: the highest seq seen
        self._ours: dict[LogId, deque[tuple[int, MessageId]]] = {}
        self._nameless: deque[MessageRecord] = deque(maxlen=_NAMELESS)  # with their texts: a few megabytes
        self._histories = Histories(ctx)
        self.may_post: Callable[[DeviceKey], bool] = _anyone

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            match record:
                case ChannelRecord():
                    self._channels[record.channel] = record
                case FactRecord(name, value) if name.startswith(_LEFT):
                    self._left_at[ChannelId(bytes.fromhex(name[len(_LEFT) :]))] = float(value.decode())
        for index in sorted(snapshot.blocks, key=lambda index: (index.log, index.seq)):
            if index.kind in POSTS:
                self._note(log_channel(index.log), index.log, index.seq)
                if log_device(index.log) == self._ctx.keys.device:
                    self._watch(index.log, index.seq, index.id)
        self._histories.restore(snapshot, [record.channel for record in self._channels.values() if record.joined])

    def set_channel(self, told: SetChannel) -> None:
        """A channel was joined or left. Joining brings what was carried for others before."""
        before = self._channels.get(told.channel)
        record = ChannelRecord(told.channel, told.name, told.joined)
        self._channels[told.channel] = record
        self._ctx.persist(record, promise=True)  # a person saw it done
        was_joined = before is not None and before.joined
        if told.joined and not was_joined:
            self._read_history(told.channel)
        elif was_joined and not told.joined:
            self._histories.leave(told.channel)
            self._left_at[told.channel] = self._ctx.now
            self._ctx.persist(FactRecord(_LEFT + told.channel.hex(), repr(self._ctx.now).encode()))

    def post(self, told: Compose, channel: ChannelId) -> MessageId:
        """A person writes to a channel. The same request id gives the same post."""
        known = self._filing.requested(told.request)
        if known is not None:
            self._states.tell(known)
            return known
        body = attach(told.file, told.text) if told.file else told.text.encode()
        if len(body) > MAX_BODY:
            raise UsageError(f"a post holds at most {MAX_BODY} bytes of text; post it in parts")
        self._introduce(channel, len(body))
        block = self._logs.write(
            channel, MANIFEST if told.file else POST, body, cls=told.cls if told.cls in (1, 4) else POST_CLASS
        )
        self._watch(block.log, block.seq, block.id)
        message = self._record(block, outgoing=True, received_at=self._filing.date())
        cursor, cursor_row = self._filing.next()
        filed = replace(message, cursor=cursor, request=told.request)
        state = self._states.begin(filed.id, NEVER)
        self._ctx.persist(filed, state, cursor_row, *self._filing.request_row(told.request, filed.id), promise=True)
        self._filing.tell(filed)
        self._states.tell(filed.id)
        return filed.id

    def block_arrived(self, block: Block, channel: ChannelId) -> None:
        """A verified block of a channel, new here or with a body that was missing."""
        if block.kind not in POSTS or not acted_upon(block.version, block.kind):
            return
        self._note(channel, block.log, block.seq)
        if self._joined(channel) and log_device(block.log) != self._ctx.keys.device:
            if block.body is not None:
                self._histories.came(channel, block)
            self._file(block)

    def stored(self, told: Stored) -> bool:
        """A page of a channel's history; false if it was none."""
        posts = self._histories.stored(told)
        for block in posts or ():
            self._file(block)
        return posts is not None

    def device_known(self, device: DeviceKey, persona: PersonaKey) -> None:
        """A certificate came: posts filed before under the device alone get their writer."""
        posts = [message for message in self._nameless if message.device == device]
        if posts:
            self._nameless = deque((m for m in self._nameless if m.device != device), maxlen=_NAMELESS)
            self._ctx.persist(*(replace(message, peer=persona) for message in posts))

    def log_gone(self, log: LogId) -> None:
        """A log is held no longer: there is no history to read of it."""
        self._histories.log_gone(log)
        heads = self._heads.get(log_channel(log), {})
        heads.pop(log, None)
        if not heads:
            self._heads.pop(log_channel(log), None)

    def covered(self, log: LogId, seq: int, by: str) -> None:
        """A bound neighbour's authenticated frontier covers our log up to `seq`."""
        for place, message in self._ours.get(log, ()):
            if place <= seq:
                self._states.advance(message, "carried", by)

    def on_air(self, block: BlockId) -> None:
        """A block of ours was sent."""
        self._states.advance(MessageId(block[:16]), "on_air")

    def tick(self) -> None:
        """Everything that is due."""
        self._histories.tick()

    def wakeup(self) -> Instant | None:
        """When something is due."""
        return self._histories.wakeup()

    def _introduce(self, channel: ChannelId, size: int) -> None:
        """Begin our log with a small block: one that begins with a large one is refused for a day by people who do not
        know its writer, and all that follows with it (rule 12.2)."""
        begun, _ = self._logs.head(self._logs.log(channel))
        if not begun and size > FIRST_BODY:
            self._logs.write(channel, PROFILE, b"")

    def _file(self, block: Block) -> None:
        if block.body is None:
            return
        if not self.may_post(log_device(block.log)):
            self._ctx.count("post_without_leave")
            return
        try:
            post = self._record(block, outgoing=False, received_at=self._filing.date())
        except WireError:
            self._ctx.count("file_announcement_refused")
            return
        cursor, cursor_row = self._filing.next()
        message = replace(post, cursor=cursor)
        self._ctx.persist(message, cursor_row)
        self._filing.tell(message)
        if self._rings.persona_of(log_device(block.log)) is None:
            self._nameless.append(message)

    def _record(self, block: Block, *, outgoing: bool, received_at: float) -> MessageRecord:
        """The message of a post. Until its certificate comes, the device stands for the person.

        WireError for the announcement of a file that cannot be.
        """
        device, body = log_device(block.log), block.body or b""
        file, text = take_attached_untrusted(body) if block.kind == MANIFEST else (b"", body.decode(errors="replace"))
        written = float(block.time)
        return MessageRecord(
            id=MessageId(block.id[:16]),
            cursor=0,
            outgoing=outgoing,
            peer=self._rings.persona_of(device) or PersonaKey(device),
            device=device,
            channel=log_channel(block.log),
            seq=block.seq,
            text=text,
            cls=block.cls,
            sent_at=min(written, received_at) if received_at else written,
            received_at=received_at,
            hops=HOPS_UNKNOWN,
            missing=0,
            request=b"",
            about=self._filing.about(written),
            file=file,
        )

    def _joined(self, channel: ChannelId) -> bool:
        record = self._channels.get(channel)
        return record is not None and record.joined

    def _read_history(self, channel: ChannelId) -> None:
        logs = self._heads.get(channel, {}).items()
        others = {log: head for log, head in logs if log_device(log) != self._ctx.keys.device}
        self._histories.begin(channel, others, self._left_at.get(channel, 0.0))
        if channel in self._left_at:
            del self._left_at[channel]
            self._ctx.forget(RecordKey(FactRecord, (_LEFT + channel.hex(),)))

    def _note(self, channel: ChannelId, log: LogId, seq: int) -> None:
        heads = self._heads.setdefault(channel, {})
        if seq > heads.get(log, 0):
            heads[log] = seq

    def _watch(self, log: LogId, seq: int, block: BlockId) -> None:
        self._ours.setdefault(log, deque(maxlen=_WATCHED)).append((seq, MessageId(block[:16])))


def _anyone(device: DeviceKey) -> bool:
    return True

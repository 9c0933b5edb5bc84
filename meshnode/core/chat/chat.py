"""Chat: what a person tells it and what arrives goes to the part that knows, and the parts learn of each other.

It wires itself to forwarding, which stands below. What stands beside (gossip) the node wires: `publish`, and calls of
`block_arrived`, `covered`, `block_on_air`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from meshnode.core.chain.block import Block
from meshnode.core.chat.adoptions import Adoptions
from meshnode.core.chat.chains import Chains
from meshnode.core.chat.channels import Channels
from meshnode.core.chat.filing import Filing
from meshnode.core.chat.incoming import Incoming
from meshnode.core.chat.outgoing import Outgoing
from meshnode.core.chat.ownlogs import OwnLogs
from meshnode.core.chat.people import People
from meshnode.core.chat.sessions import Sessions
from meshnode.core.chat.states import States, rank
from meshnode.core.clock import Instant, earliest
from meshnode.core.context import Context
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.ids import PERSON_CHANNEL, BlockId, DeviceKey, FileId, LogId, MessageId, PersonaKey, log_channel
from meshnode.core.inputs import Compose, MarkRead, SetChannel, SetContact, Stored
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.notices import Waiting
from meshnode.core.records import ContactRecord, Snapshot
from meshnode.core.sealing.manifest import decode_manifest_untrusted
from meshnode.core.trust.rings import Rings
from meshnode.errors import UsageError, WireError

_SWEEP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Why:
    """Where a message is, who says so, and what it waits for."""

    state: str
    witnesses: tuple[str, ...]
    waiting_for: str


class Chat:
    """All of it, for one node. `name`: how the person wants to be shown."""

    def __init__(self, ctx: Context, forwarding: Forwarding, rings: Rings, name: str = "") -> None:
        self._ctx = ctx
        self._forwarding = forwarding
        self._rings = rings
        self._sweep_at = 0.0
        self.logs = OwnLogs(ctx)
        self.states = States(ctx)
        self.people = People(ctx, self.logs, rings, name)
        self.adoptions = Adoptions(ctx, self.logs, self.people, rings)
        self._filing = Filing(ctx)
        self._chains = Chains(ctx)
        self.sessions = Sessions(ctx)
        self._out = Outgoing(ctx, self.people, self.sessions, self._chains, self.states, self._filing, forwarding)
        self._in = Incoming(ctx, self.people, self.sessions, self._chains, self._filing, forwarding)
        self._channels = Channels(ctx, self.logs, self.states, self._filing, rings)
        self.file_whole: Callable[[FileId], bool] = _none_whole
        self._wire()

    @property
    def publish(self) -> Callable[[Block], None]:
        """How a block of ours is kept and spread: gossip's part."""
        return self.logs.publish

    @publish.setter
    def publish(self, publish: Callable[[Block], None]) -> None:
        self.logs.publish = publish

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk. The rings, which other parts share, are restored by the node."""
        for part in (self.logs, self.states, self.people, self._filing, self._chains, self.sessions):
            part.restore(snapshot)
        self._out.restore(snapshot)
        self._in.restore(snapshot)
        self._channels.restore(snapshot)

    # What a person does

    def compose(self, told: Compose) -> MessageId:
        """Write to a person or to a channel; a notice names the message."""
        if told.file:
            self._check_file(told)
        if told.channel is not None and told.to is None:
            return self._channels.post(told, told.channel)
        if told.to is None or told.channel is not None:
            raise UsageError("a message goes to one contact or to one channel")
        if self.people.is_blocked(told.to):
            raise UsageError(f"you have blocked {self.people.name_of(told.to)}; unblock first")
        return self._out.compose(told, told.to)

    def mark_read(self, told: MarkRead) -> None:
        """These were read."""
        self._out.read(told.messages)

    def set_contact(self, told: SetContact) -> None:
        """The address book changed."""
        self.people.set_contact(told)

    def remove_contact(self, persona: PersonaKey) -> None:
        """A contact was removed."""
        self.people.remove_contact(persona)

    def set_channel(self, told: SetChannel) -> None:
        """A channel was joined or left."""
        self._channels.set_channel(told)

    def revoke(self, statement: bytes) -> None:
        """The person removes a device."""
        self.people.revoke(statement)

    def why(self, message: MessageId) -> Why | None:
        """Where an own message is; None if it is not remembered."""
        record = self.states.get(message)
        if record is None:
            return None
        return Why(record.state, record.witnesses, self._waiting_for(message, record.state))

    def _waiting_for(self, message: MessageId, state: str) -> str:
        """In a few words, what it still needs to get further; once delivered it needs nothing of the mesh."""
        if rank(state) >= rank("delivered"):
            return ""
        if missing := self._out.waiting_for(message):
            return missing
        if rank(state) < rank("on_air"):
            return "air" if self._forwarding.in_reach else "a neighbour to come into reach"
        reader = self._out.reader(message)
        if not reader:
            return "neighbours to say that they have it"
        met = f"the box of {reader} to be met"
        return met if self._out.ever_answered(message) else f"{met}; it answers only those {reader} has added"

    def waiting(self) -> Iterator[Waiting]:
        """Messages that are written and not sealed yet."""
        return self._out.waiting()

    # What arrives

    def block_arrived(self, block: Block) -> None:
        """A verified block that is new here, or whose body was missing."""
        if self.logs.writes(block.log):
            return  # our own, come back
        channel = log_channel(block.log)
        if channel != PERSON_CHANNEL:
            self._channels.block_arrived(block, channel)
        elif block.body is not None:
            self.people.block_arrived(block)
            self.adoptions.block_arrived(block)

    def covered(self, log: LogId, seq: int, neighbour: Neighbour) -> None:
        """A bound neighbour's frontier covers an own log up to there."""
        self._channels.covered(log, seq, neighbour.short)

    def log_gone(self, log: LogId) -> None:
        """A log was evicted, or its writer blocked."""
        self._channels.log_gone(log)

    def block_on_air(self, block: BlockId) -> None:
        """A block of ours was sent."""
        self._channels.on_air(block)

    def stored(self, told: Stored) -> bool:
        """An answer of the store; false if it was not for us."""
        return self._channels.stored(told)

    # Time

    def tick(self) -> None:
        """Everything that is due."""
        for message in self.states.expire():
            self._out.expired(message)
        self.people.prekeys.known_nodes = self._forwarding.strategy.nodes_known
        self.people.tick()
        self._out.tick()
        self._in.tick()
        self._channels.tick()
        if self._ctx.now >= self._sweep_at:
            self._sweep_at = self._ctx.now + _SWEEP_S
            self.sessions.expire()

    def wakeup(self) -> Instant | None:
        """When something is due."""
        parts = (self.states, self.people, self._out, self._in, self._channels)
        return earliest(self._sweep_at, *(part.wakeup() for part in parts))

    def _wire(self) -> None:
        self.people.on_prekey = self._out.key_came
        self.people.on_restarted = self._out.restarted
        self.people.on_revoked = self._revoked
        self.people.on_contact = self._contact_set
        self.people.on_device = self._channels.device_known
        self._channels.may_post = self.people.may_post
        self._in.on_read_note = self._out.read_note_came
        self._in.on_heard_of = self._out.heard_of
        self._in.on_session = self._out.key_came
        self._forwarding.on_envelope = self._in.envelope_arrived
        self._forwarding.on_receipt = self._out.receipt_came
        self._forwarding.on_missed = self._out.missed
        self._forwarding.on_carried = self._carried
        self._forwarding.on_air = self._out.on_air

    def _check_file(self, told: Compose) -> None:
        """A file is announced only when all of it is here, and only sealed to one person."""
        try:
            manifest = decode_manifest_untrusted(told.file)
        except WireError as error:
            raise UsageError(f"the file cannot be announced: {error}") from None
        if bool(manifest.key) != (told.to is not None):
            raise UsageError("a file for one person is sealed, a file in a channel is not")
        if not self.file_whole(manifest.file):
            raise UsageError("the file is not here, or not all of it")

    def _carried(self, message: MessageId, taker: Neighbour) -> None:
        self._out.carried(message, taker.short)

    def _contact_set(self, contact: ContactRecord) -> None:
        if not contact.blocked:
            self._in.contact_set(contact.persona)

    def _revoked(self, device: DeviceKey) -> None:
        self.sessions.drop_device(device)


def _none_whole(file: FileId) -> bool:
    return False

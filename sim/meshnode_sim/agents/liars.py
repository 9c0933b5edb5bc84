"""Members of the mesh that misbehave: each runs the shipped core, and says or withholds something beside it.

What they write and read themselves counts in no figure of a report; what they do to others does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshnode.core.airtime.queue import Outgoing
from meshnode.core.chain.block import compact_of, stored_block, write_block
from meshnode.core.chain.kinds import POST
from meshnode.core.clock import Instant
from meshnode.core.effects import Effect, Persist, Send
from meshnode.core.identity.keys import Keys
from meshnode.core.ids import Tag, log_device
from meshnode.core.inputs import FrameReceived, Input
from meshnode.core.node import Node
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.records import BlockRecord, Snapshot
from meshnode.core.sealing.envelope import KIND_MESSAGE, TAG_LENGTH, EnvelopeHeader
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.settings import Settings
from meshnode.core.wire.frames import Beacon, BlockFrame, EnvelopeFrame, Frame
from meshnode_sim.host import LINK

FLOOD_EVERY_S: Final = 1.0  # each is sent on by everybody, so that a line of ten repeats it ten times
REPLAY_EVERY_S: Final = 0.5
REMEMBERED: Final = 200  # datagrams a replayer has ready
_OCTETS: Final = 180  # of the sealed part of an envelope to nobody
_CLASS: Final = 2


class Liar(Node):
    """What they have in common: a mouth of their own, and a clock for what they say unasked."""

    LIES: Final = True
    EVERY_S: float = float("inf")

    def __init__(
        self,
        keys: Keys,
        mesh: MeshKeys,
        settings: Settings,
        sealer: Sealer,
        entropy: Entropy,
        kept: Snapshot,
        epoch: int,
    ) -> None:
        super().__init__(keys, mesh, settings, sealer, entropy, kept, epoch)
        self.say = self.outbox.put
        self.outbox.put = self.queued  # type: ignore[method-assign]  # all that the honest parts say passes here
        self._due = kept.now + self.EVERY_S

    def queued(self, outgoing: Outgoing) -> None:
        """A frame the core wants to send."""
        self.say(outgoing)

    def lie(self, now: Instant) -> list[Effect]:
        """What it does every EVERY_S."""
        return []

    def step(self, given: Input, now: Instant) -> list[Effect]:
        """As the core, and a lie where one is due."""
        said: list[Effect] = []
        if now >= self._due:
            self._due = now + self.EVERY_S
            said = self.lie(now)
        return super().step(given, now) + said

    def next_wakeup(self) -> Instant | None:
        """The core's, or that of the next lie."""
        honest = super().next_wakeup()
        return self._due if honest is None else min(honest, self._due)

    def broadcast(self, frame: Frame) -> None:
        """Says a frame to everybody in hearing."""
        self.say(Outgoing(frame, _CLASS, LINK, None))


class Flooder(Liar):
    """Sends one envelope after the other that nobody will ever open."""

    EVERY_S = FLOOD_EVERY_S

    def lie(self, now: Instant) -> list[Effect]:
        """One more."""
        tag = Tag(self.ctx.entropy.take("lie", TAG_LENGTH))
        header = EnvelopeHeader(KIND_MESSAGE, _CLASS, 9, 0, 0, tag)
        self.broadcast(EnvelopeFrame(header.encode() + self.ctx.entropy.take("lie", _OCTETS), 0, 8))
        return []


class Dropper(Liar):
    """Lets no envelope go on, whatever it promised."""

    def queued(self, outgoing: Outgoing) -> None:
        """Everything else leaves."""
        if not isinstance(outgoing.frame, EnvelopeFrame):
            self.say(outgoing)


class Replayer(Liar):
    """Repeats what others said, bit for bit."""

    EVERY_S = REPLAY_EVERY_S
    _recorded: tuple[bytes, ...] = ()
    _turn = 0

    def step(self, given: Input, now: Instant) -> list[Effect]:
        """Remembers what it hears."""
        if isinstance(given, FrameReceived):
            self._recorded = (*self._recorded[-REMEMBERED + 1 :], given.data)
        return super().step(given, now)

    def lie(self, now: Instant) -> list[Effect]:
        """The next of what it heard."""
        if not self._recorded:
            return []
        self._turn += 1
        return [Send(LINK, None, self._recorded[self._turn % len(self._recorded)], 0)]


class BeaconLiar(Liar):
    """Claims in each beacon to have other logs and envelopes than it has."""

    def queued(self, outgoing: Outgoing) -> None:
        """A beacon gets digests of nothing."""
        frame = outgoing.frame
        if isinstance(frame, Beacon):
            digests = self.ctx.entropy.take("lie", 12)
            outgoing = outgoing._replace(frame=replace(frame, frontier=digests[:8], envelopes=digests[8:]))
        self.say(outgoing)


class Forker(Liar):
    """Signs a second block for each place in its logs where it writes one, and tells both to all."""

    def step(self, given: Input, now: Instant) -> list[Effect]:
        """As the core; then the other version of what was written."""
        effects = super().step(given, now)
        for effect in effects:
            for record in effect.records if isinstance(effect, Persist) else ():
                if isinstance(record, BlockRecord) and record.kind == POST and self._mine(record):
                    self.broadcast(self._other_version(record))
        return effects

    def _mine(self, record: BlockRecord) -> bool:
        return log_device(record.log) == self.ctx.keys.device

    def _other_version(self, record: BlockRecord) -> BlockFrame:
        block = stored_block(record.content, record.signature, record.body)
        body = record.body[:-1] + bytes([record.body[-1] ^ 1])
        keys, prev = self.ctx.keys, block.prev
        other = write_block(
            block.log,
            block.seq,
            prev,
            block.kind,
            body,
            time=block.time,
            secret=keys.device_secret,
            sealer=self.ctx.sealer,
        )
        return BlockFrame(block.log, compact_of(other, elide=False))

"""A member that lies: says any frame as a bound neighbour, or seals anything under any link id with the mesh key."""

from __future__ import annotations

from collections.abc import Iterable

from meshnode.core.airtime.queue import Outgoing
from meshnode.core.chain.block import compact_of, stored_block
from meshnode.core.ids import PERSON_CHANNEL, LogId, NeighbourId, NodeKey, log_id
from meshnode.core.inputs import FrameReceived, Tick
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.records import BlockRecord
from meshnode.core.sealing.link import LinkSeal
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.wire.codec import encode_frames
from meshnode.core.wire.frames import BlockFrame, Frame
from support.trial_world import LINK, MESH, Box, address_of


def say(box: Box, frame: Frame, to: Box | None = None) -> None:
    """Send any frame as this box: pairwise to one, or to all."""
    name = None if to is None else to.node.neighbours.me
    box.node.outbox.put(Outgoing(frame, 0, LINK, name))
    box.feed(Tick())


def sealed_as(
    name: NeighbourId, epoch: int, counter: int, frames: Iterable[Frame], *, to: bytes = b"", mesh: MeshKeys = MESH
) -> bytes:
    """A datagram under any link id, with the mesh key."""
    seal = LinkSeal(RealSealer(), mesh, name, epoch)
    seal._counter = counter
    plaintext = encode_frames(frames, 1171)
    return seal.seal_unicast(plaintext, NeighbourId(to), None) if to else seal.seal_multicast(plaintext)


def hears(box: Box, data: bytes, *, source: str = "m", multicast: bool = True) -> None:
    """A datagram reaches a box."""
    box.feed(FrameReceived(LINK, address_of(source), multicast, data))


def neighbour(box: Box, other: Box) -> Neighbour:
    """How one box knows another."""
    found = box.node.neighbours.get(NodeKey(other.keys.node))
    assert found is not None
    return found


def block_of(box: Box, log: LogId, seq: int) -> BlockFrame:
    """A block of a box's disk as it travels, under its full log id."""
    row = box.disk.get(BlockRecord, log, seq)
    assert row is not None
    return BlockFrame(log, compact_of(stored_block(row.content, row.signature, row.body), elide=False))


def person_log(box: Box) -> LogId:
    return log_id(box.keys.device, box.keys.incarnation, PERSON_CHANNEL)

"""A log that split, between whole nodes: found however deep it lies, told to all, shown, and mended by its owner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from meshnode.core.chain.block import ROOT, Block, compact_of, write_block
from meshnode.core.chain.fork import Adoption
from meshnode.core.chain.kinds import ADOPTION, CERTIFICATE, POST
from meshnode.core.identity.certificate import Certificate, issue_certificate
from meshnode.core.ids import PERSON_CHANNEL, ChannelId, DeviceKey, LogId, log_id
from meshnode.core.notices import ForkFound
from meshnode.core.records import ForkProofRecord, LogRecord
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame
from support.trial_world import SQUARE, Box, TrialWorld

IDLE_BYTES = 300


class Device:
    """A device of which tests hold the key: it writes what it likes."""

    def __init__(self, box: Box, secret: bytes, channel: ChannelId = SQUARE) -> None:
        self._sealer, self._secret = box.node.ctx.sealer, secret
        self.log: LogId = log_id(DeviceKey(self._sealer.signing_public(secret)), box.keys.incarnation, channel)
        self.blocks: list[Block] = []

    def write(self, count: int = 1, body: bytes = b"words", kind: int = POST) -> list[Block]:
        for _ in range(count):
            prev = self.blocks[-1].ref if self.blocks else ROOT
            seq = len(self.blocks) + 1
            self.blocks.append(
                write_block(
                    self.log, seq, prev, kind, body, time=0, secret=self._secret, sealer=self._sealer
                )  # fmt: skip
            )
        return self.blocks[-count:]


def brings(box: Box, blocks: Iterable[Block]) -> None:
    """A parcel with these blocks."""
    box.import_([encode_frame(BlockFrame(block.log, compact_of(block, elide=False))) for block in blocks])


def a_split(box: Box, shared: int, left: int, right: int) -> tuple[LogId, list[Block], list[Block]]:
    """One log, two branches."""
    device = Device(box, bytes(range(32)))
    device.write(shared)
    common = list(device.blocks)
    device.write(left, b"left")
    one = device.blocks
    device.blocks = common
    device.write(right, b"right")
    return device.log, one, device.blocks


def agreed(*boxes: Box) -> bool:
    return len({box.node.gossip.logs.digest() for box in boxes}) == 1


def frozen(box: Box, log: LogId) -> tuple[int, int]:
    held = box.node.gossip.logs.book.logs[log]
    return held.head, held.frozen_at


@pytest.mark.parametrize(("shared", "left", "right"), [(1, 2, 3), (3, 40, 42), (2, 130, 131), (5, 20, 19)])
@pytest.mark.parametrize("carrier", ["link", "overlay"])
def test_a_split_is_found_where_it_lies(carrier: str, shared: int, left: int, right: int) -> None:
    world = TrialWorld(1)
    a, b = world.add("a"), world.add("b")
    log, one, other = a_split(a, shared, left, right)
    brings(a, one)
    brings(b, other)
    if carrier == "link":
        world.join("a", "b")
    else:
        world.connect("a", "b")
    assert world.run(900, until=lambda: frozen(a, log) == frozen(b, log) == (shared, shared + 1))
    assert world.run(120, until=lambda: agreed(a, b))
    assert a.told(ForkFound)[-1].seq == b.told(ForkFound)[-1].seq == shared + 1
    proofs = [replace(box.disk.get(ForkProofRecord, log), replaced=0) for box in (a, b)]
    assert proofs[0] == proofs[1]
    world.run(600)
    before = {box: box.sent_bytes for box in (a, b)}
    world.run(3600)
    if carrier == "link":
        assert max((box.sent_bytes - before[box]) / 60 for box in (a, b)) <= IDLE_BYTES


def test_a_proof_reaches_everyone_who_holds_the_log_and_outlives_a_restart() -> None:
    world = TrialWorld(2, loss=0.2)
    boxes = [world.add(name) for name in "abcde"]
    for one, other in ("ab", "bc", "cd", "de"):
        world.join(one, other)
    log, one, other = a_split(boxes[0], 3, 2, 2)
    world.run(60)
    brings(boxes[0], one[:4])
    assert world.run(300, until=lambda: all(log in box.node.gossip.logs.book for box in boxes))
    boxes[2].off()
    brings(boxes[4], [other[3]])
    world.run(120)
    boxes[2].boot()
    assert world.run(900, until=lambda: all(frozen(box, log) == (3, 4) for box in boxes))
    assert agreed(*boxes)
    for box in boxes:
        assert [fork.seq for fork in box.told(ForkFound)] == [4]
        box.off()
        box.boot()
        assert frozen(box, log) == (3, 4)
        assert box.disk.get(LogRecord, log).frozen_at == 4
    assert agreed(*boxes)
    brings(boxes[0], one[4:])
    assert frozen(boxes[0], log) == (3, 4)

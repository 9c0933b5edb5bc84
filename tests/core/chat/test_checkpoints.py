"""Checkpoints: what a writer claims of its own log, and what becomes of one who claims otherwise than it wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from meshnode.core.chain.block import ROOT, Block, compact_of, write_block
from meshnode.core.chain.checkpoint import Checkpoint, agrees, decode_checkpoint_untrusted, merkle_root
from meshnode.core.chain.kinds import CHECKPOINT, POST
from meshnode.core.ids import LogId, log_id
from meshnode.core.notices import ForkFound
from meshnode.core.records import BlockRecord, LogRecord
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame
from support.trial_world import SQUARE, Box, TrialWorld


def square_log(box: Box) -> LogId:
    return log_id(box.keys.device, box.keys.incarnation, SQUARE)


def checkpoints(box: Box, log: LogId) -> list[BlockRecord]:
    rows = [row for row in box.disk.every(BlockRecord) if row.log == log and row.kind == CHECKPOINT]
    return sorted(rows, key=lambda row: row.seq)


def written(box: Box, count: int) -> list[Block]:
    """Posts of a device that nobody runs."""
    blocks: list[Block] = []
    for seq in range(1, count + 1):
        blocks.append(next_block(box, blocks, POST, b"post %d" % seq))
    return blocks


def next_block(box: Box, blocks: list[Block], kind: int, body: bytes) -> Block:
    prev = blocks[-1].ref if blocks else ROOT
    return write_block(
        square_log(box), len(blocks) + 1, prev, kind, body, time=0, secret=box.keys.device_secret,
        sealer=box.node.ctx.sealer,
    )  # fmt: skip


def false_claim(blocks: list[Block]) -> bytes:
    claim = Checkpoint(1, len(blocks), merkle_root(block.id for block in blocks))
    return replace(claim, root=bytes(32)).encode()


def brings(box: Box, blocks: Iterable[Block]) -> None:
    """A parcel with these blocks."""
    box.import_([encode_frame(BlockFrame(block.log, compact_of(block, elide=False))) for block in blocks])


def agreed(*boxes: Box) -> bool:
    return len({box.node.gossip.logs.digest() for box in boxes}) == 1


def test_a_log_gets_a_checkpoint_every_64_blocks() -> None:
    world = TrialWorld(1)
    a, b = world.line("ab")
    world.run(30)
    for number in range(140):
        a.post(f"post {number}")
        world.run(0.2)
        if number == 100:
            a.off()
            world.run(1)
            a.boot()
    world.run(60)
    log = square_log(a)
    assert [row.seq for row in checkpoints(a, log)] == [65, 130]
    for box in (a, b):
        rows = box.node.gossip.logs.book.logs[log].rows
        for row in checkpoints(a, log):
            assert agrees(decode_checkpoint_untrusted(row.body, row.seq), rows)
    second = decode_checkpoint_untrusted(checkpoints(a, log)[1].body, 130)
    assert (second.first, second.count, second.last_seq) == (65, 65, 65)
    assert [row.id for row in checkpoints(b, log)] == [row.id for row in checkpoints(a, log)]
    assert b.in_order(a, "square") == [f"post {number}" for number in range(140)]
    assert agreed(a, b)
    assert not a.told(ForkFound)


def test_a_false_claim_freezes_the_log_at_everyone() -> None:
    """One hears it, the next gets it from there, one lay switched off, and one is new."""
    world = TrialWorld(2)
    boxes = [world.add(name) for name in "abc"]
    a, b, c = boxes
    world.line("xyz")  # others, elsewhere: x signs, and is not asked
    writer = world.boxes["x"]
    world.join("a", "b")
    world.join("b", "c")
    blocks = written(writer, 20)
    world.run(30)
    brings(a, blocks)
    assert world.run(120, until=lambda: agreed(a, b, c))
    c.off()
    log = square_log(writer)
    brings(a, [next_block(writer, blocks, CHECKPOINT, false_claim(blocks))])
    world.run(120)
    for box in (a, b):
        (fork,) = box.told(ForkFound)
        assert (fork.log, fork.seq) == (log, 21)
        assert box.node.gossip.logs.book.logs[log].head == 20
    a.off()
    a.boot()
    assert a.disk.get(LogRecord, log).frozen_at == 21
    c.boot()
    d = world.add("d")
    world.join("d", "c")
    world.run(600)
    for box in (a, b, c, d):
        held = box.node.gossip.logs.book.logs[log]
        assert (held.head, held.forked) == (20, True), box.name
    assert agreed(a, b, c, d)
    assert len(c.told(ForkFound)) == len(d.told(ForkFound)) == 1


def test_nothing_more_is_claimed_of_a_log_that_split() -> None:
    world = TrialWorld(3)
    a = world.add("a")
    a.post("one")
    log = square_log(a)
    assert a.node.gossip.checkpoint_due(log, 1) == b""
    for number in range(63):
        a.post(f"post {number}")
    assert [row.seq for row in checkpoints(a, log)] == [65]
    assert a.node.gossip.checkpoint_due(log, 64) == b"", "not the last one"
    assert a.node.gossip.checkpoint_due(LogId(bytes(52)), 1) == b""
    a.node.gossip.logs.book.logs[log].frozen_at = 3
    assert a.node.gossip.checkpoint_due(log, 65) == b""

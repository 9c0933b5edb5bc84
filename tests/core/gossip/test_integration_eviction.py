"""A store that makes room: the node knows which bodies went, keeps the headers, and its neighbours do not mind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.gossip import bodies as bodies_module
from meshnode.core.gossip.bodies import AT_ONCE
from meshnode.core.gossip.forks import Forks
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.serve import BLOCK_CLASS
from meshnode.core.ids import LogId, log_channel
from meshnode.core.inputs import BodiesDropped
from meshnode.core.records import BODY_DROPPED, BODY_HELD, BODY_MISSING, BlockRecord, LogRecord
from meshnode.core.wire.codec import encode_frame
from support.trial_member import block_of
from support.trial_world import Box, TrialWorld

IDLE_BYTES = 300


def make_room(box: Box, log: LogId, *seqs: int) -> None:
    """As the daemon's store does it."""
    for seq in seqs:
        row = box.disk.get(BlockRecord, log, seq)
        box.disk.rows[BlockRecord, (log, seq)] = replace(row, body=b"", body_state=BODY_DROPPED)
    box.feed(BodiesDropped(tuple((log, seq) for seq in seqs)))


def square_log(box: Box) -> LogId:
    (log,) = {row.log for row in box.disk.every(BlockRecord) if row.log[:32] == box.keys.device and row.kind == 1}
    return log


def states(box: Box, log: LogId) -> list[int]:
    held = box.node.gossip.logs.book.logs[log]
    return [held.state_at(seq) for seq in range(1, held.last + 1)]


def agreed(*boxes: Box) -> bool:
    return len({box.node.gossip.logs.digest() for box in boxes}) == 1


def a_square(seed: int, posts: int) -> tuple[TrialWorld, Box, Box, Box, LogId]:
    """a posts, b is next to it and no friend; c comes later, from the other side of b."""
    world = TrialWorld(seed)
    a, b, c = world.add("a"), world.add("b"), world.add("c")
    world.join("a", "b")
    world.run(20)
    for number in range(posts):
        a.post(f"post {number}")
        world.run(2)
    world.run(60)
    log = square_log(a)
    assert states(b, log) == [BODY_HELD] * posts
    world.part("a", "b")
    return world, a, b, c, log


def test_what_went_is_not_wanted_again_and_changes_no_frontier() -> None:
    world, a, b, _, log = a_square(1, 10)
    before, size = b.node.gossip.logs.digest(), b.disk.get(LogRecord, log).bytes
    make_room(b, log, *range(1, 9))
    assert states(b, log) == [BODY_DROPPED] * 8 + [BODY_HELD] * 2
    assert b.node.gossip.logs.digest() == before
    assert b.disk.get(LogRecord, log).bytes == size - 8 * len("post 0")
    b.off()
    b.boot()
    assert states(b, log) == [BODY_DROPPED] * 8 + [BODY_HELD] * 2
    world.join("a", "b")
    world.run(300)
    assert states(b, log)[:8] == [BODY_DROPPED] * 8
    assert agreed(a, b)


def test_neighbours_that_keep_different_bodies_are_quiet() -> None:
    world, _, b, c, log = a_square(2, 30)
    make_room(b, log, *range(1, 31, 3))
    world.join("b", "c")
    world.run(3 * 3600)
    assert agreed(b, c)
    assert states(c, log) == [BODY_MISSING, BODY_HELD, BODY_HELD] * 10
    before = {box: box.sent_bytes for box in (b, c)}
    world.run(3600)
    assert max((box.sent_bytes - before[box]) / 60 for box in (b, c)) <= IDLE_BYTES
    assert not c.node.gossip.bodies._wanted, "a stranger's: asked for long enough"


def test_a_contacts_bodies_are_wanted_until_they_come() -> None:
    world, a, b, c, log = a_square(3, 30)
    c.knows(a)
    make_room(b, log, *range(1, 31, 3))
    world.join("b", "c")
    world.run(4 * 3600)
    before, sent = {box: box.sent_bytes for box in (b, c)}, len(b.sent_datagrams)
    world.run(3600)
    assert max((box.sent_bytes - before[box]) / 60 for box in (b, c)) <= IDLE_BYTES
    assert all(send.cls < BLOCK_CLASS for send in b.sent_datagrams[sent:]), "no headers for those who want bodies"
    assert states(c, log)[0] == BODY_MISSING
    world.join("a", "c")
    assert world.run(3700 * 2, until=lambda: states(c, log) == [BODY_HELD] * 30)


def test_who_becomes_a_contact_gets_the_bodies_back() -> None:
    world, a, b, _, log = a_square(4, 40)
    make_room(b, log, *range(1, 41))
    b.off()
    b.boot()
    b.knows(a)
    assert states(b, log) == [BODY_MISSING] * 40
    world.join("a", "b")
    world.run(120)
    assert states(b, log) == [BODY_HELD] * 40


def test_what_is_told_of_unknown_blocks_is_nothing() -> None:
    world, _, b, _, log = a_square(5, 2)
    b.feed(BodiesDropped(((LogId(bytes(52)), 1), (log, 99))))
    assert states(b, log) == [BODY_HELD] * 2
    world.run(1)


def test_bodies_come_back_over_the_overlay_a_few_at_a_time() -> None:
    world, a, b, _, log = a_square(6, 60)
    world.run(700)  # until nobody counts as bound on the link any more
    make_room(b, log, *range(1, 61, 2))
    b.knows(a)
    world.connect("a", "b")
    world.run(11)
    assert states(b, log).count(BODY_MISSING) == 30 - AT_ONCE
    world.run(60)
    assert states(b, log) == [BODY_HELD] * 60


def test_a_body_beyond_a_gap_goes_too() -> None:
    world, _, b, c, log = a_square(7, 5)
    c.import_([encode_frame(block_of(b, log, 1)), encode_frame(block_of(b, log, 4))])
    held = c.node.gossip.logs.book.logs[log]
    assert (held.head, [*held.beyond]) == (1, [4])
    make_room(c, log, 4)
    assert held.state_at(4) == BODY_DROPPED
    c.off()
    c.boot()
    held = c.node.gossip.logs.book.logs[log]
    assert (held.head, held.state_at(4)) == (1, BODY_DROPPED), "and it outlives a restart"
    world.join("b", "c")
    world.run(60)
    assert states(c, log) == [BODY_HELD] * 3 + [BODY_DROPPED, BODY_HELD]


def test_logs_with_missing_bodies_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "MAX_WANTED", 1)
    _, _, b, _, log = a_square(8, 1)
    bodies = b.node.gossip.bodies
    for other in (log, LogId(bytes(52))):
        bodies.missing(other)
    assert [*bodies._wanted] == [log]


def test_parts_that_nobody_listens_to_work_alone() -> None:
    _, _, b, _, log = a_square(9, 1)
    logs = Logs(b.node.ctx, b.node.rings)
    logs.on_wanted(log)
    logs.on_split(log)
    Forks(b.node.ctx, b.node.neighbours, logs, b.node.rings).on_proven(b.node.gossip.logs.book.logs[log])


def test_chat_forgets_the_history_of_a_log_that_is_evicted() -> None:
    _, _, b, _, log = a_square(9, 3)
    heads = b.node.chat._channels._heads
    assert heads[log_channel(log)] == {log: 3}
    b.node.gossip.logs.evict(log)
    assert log_channel(log) not in heads

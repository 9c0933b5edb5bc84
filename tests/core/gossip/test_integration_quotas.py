"""Logs of strangers, between whole nodes: who brings how many, who goes first, and that nobody is asked again."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from meshnode.core.chain.block import ROOT, Block, compact_of, write_block
from meshnode.core.chain.kinds import POST
from meshnode.core.gossip import admission
from meshnode.core.ids import DeviceKey, Incarnation, LogId, log_id
from meshnode.core.records import BlockRecord, LogRecord, RefusedRecord
from meshnode.core.sealing.seeded import SeededSealer
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame
from support.trial_world import SQUARE, Box, TrialWorld

IDLE_BYTES = 300


def strangers(first: int, count: int, size: int = 20) -> list[Block]:
    """The first block of each of so many people nobody knows."""
    sealer, blocks = SeededSealer("strangers"), []
    for number in range(first, first + count):
        secret = number.to_bytes(32, "big")
        log = log_id(DeviceKey(sealer.signing_public(secret)), Incarnation(b"inc1"), SQUARE)
        blocks.append(write_block(log, 1, ROOT, POST, b"w" * size, time=0, secret=secret, sealer=sealer))
    return blocks


def brings(box: Box, blocks: Iterable[Block]) -> None:
    """One parcel."""
    box.import_([encode_frame(BlockFrame(block.log, compact_of(block, elide=False))) for block in blocks])


def held(box: Box, blocks: Iterable[Block]) -> list[LogId]:
    return [block.log for block in blocks if block.log in box.node.gossip.logs.book]


def on_disk(box: Box, table: type) -> set[LogId]:
    return {row.log for row in box.disk.every(table)}


def test_a_parcel_brings_64_strangers_and_the_next_one_64_more() -> None:
    world = TrialWorld(1)
    a = world.add("a")
    blocks = strangers(1, 140)
    brings(a, blocks[:70])
    assert len(held(a, blocks)) == 64
    assert a.node.counters["log_over_hop_quota"] == 6
    brings(a, blocks[70:])
    assert len(held(a, blocks)) == 128
    a.off()
    a.boot()
    assert len(held(a, blocks)) == 128


@pytest.mark.parametrize("sessions", [True, False])
def test_who_brought_its_share_is_asked_for_contacts_logs_alone(
    sessions: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "NEW_PER_HOP", 2)
    world = TrialWorld(6)
    a, b = world.add("a"), world.add("b")
    blocks = strangers(1, 12)
    for block in blocks:
        brings(b, [block])
    if sessions:
        world.connect("a", "b")
    else:
        world.join("a", "b")
    world.run(120)
    assert len(held(b, blocks)) == 12
    assert len(held(a, blocks)) <= 2
    refused = a.node.counters["log_over_hop_quota"]
    world.run(900)
    assert a.node.counters["log_over_hop_quota"] == refused <= 11, "asked for once, beside those taken"
    wanted = next(block for block in blocks if block.log not in held(a, blocks))
    a.node.rings.device_known(DeviceKey(wanted.log[:32]), b.keys.persona)
    a.knows(b)
    world.run(60)
    assert wanted.log in held(a, blocks), "a contact's log is asked for all the same"


def test_a_strangers_large_first_block_is_refused_and_not_asked_for() -> None:
    world = TrialWorld(2)
    a, b = world.add("a"), world.add("b")
    big = strangers(1, 3, size=2000)
    for block in big:
        b.node.gossip.logs.admission.pardon(block.log)
    b.node.rings.device_known(DeviceKey(big[0].log[:32]), a.keys.persona)
    b.knows(a)
    brings(b, big[:1])
    assert held(b, big) == [big[0].log]
    world.join("a", "b")
    world.run(600)
    assert held(a, big) == []
    assert big[0].log in on_disk(a, RefusedRecord)
    before = {box: box.sent_bytes for box in (a, b)}
    world.run(3600)
    assert max((box.sent_bytes - before[box]) / 60 for box in (a, b)) <= IDLE_BYTES


def test_neighbours_with_different_quotas_reach_silence_and_keep_it_over_a_restart() -> None:
    world = TrialWorld(3)
    a, b = world.add("a"), world.add("b", store_limit=20_000)
    blocks = strangers(1, 60)
    brings(a, blocks)
    world.join("a", "b")
    world.run(900)
    assert len(held(a, blocks)) == 60
    few = held(b, blocks)
    assert 0 < len(few) < 15
    assert set(few) <= on_disk(b, LogRecord)
    assert {row.log for row in b.disk.every(BlockRecord)} == on_disk(b, LogRecord), "what went left no rows"
    for again in (False, True):
        if again:
            b.off()
            b.boot()
            world.run(600)
        before = {box: box.sent_bytes for box in (a, b)}
        world.run(3600)
        assert max((box.sent_bytes - before[box]) / 60 for box in (a, b)) <= IDLE_BYTES
        assert len(held(b, blocks)) <= len(few) + 1


def test_hops_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_HOPS", 2)
    world = TrialWorld(4)
    a = world.add("a")
    for block in strangers(1, 4):
        brings(a, [block])
    assert len(a.node.gossip.logs.admission._new) == 2

"""What is committed, what a restarted node gets back, and how the powered-on clock goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.core.effects import Forget, Persist
from meshnode.core.records import (
    BODY_DROPPED,
    BODY_HELD,
    BlockIndex,
    BlockRecord,
    ContactRecord,
    FactRecord,
    MessageRecord,
    NeighbourRecord,
    RecordKey,
)
from support.store_fakes import block, envelope, fact, log, message, open_store, state


def test_a_restarted_node_gets_everything_but_texts_and_bodies(tmp_path: Path) -> None:
    contact = ContactRecord(b"p" * 32, "Bo", True, False, 5.0)
    neighbour = NeighbourRecord(b"n" * 6, b"k" * 32, b"x" * 32, 3, 9, 2**64 - 1, 7.0)
    kept = (block(1, 2, b""), block(1, 1, b"four"), log(1, 0, 2), envelope(1, 1), fact("a"), contact, neighbour)
    store = open_store(tmp_path)
    store.commit([Persist(kept), Persist((message(1), state(1, "delivered")))], 12.5, True)
    store.close()
    snapshot = open_store(tmp_path).snapshot()
    assert snapshot.now == 12.5
    assert snapshot.blocks == (
        BlockIndex(b"\1" * 52, 1, kept[1].id, 1, BODY_HELD, 4, kept[1].content[64:84]),
        BlockIndex(b"\1" * 52, 2, kept[0].id, 1, BODY_HELD, 0, kept[0].content[64:84]),
    )
    assert set(snapshot.records) == {*kept[2:], state(1, "delivered")}
    assert snapshot.pending == ()


@pytest.mark.parametrize(
    ("stands", "changed", "waits"),
    [
        (None, {}, True),
        ("written", {}, True),
        ("carried", {}, True),
        ("delivered", {}, False),
        ("read", {}, False),
        ("expired", {}, False),
        ("kept", {"outgoing": False}, False),
        ("kept", {"channel": b"c" * 16}, False),
    ],
)
def test_own_direct_messages_without_receipt_come_with_their_text(
    tmp_path: Path, stands: str | None, changed: dict[str, object], waits: bool
) -> None:
    store = open_store(tmp_path)
    written = message(1, **{"outgoing": True, **changed})
    store.commit([Persist((written,))], 1.0, True)
    if stands:
        store.commit([Persist((state(1, stands),))], 1.0, True)
    assert store.snapshot().pending == ((written,) if waits else ())
    store.close()


def test_the_last_word_of_a_commit_counts(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    key = RecordKey(FactRecord, ("a",))
    store.commit([Persist((fact("a", b"1"), fact("b"))), Forget((key,)), Persist((fact("a", b"2"),))], 1.0, False)
    store.commit([Persist((fact("b", b"3"),)), Forget((RecordKey(FactRecord, ("b",)),))], 1.0, False)
    assert list(store.reads.every(FactRecord)) == [fact("a", b"2")]
    store.close()


def test_blocks_are_forgotten_with_their_bodies(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.commit([Persist((block(1, 1), block(1, 2)))], 1.0, False)
    store.commit([Forget((RecordKey(BlockRecord, (b"\1" * 52, 1)),))], 1.0, False)
    assert [kept.seq for kept in store.reads.blocks([(b"\1" * 52, 0, 9)])] == [2]
    assert store._database.execute("SELECT count(*) FROM body").get == 1
    store.close()


def test_now_never_falls(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.commit([], 50.0, False)
    store.commit([], 20.0, True)
    assert store.now == 50.0
    store.close()
    again = open_store(tmp_path)
    assert again.now == 50.0
    again.close()


def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    broken = MessageRecord(b"m", 1, False, b"p", b"d", b"", 1, 7, 2, 0.0, 0.0, 0, 0, b"")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.commit([Persist((fact("a"), broken))], 9.0, True)
    assert (list(store.reads.every(FactRecord)), store.now) == ([], 0.0)
    store.commit([Persist((fact("a"),))], 10.0, True)
    store.close()


def test_dropping_a_body_is_an_update(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    kept = block(1, 1, b"long ago")
    store.commit([Persist((kept,))], 1.0, False)
    bare = BlockRecord(kept.log, 1, kept.id, kept.content, kept.signature, b"", BODY_DROPPED, 1, 1.0)
    store.commit([Persist((bare,))], 1.0, False)
    assert store.snapshot().blocks == (BlockIndex(kept.log, 1, kept.id, 1, BODY_DROPPED, 0, kept.content[64:84]),)
    store.close()

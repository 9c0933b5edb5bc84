"""Pages of blocks, envelopes and messages, as those who ask for them expect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meshnode.core.effects import Persist
from meshnode.core.records import ChannelRecord, ContactRecord
from meshnode.errors import UsageError
from meshnode.store.store import Store
from support.store_fakes import block, envelope, fact, message, open_store, state

BO, CY = b"b" * 32, b"c" * 32
SQUARE, FAIR = b"s" * 16, b"f" * 16


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def cursors(found: list[tuple[object, object]]) -> list[int]:
    return [filed.cursor for filed, _ in found]  # type: ignore[attr-defined]


def test_blocks_come_in_the_order_asked_as_far_as_they_are_there(store: Store) -> None:
    store.commit([Persist(tuple(block(log, seq) for log in (1, 2) for seq in (1, 2, 3, 5)))], 1.0, False)
    found = store.reads.blocks([(b"\2" * 52, 3, 3), (b"\1" * 52, 1, 2), (b"\3" * 52, 1, 9)])
    assert [(one.log[0], one.seq) for one in found] == [(2, 3), (2, 5), (1, 1), (1, 2)]


def test_envelopes_come_in_the_order_asked(store: Store) -> None:
    store.commit([Persist(tuple(envelope(number, 1) for number in range(4)))], 1.0, False)
    wanted = [number.to_bytes(16, "big") for number in (3, 9, 0)]
    assert store.reads.envelopes(wanted) == (envelope(3, 1), envelope(0, 1))


def test_the_inbox_goes_on_from_a_cursor_and_can_be_narrowed(store: Store) -> None:
    rows = [
        message(1, peer=BO),
        message(2, peer=CY, outgoing=True),
        message(3, peer=BO, channel=SQUARE),
        message(4, peer=BO),
        message(5, peer=CY, channel=FAIR),
    ]
    store.commit([Persist((*rows[::-1], state(2, "carried")))], 1.0, False)
    assert cursors(store.reads.inbox()) == [1, 2, 3, 4, 5]
    assert cursors(store.reads.inbox(since=2, limit=2)) == [3, 4]
    assert cursors(store.reads.inbox(contact=BO)) == [1, 4]
    assert cursors(store.reads.inbox(channel=SQUARE)) == [3]
    assert cursors(store.reads.inbox(store.reads.before_last(None, None, 2))) == [4, 5]
    assert cursors(store.reads.inbox(store.reads.before_last(BO, None, 1), contact=BO)) == [4]
    assert cursors(store.reads.inbox(store.reads.before_last(None, SQUARE, 9), channel=SQUARE)) == [3]
    assert store.reads.before_last(None, SQUARE, 0) == store.reads.before_last(BO, SQUARE, 9) == 0
    assert [None if where is None else where.state for _, where in store.reads.inbox()] == [
        None, "carried", None, None, None,
    ]  # fmt: skip


def test_the_narrow_inboxes_use_their_indexes(store: Store) -> None:
    for question, index in (
        ("peer = x'00' AND channel = x''", "message_by_peer"),
        ("channel = x'00' AND channel <> x''", "message_by_channel"),
    ):
        plan = store._database.execute(
            f"EXPLAIN QUERY PLAN SELECT id FROM message WHERE cursor > 0 AND {question} ORDER BY cursor LIMIT 1"
        ).fetchall()
        assert index in str(plan)
        assert "TEMP B-TREE" not in str(plan)


def test_a_message_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    first, second = message(1, id=b"\xab\xcd" + bytes(14)), message(2, id=b"\xab\xff" + bytes(14))
    store.commit([Persist((first, second))], 1.0, False)
    assert store.reads.message(b"\xab\xcd") == (first, None)
    assert store.reads.message(second.id) == (second, None)
    assert store.reads.message(b"\x01") is None
    with pytest.raises(UsageError, match="give more of it"):
        store.reads.message(b"\xab")


def test_a_request_finds_the_message_it_made(store: Store) -> None:
    asked = message(1, request=b"r" * 16)
    store.commit([Persist((asked, message(2)))], 1.0, False)
    assert store.reads.requested(b"r" * 16) == (asked, None)
    assert store.reads.requested(b"q" * 16) is None
    assert store.reads.requested(b"") is None


def test_two_messages_never_push_each_other_out_by_a_request(store: Store) -> None:
    store.commit([Persist((message(1, request=b"r" * 16), message(2, request=b"r" * 16)))], 1.0, False)
    assert cursors(store.reads.inbox()) == [1, 2]


def test_channels_count_what_is_unread(store: Store) -> None:
    names = (ChannelRecord(SQUARE, "square", True), ChannelRecord(FAIR, "fair", False))
    posts = (
        message(1, channel=SQUARE),
        message(2, channel=SQUARE),
        message(3, channel=SQUARE, outgoing=True),
        message(4, channel=SQUARE),
    )
    store.commit([Persist((*names, *posts, state(2, "read")))], 1.0, False)
    assert [(channel.name, unread) for channel, unread in store.reads.channels()] == [("fair", 0), ("square", 2)]


def test_contacts_come_by_name_and_everything_is_counted(store: Store) -> None:
    store.commit(
        [Persist((ContactRecord(CY, "Cy", False, False, 0.0), ContactRecord(BO, "Bo", True, False, 0.0), fact("a")))],
        1.0,
        False,
    )
    assert [contact.name for contact in store.reads.contacts()] == ["Bo", "Cy"]
    counts = store.reads.counts()
    assert (counts["contact"], counts["fact"], counts["block"]) == (2, 1, 0)

"""What the core keeps, as the commands show it."""

from __future__ import annotations

import json

import msgspec
import pytest

from meshnode.core.ids import DeviceKey, MessageId, PersonaKey, channel_id
from meshnode.core.records import HOPS_UNKNOWN, ChannelRecord, ContactRecord, MessageRecord
from meshnode.daemon import wording
from meshnode.daemon.adapters import Filed
from meshnode.daemon.book import Book
from meshnode.store.room import Going


@pytest.mark.parametrize(("kept", "shown"), [(HOPS_UNKNOWN, None), (0, 0), (3, 3)])
def test_a_message_shows_its_hops_where_they_are_known(kept: int, shown: int | None) -> None:
    record = MessageRecord(
        id=MessageId(bytes(16)), cursor=1, outgoing=False, peer=PersonaKey(bytes(32)), device=DeviceKey(bytes(32)),
        channel=b"", seq=1, text="hi", cls=2, sent_at=0.0, received_at=0.0, hops=kept, missing=0, request=b"",
    )  # fmt: skip
    info = wording.message(Filed(record, None), Book(PersonaKey(b"m" * 32), "Me"), "Me")
    for form in (info, wording.message_notice(info, "", "1")):
        assert json.loads(msgspec.json.encode(form))["hops"] == shown


def test_what_goes_first_is_told_by_names_and_ages_where_they_are_known() -> None:
    book, mill = Book(PersonaKey(b"m" * 32), "Me"), channel_id("mill")
    book.load([ContactRecord(PersonaKey(b"b" * 32), "Bo", False, False, 0.0)], [ChannelRecord(mill, "mill", True)])
    post = Going("post", bytes(16), 90, 1_700_000_000.0, b"b" * 32, mill)
    told = wording.going(post, 5.0, 1_700_000_060.0, book)
    assert (told.kind, told.bytes, told.age_s, told.who, told.channel) == ("post", 90, 60.0, "Bo", "mill")
    assert wording.going(post, 5.0, None, book).age_s is None
    envelope = Going("transit", bytes(16), 200, 5.0, b"", b"")
    told = wording.going(envelope, 12.0, None, book)
    assert (told.age_s, told.who, told.channel) == (7.0, "", "")
    elsewhere = wording.going(Going("body", bytes(16), 200, 5.0, b"x" * 32, bytes(16)), 12.0, None, book)
    assert (elsewhere.who, elsewhere.channel) == ((b"x" * 32).hex(), "")

"""What the core keeps, as the commands show it."""

from __future__ import annotations

import json

import msgspec
import pytest

from meshnode.core.ids import DeviceKey, MessageId, PersonaKey
from meshnode.core.records import HOPS_UNKNOWN, MessageRecord
from meshnode.daemon import wording
from meshnode.daemon.adapters import Filed
from meshnode.daemon.book import Book


@pytest.mark.parametrize(("kept", "shown"), [(HOPS_UNKNOWN, None), (0, 0), (3, 3)])
def test_a_message_shows_its_hops_where_they_are_known(kept: int, shown: int | None) -> None:
    record = MessageRecord(
        id=MessageId(bytes(16)), cursor=1, outgoing=False, peer=PersonaKey(bytes(32)), device=DeviceKey(bytes(32)),
        channel=b"", seq=1, text="hi", cls=2, sent_at=0.0, received_at=0.0, hops=kept, missing=0, request=b"",
    )  # fmt: skip
    info = wording.message(Filed(record, None), Book(PersonaKey(b"m" * 32), "Me"), "Me")
    for form in (info, wording.message_notice(info, "", "1")):
        assert json.loads(msgspec.json.encode(form))["hops"] == shown

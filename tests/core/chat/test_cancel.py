"""What takes an emergency back: told from any other text, and read back whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chat.cancel import QUOTED, cancel_request, cancelling, take_cancelled
from meshnode.core.ids import MessageId

ID = MessageId(bytes(range(16)))


@given(st.binary(min_size=16, max_size=16), st.text(max_size=2 * QUOTED))
def test_a_cancel_names_its_message_and_how_it_began(id: bytes, text: str) -> None:
    named, words = take_cancelled(cancelling(MessageId(id), text))
    assert named == id.hex()
    assert words.startswith(f"✖ {text[:QUOTED]}")
    assert len(words) <= QUOTED + 3


@pytest.mark.parametrize("text", ["soup is ready", "", "✖ soup", f"✖ {ID.hex()}", f"see ✖ {ID.hex()} soup"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert take_cancelled(text) == ("", text)


def test_the_cancel_of_a_message_is_one_request() -> None:
    assert cancel_request(ID) == cancel_request(ID)
    assert cancel_request(ID) != cancel_request(MessageId(bytes(16)))

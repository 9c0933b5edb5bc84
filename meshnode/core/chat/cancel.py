"""An emergency that is over: a second message of its writer says so. What was sent cannot be fetched back.

    text = "✖ " | id of the message, 32 hex digits | " " | how it began

It is an ordinary text, so that whoever reads it with anything else still sees what is taken back. A reader believes it
of a message that the same device wrote in the same conversation, and of no other.
"""

from __future__ import annotations

import re
from typing import Final

from meshnode.core.ids import MessageId, hashed

SIGN: Final = "✖"
QUOTED: Final = 80  # characters of the message that are said again
_TEXT: Final = re.compile(rf"{SIGN} ([0-9a-f]{{32}}) (.*)", re.DOTALL)


def cancelling(message: MessageId, text: str) -> str:
    """The text that takes a message back."""
    begun = text if len(text) <= QUOTED else text[:QUOTED] + "…"
    return f"{SIGN} {message.hex()} {begun}"


def cancel_request(message: MessageId) -> bytes:
    """The request id of the cancel of a message, 16 B: however often it is asked for, it is said once."""
    return hashed(b"mn-cancel", message)[:16]


def take_cancelled(text: str) -> tuple[str, str]:
    """The id of the message that a text takes back, or nothing; and the words for a person."""
    found = _TEXT.fullmatch(text)
    return (found[1], f"{SIGN} {found[2]}") if found else ("", text)

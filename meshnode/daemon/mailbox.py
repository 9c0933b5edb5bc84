"""What `inbox` shows, wherever it is read: by a running node page by page, or from the store of a home at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshnode.control import replies, requests
from meshnode.core.ids import ChannelId, MessageId, PersonaKey
from meshnode.daemon import wording
from meshnode.daemon.adapters import Filed
from meshnode.daemon.book import Book
from meshnode.daemon.desk import cursor, read_cursor


@dataclass(frozen=True, slots=True)
class Wanted:
    """Messages with a cursor above `since`, of one contact or one channel if asked; if `newest`, the last of them."""

    since: int
    contact: PersonaKey | None
    channel: ChannelId | None
    newest: bool


def wanted(request: requests.InboxRequest, book: Book) -> Wanted:
    """What a request means here."""
    contact = book.contact(request.contact).persona if request.contact else None
    channel = book.channel(request.channel) if request.channel else None
    return Wanted(read_cursor(request.since)[0], contact, channel, not request.since and request.limit > 0)


def unread(found: Sequence[Filed]) -> tuple[MessageId, ...]:
    """Which of them came and were not read yet."""
    return tuple(f.message.id for f in found if not f.message.outgoing and wording.state_of(f) != "read")


def shown(found: Sequence[Filed], since: int, book: Book, me: str, now: float) -> replies.InboxReply:
    """The answer: the messages, and where to go on."""
    last = found[-1].message.cursor if found else since
    return replies.InboxReply(messages=[wording.message(one, book, me) for one in found], cursor=cursor(last, now))

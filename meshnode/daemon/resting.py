"""What a home whose node does not run can say without one: read from its keys and its store, and nothing is written.

A node would be quite some code to import, and a new epoch on the disk, for a list of names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshnode.control import replies, requests
from meshnode.core.identity.invite import contact_uri
from meshnode.daemon.home import Home, open_home

if TYPE_CHECKING:
    from meshnode.store.store import Store

_ALL = -1  # as SQL says it


def answer(home: Path, request: requests.Request) -> replies.Reply | None:
    """The reply; None where it takes a node."""
    match request:
        case requests.InviteRequest():
            with open_home(home, lock=False) as opened:
                return replies.UriReply(uri=contact_uri(opened.keys.persona, opened.name))
        case requests.ContactListRequest() | requests.ChannelListRequest() | requests.InboxRequest():
            with open_home(home) as opened:
                store = opened.open_store()
                try:
                    return _read(request, opened, store)
                finally:
                    store.close()
        case _:
            return None


def _read(
    request: requests.ContactListRequest | requests.ChannelListRequest | requests.InboxRequest, home: Home, store: Store
) -> replies.Reply | None:
    from meshnode.core.records import LogRecord
    from meshnode.daemon import wording

    reads = store.reads
    match request:
        case requests.ContactListRequest():
            return replies.ContactsReply(contacts=[wording.contact(one) for one in reads.contacts()])
        case requests.ChannelListRequest():
            logs = [one.log for one in reads.every(LogRecord)]
            joined = [one for one in reads.channels() if one[0].joined]
            return replies.ChannelsReply(channels=[wording.channel(*one, logs) for one in joined])
        case requests.InboxRequest():
            return _inbox(request, home, store)


def _inbox(request: requests.InboxRequest, home: Home, store: Store) -> replies.InboxReply | None:
    """What is there. If some of it is read now for the first time its writers shall be told, and that takes a node."""
    from meshnode.daemon import mailbox
    from meshnode.daemon.book import Book
    from meshnode.daemon.shown import with_files

    book = Book(home.keys.persona, home.name)
    book.load(store.reads.contacts(), [channel for channel, _ in store.reads.channels()])
    wanted = mailbox.wanted(request, book)
    since = wanted.since
    if wanted.newest:
        since = store.reads.before_last(wanted.contact, wanted.channel, request.limit)
    rows = store.reads.inbox(since, wanted.contact, wanted.channel, request.limit or _ALL)
    found = with_files(store.reads, rows)
    if request.mark_read and mailbox.unread(found):
        return None
    return mailbox.shown(found, wanted.since, book, home.name, store.now)

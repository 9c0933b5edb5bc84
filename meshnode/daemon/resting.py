"""What a home whose node does not run can say without one: read from its keys and its store, and nothing is written.

A node would be quite some code to import, and a new epoch on the disk, for a list of names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshnode.control import replies, requests
from meshnode.core.identity.invite import contact_uri
from meshnode.daemon.home import open_home

if TYPE_CHECKING:
    from meshnode.store.reads import Reads


def answer(home: Path, request: requests.Request) -> replies.Reply | None:
    """The reply; None where it takes a node."""
    match request:
        case requests.InviteRequest():
            with open_home(home, lock=False) as opened:
                return replies.UriReply(uri=contact_uri(opened.keys.persona, opened.name))
        case requests.ContactListRequest() | requests.ChannelListRequest():
            with open_home(home) as opened:
                store = opened.open_store()
                try:
                    return _listed(request, store.reads)
                finally:
                    store.close()
        case _:
            return None


def _listed(request: requests.Request, reads: Reads) -> replies.Reply:
    from meshnode.core.records import LogRecord
    from meshnode.daemon import wording

    if isinstance(request, requests.ContactListRequest):
        return replies.ContactsReply(contacts=[wording.contact(one) for one in reads.contacts()])
    logs = [one.log for one in reads.every(LogRecord)]
    return replies.ChannelsReply(channels=[wording.channel(*one, logs) for one in reads.channels() if one[0].joined])

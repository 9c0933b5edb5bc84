"""Handlers about conversations: which there are, their pages, what was read in them, words found in them."""

from __future__ import annotations

from collections.abc import Iterable

from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.core.ids import PersonaKey
from meshnode.core.inputs import MarkRead
from meshnode.core.records import ChannelRecord
from meshnode.daemon import wording
from meshnode.daemon.adapters import Filed
from meshnode.daemon.desk import Desk, read_cursor

END = 2**62  # above every cursor
SEARCHED_AT_ONCE = 500  # texts are sealed on disk: each has to be opened to be searched
SEARCHED_MOST = 10_000  # by one question; the answer says where to go on


class Conversations:
    """Everything that was said, by who said it to whom."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.ConversationsRequest: self._conversations,
            requests.HistoryRequest: self._history,
            requests.MarkReadRequest: self._mark_read,
            requests.SearchRequest: self._search,
        }

    async def _conversations(self, request: requests.ConversationsRequest) -> replies.ConversationsReply:
        spoken = await self._desk.host.read(lambda reads: reads.conversations())
        found = [self._listed(Filed(*last), unread) for last, unread in spoken]
        listed = {one.id: one for one in found}
        for record, _ in await self._desk.host.channels():
            if record.joined:
                listed.setdefault(f"c-{record.channel.hex()}", _silent_channel(record))
        for known in await self._desk.host.contacts():
            listed.setdefault(f"d-{known.persona.hex()}", self._direct(known.persona, 0, None))
        return replies.ConversationsReply(conversations=list(listed.values()))

    def _listed(self, last: Filed, unread: int) -> replies.ConversationInfo:
        message = wording.message(last, self._desk.book, self._desk.me.name)
        if message.channel:
            return replies.ConversationInfo(
                id=message.conversation, kind="channel", name=message.channel, unread=unread, last=message
            )
        return self._direct(last.message.peer, unread, message)

    def _direct(self, persona: PersonaKey, unread: int, last: replies.MessageInfo | None) -> replies.ConversationInfo:
        known = self._desk.book.knows(persona)
        return replies.ConversationInfo(
            id=wording.conversation_id(persona, b""),
            kind="direct",
            name=self._desk.book.name_of(persona),
            unread=unread,
            last=last,
            contact=known is not None,
            verified=known is not None and known.verified,
            blocked=known is not None and known.blocked,
        )

    async def _history(self, request: requests.HistoryRequest) -> replies.HistoryReply:
        peer, channel = _meant(request.conversation)
        below = read_cursor(request.before)[0] or END
        above = read_cursor(request.after)[0]
        found = await self._desk.host.read(lambda reads: reads.history(peer, channel, below, above, request.limit + 1))
        page = found[: request.limit] if above else found[-request.limit :]
        return replies.HistoryReply(messages=self._worded(Filed(*one) for one in page), more=len(found) > len(page))

    async def _mark_read(self, request: requests.MarkReadRequest) -> replies.DoneReply:
        peer, channel = _meant(request.conversation)
        until = read_cursor(request.until)[0]
        unread = await self._desk.host.read(lambda reads: reads.unread(peer, channel, until))
        if unread:
            await self._desk.host.submit(MarkRead(unread))
        return replies.DoneReply(text=f"{len(unread)} messages are read")

    async def _search(self, request: requests.SearchRequest) -> replies.HistoryReply:
        wanted, below = request.text.casefold(), read_cursor(request.before)[0] or END
        found = list[Filed]()
        for _ in range(SEARCHED_MOST // SEARCHED_AT_ONCE):
            page = await self._page_below(below)
            for filed in page:
                below = filed.message.cursor
                if wanted in filed.message.text.casefold():
                    found.append(filed)
                    if len(found) == request.limit:
                        return self._found(found, below)
            if len(page) < SEARCHED_AT_ONCE:
                return self._found(found, 0)
        return self._found(found, below)

    async def _page_below(self, below: int) -> list[Filed]:
        found = await self._desk.host.read(lambda reads: reads.backwards(below, SEARCHED_AT_ONCE))
        return [Filed(*one) for one in found]

    def _found(self, found: list[Filed], below: int) -> replies.HistoryReply:
        """`below`: where to go on, 0 at the end."""
        before = str(below) if below else ""
        return replies.HistoryReply(messages=self._worded(found), more=below > 0, before=before)

    def _worded(self, found: Iterable[Filed]) -> list[replies.MessageInfo]:
        return [wording.message(one, self._desk.book, self._desk.me.name) for one in found]


def _silent_channel(record: ChannelRecord) -> replies.ConversationInfo:
    id = wording.conversation_id(b"", record.channel)
    return replies.ConversationInfo(id=id, kind="channel", name=record.name, unread=0)


def _meant(conversation: str) -> tuple[bytes, bytes]:
    """The persona, or else the channel, of a conversation's id."""
    kind, _, id = conversation.partition("-")
    return (b"", bytes.fromhex(id)) if kind == "c" else (bytes.fromhex(id), b"")

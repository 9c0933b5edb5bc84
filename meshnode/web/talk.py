"""Conversations: which there are, their pages, writing, reading, why a message is where it is, finding words."""

from __future__ import annotations

from collections.abc import Iterator

from meshnode.control import replies, requests
from meshnode.errors import MissingError, RefusedError, UsageError
from meshnode.web.box import Box
from meshnode.web.entrance import PAGE_MOST, TEXT_MOST
from meshnode.web.routes import Asked, Query, Route
from meshnode.web.shapes import Attached, NewMessage, ReadUntil

LIMIT = Query("limit", int, f"How many, at most {PAGE_MOST}.", 50)
URGENT, ORDINARY = 1, 2  # classes of a message


class Talk:
    """Everything that is said."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        before = Query("before", str, "A cursor: what came before it.")
        after = Query("after", str, "A cursor: what came after it.")
        words = Query("q", str, "The words.")
        yield Route(
            "GET", "/conversations", "guest", "All conversations, the newest first.", self.conversations,
            replies.ConversationsReply,
        )  # fmt: skip
        yield Route(
            "GET", "/conversations/{id}/messages", "guest", "A page of a conversation, oldest first.", self.messages,
            replies.HistoryReply, query=(before, after, LIMIT),
        )  # fmt: skip
        yield Route(
            "POST", "/conversations/{id}/messages", "guest", "Write; the answer comes when it is on the box's disk.",
            self.write, replies.StateReply, NewMessage,
        )  # fmt: skip
        yield Route(
            "POST", "/conversations/{id}/read", "member", "What a person has read.", self.read, replies.DoneReply,
            ReadUntil,
        )  # fmt: skip
        yield Route(
            "GET", "/messages/{id}/why", "guest", "Where a message is, who says so, and what it waits for.", self.why,
            replies.StateReply,
        )  # fmt: skip
        yield Route(
            "POST", "/messages/{id}/cancel", "guest", "Take an own emergency back, for all who got it.", self.cancel,
            replies.StateReply,
        )  # fmt: skip
        yield Route(
            "GET", "/search", "member", "Messages that hold these words, newest first.", self.search,
            replies.HistoryReply, query=(words, before, LIMIT),
        )  # fmt: skip

    async def conversations(self, asked: Asked) -> replies.ConversationsReply:
        """The inbox; of channels alone for a guest."""
        found = await self._box.ask_mine(asked, requests.ConversationsRequest(), replies.ConversationsReply)
        if asked.who.may("member"):
            return found
        return replies.ConversationsReply(conversations=[one for one in found.conversations if one.kind == "channel"])

    async def messages(self, asked: Asked) -> replies.HistoryReply:
        """A page."""
        request = requests.HistoryRequest(
            conversation=self._id(asked),
            before=asked.query["before"],
            after=asked.query["after"],
            limit=max(1, min(asked.query["limit"], PAGE_MOST)),
        )
        return await self._box.ask_mine(asked, request, replies.HistoryReply)

    async def write(self, asked: Asked) -> replies.StateReply:
        """A message; a guest's begins with the name, and its request id with the mark."""
        sent, kind = asked.sent(NewMessage), self._id(asked)[0]
        text = sent.text if asked.who.may("member") else _signed(asked.who.name, sent.text)
        if not (sent.text or sent.file):
            raise UsageError("Write something, or attach a file.")
        if len(text) > TEXT_MOST:
            raise UsageError(f"A message has at most {TEXT_MOST:,} characters; send the rest in another.")
        request = await self._request(asked, kind, text, self._file(asked, sent.file))
        state = await self._box.ask_mine(asked, request, replies.StateReply)
        if sent.file is not None:
            await self._box.spool.sent(self._box.spool.find(asked.who.persona, sent.file.upload))
        return state

    def _file(self, asked: Asked, given: Attached | None) -> requests.FileGiven | None:
        """The upload, once it is whole; None where there is none, or a message took it already."""
        upload = self._box.spool.find(asked.who.persona, given.upload) if given else None
        if given is None or upload is None or upload.sent:
            return None
        if upload.offset < upload.size:
            raise UsageError(f"Of this file {upload.offset} of {upload.size} bytes are here; upload the rest first.")
        return requests.FileGiven(path=str(upload.path), name=given.name, media=given.media, preview=given.preview)

    async def _request(
        self, asked: Asked, kind: str, text: str, file: requests.FileGiven | None
    ) -> requests.SendRequest | requests.PostRequest:
        sent, cls = asked.sent(NewMessage), URGENT if asked.sent(NewMessage).urgent else ORDINARY
        id, mark = self._id(asked)[2:], asked.who.mark
        request_id = mark + sent.client_id[len(mark) :]
        if kind == "d":
            return requests.SendRequest(contact=id, text=text, cls=cls, request_id=request_id, file=file)
        channel = await self._channel(asked, id)
        return requests.PostRequest(channel=channel, text=text, cls=cls, request_id=request_id, file=file)

    async def _channel(self, asked: Asked, id: str) -> str:
        """Its name."""
        listed = await self._box.ask_mine(asked, requests.ChannelListRequest(), replies.ChannelsReply)
        names = [one.name for one in listed.channels if one.id == id]
        if not names:
            raise MissingError("You are not in this channel; join it first.")
        return names[0]

    async def read(self, asked: Asked) -> replies.DoneReply:
        """Up to a cursor."""
        request = requests.MarkReadRequest(conversation=self._id(asked), until=asked.sent(ReadUntil).cursor)
        return await self._box.ask_mine(asked, request, replies.DoneReply)

    async def why(self, asked: Asked) -> replies.StateReply:
        """Of one message."""
        return await self._box.ask_mine(asked, requests.WhyRequest(id=asked.place["id"]), replies.StateReply)

    async def cancel(self, asked: Asked) -> replies.StateReply:
        """By a second message; a guest's own messages are told by the guest's mark."""
        request = requests.CancelRequest(id=asked.place["id"], under=asked.who.mark)
        return await self._box.ask_mine(asked, request, replies.StateReply)

    async def search(self, asked: Asked) -> replies.HistoryReply:
        """Words."""
        limit = max(1, min(asked.query["limit"], PAGE_MOST))
        request = requests.SearchRequest(text=asked.query["q"], before=asked.query["before"], limit=limit)
        return await self._box.ask_mine(asked, request, replies.HistoryReply)

    def _id(self, asked: Asked) -> str:
        id = asked.place["id"]
        if not asked.who.may("member") and not id.startswith("c-"):
            raise RefusedError("A guest writes in public channels; make a profile to write to a person.")
        return id


def _signed(guest: str, text: str) -> str:
    """The words of a guest."""
    return f"{guest}: {text}"

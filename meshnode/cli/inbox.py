"""`meshnode inbox`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators
from msgspec import UNSET

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import notices, replies, requests


def inbox(
    *,
    channel: Annotated[str, Parameter(help="Only this channel.")] = "",
    contact: Annotated[str, Parameter(help="Only messages from and to this contact.")] = "",
    since: Annotated[str, Parameter(help="Only what came after this cursor; 0: after the beginning.")] = "",
    limit: Annotated[
        int,
        Parameter(
            help="At most so many: the newest, or with --since the first after it. Default: all.",
            validator=validators.Number(gte=0),
        ),
    ] = 0,
    common: Common = COMMON,
) -> None:
    """Show what arrived and was sent, oldest first. What is shown counts as read.

    Example: meshnode inbox --contact Bo --limit 20
    Example: meshnode inbox --json --since 41 --limit 20
    """
    request = requests.InboxRequest(channel=channel, contact=contact, since=since, limit=limit, mark_read=True)
    reply = ask(common, request, replies.InboxReply, offline=True)
    say.answer(common, reply, [message_line(one) for one in reply.messages] or ["nothing yet"])


def message_line(message: replies.MessageInfo | notices.MessageNotice) -> str:
    """One message on a line: when, who, where to, its state, the words, the beginning of its id."""
    target = f"#{message.channel}" if message.channel is not UNSET else str(message.to)
    moment = ("about " if message.about else "") + say.when(message.received_at or message.sent_at)
    text = say.plain(message.text, lines=True).replace("\n", "\n    ")
    state = message.state.replace("_", " ")
    return f"{moment}  {say.plain(message.sender)} -> {say.plain(target)}  [{state}]  {text}  ({message.id[:8]})"

"""`meshnode channel`: public channels, known by their name alone."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests

NAME = Parameter(help="Name of the channel. Whoever knows it can join: what is posted there is signed and public.")


def create(channel: Annotated[str, NAME], /, *, common: Common = COMMON) -> None:
    """Begin a public channel. Others are in it once they join by the same name; so is whoever began it elsewhere.

    Example: meshnode channel create market
    """
    _show(common, requests.ChannelCreateRequest(channel=channel))


def join(channel: Annotated[str, NAME], /, *, common: Common = COMMON) -> None:
    """Join a public channel; it begins with the first who joins.

    Example: meshnode channel join market
    """
    _show(common, requests.ChannelJoinRequest(channel=channel))


def leave(channel: Annotated[str, NAME], /, *, common: Common = COMMON) -> None:
    """Leave a channel; what is here of it stays until room is needed.

    Example: meshnode channel leave market
    """
    _show(common, requests.ChannelLeaveRequest(channel=channel))


def list_(*, common: Common = COMMON) -> None:
    """List the channels this node is in.

    Example: meshnode channel list
    """
    _show(common, requests.ChannelListRequest(), offline=True)


def _show(common: Common, request: requests.Request, *, offline: bool = False) -> None:
    reply = ask(common, request, replies.ChannelsReply, offline=offline)
    rows = [(c.name, c.kind, c.members, c.unread, c.id) for c in reply.channels]
    say.answer(common, reply, say.table(("NAME", "KIND", "MEMBERS", "UNREAD", "ID"), rows, "in no channel"))

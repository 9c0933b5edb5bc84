"""`meshnode cancel`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.cli.why import describe
from meshnode.control import replies, requests


def cancel(
    id: Annotated[str, Parameter(help="The emergency, or the beginning of its id as `inbox` and `send` show it.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Take an emergency back: a second message, as urgent, says so to all who got it.

    An emergency is a message or post of class 1. What was sent cannot be fetched back; whoever has read it stays
    warned until the second message arrives.

    Example: meshnode cancel 5f3a91c2
    """
    reply = ask(common, requests.CancelRequest(id=id), replies.StateReply)
    say.answer(common, reply, describe(reply))

"""`meshnode why`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests

MEANS = {
    "written": "written here, not yet on disk",
    "kept": "kept: on this node's disk",
    "on_air": "on air: the radio took it",
    "carried": "carried: other nodes promised to keep it, on their disks",
    "delivered": "delivered: at the recipient's box",
    "read": "read by the recipient",
    "expired": "expired: given up after its lifetime",
}


def why(
    id: Annotated[str, Parameter(help="The message, or the beginning of its id as `inbox` and `send` show it.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Say where a message is, who has it, and what it waits for.

    Example: meshnode why 5f3a91c2
    """
    reply = ask(common, requests.WhyRequest(id=id), replies.StateReply)
    say.answer(common, reply, describe(reply))


def describe(reply: replies.StateReply) -> list[str]:
    """The state of a message in words, and its witnesses."""
    lines = [f"{reply.id}: {MEANS[reply.state]}"]
    if reply.witnesses:
        lines.append(f"  witnesses: {', '.join(reply.witnesses)}")
    if reply.waiting_for:
        lines.append(f"  waits for: {say.plain(reply.waiting_for)}")
    return lines

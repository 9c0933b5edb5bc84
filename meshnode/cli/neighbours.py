"""`meshnode neighbours`."""

from __future__ import annotations

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests


def neighbours(*, common: Common = COMMON) -> None:
    """Show the nodes one hop away.

    "both ways" means it is proven that the two hear each other; only then do they exchange messages.
    NODE is what `status` there shows first, under `node`.

    Example: meshnode neighbours
    """
    reply = ask(common, requests.NeighboursRequest(), replies.NeighboursReply)
    say.answer(common, reply, table(reply.neighbours))


def table(known: list[replies.NeighbourInfo]) -> list[str]:
    """The neighbours as lines of a table."""
    rows = [(n.node, n.address, n.carrier, hearing(n), f"{say.ago(n.last_heard_s)} ago") for n in known]
    return say.table(("NODE", "ADDRESS", "CARRIER", "HEARING", "LAST HEARD"), rows, "no neighbours heard yet")


def hearing(neighbour: replies.NeighbourInfo) -> str:
    """Whether two-way hearing is proven."""
    return "both ways" if neighbour.bound else "one way"

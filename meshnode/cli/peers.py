"""`meshnode peers`."""

from __future__ import annotations

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.cli.peer import peerings
from meshnode.control import replies, requests


def peers(*, common: Common = COMMON) -> None:
    """Show open sessions, and what Yggdrasil is connected to.

    Example: meshnode peers
    """
    reply = ask(common, requests.PeersRequest(), replies.PeersReply)
    rows = [(s.node, s.address, s.carrier, say.ago(s.open_s), say.size(s.bytes_sent), say.size(s.bytes_received))
            for s in reply.sessions]  # fmt: skip
    header = ("NODE", "ADDRESS", "CARRIER", "OPEN", "SENT", "RECEIVED")
    say.answer(common, reply, [*say.table(header, rows, "no open sessions"), "", *peerings(reply.overlay)])

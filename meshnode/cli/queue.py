"""`meshnode queue`."""

from __future__ import annotations

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests


def queue(*, common: Common = COMMON) -> None:
    """Show what waits for air or for a carrier.

    Example: meshnode queue
    """
    reply = ask(common, requests.QueueRequest(), replies.QueueReply)
    rows = [(q.kind, q.cls, say.size(q.bytes), q.to or "-", q.waits_for, q.id or "-") for q in reply.queue]
    header = ("WHAT", "CLASS", "SIZE", "TO", "WAITS FOR", "ID")
    air = [f"{reply.backlog_s:.1f} s of air are spoken for"] if reply.queue else []
    say.answer(common, reply, [*say.table(header, rows, "nothing waits"), *air])

"""`meshnode trace`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from meshnode.cli import say
from meshnode.cli.app import DONE, NOT_YET
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests


def trace(
    contact: Annotated[str, Parameter(help="Name of the contact.")],
    /,
    *,
    timeout: Annotated[
        float,
        Parameter(help="Seconds to wait for the far end.", show_default=True,
                  validator=validators.Number(gte=0, lte=31_536_000)),
    ] = 60.0,
    common: Common = COMMON,
) -> int:  # fmt: skip
    """Show the way a probe takes to a contact's node. Nodes may decline to tell.

    Example: meshnode trace Bo
    """
    reply = ask(common, requests.TraceRequest(contact=contact, timeout_s=timeout), replies.TraceReply)
    rows = [(hop, h.node, h.carrier, f"{h.rtt_ms:.0f} ms") for hop, h in enumerate(reply.path, 1)]
    end = "reached" if reply.reached else f"not reached within {timeout:.0f} s; the probe goes on"
    say.answer(common, reply, [*say.table(("HOP", "NODE", "CARRIER", "AFTER"), rows, "no node answered"), end])
    return DONE if reply.reached else NOT_YET

"""`meshnode post`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.cli.text import given
from meshnode.cli.why import describe
from meshnode.control import replies, requests


def post(
    channel: Annotated[str, Parameter(help="Name of the channel; a public one is joined by posting.")],
    text: Annotated[str | None, Parameter(help="The post. Default: standard input.")] = None,
    /,
    *,
    lines: Annotated[
        bool,
        Parameter(negative="", help="Each line of standard input is a post; one JSON object back for each."),
    ] = False,
    common: Common = COMMON,
) -> None:  # fmt: skip
    """Post to a channel. Posts are public and signed for good: whoever has one can prove who wrote it.

    Example: meshnode post square "the bridge is closed until noon"
    """
    if lines:
        from meshnode.cli.lines import post_lines

        post_lines(common, channel)
        return
    reply = ask(common, requests.PostRequest(channel=channel, text=given(text)), replies.StateReply)
    say.answer(common, reply, describe(reply))

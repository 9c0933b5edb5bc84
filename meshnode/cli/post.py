"""`meshnode post`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.attached import file_given, words
from meshnode.cli.options import COMMON, Common
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
    file: Annotated[Path | None, Parameter(help="A file to post along, as public as the post.")] = None,
    preview: Annotated[Path | None, Parameter(help="A small picture of it, at most 2,400 bytes.")] = None,
    common: Common = COMMON,
) -> None:  # fmt: skip
    """Post to a channel. Posts are public and signed for good: whoever has one can prove who wrote it.

    Example: meshnode post square "the bridge is closed until noon"
    """
    if lines:
        from meshnode.cli.lines import post_lines

        post_lines(common, channel)
        return
    asked = requests.PostRequest(channel=channel, text=words(text, file), file=file_given(file, preview))
    reply = ask(common, asked, replies.StateReply)
    say.answer(common, reply, describe(reply))

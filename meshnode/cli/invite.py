"""`meshnode invite`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import show
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests


def invite(
    *,
    qr: Annotated[bool, Parameter(negative="", help=show.QR_HELP)] = False,
    words: Annotated[bool, Parameter(negative="", help=show.WORDS_HELP)] = False,
    common: Common = COMMON,
) -> None:
    """Print my contact, for others to add. It names my persona and holds no secret: it may hang on a wall.

    Example: meshnode invite --qr
    """
    show.invite(common, ask(common, requests.InviteRequest(), replies.UriReply, offline=True), qr=qr, words=words)

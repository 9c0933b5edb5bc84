"""`meshnode web`."""

from __future__ import annotations

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests


def web(*, common: Common = COMMON) -> None:
    """Show where the page of this node is, and the code that makes its first visitor the keeper.

    The page is served by `meshnode run --web`. Once there is a keeper there is no code any more.

    Example: meshnode web
    """
    reply = ask(common, requests.SetUpCodeRequest(), replies.CodeReply)
    code = f"set-up code  {reply.code}" if reply.code else "set-up code  none: this box has a keeper"
    say.answer(common, reply, [*(f"page         {address}" for address in reply.addresses), code])

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
    say.answer(common, reply, lines(reply))


def lines(reply: replies.CodeReply) -> list[str]:
    """As a person reads it."""
    pages = [f"page         {address}{_absent(address, reply)}" for address in reply.addresses]
    return [*pages, f"set-up code  {reply.code or 'none: this box has a keeper'}"]


def _absent(address: str, reply: replies.CodeReply) -> str:
    return "  (not yet: no interface has this address)" if address in reply.absent else ""

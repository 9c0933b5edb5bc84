"""`meshnode mesh`: membership, handed on or taken."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say, show
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.cli.text import given
from meshnode.control import replies, requests


def invite(
    *,
    qr: Annotated[bool, Parameter(negative="", help=show.QR_HELP)] = False,
    words: Annotated[bool, Parameter(negative="", help=show.WORDS_HELP)] = False,
    common: Common = COMMON,
) -> None:
    """Print the invite to this mesh: its name and its secret. Whoever has it is a member and reads all frames.

    Example: meshnode mesh invite --qr
    """
    reply = ask(common, requests.MeshInviteRequest(), replies.UriReply)
    say.note(f"this gives membership of the mesh {say.plain(reply.mesh)!r} for good; hand it only to whom you trust")
    show.invite(common, reply, qr=qr, words=words)


def join(
    uri: Annotated[
        str | None,
        Parameter(help="The mesh invite: a mesh: address, or its words in quotes. Default: standard input, where others"
                  " who use this machine do not see it."),
    ] = None,
    /,
    *,
    common: Common = COMMON,
) -> None:  # fmt: skip
    """Take name and secret of a mesh, and be a member from the next start of the node.

    Example: meshnode mesh join mesh:m1...
    Example: meshnode mesh join < invite
    """
    reply = ask(common, requests.MeshJoinRequest(uri=given(uri, "invite").strip()), replies.MeshReply)
    say.answer(common, reply, [reply.text or f"member of {say.plain(reply.mesh)}"])

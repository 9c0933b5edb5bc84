"""`meshnode mesh`: membership, handed on, taken, or renewed so that somebody is no longer in."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from meshnode.cli import say, show
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.cli.text import given
from meshnode.control import replies, requests

NUMBER = Parameter(validator=validators.Number(gte=0, lte=3), help="Number of the secret, as `mesh secrets` shows it.")


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
    """Take name and secret of a mesh, and be a member at once: a node that runs starts its parts anew.

    Example: meshnode mesh join mesh:m1...
    Example: meshnode mesh join < invite
    """
    _show(common, requests.MeshJoinRequest(uri=given(uri, "invite").strip()))


def secrets(*, common: Common = COMMON) -> None:
    """List the secrets of this mesh that are held: one is spoken, the others are understood.

    Example: meshnode mesh secrets
    """
    reply = ask(common, requests.MeshSecretsRequest(), replies.MeshReply)
    rows = [(one.number, "spoken" if one.current else "understood") for one in reply.secrets]
    none = f"the mesh {say.plain(reply.mesh)} is open: whoever knows the name is in"
    say.answer(common, reply, say.table(("SECRET", "STANDING"), rows, none))


def renew(
    *,
    qr: Annotated[bool, Parameter(negative="", help=show.QR_HELP)] = False,
    words: Annotated[bool, Parameter(negative="", help=show.WORDS_HELP)] = False,
    common: Common = COMMON,
) -> None:
    """Hold a new secret of this mesh and print its invite, for all who stay in. Nobody speaks it before `mesh use`.

    To remove a member: renew here, and `mesh join` at all others who stay. Then `mesh use` everywhere; then `mesh drop`
    the old secret everywhere. Nobody is cut off on the way.

    Example: meshnode mesh renew --qr
    """
    reply = ask(common, requests.MeshRenewRequest(), replies.UriReply)
    mesh = say.plain(reply.mesh)
    say.note(f"this gives membership of the mesh {mesh!r} for good; hand it only to those who stay in it")
    say.note(f"secret {reply.number} is held; when all hold it: meshnode mesh use {reply.number}")
    show.invite(common, reply, qr=qr, words=words)


def use(number: Annotated[int, NUMBER], /, *, common: Common = COMMON) -> None:
    """Speak this secret from now on. Do it once all who stay hold it, in any order.

    Example: meshnode mesh use 1
    """
    _show(common, requests.MeshUseRequest(number=number))


def drop(number: Annotated[int, NUMBER], /, *, common: Common = COMMON) -> None:
    """Let go of an old secret, once all speak the new one: who has only the old one is outside.

    Example: meshnode mesh drop 0
    """
    _show(common, requests.MeshDropRequest(number=number))


def _show(common: Common, request: requests.Request) -> None:
    reply = ask(common, request, replies.MeshReply)
    say.answer(common, reply, [say.plain(reply.text)])

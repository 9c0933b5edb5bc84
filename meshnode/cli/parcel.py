"""`meshnode export` and `meshnode import`: a parcel, carried by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests


def export_parcel(
    file: Annotated[Path, Parameter(help="The parcel to write, for example on a stick.")],
    /,
    *,
    to: Annotated[str, Parameter(name="--for", help="Only what this contact may want.")] = "",
    since: Annotated[
        str, Parameter(help="Only what came after this cursor, or after the last so many hours: 48h.")
    ] = "",
    common: Common = COMMON,
) -> None:
    """Write what is here and may travel into a parcel, sealed with the mesh key: a lost stick tells nothing.

    Example: meshnode export /media/stick/valley.parcel
    """
    request = requests.ExportRequest(path=str(file.absolute()), contact=to, since=since)
    _show(common, ask(common, request, replies.ParcelReply, offline=True), "written")


def import_parcel(
    file: Annotated[Path, Parameter(help="The parcel to take in.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Take in a parcel. A second time changes nothing; a cut-off one gives what can be checked.

    Example: meshnode import /media/stick/valley.parcel
    """
    _show(
        common,
        ask(common, requests.ImportRequest(path=str(file.absolute())), replies.ParcelReply, offline=True),
        "taken",
    )


def _show(common: Common, reply: replies.ParcelReply, done: str) -> None:
    blocks, envelopes = say.counted(reply.blocks, "block"), say.counted(reply.envelopes, "envelope")
    counts = f"{blocks} and {envelopes} {done}, {reply.refused} refused"
    say.answer(common, reply, [counts, *([reply.text] if reply.text else [])])

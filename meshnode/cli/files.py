"""`meshnode files`: what was announced with messages and posts, and what of it is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from meshnode.cli import say
from meshnode.cli.app import DONE, NOT_YET
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests

HEADER = ("ID", "NAME", "SIZE", "STATE", "FROM", "TYPE")
Id = Annotated[str, Parameter(help="The beginning of the file's id, as `meshnode files list` shows it.")]


def list_(*, common: Common = COMMON) -> None:
    """Show the files that messages and posts announced, and how much of each is here.

    Example: meshnode files list
    """
    reply = ask(common, requests.FilesRequest(), replies.FilesReply)
    say.answer(common, reply, say.table(HEADER, [_row(row) for row in reply.files], "no file was announced"))


def get(
    id: Id,
    /,
    path: Annotated[Path | None, Parameter(help="Where to write it. Default: it is kept in the node alone.")] = None,
    *,
    timeout: Annotated[
        float,
        Parameter(help="Seconds to wait at most; then exit 4, and fetching goes on.", show_default=True,
                  validator=validators.Number(gte=0, lte=31_536_000)),
    ] = 3600.0,
    common: Common = COMMON,
) -> int:  # fmt: skip
    """Fetch a file from whoever has it, and write it where you say. What came is kept: asked again, it goes on.

    Example: meshnode files get 3fa9 bridge.jpg
    """
    asked = requests.FileGetRequest(id=id, path=str(path.absolute()) if path else "", timeout_s=timeout)
    reply = ask(common, asked, replies.FileReply)
    say.answer(common, reply, [_described(reply)])
    return DONE if reply.reached else NOT_YET


def drop(id: Id, /, *, common: Common = COMMON) -> None:
    """Keep a file no longer, and stop fetching it. The message that announced it stays.

    Example: meshnode files drop 3fa9
    """
    reply = ask(common, requests.FileDropRequest(id=id), replies.FileReply)
    say.answer(common, reply, [f"{reply.file.name or reply.file.id[:8]} is kept here no longer"])


def _row(row: replies.FileRow) -> tuple[str, ...]:
    file = row.file
    state = f"{100 * file.held // max(1, file.size)} %" if file.state == "coming" else file.state
    return file.id[:12], file.name or "-", say.size(file.size), state, row.sender or "-", file.media or "-"


def _described(reply: replies.FileReply) -> str:
    file = reply.file
    if not reply.reached:
        return f"{file.name}: {say.size(file.held)} of {say.size(file.size)} are here; it goes on"
    return f"{file.name} is here{f', and in {reply.path}' if reply.path else ''}"

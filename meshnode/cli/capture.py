"""`meshnode capture`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import connect, endless
from meshnode.cli.options import COMMON, Common
from meshnode.control import requests
from meshnode.control.notices import CaptureNotice


def capture(
    file: Annotated[Path, Parameter(help="The pcapng file to write, for Wireshark.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Write our frames, opened, to a pcapng file, each with a line that says what it is. Ctrl-C ends it.

    The file holds what members of the mesh can read: treat it like the mesh secret. Messages to one person stay sealed.

    Example: meshnode capture valley.pcapng
    """
    try:
        endless(_follow, common, str(file.absolute()))
    finally:
        say.progress_ends()


async def _follow(common: Common, path: str) -> None:
    async with connect(common) as client:
        say.note(f"writing to {path}; Ctrl-C ends it")
        async for notice in client.stream(requests.CaptureRequest(path=path)):
            if common.json:
                say.line(notice)
            elif isinstance(notice, CaptureNotice):
                say.progress(f"{notice.frames} frames, {say.size(notice.bytes)}")

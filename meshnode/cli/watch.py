"""`meshnode watch`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli.ask import connect, endless
from meshnode.cli.options import COMMON, Common
from meshnode.control import requests
from meshnode.control.notices import GapNotice, StoppedNotice


def watch(
    *,
    since: Annotated[str, Parameter(help="First what came after this cursor: none is missed.")] = "",
    common: Common = COMMON,
) -> None:
    """Print what happens, as it happens: one JSON object a line, its kind in `event`. Ctrl-C ends it.

    The first line is `ready`; the last, when the node ends, is `stopped`. A watcher too slow to read is told with `gap`
    and goes on from its last cursor.

    Example: meshnode watch
    Example: meshnode watch --since 41
    """
    endless(follow, common, since)


async def follow(common: Common, since: str) -> None:
    """Every notice as a line, going on after a gap."""
    from meshnode.cli import say

    gap = True
    while gap:
        gap = False
        async with connect(common) as client:
            async for notice in client.stream(requests.WatchRequest(since=since)):
                say.line(notice)
                since = notice.cursor or since
                gap = isinstance(notice, GapNotice)
                if isinstance(notice, StoppedNotice):
                    return

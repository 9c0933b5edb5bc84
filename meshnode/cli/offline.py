"""A question to a home whose node does not run: the whole daemon is started for it, with nothing to carry its frames.

So a home answers in one way only, with one lock, one writer and one set of handlers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import trio

from meshnode.config import LogSection
from meshnode.control import client
from meshnode.control.replies import Reply
from meshnode.control.requests import Request
from meshnode.daemon import logs
from meshnode.daemon.carriers import no_carriers
from meshnode.daemon.home import Home, open_home
from meshnode.daemon.main import run_daemon

R = TypeVar("R", bound=Reply)


def ask_home(path: Path, request: Request, reply: type[R]) -> R:
    """The home's answer. HomeError where there is none, or where another meshnode uses it."""
    logs.set_up(LogSection(level="error"))
    with open_home(path) as home:
        return trio.run(_ask, home, request, reply)


async def _ask(home: Home, request: Request, reply: type[R]) -> R:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_daemon, home, no_carriers())
        async with client.connect(home.control_socket) as node:
            answer = await node.ask(request, reply)
        nursery.cancel_scope.cancel()
    return answer

"""A question to a home whose node does not run. What takes a node is asked of one that is started for it, unheard.

So a home answers in one way only, with one lock, one writer and one set of handlers. That node listens at a place of
its own: whoever looks for the node of this home finds none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from meshnode.control.replies import Reply
from meshnode.control.requests import Request
from meshnode.daemon import resting

if TYPE_CHECKING:
    from meshnode.daemon.home import Home

R = TypeVar("R", bound=Reply)


def ask_home(path: Path, request: Request, reply: type[R]) -> R:
    """The home's answer. HomeError where there is none, HomeBusyError where another meshnode uses it."""
    answer = resting.answer(path, request)
    return answer if isinstance(answer, reply) else _ask_node(path, request, reply)


def _ask_node(path: Path, request: Request, reply: type[R]) -> R:
    from tempfile import TemporaryDirectory

    import trio
    from msgspec.structs import replace

    from meshnode.config import ControlSection, LogSection
    from meshnode.daemon import logs
    from meshnode.daemon.home import open_home

    logs.set_up(LogSection(level="error"))
    with open_home(path) as home, TemporaryDirectory(prefix="meshnode-") as place:
        home.config = replace(home.config, control=ControlSection(socket=f"{place}/control.sock"))
        return trio.run(_ask, home, request, reply)


async def _ask(home: Home, request: Request, reply: type[R]) -> R:
    import trio

    from meshnode.control import client
    from meshnode.daemon.alone import no_carriers
    from meshnode.daemon.main import run_daemon

    async with trio.open_nursery() as nursery:
        await nursery.start(run_daemon, home, no_carriers())
        async with client.connect(home.control_socket) as node:
            answer = await node.ask(request, reply)
        nursery.cancel_scope.cancel()
    return answer

"""Questions to the node of a home: over its control socket, or to the home while no node runs."""

from __future__ import annotations

import io
import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from meshnode.cli.options import Common
from meshnode.control.paths import SERVICE_HOME, SERVICE_SOCKET
from meshnode.control.replies import Reply
from meshnode.control.requests import Request
from meshnode.errors import ConfigError, HomeBusyError, NotRunningError

if TYPE_CHECKING:
    import trio

    from meshnode.control.client import Client

R = TypeVar("R", bound=Reply)

PATIENCE_S, TRY_EVERY_S = 20.0, 0.05  # a node on a small board may take seconds to start or to stop


def ask(common: Common, request: Request, reply: type[R], *, offline: bool = False) -> R:
    """The node's answer. With `offline`, a home whose node does not run answers itself, under its lock."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _ask(common, request, reply, offline)
        except HomeBusyError:  # a command like this one is at it, or a node is just starting or stopping
            if time.monotonic() > give_up:
                raise
            time.sleep(TRY_EVERY_S)


def _ask(common: Common, request: Request, reply: type[R], offline: bool) -> R:
    path = socket_of(common)
    there = os.path.exists(path)
    if not offline and _will_come(path, common.directory):
        raise HomeBusyError(f"The node of {common.directory} is starting or stopping; try again in a moment.")
    if there or not offline:  # False, too, where one may not look
        from meshnode.control import question

        try:
            return question.ask(path, request, reply)
        except NotRunningError:
            if not offline:
                raise
    from meshnode.cli.offline import ask_home

    return ask_home(common.directory, request, reply)


def _will_come(socket: Path, home: Path) -> bool:
    """Somebody is at the home, and nobody answers yet."""
    from meshnode.daemon.lock import LOCK, is_held

    return not os.path.exists(socket) and is_held(home / LOCK)


@asynccontextmanager
async def connect(common: Common) -> AsyncIterator[Client]:
    """A connection for several questions, or for a stream; a node that begins, or begins anew, is waited for."""
    import trio

    from meshnode.control import client

    path = socket_of(common)
    with trio.move_on_after(PATIENCE_S):
        while _will_come(path, common.directory):  # noqa: ASYNC110 - another process tells us nothing
            await trio.sleep(TRY_EVERY_S)
    async with client.connect(path) as connected:
        yield connected


def endless(follow: Callable[..., Awaitable[object]], *words: object) -> None:
    """Run what only Ctrl-C ends, or the reader who leaves (`meshnode watch | head -1`); neither is a failure."""
    import trio

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_unread, nursery.cancel_scope)
            await follow(*words)
            nursery.cancel_scope.cancel()

    try:
        trio.run(run)
    except* KeyboardInterrupt:
        pass


async def _until_unread(scope: trio.CancelScope) -> None:
    """A pipe says that its reader left by becoming ready; nothing else of it is ever to be read."""
    import trio

    try:
        out = sys.stdout.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return  # closed, or taken over by whoever runs us
    if stat.S_ISFIFO(os.fstat(out).st_mode):
        await trio.lowlevel.wait_readable(out)
        scope.cancel()


def socket_of(common: Common) -> Path:
    """Where the node of this home listens; the usual place for its group, which may not read the configuration."""
    from meshnode import config

    if common.directory == SERVICE_HOME and SERVICE_SOCKET.exists():  # its home is shut to those who may use it
        return SERVICE_SOCKET
    file = common.directory / "config.toml"
    try:
        chosen = config.load(file).control.socket
    except ConfigError:
        if os.access(file, os.R_OK):
            raise
        chosen = ""
    return Path(chosen) if chosen else common.directory / "control.sock"

"""Each part of the daemon is kept going: one that fails is started again, later each time, with one line in the log.

A part that fails never takes the node down. The loop and the store are not parts in this sense: without them there is
no node, and their failure ends the daemon with one sentence (main.py).
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
import trio

from meshnode.core.notices import Warned
from meshnode.daemon.adapters import Started
from meshnode.errors import MeshnodeError

FIRST_S, LONGEST_S = 1.0, 60.0
SETTLED_S = 60.0  # a part that ran this long had recovered: its next failure counts as the first

_log = structlog.get_logger("daemon")


class Part(Protocol):
    """What `run` of an adapter looks like once its inputs are bound."""

    def __call__(self, *, task_status: Started) -> Awaitable[None]:
        """Serve until cancelled."""
        ...


async def supervised(
    name: str,
    part: Part,
    warn: Callable[[Warned], None],
    recovered: Callable[[], None],
    *,
    task_status: Started = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a part for ever. `started` once it runs, or once its first attempt has failed: the others need not wait.

    `warn` is called when it fails, `recovered` each time it runs.
    """
    reporting = Once(task_status, recovered)
    delay = FIRST_S
    while True:
        began = trio.current_time()
        try:
            await part(task_status=reporting)
            reason = "it ended by itself"
        except Exception as error:  # noqa: BLE001 - whatever a part does wrong, the node lives on
            reason = describe(error)
        if trio.current_time() - began >= SETTLED_S:
            delay = FIRST_S
        _log.warning("part failed", part=name, reason=reason, again_in_s=delay)
        warn(Warned("part_failed", f"The {name} stopped ({reason}); it is started again."))
        reporting.pass_on()
        await trio.sleep(delay)
        delay = min(2 * delay, LONGEST_S)


def describe(error: BaseException) -> str:
    """Our own errors in their words; others by kind and place only, for their words may be somebody's."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MeshnodeError):
        return str(error)
    places = [
        f" at {name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if (name := frame.filename.rpartition("meshnode/")[2]) != frame.filename
    ]
    return f"{type(error).__name__}{places[-1] if places else ''}"


class Once(trio.TaskStatus[None]):
    """Passes on the first `started`; a part that is started again says it again, which `each` hears."""

    def __init__(self, outer: Started, each: Callable[[], None] = lambda: None) -> None:
        self._outer = outer
        self._each = each
        self._said = False

    def started(self, value: None = None) -> None:
        """Say it, once."""
        self._each()
        self.pass_on()

    def pass_on(self) -> None:
        """Let whoever waits for the start go on, whether it worked or not."""
        if not self._said:
            self._said = True
            self._outer.started()

"""Radios that come and go while the node runs.

The tree is looked at when the interfaces are others than before, and for some seconds after that: a driver may bind,
and so show its name, a moment after its interface was announced. Who watches supplies the kernel's news.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Literal

import trio

from meshnode.halow.finding import Radio

SETTLES_S = 5.0


async def watch_radios(
    changed: Callable[[Sequence[Radio]], None],
    look: Callable[[], Sequence[Radio]],
    names: Callable[[], Collection[str]],
    news: Callable[[], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Call `changed` with the radios there are: at once, and whenever they are others. Runs until cancelled.

    `look` reads the tree, in a thread; `names` are the interfaces we may use (the tree may show those of another
    network namespace, too); `news` returns when they may be others.
    """
    seen, settled_at = names(), trio.current_time() + SETTLES_S
    known: Sequence[Radio] | None = None
    while True:
        found = [radio for radio in await trio.to_thread.run_sync(look) if radio.interface in seen]
        if found != known:
            changed(found)
        if known is None:
            task_status.started()
        known = found
        seen, settled_at = await _something_new(seen, settled_at, names, news)


async def _something_new(
    seen: Collection[str], settled_at: float, names: Callable[[], Collection[str]], news: Callable[[], Awaitable[None]]
) -> tuple[Collection[str], float]:
    """Return when it is worth looking again: with what there is now, and until when it may still change."""
    while True:
        await news()
        now, there = trio.current_time(), names()
        if there != seen:
            return there, now + SETTLES_S
        if now < settled_at:
            return seen, settled_at


def came_and_went(before: Sequence[Radio], after: Sequence[Radio]) -> Iterator[tuple[Literal["came", "gone"], Radio]]:
    """What differs, by name."""
    old, new = ({radio.interface: radio for radio in some} for some in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield "gone", old[name]
        elif name not in old:
            yield "came", new[name]

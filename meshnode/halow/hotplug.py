"""Radios that come and go: the kernel's link messages, read under trio, and the tree looked at again after each.

pyroute2's own asynchronous socket needs an asyncio loop; its parser does not, so the socket is ours.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import trio
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from meshnode.errors import WireError
from meshnode.halow.finding import Radio, radios

LOOK_AGAIN_S = 5.0  # a driver may bind, and so show its name, a moment after its interface was announced
_GROUP_LINK = 1
_LARGEST = 65536


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """An interface appeared or changed ("there"), or is gone."""

    what: Literal["there", "gone"]
    interface: str
    index: int


def events_untrusted(data: bytes) -> list[LinkEvent]:
    """The link events in what one read from the socket gave; other messages are left out. Raises WireError."""
    try:
        return [event for message in MarshalRtnl().parse(data) if (event := _event(message))]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise WireError(f"a link message that pyroute2 cannot read: {error}") from error


def _event(message: object) -> LinkEvent | None:
    kind = message.get("event")  # type: ignore[attr-defined]
    if kind not in ("RTM_NEWLINK", "RTM_DELLINK"):
        return None
    name = message.get_attr("IFLA_IFNAME") or ""  # type: ignore[attr-defined]
    return LinkEvent("there" if kind == "RTM_NEWLINK" else "gone", name, message["index"])  # type: ignore[index]


class LinkEvents:
    """Link events of the kernel, as they come."""

    def __init__(self, netlink: socket.socket) -> None:
        self._netlink = netlink

    async def next(self) -> list[LinkEvent]:
        """What happened since the last call; empty when messages were lost or could not be read: look again."""
        await trio.lowlevel.wait_readable(self._netlink)
        try:
            return events_untrusted(self._netlink.recv(_LARGEST))
        except (OSError, WireError):
            return []


@asynccontextmanager
async def link_events() -> AsyncIterator[LinkEvents]:
    """Link events for the time of the block. Raises OSError where netlink is not to be had."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as netlink:
        netlink.bind((0, _GROUP_LINK))
        yield LinkEvents(netlink)


async def watch_radios(
    changed: Callable[[Sequence[Radio]], None],
    look: Callable[[], Sequence[Radio]] = radios,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Call `changed` with the radios there are: at once, and whenever they are others. Runs until cancelled."""
    known: Sequence[Radio] | None = None
    begun = False
    async with link_events() as events:
        while True:
            found = await trio.to_thread.run_sync(look)
            if found != known:
                known = found
                changed(found)
            if not begun:
                begun = True
                task_status.started()
            with trio.move_on_after(LOOK_AGAIN_S):
                await events.next()


def came_and_went(before: Sequence[Radio], after: Sequence[Radio]) -> Iterator[tuple[str, Radio]]:
    """("came" or "gone", radio) for each difference, in that order of name."""
    old, new = ({radio.interface: radio for radio in some} for some in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield "gone", old[name]
        elif name not in old:
            yield "came", new[name]

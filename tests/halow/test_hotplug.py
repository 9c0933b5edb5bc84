"""Radios that come and go: when the tree is looked at, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from meshnode.halow.finding import Radio, radios
from meshnode.halow.hotplug import SETTLES_S, came_and_went, watch_radios
from support.sysfs import BOARDS, plug, unplug


class Machine:
    """A tree, the interfaces of our namespace, and the kernel's news of them."""

    def __init__(self, sys: Path) -> None:
        self.sys = sys
        self.names: set[str] = set()
        self.looks = 0
        self.seen: list[list[str]] = []
        self._news = trio.Event()
        self._waits = trio.Event()  # the watcher has looked, and waits for news

    def look(self) -> Sequence[Radio]:
        self.looks += 1
        return radios(self.sys)

    def changed(self, found: Sequence[Radio]) -> None:
        self.seen.append([radio.interface for radio in found])

    async def news(self) -> None:
        self._waits.set()
        await self._news.wait()
        self._news = trio.Event()

    async def tell(self, *names: str) -> None:
        """The interfaces are these now."""
        await self._waits.wait()
        self.names, self._waits = set(names), trio.Event()
        self._news.set()
        await self._waits.wait()

    async def watch(self, task_status: Any) -> None:
        await watch_radios(self.changed, self.look, lambda: self.names, self.news, task_status=task_status)


async def test_a_radio_is_seen_to_come_and_go(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(machine.watch)
        plug(tmp_path, BOARDS["txw8301-usb"])
        plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
        await machine.tell("hg0")
        unplug(tmp_path, "hg0")
        await machine.tell()
        nursery.cancel_scope.cancel()
    assert machine.seen == [[], ["hg0"], []], "wlh0 is in another namespace"


async def test_a_driver_that_binds_late_is_seen_and_a_quiet_machine_is_left_alone(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    machine = Machine(tmp_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(machine.watch)
        await machine.tell("hg0")
        plug(tmp_path, BOARDS["txw8301-usb"])
        mock_clock.jump(SETTLES_S - 1)
        await machine.tell("hg0")
        assert machine.seen == [[], ["hg0"]]
        looks = machine.looks
        mock_clock.jump(2)
        await machine.tell("hg0")
        assert machine.looks == looks
        nursery.cancel_scope.cancel()


def test_what_came_and_what_went(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["txw8301-usb"])
    before = radios(tmp_path)
    unplug(tmp_path, "hg0")
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    after = radios(tmp_path)
    assert [(what, radio.interface) for what, radio in came_and_went(before, after)] == [
        ("gone", "hg0"),
        ("came", "wlh0"),
    ]

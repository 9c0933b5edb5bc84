"""Radios that come and go, told by the kernel's own messages."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from meshnode.errors import WireError
from meshnode.halow import hotplug
from meshnode.halow.finding import Radio, radios
from meshnode.halow.hotplug import LinkEvent, came_and_went, events_untrusted, watch_radios
from support.sysfs import BOARDS, plug, unplug


def link_message(kind: int, name: str, index: int = 9) -> bytes:
    message = ifinfmsg()
    message["index"] = index
    message["attrs"] = [["IFLA_IFNAME", name]]
    message["header"]["type"] = kind
    message.encode()
    return bytes(message.data)


def test_messages_of_the_kernel_are_read() -> None:
    both = link_message(16, "wlh0") + link_message(17, "hg0", 4)
    assert events_untrusted(both) == [LinkEvent("there", "wlh0", 9), LinkEvent("gone", "hg0", 4)]
    assert events_untrusted(struct.pack("=IHHII", 16, 3, 0, 0, 0)) == []


@given(st.binary(max_size=64))
def test_noise_is_a_wire_error_or_events(data: bytes) -> None:
    try:
        assert isinstance(events_untrusted(data), list)
    except WireError:
        pass


async def test_a_radio_is_seen_to_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotplug, "LOOK_AGAIN_S", 0.01)
    seen: list[list[str]] = []
    turned = trio.Event()

    def changed(found: Sequence[Radio]) -> None:
        nonlocal turned
        seen.append([radio.interface for radio in found])
        turned.set()

    async def next_change() -> None:
        nonlocal turned
        with trio.fail_after(30):
            await turned.wait()
        turned = trio.Event()

    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: watch_radios(changed, lambda: radios(tmp_path), task_status=task_status)
        )
        await next_change()
        plug(tmp_path, BOARDS["txw8301-usb"])
        await next_change()
        unplug(tmp_path, "hg0")
        await next_change()
        nursery.cancel_scope.cancel()
    assert seen == [[], ["hg0"], []]


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

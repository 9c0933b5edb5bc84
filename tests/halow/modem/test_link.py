"""Datagrams over two modems and the modelled air, as a link of the daemon."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from meshnode.core.inputs import FrameReceived, Input, LinkChanged
from meshnode.halow.modem import link as link_module
from meshnode.halow.modem.link import ModemLink
from meshnode.halow.modem.newracom import Network
from meshnode.halow.modem.port import SerialPort
from meshnode_sim.modem.newracom import FakeNewracom
from support.modems import air_of, served

HALOW = Network("halow")


async def until(heard: trio.MemoryReceiveChannel[Input], fits: Callable[[Input], bool]) -> Input:
    with trio.fail_after(60):
        while True:
            given = await heard.receive()
            if fits(given):
                return given


async def test_datagrams_go_to_everybody_and_to_one() -> None:
    air = air_of(2)
    async with served(air, [FakeNewracom(0, air), FakeNewracom(1, air)]) as lines, trio.open_nursery() as nursery:
        links, ears = [], []
        for line in lines:
            link = ModemLink("modem", lambda path=line.path: SerialPort(path, 115_200), HALOW)
            say, hear = trio.open_memory_channel[Input](16)
            await nursery.start(lambda task_status, link=link, say=say: link.run(say, task_status=task_status))
            await until(hear, lambda given: isinstance(given, LinkChanged) and given.settings is not None)
            links.append(link)
            ears.append(hear)
        whole = bytes(range(256)) + b"OK\r\n+RXD:0,5\r\n"
        links[0].send(None, whole)
        got = await until(ears[1], lambda given: isinstance(given, FrameReceived))
        assert got == FrameReceived("modem", "192.168.50.1", True, whole)
        links[1].send("192.168.50.1", b"back to you")
        got = await until(ears[0], lambda given: isinstance(given, FrameReceived))
        assert got == FrameReceived("modem", "192.168.50.2", False, b"back to you")
        assert links[0].status()["state"] == "up"
        links[0].send(None, b"x" * 1201)
        assert links[0].counters["sent_too_long"] == 1
        nursery.cancel_scope.cancel()


async def test_a_modem_that_is_unplugged_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "RETRY_S", 0.05)
    air = air_of(1)
    async with served(air, [FakeNewracom(0, air)]) as (line,), trio.open_nursery() as nursery:
        link = ModemLink("modem", lambda: SerialPort(line.path, 115_200), HALOW)
        say, hear = trio.open_memory_channel[Input](16)
        await nursery.start(lambda task_status: link.run(say, task_status=task_status))
        await until(hear, lambda given: isinstance(given, LinkChanged) and given.settings is not None)
        line.unplug()
        assert await until(hear, lambda given: True) == LinkChanged("modem", None)
        assert link.status()["state"] == "down"
        assert "unplugged" in str(link.status()["detail"]) or "cannot be opened" in str(link.status()["detail"])
        link.send(None, b"lost")
        assert link.counters["link_down"] == 1
        line.plug()
        await until(hear, lambda given: isinstance(given, LinkChanged) and given.settings is not None)
        nursery.cancel_scope.cancel()

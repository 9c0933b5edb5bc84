"""The modelled air in (jumping) real time: who hears whom, what a dead radio does, and that streams cost air, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from meshnode.core.inputs import FrameReceived, Input
from meshnode.demo.sky import Sky
from meshnode.peering.memory import AirLink


class Ear:
    """What one node hears."""

    def __init__(self, link: AirLink) -> None:
        self.link = link
        self.inlet, self.outlet = trio.open_memory_channel[Input](100)

    async def heard(self) -> FrameReceived:
        while True:
            given = await self.outlet.receive()
            if isinstance(given, FrameReceived):
                return given

    def nothing(self) -> bool:
        return self.outlet.statistics().current_buffer_used == 0


@pytest.fixture
async def ears(autojump_clock: MockClock, nursery: trio.Nursery) -> AsyncIterator[tuple[Sky, list[Ear]]]:
    sky = Sky(3, seed=1, loss=0.0)
    nursery.start_soon(sky.run)
    ears = [Ear(sky.link(node)) for node in range(3)]
    for ear in ears:
        await nursery.start(ear.link.run, ear.inlet)
        await ear.outlet.receive()  # the link is up
    yield sky, ears
    nursery.cancel_scope.cancel()


async def test_neighbours_hear_and_others_do_not(ears: Any) -> None:
    sky, (a, b, c) = ears
    a.link.send(None, b"to all")
    heard = await b.heard()
    assert (heard.source, heard.multicast, heard.data) == (sky.addresses[0], True, b"to all")
    b.link.send(sky.addresses[0], b"to one")
    heard = await a.heard()
    assert (heard.source, heard.multicast, heard.data) == (sky.addresses[1], False, b"to one")
    await trio.sleep(1)
    assert c.nothing()


async def test_the_air_is_counted_with_its_headers(ears: Any) -> None:
    sky, (a, b, _) = ears
    a.link.send(sky.addresses[1], bytes(100))
    await b.heard()
    assert sky.bytes_on_air() == 100 + 48 + 38


async def test_a_datagram_to_nobody_is_lost(ears: Any) -> None:
    sky, (a, b, _) = ears
    a.link.send("fe80::77", b"x")
    await trio.sleep(1)
    assert b.nothing()
    assert sky.bytes_on_air() == 0


async def test_a_muted_radio_tries_in_vain(ears: Any) -> None:
    sky, (a, b, c) = ears
    tried = sky.mute(1)
    b.link.send(None, b"never heard")
    await tried.wait()
    sky.switch_off(1)
    a.link.send(None, b"to a dead radio")
    await trio.sleep(1)
    assert a.nothing()
    assert b.nothing()
    assert c.nothing()


async def test_a_radio_comes_back(ears: Any, nursery: trio.Nursery) -> None:
    sky, (a, _, _) = ears
    sky.switch_off(1)
    again = Ear(sky.link(1))
    await nursery.start(again.link.run, again.inlet)
    a.link.send(None, b"welcome")
    assert (await again.heard()).data == b"welcome"


async def test_streams_take_air_between_neighbours_alone(ears: Any) -> None:
    sky, _ = ears
    began = trio.current_time()
    assert await sky.carry(sky.addresses[0], sky.addresses[1], 1000)
    assert trio.current_time() > began
    assert sky.bytes_on_air() > 1000
    assert not await sky.carry(sky.addresses[0], sky.addresses[2], 1000)
    sky.switch_off(1)
    assert not await sky.carry(sky.addresses[0], sky.addresses[1], 1000)

"""Datagrams on a bound interface: real sockets on a wire inside a namespace of its own."""

import json
import socket
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from meshnode.core.inputs import FrameReceived, LinkChanged, LinkUsed
from meshnode.core.settings import Law, LinkSettings
from meshnode.errors import LinkError, UsageError
from meshnode.peering import multicast
from meshnode.peering.interface import read_interface
from meshnode.peering.multicast import UdpLink, refusal
from meshnode.peering.places import LINK_GROUP, LINK_PORT
from support import netns

pytestmark = pytest.mark.netns


@pytest.fixture
def wire():
    with netns.namespace("wire") as name:
        netns.veth((name, "left"), (name, "right"))
        with netns.entered(name):
            yield name


@asynccontextmanager
async def running(*links):
    """Links that serve, each with the channel of what it says."""
    async with trio.open_nursery() as nursery:
        channels = []
        for link in links:
            inlet, outlet = trio.open_memory_channel(100)
            await nursery.start(link.run, inlet)
            channels.append(outlet)
        with trio.fail_after(100):
            yield channels
        nursery.cancel_scope.cancel()


async def test_a_datagram_to_all_and_one_to_a_neighbour(wire):
    left, right = UdpLink("left"), UdpLink("right")
    async with running(left, right) as (at_left, at_right):
        assert await at_left.receive() == LinkChanged("left", LinkSettings())
        assert await at_right.receive() == LinkChanged("right", LinkSettings())
        left.send(None, b"to all")
        heard = await at_right.receive()
        assert heard == FrameReceived("right", left.where()[1], True, b"to all")
        right.send(heard.source, b"to you")
        assert await at_left.receive() == FrameReceived("left", right.where()[1], False, b"to you")


async def test_the_interface_may_be_missing_vanish_and_return(wire):
    left = UdpLink("left2")
    async with running(left) as (heard,):
        assert left.status()["state"] == "missing"
        left.send(None, b"lost")
        assert left.counters["link_down"] == 1
        netns.veth((wire, "left2"), (wire, "right2"))
        assert isinstance((await heard.receive()).settings, LinkSettings)
        assert left.status()["state"] == "up"
        first = read_interface("left2").index
        netns.ip("-n", wire, "link", "delete", "left2")
        assert await heard.receive() == LinkChanged("left2", None)
        assert left.where() == ("", "")
        netns.veth((wire, "left2"), (wire, "right2"))
        assert isinstance((await heard.receive()).settings, LinkSettings)
        assert read_interface("left2").index != first
        right = UdpLink("right2")
        async with running(right) as (at_right,):
            await at_right.receive()
            right.send(None, b"again")
            assert (await heard.receive()).data == b"again"


async def test_an_interface_that_is_down_is_told_so(wire):
    left = UdpLink("left")
    async with running(left) as (heard,):
        await heard.receive()
        netns.ip("-n", wire, "link", "set", "left", "down")
        assert await heard.receive() == LinkChanged("left", None)
        assert left.status()["state"] == "down"
        netns.ip("-n", wire, "link", "set", "left", "up")
        assert await heard.receive() == LinkChanged("left", LinkSettings())


async def test_the_radio_says_its_rates_and_may_change_its_mind(wire, tmp_path):
    file = tmp_path / "radio.json"
    file.write_text(json.dumps({"unicast_bps": 150_000, "multicast": False, "colour": 3}))
    async with running(UdpLink("left", radio_state=file)) as (heard,):
        assert await heard.receive() == LinkChanged("left", LinkSettings(384, 1200, 150_000, 300_000, False))
        file.write_text(json.dumps({"unicast_bps": 3_000_000, "multicast_bps": 650_000}))
        assert await heard.receive() == LinkChanged("left", LinkSettings(1200, 1200, 3_000_000, 650_000, True))


class Driver:
    """A radio's driver that knows its rate."""

    retries = 3

    def settings(self, base: LinkSettings) -> LinkSettings:
        return replace(base, unicast_bps=150_000, unicast_payload=384)


async def test_what_the_driver_knows_is_used_and_a_file_knows_better(wire, tmp_path):
    file = tmp_path / "radio.json"
    async with running(UdpLink("left", radio=Driver(), radio_state=file)) as (heard,):
        assert await heard.receive() == LinkChanged("left", LinkSettings(384, 1200, 150_000))
        file.write_text(json.dumps({"unicast_bps": 3_000_000}))
        assert (await heard.receive()).settings.unicast_bps == 3_000_000


async def test_the_environment_may_name_the_radio_file(wire, tmp_path, monkeypatch):
    file = tmp_path / "radio.json"
    file.write_text(json.dumps({"unicast_payload": 500}))
    monkeypatch.setenv("MESHNODE_RADIO_STATE", str(file))
    async with running(UdpLink("left")) as (heard,):
        assert (await heard.receive()).settings.unicast_payload == 500


def stranger(hops: int, interface: str = "right") -> socket.socket:
    """A socket that does as it likes."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    return made


async def test_what_cannot_have_come_from_this_link_is_dropped_and_counted(wire):
    netns.ip("-n", wire, "address", "add", "fd00::1/64", "dev", "left", "nodad")
    netns.ip("-n", wire, "address", "add", "fd00::2/64", "dev", "right", "nodad")
    left = UdpLink("left")
    async with running(left) as (heard,):
        await heard.receive()
        index, own = read_interface("right").index, left.where()[1]
        with stranger(254) as routed, stranger(255) as near:
            routed.sendto(b"x", (LINK_GROUP, LINK_PORT, 0, index))
            routed.sendto(b"x", (own, LINK_PORT, 0, index))
            near.sendto(b"x" * 1201, (LINK_GROUP, LINK_PORT, 0, index))
            near.sendto(b"x" * 60_000, (own, LINK_PORT, 0, index))
            near.sendto(b"last", (LINK_GROUP, LINK_PORT, 0, index))
        assert (await heard.receive()).data == b"last"
        while left.counters.total() < 5:  # noqa: ASYNC110 - two threads of the kernel may hand over in another order
            await trio.sleep(0.01)
        assert left.counters["received_off_link"] == 2
        assert left.counters["received_too_long"] == 2
        assert left.counters["received"] == 1


async def test_what_cannot_be_sent_is_counted_and_nothing_raises(wire):
    left = UdpLink("left")
    async with running(left) as (heard,):
        await heard.receive()
        for to, data in ((None, b"x" * 1201), ("fe80::zz", b"x"), ("example.org", b"x"), ("192.0.2.1", b"x")):
            left.send(to, data)
        netns.ip("-n", wire, "link", "delete", "left")
        left.send(None, b"x")
        assert left.counters["sent_too_long"] == 1
        assert left.counters["send_failed"] == 4
        assert left.counters["sent"] == 0


async def test_a_flood_is_held_up_in_the_kernel(wire):
    left, right = UdpLink("left"), UdpLink("right")
    async with running(right) as (at_right,), trio.open_nursery() as nursery:
        await at_right.receive()
        inlet, outlet = trio.open_memory_channel(5)
        await nursery.start(left.run, inlet)
        await outlet.receive()
        for _ in range(5000):
            right.send(None, b"x" * 1200)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert left.counters["received"] <= 6
        nursery.cancel_scope.cancel()


async def test_a_second_node_on_the_interface_is_one_sentence(wire):
    async with running(UdpLink("left")) as (heard,):
        await heard.receive()
        with pytest.RaisesGroup(pytest.RaisesExc(LinkError, match="another node")):
            async with running(UdpLink("left")) as (other,):
                await other.receive()


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 16])
def test_a_name_that_cannot_be_is_refused(name):
    with pytest.raises(UsageError):
        UdpLink(name)


def test_each_reason_to_refuse_has_its_counter():
    own, near = bytes.fromhex("fe80" + "00" * 13 + "01"), bytes.fromhex("fe80" + "00" * 13 + "02")
    far = bytes.fromhex("fd00" + "00" * 13 + "02")
    group = socket.inet_pton(socket.AF_INET6, LINK_GROUP)
    assert refusal(b"x" * 1200, 0, near, (255, group, 7), own, 7) == ""
    assert refusal(b"x", 0, near, (255, own, 7), own, 7) == ""
    assert refusal(b"x" * 1201, 0, near, (255, own, 7), own, 7) == "received_too_long"
    assert refusal(b"x", 0, near, (64, own, 7), own, 7) == "received_off_link"
    assert refusal(b"x", 0, far, (255, own, 7), own, 7) == "received_off_link"
    assert refusal(b"x", 0, near, (255, own, 8), own, 7) == "received_elsewhere"
    assert refusal(b"x", 0, near, (255, far, 7), own, 7) == "received_elsewhere"
    assert refusal(b"x", 0, own, (255, group, 7), own, 7) == "received_own_echo"


async def test_where_the_law_limits_the_hour_others_are_held_and_counted(wire, monkeypatch):
    calls = []

    class Held:
        def __init__(self, index, port):
            calls.append(("for", index, port))

        def hold(self, settings):
            calls.append("hold")
            return True

        def release(self):
            calls.append("release")

    monkeypatch.setattr(multicast, "Shaping", Held)
    law = Law(duty_ppm=28_000, reserve_ppm=5_600)
    left = UdpLink("left", LinkSettings(law=law))
    async with running(left) as (heard,):
        said = [await heard.receive(), await heard.receive()]
        (changed,) = (one for one in said if isinstance(one, LinkChanged))
        (used,) = (one for one in said if isinstance(one, LinkUsed))
        assert changed.settings.law == replace(law, others_held=True)
        assert used.link == "left"
        assert calls == [("for", read_interface("left").index, LINK_PORT), "hold"]
    assert calls[-1] == "release"

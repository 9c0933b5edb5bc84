"""A link to configured addresses, over loopback."""

import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.inputs import FrameReceived, LinkChanged
from meshnode.core.settings import LinkSettings
from meshnode.errors import LinkError, UsageError
from meshnode.peering.static import StaticLink, address_text, parse_address
from support.ports import free_ports
from support.session_peers import running


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_for_all_and_for_one(host):
    ports = free_ports(3)
    addresses = [address_text(host, port) for port in ports]
    links = [StaticLink([a for a in addresses if a != addresses[n]], port=ports[n]) for n in range(3)]
    with trio.fail_after(60):
        async with running(*links) as channels:
            for channel in channels:
                assert await channel.receive() == LinkChanged("static", LinkSettings())
            links[0].send(None, b"to all")
            for channel in channels[1:]:
                assert await channel.receive() == FrameReceived("static", addresses[0], True, b"to all")
            links[1].send(addresses[0], b"to one")
            assert await channels[0].receive() == FrameReceived("static", addresses[1], False, b"to one")


async def test_strangers_noise_and_giants_are_dropped_and_counted():
    ports = free_ports(2)
    link = StaticLink([f"127.0.0.1:{ports[1]}"], port=ports[0])
    with trio.fail_after(60), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", ports[1]))
        async with running(link) as (heard,):
            await heard.receive()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"\0hello", ("127.0.0.1", ports[0]))
            for data in (b"", b"\0", b"\2x", b"\0" + bytes(1201), b"\0" + bytes(60_000), b"\1" + bytes(1200)):
                peer.sendto(data, ("127.0.0.1", ports[0]))
            assert await heard.receive() == FrameReceived("static", f"127.0.0.1:{ports[1]}", False, bytes(1200))
            assert link.counters == {
                "received_elsewhere": 1, "received_malformed": 3, "received_too_long": 2, "received": 1,
            }  # fmt: skip


async def test_what_cannot_be_sent_is_counted():
    link = StaticLink(["127.0.0.1:1", "[::1]:1"], port=free_ports(1)[0])
    link.send(None, b"x")
    async with running(link):
        link.send("127.0.0.1:2", b"x")
        link.send(None, bytes(1201))
        link.send(None, b"x")
    assert link.counters["link_down"] == 2
    assert link.counters["send_failed"] == 1
    assert link.counters["sent_too_long"] == 1
    assert link.counters["sent"] == 2
    assert link.where() == ("", "")
    assert link.status()["state"] == "down"


async def test_a_taken_port_is_one_sentence():
    (port,) = free_ports(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", port))
        with pytest.raises(LinkError, match="another node"):
            await StaticLink(["127.0.0.1:1"], port=port).run(trio.open_memory_channel(1)[0])


BAD = ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", "::1:5", "host:5", "[::1]", "[127.0.0.1:1"]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError):
        StaticLink([text])


def test_a_link_to_nobody_is_refused():
    with pytest.raises(UsageError):
        StaticLink([])


@given(st.ip_addresses(), st.integers(1, 65535))
def test_addresses_come_back(address, port):
    assert parse_address(address_text(str(address), port)) == (str(address), port)

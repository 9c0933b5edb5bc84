"""Sessions over real TCP: on link-local addresses of a wire, and on overlay addresses."""

import socket
from contextlib import ExitStack

import pytest
import trio

from meshnode.core.inputs import DialFailed, EncounterBegan, EncounterEnded, RecordReceived
from meshnode.core.sealing.stream import DIALLER
from meshnode.errors import LinkError, WireError
from meshnode.peering import tcp
from meshnode.peering.places import LINK_PORT, OVERLAY_PORT
from meshnode.peering.session import prove
from meshnode.peering.tcp import SHORT_SEGMENT, TcpSessions
from support import netns
from support.session_peers import MESH, OTHER_MESH, handshake, identity, running, until

pytestmark = pytest.mark.netns

PATIENCE_S = 100.0


@pytest.fixture
def wire():
    with netns.namespace("tcp") as name:
        netns.veth((name, "left"), (name, "right"))
        with netns.entered(name):
            yield name


@pytest.fixture
def two_hosts():
    """Two namespaces whose only wire is called `ygg0` at both ends, with overlay addresses 200::1 and 200::2."""
    with ExitStack() as stack:
        names = [stack.enter_context(netns.namespace(hint)) for hint in ("one", "two")]
        netns.veth((names[0], "ygg0"), (names[1], "ygg0"))
        for number, name in enumerate(names, 1):
            netns.ip("-n", name, "address", "add", f"200::{number}/7", "dev", "ygg0", "nodad")
        yield names


class Place:
    """An interface and address that a test may move."""

    def __init__(self, interface: str, address: str) -> None:
        self.at = (interface, address)

    def __call__(self) -> tuple[str, str]:
        return self.at


def on_link(seed, name, interface, mesh=MESH):
    keys, sealer, entropy = identity(seed)
    place = Place(interface, netns.link_local(name, interface))
    return TcpSessions(keys, mesh, sealer, entropy, link=place), place


def on_overlay(seed, address):
    keys, sealer, entropy = identity(seed)
    return TcpSessions(keys, MESH, sealer, entropy, overlay=Place("ygg0", address))


async def test_a_session_on_the_link_carries_a_megabyte_both_ways(wire):
    (one, place), (two, far) = on_link(1, wire, "left"), on_link(2, wire, "right")
    with trio.fail_after(PATIENCE_S):
        async with running(one, two) as (at_one, at_two):
            await trio.testing.wait_all_tasks_blocked()
            one.dial(far.at[1], "link", "left")
            began = await until(at_one, EncounterBegan)
            assert began == EncounterBegan(1, identity(2)[0].node, "link", far.at[1], True)
            assert (await until(at_two, EncounterBegan)).address == place.at[1]
            noise = identity(3)[2].take("noise", 1_000_000)
            for start in range(0, len(noise), 50_000):
                one.send(1, noise[start : start + 50_000])
                two.send(1, noise[start : start + 50_000])
            for heard in (at_one, at_two):
                got = b""
                while len(got) < len(noise):
                    got += (await until(heard, RecordReceived)).data
                assert got == noise
            one.hangup(1)
            await until(at_one, EncounterEnded)
            await until(at_two, EncounterEnded)
            assert one.counters["sessions_failed"] == two.counters["sessions_failed"] == 0


async def test_nobody_listens_there(wire):
    one, _ = on_link(1, wire, "left")
    with trio.fail_after(PATIENCE_S):
        async with running(one) as (heard,):
            for address in (netns.link_local(wire, "right"), "no address", "fe80::1%x", "1.2.3.4"):
                one.dial(address, "link", "left")
                failed = await until(heard, DialFailed)
                assert failed.address == address
            one.dial("200::1", "overlay", "")
            assert "no address to dial from" in (await until(heard, DialFailed)).reason


async def test_a_vanished_interface_ends_its_sessions_and_a_returned_one_takes_new_ones(wire):
    (one, place), (two, far) = on_link(1, wire, "left"), on_link(2, wire, "right")
    with trio.fail_after(PATIENCE_S):
        async with running(one, two) as (at_one, at_two):
            await trio.testing.wait_all_tasks_blocked()
            one.dial(far.at[1], "link", "left")
            await until(at_one, EncounterBegan)
            netns.ip("-n", wire, "link", "delete", "left")
            await until(at_one, EncounterEnded)
            await until(at_two, EncounterEnded)
            netns.veth((wire, "left"), (wire, "right"))
            place.at, far.at = (("left", netns.link_local(wire, "left")), ("right", netns.link_local(wire, "right")))
            failed = True
            while failed:  # the far listener looks once a second
                one.dial(far.at[1], "link", "left")
                failed = isinstance(await until(at_one, EncounterBegan | DialFailed), DialFailed)


async def test_an_interface_that_is_to_be_left_alone_has_no_sessions(wire):
    (one, _), (two, far) = on_link(1, wire, "left"), on_link(2, wire, "right")
    with trio.fail_after(PATIENCE_S):
        async with running(one, two) as (at_one, _):
            await trio.testing.wait_all_tasks_blocked()
            one.dial(far.at[1], "link", "left")
            await until(at_one, EncounterBegan)
            one.stay_off(frozenset({"left"}))
            await until(at_one, EncounterEnded)
            one.dial(far.at[1], "link", "left")
            assert "no address to dial from" in (await until(at_one, DialFailed)).reason
            one.stay_off(frozenset())
            one.dial(far.at[1], "link", "left")
            await until(at_one, EncounterBegan)


async def test_a_second_node_on_the_address_is_one_sentence(wire):
    (one, _), (again, _) = on_link(1, wire, "left"), on_link(2, wire, "left")
    async with running(one):
        await trio.testing.wait_all_tasks_blocked()
        with pytest.RaisesGroup(pytest.RaisesExc(LinkError, match="another node"), flatten_subgroups=True):
            async with running(again):
                await trio.sleep(5)


async def test_more_dials_than_may_wait_are_told_so(wire):
    one, _ = on_link(1, wire, "left")
    with trio.fail_after(PATIENCE_S):
        async with running(one) as (heard,):
            for number in range(40):
                one.dial(f"bad{number}", "link", "left")
            failed = [await until(heard, DialFailed) for _ in range(40)]
            assert {one.address for one in failed} == {f"bad{number}" for number in range(40)}


def plain(device: str, source: str | None = None) -> socket.socket:
    made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    if source:
        made.bind((source, 0))
    made.settimeout(PATIENCE_S)
    return made


async def test_the_overlay_takes_sources_in_200_only_and_a_stranger_changes_nothing(two_hosts):
    one, two = two_hosts
    netns.ip("-n", two, "address", "add", "300::2/7", "dev", "ygg0", "nodad")
    netns.ip("-n", two, "address", "add", "fd00::2/64", "dev", "ygg0", "nodad")
    netns.ip("-n", one, "-6", "route", "add", "fd00::/64", "dev", "ygg0")
    netns.ip("-n", one, "-6", "route", "add", "300::/8", "dev", "ygg0")
    with netns.entered(one):
        listening = on_overlay(1, "200::1")
        with trio.fail_after(PATIENCE_S):
            async with running(listening) as (heard,):
                await trio.testing.wait_all_tasks_blocked()
                for source in ("300::2", "fd00::2"):
                    with netns.entered(two):
                        caller = plain("ygg0", source)
                    with caller:
                        await trio.to_thread.run_sync(caller.connect, ("200::1", OVERLAY_PORT))
                        assert await trio.to_thread.run_sync(caller.recv, 100) == b""
                assert listening.counters["sessions_from_elsewhere"] == 2
                with netns.entered(two):
                    caller = plain("ygg0", "200::2")
                stream = await _stream(caller, ("200::1", OVERLAY_PORT))
                round_ = await stream.receive_some(100)
                assert len(round_) == 16
                await stream.send_all(bytes(400))
                await stream.send_all(bytes(400))
                with pytest.raises((trio.BrokenResourceError, AssertionError)):
                    assert await stream.receive_some(100)
                await stream.aclose()
                assert heard.statistics().current_buffer_used == 0
                assert listening.counters["sessions_refused"] == 1


async def _stream(caller: socket.socket, to) -> trio.SocketStream:
    caller.settimeout(0)
    link = trio.socket.from_stdlib_socket(caller)
    await link.connect(to)
    return trio.SocketStream(link)


async def test_only_over_an_uplink_long_segments_go(two_hosts):
    keys, sealer, entropy = identity(1)
    sizes = []
    for uplink in (False, True):
        with netns.entered(two_hosts[1]), socket.create_server(("200::2", OVERLAY_PORT), family=socket.AF_INET6) as far:
            far.settimeout(PATIENCE_S)
            with netns.entered(two_hosts[0]), trio.fail_after(PATIENCE_S):
                dialler = TcpSessions(
                    keys, MESH, sealer, entropy, overlay=Place("ygg0", "200::1"), is_uplink=lambda _, up=uplink: up
                )
                async with running(dialler):
                    dialler.dial("200::2", "overlay", "")
                    caller, _ = await trio.to_thread.run_sync(far.accept)
                    with caller:
                        sizes.append(caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    assert sizes == [SHORT_SEGMENT - 12, 1500 - 60 - 12]  # timestamps take twelve


async def test_segments_are_filled_over_the_overlay_alone():
    hurries = []
    for carrier in ("overlay", "link"):
        stream = trio.SocketStream(trio.socket.socket(socket.AF_INET6))
        tcp._unhurried(stream, tcp._Place(carrier, "", 0, "::1", 0))
        hurries.append(stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await stream.aclose()
    assert [bool(hurry) for hurry in hurries] == [False, True]


def test_who_does_not_answer_at_rest_is_given_up_half_a_minute_later():
    with tcp._socket(tcp._Place("overlay", "", 0, "::1", 0), socket.socket) as made:
        options = (socket.SO_KEEPALIVE, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT)
        levels = (socket.SOL_SOCKET, *[socket.IPPROTO_TCP] * 3)
        assert [made.getsockopt(*at) for at in zip(levels, options, strict=True)] == [1, 120, 30, 30_000]


async def test_a_local_user_of_the_box_is_not_a_peer(two_hosts):
    with netns.entered(two_hosts[0]), trio.fail_after(PATIENCE_S):
        listening = on_overlay(1, "200::1")
        async with running(listening):
            await trio.testing.wait_all_tasks_blocked()
            stream = await _stream(socket.socket(socket.AF_INET6, socket.SOCK_STREAM), ("200::1", OVERLAY_PORT))
            assert await stream.receive_some(100) == b""
            assert listening.counters["sessions_from_elsewhere"] == 1
            await stream.aclose()


async def test_overlay_addresses_stand_under_the_signature(two_hosts):
    one, two = two_hosts
    addresses = [socket.inet_pton(socket.AF_INET6, f"200::{number}") for number in (1, 2)]
    with netns.entered(one), trio.fail_after(PATIENCE_S):
        listening = on_overlay(1, "200::1")
        async with running(listening) as (heard,):
            await trio.testing.wait_all_tasks_blocked()
            for mine, yours, well in ((b"", b"", False), (addresses[1], addresses[0], True)):
                with netns.entered(two):
                    caller = plain("ygg0", "200::2")
                stream = await _stream(caller, ("200::1", OVERLAY_PORT))
                with _refused_unless(well):
                    await prove(handshake(DIALLER, 2, mine=mine, yours=yours), stream)
                await stream.aclose()
            assert (await until(heard, EncounterBegan)).address == "200::2"
            assert listening.counters["sessions_refused"] == 1


def _refused_unless(well: bool):
    return ExitStack() if well else pytest.raises((WireError, trio.BrokenResourceError))


async def test_dialling_over_the_overlay(two_hosts):
    one, two = two_hosts
    keys, sealer, entropy = identity(3)
    with trio.fail_after(PATIENCE_S):
        with netns.entered(two):
            async with running(on_overlay(2, "200::2"), TcpSessions(keys, OTHER_MESH, sealer, entropy)) as (at_two, _):
                await trio.testing.wait_all_tasks_blocked()
                with netns.entered(one):
                    caller = on_overlay(1, "200::1")
                    async with running(caller) as (at_one,):
                        await trio.testing.wait_all_tasks_blocked()
                        caller.dial("200::2", "overlay", "")
                        began = await until(at_one, EncounterBegan)
                        assert (began.carrier, began.address) == ("overlay", "200::2")
                        caller.send(1, b"far away")
                        assert (await until(at_two, RecordReceived)).data == b"far away"


def test_the_ports_are_those_of_the_protocol():
    assert (LINK_PORT, OVERLAY_PORT) == (21026, 21027)

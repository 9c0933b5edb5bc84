"""Real yggdrasil daemons in namespaces: found, attached to, supervised, restarted, and stopped with us."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from meshnode.core.inputs import DialFailed, EncounterBegan, PeerSeen, RecordReceived
from meshnode.errors import OverlayError
from meshnode.overlay import system
from meshnode.overlay.addresses import address_of
from meshnode.overlay.admin import Admin
from meshnode.overlay.child import ChildSettings, find_program
from meshnode.overlay.choose import ChosenOverlay
from meshnode.overlay.peers import PeerBook
from meshnode.overlay.system import OLDEST, SystemOverlay, add_peer, remove_peer, version_of
from meshnode.overlay.uris import parse_peer_uri
from meshnode.peering.tcp import TcpSessions
from support import netns
from support.session_peers import MESH, identity, running, until
from support.ygg_net import Seeded

pytestmark = [pytest.mark.netns, pytest.mark.ygg]

PATIENCE_S = 150.0
KEY = json.loads((Path(__file__).parents[1] / "vectors/yggdrasil-addresses.json").read_text())["key"]


@pytest.fixture
def wire():
    """Two namespaces joined by an interface called `halow0` at both ends."""
    with ExitStack() as stack:
        names = [stack.enter_context(netns.namespace(hint)) for hint in ("one", "two")]
        netns.veth((names[0], "halow0"), (names[1], "halow0"))
        yield names


def child(number: int, home: Path, backend: str = "system") -> ChosenOverlay:
    home.mkdir(exist_ok=True)
    settings = ChildSettings(seed=bytes([number]) * 32, interface="halow0", password="valley", tun="ygg0")
    return ChosenOverlay(backend, settings, entropy=Seeded(number), home=home, admin=f"unix://{home}/none.sock")


@asynccontextmanager
async def two_children(wire, tmp_path):
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            parts = []
            for number, name in enumerate(wire, 1):
                overlay = child(number, tmp_path / str(number))
                inlet, outlet = trio.open_memory_channel(100)
                with netns.entered(name):
                    await nursery.start(overlay.run, inlet)
                parts.append((overlay, outlet))
            yield parts
            nursery.cancel_scope.cancel()


def running_in(name: str) -> list[int]:
    return [int(pid) for pid in netns.ip("netns", "pids", name).split() if int(pid) != os.getpid()]


async def test_two_children_find_each_other_and_leave_nothing_behind(wire, tmp_path):
    async with two_children(wire, tmp_path) as ((one, at_one), (two, at_two)):
        assert one.status()["backend"] == "child"
        assert one.where() == ("ygg0", address_of(bytes.fromhex(one.status()["public_key"])))
        assert await until(at_one, PeerSeen) == PeerSeen(two.where()[1], "overlay")
        assert await until(at_two, PeerSeen) == PeerSeen(one.where()[1], "overlay")
        assert version_of(one.status()["version"]) >= OLDEST
        assert "mtu 1280" in netns.ip("-n", wire[0], "link", "show", "ygg0")
        admin = Admin(f"unix://{tmp_path}/1/run/yggdrasil.sock")
        (multicast,) = (await admin.call("getMulticastInterfaces"))["multicast_interfaces"]
        assert (multicast["name"], multicast["password"]) == ("halow0", True)
        await admin.aclose()
    assert [running_in(name) for name in wire] == [[], []]


@pytest.mark.parametrize("backend", ["system", "embedded"])
async def test_an_interface_is_left_alone_and_taken_again(wire, tmp_path, backend, monkeypatch):
    monkeypatch.setattr(system, "LOOK_EVERY_S", 0.3)
    one, two = child(1, tmp_path / "1", backend), child(2, tmp_path / "2")
    heard = [trio.open_memory_channel(100) for _ in wire]
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            with netns.entered(wire[1]):
                await nursery.start(two.run, heard[1][0])
            with netns.entered(wire[0]):
                await nursery.start(one.run, heard[0][0])
                far = (await until(heard[0][1], PeerSeen)).address
                await until(heard[1][1], PeerSeen)
                one.stay_off(frozenset({"halow0"}))
                assert await until(heard[0][1], PeerSeen) == PeerSeen(far, "overlay", present=False)
                assert not (await until(heard[1][1], PeerSeen)).present
                one.stay_off(frozenset())
                assert await until(heard[0][1], PeerSeen) == PeerSeen(far, "overlay")
            nursery.cancel_scope.cancel()


async def test_a_session_crosses_the_overlay(wire, tmp_path):
    async with two_children(wire, tmp_path) as ((one, at_one), (two, _)):
        parts = []
        for number, overlay in ((1, one), (2, two)):
            keys, sealer, entropy = identity(number)
            parts.append(TcpSessions(keys, MESH, sealer, entropy, overlay=overlay.where))
        await until(at_one, PeerSeen)
        with netns.entered(wire[1]):
            async with running(parts[1]) as (heard,):
                await trio.testing.wait_all_tasks_blocked()
                with netns.entered(wire[0]):
                    async with running(parts[0]) as (said,):
                        await trio.testing.wait_all_tasks_blocked()
                        began = DialFailed("", "not dialled yet")
                        while isinstance(began, DialFailed):  # the way there may not be found at the first try
                            parts[0].dial(two.where()[1], "overlay", "")
                            began = await until(said, EncounterBegan | DialFailed)
                        parts[0].send(began.session, b"x" * 60_000)
                        assert (await until(heard, RecordReceived)).data == b"x" * 60_000


async def test_a_child_that_dies_is_started_again_under_the_same_address(wire, tmp_path):
    async with two_children(wire, tmp_path) as ((one, at_one), (_, _)):
        await until(at_one, PeerSeen)
        address, before = one.where()[1], running_in(wire[0])
        inlet, _ = trio.open_memory_channel(100)
        with netns.entered(wire[0]):
            netns.kill(before[0])
            while running_in(wire[0]) in ([], before) or not await one._now.look(inlet):  # noqa: ASYNC110
                await trio.sleep(0.1)
        assert one.where() == ("ygg0", address)


RUN = """
import sys, trio
from pathlib import Path
from meshnode.overlay.child import ChildSettings
from meshnode.overlay.choose import ChosenOverlay

async def main():
    home = Path(sys.argv[1])
    settings = ChildSettings(seed=b"k" * 32)
    overlay = ChosenOverlay("system", settings, entropy=None, home=home, admin=f"unix://{home}/none.sock")
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        await nursery.start(overlay.run, inlet)
        print(overlay.where()[1], flush=True)

trio.run(main)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_child_dies_with_us_however_we_die(tmp_path, how):
    with netns.namespace("orphan") as name:
        command = [sys.executable, "-c", RUN, str(tmp_path)]
        ours = netns.start(name, command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with ours:
            assert ours.stdout.readline().startswith(b"2")
            pids = [pid for pid in running_in(name) if pid != ours.pid]
            assert len(pids) == 1
            watched = os.pidfd_open(pids[0])
            netns.kill(ours.pid, how)
            ours.wait(PATIENCE_S)
        signal.signal(signal.SIGALRM, lambda *_: pytest.fail("an orphan is left"))
        signal.alarm(int(PATIENCE_S))
        try:
            select.select([watched], [], [])
        finally:
            signal.alarm(0)
            os.close(watched)
        assert running_in(name) == []


@asynccontextmanager
async def daemon(name: str, tmp_path: Path, **more):
    """A yggdrasil that somebody else runs."""
    endpoint = f"unix://{tmp_path}/system.sock"
    made = {"AdminListen": endpoint, "IfName": "ygg0", "MulticastInterfaces": [], **more}
    command = [find_program("yggdrasil"), "-useconf"]
    process = netns.start(name, command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(json.dumps(made).encode())
    process.stdin.close()
    try:
        yield endpoint, process
    finally:
        process.kill()
        process.wait()


async def answering(endpoint: str) -> Admin:
    """Asked once it tells of its TUN, which the daemon makes after it has begun to answer."""
    admin = Admin(endpoint)
    while True:
        try:
            await admin.call("getTun")
        except OverlayError:
            await trio.sleep(0.05)
        else:
            return admin


async def test_a_real_daemon_survives_our_client_and_gets_its_peerings_back(wire, tmp_path):
    book = PeerBook(None)
    overlay = SystemOverlay([f"unix://{tmp_path}/system.sock"], book)
    inlet, _ = trio.open_memory_channel(100)
    with trio.fail_after(PATIENCE_S):
        async with daemon(wire[0], tmp_path, PrivateKey=KEY["private_key"]) as (endpoint, _):
            await (await answering(endpoint)).aclose()
            assert await overlay.look(inlet)
            assert overlay.where() == ("ygg0", KEY["address"])
            await overlay.add_peer("tcp://192.0.2.1:9")
            await overlay.add_peer("tls://[fe80::1%25halow0]:9")
            with pytest.raises(OverlayError, match="pinned public key"):
                await overlay.add_peer("tcp://192.0.2.2:9?key=zz")
            await overlay.look(inlet)
            uris = sorted(row["uri"] for row in overlay.status()["peers"])
            assert uris == ["tcp://192.0.2.1:9", "tls://[fe80::1%25halow0]:9"]
            await overlay.remove_peer("tls://[fe80::1%25halow0]:9")
            while len(overlay.status()["peers"]) > 1:  # the daemon says yes, and lets go of it a little later
                await overlay.look(inlet)
            assert [row["uri"] for row in overlay.status()["peers"]] == ["tcp://192.0.2.1:9"]
        assert not await overlay.look(inlet)
        async with daemon(wire[0], tmp_path, PrivateKey=KEY["private_key"]) as (endpoint, _):
            await (await answering(endpoint)).aclose()
            assert await overlay.look(inlet)
            assert [row["uri"] for row in overlay.status()["peers"]] == ["tcp://192.0.2.1:9"]
            await overlay._attached().aclose()


async def test_an_inbound_link_of_a_real_daemon_is_left_alone(wire, tmp_path):
    address = netns.link_local(wire[0], "halow0")
    (tmp_path / "far").mkdir()
    with trio.fail_after(PATIENCE_S):
        async with daemon(wire[0], tmp_path, Listen=[f"tcp://[{address}%25halow0]:4000"]) as (endpoint, process):
            admin = await answering(endpoint)
            async with daemon(wire[1], tmp_path / "far") as (far_endpoint, _):
                far = await answering(far_endpoint)
                await add_peer(far, parse_peer_uri(f"tcp://[{address}%25halow0]:4000"))
                rows = []
                while not rows:
                    rows = (await admin.call("getPeers"))["peers"]
                assert rows[0]["inbound"]
                assert not await remove_peer(admin, parse_peer_uri(rows[0]["remote"]))
                assert "key" in await admin.call("getSelf")
                assert process.poll() is None
                await far.aclose()
            await admin.aclose()

"""Attached to a daemon: what the core hears, restarts, peerings, and which overlay a word means."""

import pytest
import trio

from meshnode.core.inputs import PeerSeen
from meshnode.errors import OverlayError, UsageError
from meshnode.overlay.child import ChildSettings
from meshnode.overlay.choose import ADMIN_VARIABLE, ALONE, ChosenOverlay, endpoints
from meshnode.overlay.embedded.host import tun
from meshnode.overlay.peers import PeerBook
from meshnode.overlay.system import SystemOverlay
from support.fake_yggdrasil import ADDRESS, FAR_ADDRESS, KEY, FakeYggdrasil, outbound, up
from support.ygg_net import Seeded


@pytest.fixture
async def daemon(tmp_path, nursery):
    fake = FakeYggdrasil(tmp_path / "y.sock")
    await nursery.start(fake.run)
    return fake


@pytest.fixture
def heard():
    return trio.open_memory_channel(100)


async def test_peers_that_are_up_are_seen_and_unseen(daemon, heard, nursery, autojump_clock):
    overlay = SystemOverlay([daemon.endpoint], PeerBook(None))
    unproved = up("tcp://x:1", inbound=False, key="", address="200::5")
    daemon.peers = [up("tls://[fe80::2%25w]:1", inbound=True), outbound("tcp://10.0.0.1:9"), unproved]
    await nursery.start(overlay.run, heard[0])
    assert await heard[1].receive() == PeerSeen(FAR_ADDRESS, "overlay")
    assert overlay.where() == ("ygg0", ADDRESS)
    daemon.peers = []
    assert await heard[1].receive() == PeerSeen(FAR_ADDRESS, "overlay", present=False)
    nursery.cancel_scope.cancel()


async def test_a_peering_by_hand_is_an_uplink_and_far_bridges_are_called_while_one_is_up(daemon, heard, autojump_clock):
    overlay = SystemOverlay([daemon.endpoint], PeerBook(None, far=("200::9", ADDRESS)))
    near = up("tls://[fe80::2%25w]:1", inbound=True)
    for peers, seen in (
        ([up("tcp://x:1", inbound=False)], {("200::9", True, True), (FAR_ADDRESS, True, True)}),
        ([up("tcp://x:1", inbound=False), near], {(FAR_ADDRESS, False, True), (FAR_ADDRESS, True, False)}),
        ([], {(FAR_ADDRESS, False, False), ("200::9", True, False)}),
    ):
        daemon.peers = peers
        await overlay.look(heard[0])
        told = [heard[1].receive_nowait() for _ in range(len(seen))]
        assert {(one.address, one.uplink, one.present) for one in told} == seen
        assert all(overlay.is_uplink(one.address) == one.uplink for one in told if one.present)
        with pytest.raises(trio.WouldBlock):
            heard[1].receive_nowait()
    await overlay._attached().aclose()


async def test_the_status_has_what_the_commands_show(daemon, heard):
    overlay = SystemOverlay([daemon.endpoint], PeerBook(None, ("tls://kept:1",)))
    assert (overlay.status()["state"], overlay.status()["address"]) == ("apart", "")
    daemon.peers = [up("tcp://x:1", inbound=False), outbound("tcp://y:1")]
    assert await overlay.look(heard[0])
    status = overlay.status()
    assert (status["backend"], status["address"], status["public_key"]) == ("system", ADDRESS, KEY)
    good, bad, kept = status["peers"]
    assert (good["uri"], good["up"], good["latency_ms"], good["last_error"]) == ("tcp://x:1", True, 0.56, "")
    assert (bad["up"], bad["last_error"]) == (False, "dial tcp: connection refused")
    assert kept["uri"] == "tls://kept:1"
    await overlay._attached().aclose()


async def test_after_a_restart_the_peerings_are_applied_again_and_nothing_flaps(daemon, heard, nursery, autojump_clock):
    overlay = SystemOverlay([daemon.endpoint], PeerBook(None))
    daemon.peers = [up("tcp://x:1", inbound=True)]
    await nursery.start(overlay.run, heard[0])
    await overlay.add_peer("tls://far:1")
    assert len(daemon.requests("addPeer")) == 1
    await daemon.restart(nursery)
    await trio.sleep(4)
    assert [asked["arguments"]["uri"] for asked in daemon.requests("addPeer")] == ["tls://far:1?maxbackoff=60s"] * 2
    assert heard[1].receive_nowait() == PeerSeen(FAR_ADDRESS, "overlay", uplink=True)
    with pytest.raises(trio.WouldBlock):
        heard[1].receive_nowait()
    nursery.cancel_scope.cancel()


async def test_a_daemon_that_goes_takes_its_peers_with_it_and_may_return(daemon, heard, nursery, autojump_clock):
    overlay = SystemOverlay([daemon.endpoint], PeerBook(None))
    daemon.peers = [up("tcp://x:1", inbound=True)]
    await nursery.start(overlay.run, heard[0])
    daemon._nursery.cancel_scope.cancel()
    assert (await heard[1].receive()).present
    assert not (await heard[1].receive()).present
    assert overlay.where() == ("", "")
    assert "is it running" in overlay.status()["detail"]
    await nursery.start(daemon.run)
    assert (await heard[1].receive()).present
    nursery.cancel_scope.cancel()


async def test_a_peering_is_added_kept_and_removed(daemon, heard, tmp_path):
    book = PeerBook(tmp_path / "peers.json")
    overlay = SystemOverlay([daemon.endpoint], book)
    await overlay.add_peer("tls://early:1")  # before the daemon answered: kept, applied later
    await overlay.look(heard[0])
    await overlay.add_peer("tls://far:1?key=ab")
    assert [row["remote"] for row in daemon.peers] == ["tls://early:1", "tls://far:1"]
    await overlay.remove_peer("tls://far:1")
    assert [row["remote"] for row in daemon.peers] == ["tls://early:1"]
    assert [peer.plain for peer in PeerBook(tmp_path / "peers.json")] == ["tls://early:1"]
    with pytest.raises(OverlayError, match="not a peering"):
        await overlay.remove_peer("tls://far:1")
    with pytest.raises(UsageError):
        await overlay.add_peer("nonsense")
    await overlay._attached().aclose()


async def test_a_peering_on_a_link_is_listed_as_it_can_be_removed(daemon, heard):
    overlay = SystemOverlay([daemon.endpoint], PeerBook(None))
    await overlay.look(heard[0])
    await overlay.add_peer("tls://[fe80::1%halow0]:9")
    await overlay.add_peer("tls://[fe80::1%halow1]:9")
    daemon.peers.append(up("tls://[fe80::1]:9", inbound=True))
    await overlay.look(heard[0])
    shown = sorted(peer["uri"] for peer in overlay.status()["peers"])
    assert shown == ["tls://[fe80::1%25halow0]:9", "tls://[fe80::1%25halow1]:9", "tls://[fe80::1]:9"]
    daemon.peers.pop()
    await overlay.remove_peer(shown[0])
    assert "tls://[fe80::1%25halow0]:9" not in [peer["uri"] for peer in overlay.status()["peers"]]
    await overlay._attached().aclose()


async def test_an_interface_that_is_to_be_left_alone_has_no_peerings_but_those_others_opened(daemon, heard):
    book = PeerBook(None, ("tls://[fe80::1%halow0]:9", "tcp://127.0.0.1:9"))
    overlay = SystemOverlay([daemon.endpoint], book)
    await overlay.look(heard[0])
    by_name = up("tls://localhost:7", inbound=False)
    found, theirs = up("tls://[fe80::2%25halow0]:1", inbound=False), up("tls://[fe80::2%25halow0]:2", inbound=True)
    wired = up("tls://[fe80::3%25eth0]:1", inbound=False)
    nobody_knows = outbound("tls://no-such-host.invalid:1")
    daemon.peers += [found, theirs, wired, nobody_knows, by_name]
    overlay.stay_off(frozenset({"halow0", "lo"}))
    for _ in range(2):
        await overlay.look(heard[0])
        assert daemon.peers == [theirs, wired, nobody_knows]
    assert not daemon.died
    overlay.stay_off(frozenset())
    await overlay.look(heard[0])
    assert [row["remote"] for row in daemon.peers[3:]] == ["tls://[fe80::1]:9", "tcp://127.0.0.1:9"]
    await overlay._attached().aclose()


async def test_one_that_the_daemon_refuses_is_not_kept(daemon, heard):
    overlay = SystemOverlay([daemon.endpoint], book := PeerBook(None))
    await overlay.look(heard[0])
    daemon._done = lambda request, arguments: (_ for _ in ()).throw(LookupError("pinned public key is invalid"))
    with pytest.raises(OverlayError, match="pinned public key"):
        await overlay.add_peer("tls://far:1?key=zz")
    assert list(book) == []
    await overlay._attached().aclose()


async def test_an_old_daemon_and_one_without_a_tun_are_told_so(daemon, heard):
    overlay = SystemOverlay([daemon.endpoint], PeerBook(None))
    daemon.version = "0.5.6"
    await overlay.look(heard[0])
    assert "too old" in overlay.status()["detail"]
    daemon.version, daemon.tun = "0.5.12-4", {"enabled": False}
    await overlay.look(heard[0])
    assert "without a TUN" in overlay.status()["detail"]
    assert overlay.where() == ("", "")
    await overlay._attached().aclose()


async def test_the_first_endpoint_that_answers_is_taken(daemon, heard, tmp_path):
    overlay = SystemOverlay([f"unix://{tmp_path}/none", daemon.endpoint], PeerBook(None))
    assert await overlay.look(heard[0])
    await overlay._attached().aclose()


NO_TUN = FileNotFoundError(2, "No such file", "/dev/net/tun")


def no_tun(name, address, mtu):
    raise NO_TUN


def chosen(wanted, tmp_path, admin):
    settings = ChildSettings(seed=b"k" * 32, program="no-such-yggdrasil")
    return ChosenOverlay(wanted, settings, entropy=Seeded(1), home=tmp_path, admin=admin)


@pytest.mark.parametrize("wanted", ["auto", "system"])
async def test_a_running_daemon_is_taken(daemon, heard, nursery, tmp_path, wanted):
    overlay = chosen(wanted, tmp_path, daemon.endpoint)
    await nursery.start(overlay.run, heard[0])
    assert overlay.status()["backend"] == "system"
    assert overlay.where() == ("ygg0", ADDRESS)
    nursery.cancel_scope.cancel()


async def test_auto_goes_on_alone_says_so_and_attaches_when_a_daemon_starts(
    heard, nursery, tmp_path, autojump_clock, monkeypatch
):
    monkeypatch.setattr(tun, "may_make_tun", lambda: True)
    monkeypatch.setattr(tun.holder, "make_tun", no_tun)
    fake = FakeYggdrasil(tmp_path / "late.sock")
    overlay = chosen("auto", tmp_path, fake.endpoint)
    await nursery.start(overlay.run, heard[0])
    assert overlay.status()["backend"] == "none"
    assert overlay.status()["detail"] == f"{ALONE}: {tun.holder.explain(NO_TUN)}"
    with pytest.raises(OverlayError):
        await overlay.add_peer("tls://h:1")
    await nursery.start(fake.run)
    await trio.sleep(7)
    assert overlay.status()["backend"] == "system"
    nursery.cancel_scope.cancel()


async def test_system_without_daemon_and_program_is_one_sentence(heard, tmp_path):
    with pytest.raises(OverlayError, match="no-such-yggdrasil is not installed"):
        await chosen("system", tmp_path, f"unix://{tmp_path}/none").run(heard[0])


async def test_none_is_none(heard, nursery, tmp_path):
    overlay = chosen("none", tmp_path, "")
    await nursery.start(overlay.run, heard[0])
    assert overlay.where() == ("", "")
    assert overlay.status()["peers"] == []
    assert not overlay.is_uplink("200::1")
    for call in (overlay.add_peer, overlay.remove_peer):
        with pytest.raises(OverlayError):
            await call("tls://h:1")
    nursery.cancel_scope.cancel()


def test_what_there_is_not_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"use"):
        chosen("best", tmp_path, "")


def test_where_a_daemon_is_looked_for(monkeypatch):
    monkeypatch.delenv(ADMIN_VARIABLE, raising=False)
    assert endpoints()[0] == "unix:///var/run/yggdrasil/yggdrasil.sock"
    monkeypatch.setenv(ADMIN_VARIABLE, "tcp://127.0.0.1:1")
    assert endpoints() == ("tcp://127.0.0.1:1",)
    assert endpoints("unix:///x") == ("unix:///x",)

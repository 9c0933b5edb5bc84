"""The small parts: buckets, HELLO and its pacing, echoes, replay windows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.ids import NeighbourId, NodeKey, neighbour_id
from meshnode.core.neighbours.buckets import (
    BURST_S,
    FLOOR,
    INTRODUCTION,
    INTRODUCTIONS,
    UNBOUND_SHARE,
    Bucket,
    Buckets,
)
from meshnode.core.neighbours.echoes import (
    BOUND_FOR_S,
    MAX_ECHOES,
    MAX_HEARD,
    OwnBeacons,
    choose_echoes,
    echo_hash,
    echoes_us,
    note_echoes,
)
from meshnode.core.neighbours.hello import GAP_S, LABEL, HelloPacing, check_hello_untrusted, make_hello
from meshnode.core.neighbours.neighbour import Neighbour, Presence
from meshnode.core.neighbours.windows import MAX_STRANGERS, PERSIST_EVERY, Windows
from meshnode.core.records import NeighbourRecord
from meshnode.core.sealing.link import LinkHeader
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.frames import Echo, Hello
from meshnode.errors import SignatureError, WireError
from support.gossip_node import MESH, GossipNode

ME = NeighbourId(b"me....")


def nonce(counter: int, epoch: int = 1) -> bytes:
    return b"sender" + epoch.to_bytes(3, "big") + counter.to_bytes(3, "big")


def header(counter: int, epoch: int = 1, sender: bytes = b"sender") -> LinkHeader:
    return LinkHeader(False, 0, NeighbourId(sender), epoch, counter)


# buckets


def test_a_bucket_fills_with_time_and_refuses_when_dry() -> None:
    bucket = Bucket(rate=10, size=100, now=0.0)
    assert bucket.spend(100, 0.0)
    assert not bucket.spend(1, 0.0)
    assert bucket.spend(5, 1.0)
    assert bucket.spend(1000, 1.0), "the last bytes may be overdrawn"
    assert not bucket.spend(1, 2.0)


def test_a_fine_makes_debt_but_not_without_end() -> None:
    bucket = Bucket(rate=10, size=100, now=0.0)
    bucket.fine(10_000, 0.0)
    assert not bucket.spend(1, 9.9)
    assert bucket.spend(1, 10.1)


def test_the_unbound_share_a_tenth_and_the_bound_have_their_own() -> None:
    link, buckets = LinkSettings(multicast_bps=3_200_000), Buckets()
    shared = buckets.unbound("l", link, 0.0)
    assert buckets.unbound("l", link, 0.0) is shared
    assert shared.spend(400_000 * UNBOUND_SHARE * BURST_S, 0.0)
    assert not shared.spend(1, 0.0)
    own, claimed = buckets.bound(b"n", True, link, 0.0), buckets.bound(b"n", False, link, 0.0)
    assert own is not claimed
    assert buckets.bound(b"n", True, link, 0.0) is own
    buckets.forget(b"n")
    assert buckets.bound(b"n", True, link, 0.0) is not own


def test_data_of_the_unbound_leave_room_for_introductions() -> None:
    link, buckets = LinkSettings(), Buckets()
    while buckets.unbound("l", link, 0.0).spend(1000, 0.0):
        pass
    small = buckets.introductions("l", link, 0.0)
    assert small is buckets.introductions("l", link, 0.0)
    taken = 0
    while small.spend(INTRODUCTION, 0.0):
        taken += 1
    assert taken > INTRODUCTIONS // INTRODUCTION


def test_a_slow_link_still_takes_a_handshake() -> None:
    assert Buckets().unbound("l", LinkSettings(multicast_bps=1000), 0.0).spend(FLOOR, 0.0)


# HELLO


def test_a_hello_names_its_sender() -> None:
    one, other = GossipNode("a"), GossipNode("b")
    hello, sender = make_hello(one.ctx, 7), neighbour_id(one.node, MESH.id)
    check_hello_untrusted(other.ctx, hello, sender)
    with pytest.raises(WireError):
        check_hello_untrusted(other.ctx, hello, other.neighbours.me)
    for wrong in (replace(hello, epoch=8), replace(hello, exchange=bytes(32)), replace(hello, signature=bytes(64))):
        with pytest.raises(SignatureError):
            check_hello_untrusted(other.ctx, wrong, sender)


def test_nobody_takes_anothers_id_with_a_key_of_its_own() -> None:
    liar, victim = GossipNode("a"), GossipNode("b")
    claimed = victim.neighbours.me
    keys = liar.keys
    signed = LABEL + MESH.id + claimed + keys.node + keys.exchange + (1).to_bytes(3, "big")
    hello = Hello(keys.node, keys.exchange, 1, liar.ctx.sealer.sign(keys.node_secret, signed))
    with pytest.raises(WireError):
        check_hello_untrusted(GossipNode("c").ctx, hello, claimed)


def test_hellos_are_few() -> None:
    pacing, sent, now = HelloPacing(), 0, 0.0
    assert pacing.wakeup() is None
    while now < 60.0:
        pacing.ask("l", now)
        sent += len(pacing.due(now))
        now += 0.25
    assert sent == 6
    pacing.ask("l", now)
    assert pacing.wakeup() == pytest.approx(60.0)


def test_a_hello_asked_for_again_waits_a_little() -> None:
    pacing = HelloPacing()
    pacing.ask("l", 1.0)
    pacing.ask("l", 5.0)
    assert pacing.due(0.5) == []
    assert pacing.due(1.0) == ["l"]
    pacing.ask("l", 1.1)
    assert pacing.wakeup() == pytest.approx(1.0 + GAP_S)
    pacing.forget("l")
    assert pacing.wakeup() is None


# echoes


def test_only_a_fresh_nonce_of_ours_is_an_echo() -> None:
    beacons = OwnBeacons()
    for counter in range(6):
        beacons.sent(nonce(counter), float(counter))
    assert echoes_us([Echo(ME[:2], echo_hash(nonce(5)))], ME, beacons)
    assert not echoes_us([Echo(b"xx", echo_hash(nonce(5)))], ME, beacons)
    assert not echoes_us([Echo(ME[:2], echo_hash(nonce(9)))], ME, beacons)
    beacons.sent(nonce(6), 1000.0)
    assert not beacons.holds(echo_hash(nonce(2)))
    assert beacons.holds(echo_hash(nonce(3))), "the last four count however old"


def test_what_a_neighbour_hears_is_forgotten_in_time_and_bounded() -> None:
    presence = Presence("a", 0.0)
    note_echoes(presence, [Echo(b"aa", b"..")], 0.0)
    note_echoes(presence, [Echo(b"bb", b"..")], 1.0)
    assert presence.echoes == (b"aa", b"bb")
    note_echoes(presence, [], BOUND_FOR_S + 0.5)
    assert presence.echoes == (b"bb",)
    note_echoes(presence, [Echo(i.to_bytes(2, "big"), b"..") for i in range(MAX_HEARD + 9)], 700.0)
    assert len(presence.echoes) == MAX_HEARD


def test_echoes_rotate() -> None:
    table = []
    for index in range(12):
        neighbour = Neighbour(NeighbourId(bytes([index]) * 6), NodeKey(bytes(32)), key=b"k")
        neighbour.presences["l"] = Presence("a", 0.0, last_beacon_nonce=nonce(index), last_beacon_at=0.0)
        table.append(neighbour)
    table.append(Neighbour(NeighbourId(b"silent"), NodeKey(bytes(32)), presences={"l": Presence("a", 0.0)}))
    first, second = choose_echoes(table, "l", 1.0), choose_echoes(table, "l", 2.0)
    assert len(first) == len(second) == MAX_ECHOES
    assert {echo.neighbour for echo in first + second} == {n.id[:2] for n in table[:12]}


# windows


def test_a_datagram_passes_once() -> None:
    windows = Windows()
    name = NeighbourId(b"sender")
    assert windows.sign(name, 1) is not None
    assert windows.sign(name, 1) is None
    assert windows.accept(header(1))
    assert not windows.accept(header(1))
    assert windows.accept(header(5))
    assert windows.accept(header(3))
    windows.sign(name, 2)
    assert windows.accept(header(1, epoch=2))
    assert not windows.accept(header(9, epoch=1))


def test_strangers_have_no_window_and_are_forgotten_in_time() -> None:
    windows = Windows()
    assert windows.accept(header(1))
    assert windows.accept(header(1))
    first = windows.stranger(NeighbourId(bytes(6)))
    assert windows.stranger(NeighbourId(bytes(6))) is first
    for index in range(1, MAX_STRANGERS + 1):
        windows.stranger(NeighbourId(index.to_bytes(6, "big")))
    assert windows.stranger(NeighbourId(bytes(6))) is not first


def test_an_epoch_counts_once_its_owner_vouched_for_it() -> None:
    windows, name = Windows(), NeighbourId(b"sender")
    windows.sign(name, 1)
    assert windows.accept(header(5, epoch=9))
    assert not windows.knows(header(5, epoch=9))
    assert windows.accept(header(1)), "who claimed epoch 9 closed nothing"
    windows.stranger(name).beacon_nonce = b"nonce"
    stranger = windows.sign(name, 2)
    assert stranger is not None
    assert stranger.beacon_nonce == b"nonce"
    assert windows.knows(header(0, epoch=2))


def test_what_is_said_in_a_neighbours_name_does_not_close_its_own_window() -> None:
    windows, name = Windows(), NeighbourId(b"sender")
    windows.sign(name, 1)
    assert windows.accept(header(1_000_000))
    own = LinkHeader(True, 0, name, 1, 5)
    assert windows.accept(own)
    assert not windows.accept(own)
    assert windows.written(name).counter == 5, "the disk keeps what nobody else can move"


def test_the_disk_hears_of_a_window_now_and_then() -> None:
    windows, name = Windows(), NeighbourId(b"sender")
    windows.sign(name, 1)
    windows.accept(header(1))
    assert windows.lags(name)
    assert windows.written(name).counter == 1
    windows.accept(header(PERSIST_EVERY))
    assert not windows.lags(name)
    windows.accept(header(PERSIST_EVERY + 1))
    assert windows.lags(name)
    windows.written(name)
    windows.sign(name, 2)
    windows.accept(header(0, epoch=2))
    assert windows.lags(name)
    windows.forget(name)
    assert windows.accept(header(1))


def test_proof_of_this_boot_closes_what_lay_before() -> None:
    windows, name = Windows(), NeighbourId(b"sender")
    windows.restore(NeighbourRecord(name, NodeKey(bytes(32)), bytes(32), 1, 10, 1, 0.0))
    assert windows.accept(header(100))
    windows.prove(name)
    assert not windows.accept(header(99)), "recorded before our reboot, perhaps"
    assert windows.accept(header(101))
    assert windows.accept(header(103))
    windows.prove(name)
    assert windows.accept(header(102)), "closed once only"


def test_proof_does_not_open_again_what_was_heard_for_us_alone() -> None:
    windows, name = Windows(), NeighbourId(b"sender")
    windows.restore(NeighbourRecord(name, NodeKey(bytes(32)), bytes(32), 1, 10, 1, 0.0))
    for counter in (20, 30):
        assert windows.accept(LinkHeader(True, 0, name, 1, counter))
    assert windows.accept(header(25))
    windows.prove(name)
    windows.prove(name)
    assert not windows.accept(LinkHeader(True, 0, name, 1, 30))
    assert windows.accept(LinkHeader(True, 0, name, 1, 31))

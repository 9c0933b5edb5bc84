"""The small parts: buckets, HELLO and its pacing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.ids import neighbour_id
from meshnode.core.neighbours.buckets import (
    BURST_S,
    FLOOR,
    INTRODUCTION,
    INTRODUCTIONS,
    UNBOUND_SHARE,
    Bucket,
    Buckets,
)
from meshnode.core.neighbours.hello import GAP_S, LABEL, HelloPacing, check_hello_untrusted, make_hello
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.frames import Hello
from meshnode.errors import SignatureError, WireError
from support.gossip_node import MESH, GossipNode

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

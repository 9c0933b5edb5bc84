"""Who pays: for what it asks of us on a link, and for what it says in a session."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from meshnode.core.chain.block import compact_of
from meshnode.core.chain.compact import encode_compact
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.reconcile import END, LISTED, Range
from meshnode.core.effects import Hangup, SendRecord
from meshnode.core.gossip import lacks as lacks_module
from meshnode.core.gossip.beacon import BUSY, REFUSING
from meshnode.core.gossip.peer import DELTAS_AT_ONCE
from meshnode.core.gossip.repair import BUSY_WAIT_S
from meshnode.core.gossip.serve import MAX_BYTES
from meshnode.core.gossip.session import LOOK_COST, ROUND_COST
from meshnode.core.ids import LogId, channel_id, log_handle
from meshnode.core.inputs import EncounterBegan, EncounterEnded, RecordReceived
from meshnode.core.neighbours.buckets import SERVED_BURST, SERVED_RATE, SESSION_BURST, SESSION_RATE
from meshnode.core.neighbours.fragments import Cut
from meshnode.core.neighbours.table import Heard, Neighbour
from meshnode.core.settings import BridgeRules, LinkSettings, Settings
from meshnode.core.wire.codec import encode_frame, join_frames
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    Change,
    Delta,
    Done,
    Elements,
    FragmentWant,
    Frame,
    Heads,
    Ranges,
    RefWant,
    Run,
    SessionBeacon,
    Unknown,
    Want,
    Wish,
)
from support.gossip_node import VALLEY, GossipNode, node_of, post, village
from support.world import LINK, World


def far(world: World, one: str, other: str) -> Neighbour:
    neighbour = node_of(world, one).neighbours.get(node_of(world, other).node)
    assert neighbour is not None
    return neighbour


def ask(world: World, name: str, source: str, *wishes: Wish) -> None:
    """A WANT, as if it came under the pairwise key."""
    node, neighbour = node_of(world, name), far(world, name, source)
    node.ctx.now, node.ctx.out = world.now, []
    node.gossip.heard(Heard(neighbour.id, neighbour, True, LINK, source, False, (Want(wishes),), pairwise=True))
    world.perform(name, node.finish())


def served(world: World, source: str, name: str) -> int:
    """Bytes of blocks that one heard from another."""
    me = node_of(world, source).neighbours.me
    frames = [frame for heard in node_of(world, name).heard if heard.sender == me for frame in heard.frames]
    return sum(len(encode_frame(frame)) for frame in frames if isinstance(frame, Run | BlockFrame))


def full_of_posts(seed: int, names: str, settings: LinkSettings | None = None) -> World:
    world = village(seed, names, settings=settings)
    world.clique(*names)
    world.start()
    world.run(10)
    for index in range(64):
        post(world, "a", "x" * 1000 + str(index))
        world.run(1)
    world.run(60)
    return world


def test_who_asks_on_and_on_is_served_at_the_rate_of_its_link() -> None:
    world = full_of_posts(1, "ab", LinkSettings(unicast_bps=40_000))
    handle, before = log_handle(node_of(world, "a").log()), served(world, "a", "b")
    for _ in range(60):
        ask(world, "a", "b", Wish(handle, 1, 64))
        world.run(0.5)
    assert 0 < served(world, "a", "b") - before <= 20_000 + 30 * 5_000
    assert node_of(world, "a").outbox.backlog_s(LINK) < 10


def test_one_asker_gets_no_more_by_asking_beside_others() -> None:
    world = full_of_posts(2, "abcd")
    log = node_of(world, "a").log()
    before = served(world, "a", "b")
    for name, first in (("c", 1), ("d", 20)):
        ask(world, "a", name, Wish(log, first, 10))
    ask(world, "a", "b", Wish(log, 1, 64))
    world.run(20)
    groups = 3  # with c, with d, alone
    assert served(world, "a", "b") - before <= MAX_BYTES < groups * 10 * 1000 + MAX_BYTES


def with_many_logs(seed: int) -> World:
    """Two who know each other; `a` writes in so many channels that telling them all fills a datagram."""
    world = village(seed, "ab")
    world.clique("a", "b")
    world.start()
    world.run(10)
    for number in range(100):
        post(world, "a", "words", channel_id(f"channel {number}"))
    world.run(120)
    return world


def queued_by(world: World, frames: tuple[Frame, ...], *, pairwise: bool) -> int:
    """Bytes that stand in line at `a` after one datagram under `b`'s link id."""
    node, neighbour = node_of(world, "a"), far(world, "a", "b")
    node.ctx.now, node.ctx.out = world.now, []
    node.gossip.heard(Heard(neighbour.id, neighbour, True, LINK, "b", not pairwise, frames, pairwise=pairwise))
    size = sum(len(queued.encoded) for queued in node.outbox._all())
    world.perform("a", node.finish())
    return size


def test_a_datagram_full_of_deltas_is_answered_by_one() -> None:
    world = with_many_logs(6)
    deltas = tuple(Delta(bytes([number]) * 8, ()) for number in range(115))
    assert 0 < queued_by(world, deltas, pairwise=False) < 1200
    node, neighbour = node_of(world, "a"), far(world, "a", "b")
    assert node.ctx.counters["deltas_too_many"] == 115 - DELTAS_AT_ONCE, "nor is each compared with all there is"
    before = node.neighbours.buckets.bound(neighbour.id, True, LinkSettings(), world.now)._left
    answers = 0
    for number in range(400):
        world.run(0.3)
        answers += queued_by(world, (Delta(number.to_bytes(8, "big"), ()),), pairwise=False) > 0
    assert answers
    assert node.neighbours.buckets.bound(neighbour.id, True, LinkSettings(), world.now)._left >= before, "never b's own"


def test_who_has_nothing_left_gets_no_delta_and_no_refs() -> None:
    world = with_many_logs(7)
    node, neighbour = node_of(world, "a"), far(world, "a", "b")
    handle = log_handle(node.log(channel_id("channel 0")))
    assert queued_by(world, (RefWant((handle,) * 22),), pairwise=True) < 100, "each once"
    for pairwise in (False, True):
        node.neighbours.buckets.bound(neighbour.id, pairwise, LinkSettings(), world.now).fine(1e9, world.now)
        world.run(0.5)
        frames = (Delta(b"%d2345678" % pairwise, ()), RefWant((handle,)))
        assert queued_by(world, frames, pairwise=pairwise) == 0


def test_who_asks_for_fragments_pays_for_them_like_for_blocks() -> None:
    world = village(8, "ab")
    world.clique("a", "b")
    world.start()
    world.run(10)
    node, neighbour = node_of(world, "a"), far(world, "a", "b")
    node.neighbours._mending._cut.keep(b"12345678", Cut(bytes(16_000), 3, 1, 1000, world.now + 60))
    bucket = node.neighbours.buckets.bound(neighbour.id, True, LinkSettings(), world.now)
    want = FragmentWant(b"12345678", 1)
    assert bucket.spend(0, node.ctx.now)
    before = bucket._left
    node.neighbours._mending.asked(neighbour, LINK, want)
    assert bucket._left == before - 1000
    waiting = len(node.outbox._all())
    bucket.fine(1e9, world.now)
    node.neighbours._mending.asked(neighbour, LINK, replace(want, missing=0xFFFF))
    assert len(node.outbox._all()) == waiting == 1


def test_who_lies_in_a_session_is_hung_up_on_and_not_heard() -> None:
    world = village(3, "ab")
    world.start()
    world.open_overlay("a", "b")
    node, peer = node_of(world, "a"), far(world, "a", "b")
    assert peer.session is not None
    record = RecordReceived(peer.session, encode_frame(Unknown(0x70, b"noise")))
    world.feed("a", record)
    heard = node.heard[-1]
    assert heard.carrier == "session"
    node.neighbours.fine(heard, int(SESSION_BURST))
    count = len(node.heard)
    effects = node.step(record, world.now)
    assert [effect for effect in effects if isinstance(effect, Hangup)] == [Hangup(peer.session)]
    assert not [effect for effect in node.step(record, world.now) if isinstance(effect, Hangup)], "once"
    assert len(node.heard) == count
    assert node.ctx.counters["session_over_budget"] == 1
    world.feed("a", EncounterEnded(peer.session))
    assert not node.neighbours._cut_off
    bucket = node.neighbours.buckets.session(peer.id, world.now)
    assert not bucket.spend(1, world.now), "a new session pays from the same bucket"
    assert bucket.spend(1, world.now + SESSION_BURST / SESSION_RATE + 1)


def test_a_wrong_block_in_a_session_costs_ten_times_its_size() -> None:
    world = village(4, "ab")
    world.start()
    world.open_overlay("a", "b")
    node, peer = node_of(world, "a"), far(world, "a", "b")
    block = GossipNode("w").write("hello")
    wrong = BlockFrame(block.log, compact_of(block, elide=False)._replace(signature=bytes(64)))
    assert peer.session is not None
    world.feed("a", RecordReceived(peer.session, encode_frame(Unknown(0x70, b"noise"))))
    node.ctx.now = world.now
    before = node.neighbours.buckets.session(peer.id, world.now)._left
    world.feed("a", RecordReceived(peer.session, encode_frame(wrong)))
    cost = before - node.neighbours.buckets.session(peer.id, world.now)._left
    assert cost >= 10 * len(encode_compact(wrong.block, with_seq=True))


def test_who_catches_up_without_end_waits_for_its_share_and_is_not_hung_up_on() -> None:
    world = village(6, "ab")
    world.start()
    for index in range(5):
        post(world, "a", f"post {index}")
    world.open_overlay("a", "b")
    world.run(30)
    node, peer = node_of(world, "a"), far(world, "a", "b")
    assert peer.session is not None
    node.ctx.now = world.now
    node.neighbours.pay_in_session(peer, SERVED_BURST + SERVED_RATE * 8)
    wait_s = node.neighbours.may_have_in_s(peer)
    assert 8 < wait_s < 8.1
    heard = len(node_of(world, "b").heard)
    world.feed("a", RecordReceived(peer.session, encode_frame(Want((Wish(node.log(), 1, 5),)))))

    def came() -> list[Run]:
        frames = [frame for one in node_of(world, "b").heard[heard:] for frame in one.frames]
        return [frame for frame in frames if isinstance(frame, Run)]

    world.run(wait_s - 0.5)
    assert not came()
    world.run(2)
    assert [len(run.blocks) for run in came()] == [5]
    assert peer.session is not None


def test_a_peer_that_is_forgotten_leaves_no_bucket() -> None:
    node = GossipNode("a")
    buckets = node.neighbours.buckets
    buckets.session(b"peer", 0.0)
    buckets.served(b"peer", 0.0)
    buckets.forget_peer(b"peer")
    assert not buckets._sessions
    assert not buckets._served


def test_a_busy_neighbour_is_asked_later() -> None:
    world = village(5, "ab")
    world.start()
    world.join("a", "b")
    world.run(10)
    node, neighbour = node_of(world, "a"), far(world, "a", "b")
    change = Change(log_handle(GossipNode("w").log()), 3)
    wanted: list[float] = []
    real = node.neighbours.send

    def send(to: Neighbour | None, frame: Frame, cls: int, **how: Any) -> None:
        if isinstance(frame, RefWant):
            wanted.append(world.now)
        real(to, frame, cls, **how)

    node.neighbours.send = send  # type: ignore[method-assign]
    node.ctx.now, node.ctx.out = world.now, []
    beacon = Beacon(1, 1, BUSY | REFUSING, b"elsewhat", bytes(4), (), (change,))
    node.gossip.heard(Heard(neighbour.id, neighbour, True, LINK, "b", True, (beacon,)))
    assert neighbour.refusing
    world.perform("a", node.finish())
    began = world.now
    world.run(BUSY_WAIT_S + 0.5)
    assert wanted
    assert began + BUSY_WAIT_S <= wanted[0] < began + BUSY_WAIT_S + 0.5
    world.run(60)
    assert not neighbour.refusing, "its own next beacon says otherwise"


def in_session(seed: int) -> tuple[World, GossipNode, Neighbour]:
    """`b` called `a`, which holds a hundred logs."""
    world = village(seed, "ab")
    world.start()
    for number in range(100):
        post(world, "a", "words", channel_id(f"channel {number}"))
    world.open_overlay("b", "a")
    world.run(5)
    return world, node_of(world, "a"), far(world, "a", "b")


def said_to(node: GossipNode, peer: Neighbour, now: float, *frames: Frame) -> int:
    """Bytes that a node answers to these frames in one record."""
    assert peer.session is not None
    out = node.step(RecordReceived(peer.session, join_frames([encode_frame(frame) for frame in frames], 60_000)), now)
    return sum(len(effect.data) for effect in out if isinstance(effect, SendRecord))


def test_who_opens_rounds_without_end_soon_opens_none() -> None:
    world, node, peer = in_session(9)
    nonces = count()
    answers = []
    for _ in range(5):
        rounds = [Ranges(next(nonces).to_bytes(4, "big"), (Range(END, LISTED),)) for _ in range(500)]
        answers.append(said_to(node, peer, world.now, *rounds))
    assert answers[0] > 0 == answers[-1]
    assert sum(answers) < SESSION_BURST / (ROUND_COST * 100) * 1000


def test_answers_in_a_session_are_paid_for() -> None:
    world, node, peer = in_session(10)
    nonce = b"asks"
    assert said_to(node, peer, world.now, Ranges(nonce, (Range(END, LISTED),)))
    (sync,) = node.gossip.sessions._open.values()
    handle = next(iter(sync.rounds[nonce][0].by_handle))
    before = node.neighbours.buckets.session(peer.id, world.now)._left
    answered = said_to(node, peer, world.now, Elements(nonce, (handle,) * 5000))
    assert answered > 5000 * 55
    assert node.neighbours.buckets.session(peer.id, world.now)._left <= before - answered
    node.neighbours.buckets.session(peer.id, world.now).fine(SESSION_BURST - 40_000, world.now)
    assert said_to(node, peer, world.now, *(Elements(nonce, (handle,) * 2000),) * 5) < 2 * 2000 * 56


def test_what_an_asker_gets_by_session_alone_is_paid_there() -> None:
    world, node, peer = in_session(12)
    node.ctx.now = world.now
    assert peer.link(world.now) is None
    assert node.neighbours.pays(peer, SESSION_BURST * 2)
    assert not node.neighbours.pays(peer, 1)
    node.ctx.now += node.neighbours.may_have_in_s(peer)
    assert node.neighbours.pays(peer, 1)


def test_what_an_asker_gets_on_its_link_is_paid_there() -> None:
    world = village(13, "ab")
    world.join("a", "b")
    world.start()
    world.run(10)
    node, peer = node_of(world, "a"), far(world, "a", "b")
    node.ctx.now = world.now
    assert node.neighbours.pays(peer, 1)
    node.neighbours.buckets.bound(peer.id, True, node.ctx.links[LINK], world.now).fine(10**9, world.now)
    assert not node.neighbours.pays(peer, 1)
    assert not node.neighbours.may_have_in_s(peer), "its sessions have a budget of their own"


def test_logs_that_nobody_has_are_wanted_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lacks_module, "MAX_WANTED", 10)
    world, node, peer = in_session(11)
    made_up = [Element(LogId(bytes([number]) * 52), 5, number % 2 == 0) for number in range(20)]
    said_to(node, peer, world.now, Heads(tuple(made_up)))
    (sync,) = node.gossip.sessions._open.values()
    assert len(sync.wanted) == len(sync.asked) == 10
    assert len(sync.splits) == 5
    said_to(node, peer, world.now, Heads((made_up[0]._replace(head=9),)))
    assert sync.wanted[made_up[0].log] == 9


def test_whose_words_make_us_look_through_what_is_wanted_pays_for_it() -> None:
    _world, node, peer = in_session(14)
    made_up = [Element(LogId(number.to_bytes(2, "big") * 26), 5, False) for number in range(1000)]
    said_to(node, peer, 6.0, Heads(tuple(made_up[:500])), Heads(tuple(made_up[500:])))
    bucket = node.neighbours.buckets.session(peer.id, 6.0)
    before = bucket._left
    said_to(node, peer, 6.0, *(Done(bytes(8)),) * 100)
    assert bucket._left <= before - 100 * 1000 * LOOK_COST


def test_whose_words_make_us_sort_out_what_may_cross_pays_for_it() -> None:
    node, far = (
        GossipNode(name, settings=Settings(bridge=BridgeRules(channels=frozenset((VALLEY,))))) for name in "af"
    )
    for number in range(100):
        node.gossip.publish(node.write("words", channel_id(f"channel {number}")))
    node.step(EncounterBegan(1, far.node, "overlay", "200::f", False), 0.0)
    (peer,) = node.neighbours.session_peers()
    bucket = node.neighbours.buckets.session(peer.id, 0.0)
    before = bucket._left
    said_to(node, peer, 0.0, *(SessionBeacon(b"another!", bytes(4)),) * 100)
    assert bucket._left <= before - 100 * 100 * LOOK_COST

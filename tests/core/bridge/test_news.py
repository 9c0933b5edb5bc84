"""News of bridges at one node: what is remembered, what is passed on, and what happens where nobody listens."""

from __future__ import annotations

from dataclasses import replace

from meshnode.core.bridge.gate import OPEN, POSTS
from meshnode.core.bridge.held import Item
from meshnode.core.gossip.bridges import FRESH_S, MOST, MOST_HOPS, Bridges
from meshnode.core.ids import PERSON_CHANNEL, NodeKey
from meshnode.core.inputs import EncounterBegan
from meshnode.core.neighbours.neighbour import Heard
from meshnode.core.settings import BridgeRules, Settings
from meshnode.core.wire.frames import BridgeNews
from support.gossip_node import GossipNode, keys_of, node_of, village
from support.world import LINK, World

NEWS = BridgeNews(b"far-br", bytes(6), 7, OPEN, 0, 0, 0, 0)
ITEM = Item("post", b"p" * 32, POSTS, 100, PERSON_CHANNEL, b"p" * 16)


def hear(node: GossipNode, news: BridgeNews) -> None:
    """News from anybody of our mesh on the link."""
    node.gossip.bridges.heard(news, Heard(node.neighbours.me, None, False, LINK, "fe80::x", True, (news,)))


def three() -> tuple[World, GossipNode]:
    """Three who hear each other; the first of them."""
    world = village(1, "abc")
    world.clique(*"abc")
    world.start()
    world.run(20)
    node = node_of(world, "a")
    node.ctx.now, node.ctx.out = world.now, []
    return world, node


def passed_on(node: GossipNode, news: BridgeNews) -> bool:
    hear(node, news)
    return node.outbox.holds(b"bridge" + news.bridge)


def test_of_more_bridges_than_a_mesh_has_the_one_heard_of_longest_ago_is_forgotten() -> None:
    node = GossipNode("a")
    for number in range(MOST):
        hear(node, replace(NEWS, bridge=number.to_bytes(6, "big")))
    hear(node, replace(NEWS, bridge=bytes(6), number=1000))  # the first one again: now the second is the oldest
    hear(node, replace(NEWS, bridge=b"newest"))
    known = [one.news.bridge for one in node.gossip.bridges.known()]
    assert known == [*(number.to_bytes(6, "big") for number in range(2, MOST)), bytes(6), b"newest"]
    node.ctx.now = FRESH_S
    assert not list(node.gossip.bridges.known())


def test_news_that_went_round_for_too_long_is_believed_and_goes_no_further() -> None:
    _, node = three()
    assert passed_on(node, replace(NEWS, bridge=b"nearer", hops=MOST_HOPS - 1))
    assert not passed_on(node, replace(NEWS, hops=MOST_HOPS))
    assert [one.news.bridge for one in node.gossip.bridges.known()] == [b"nearer", NEWS.bridge]


def test_a_bridge_that_nobody_listens_to_makes_up_for_a_spent_day_and_goes_on() -> None:
    node = GossipNode("a", settings=Settings(bridge=BridgeRules(sent_per_day=64_000)))
    gate = node.neighbours.gate
    alone = Bridges(node.ctx, node.neighbours, node.gossip.dialler)
    far = keys_of("b").node
    node.neighbours.session_opened(EncounterBegan(1, NodeKey(far), "overlay", "200::b", True))
    assert len(alone._over(gate.uplinks)) == 1
    while gate.affords(POSTS):
        gate.said(1, 1000)
    alone.tick()
    assert not alone._had_room
    assert not gate.passes(ITEM)
    node.ctx.now = 2 * 86_400.0
    assert alone.wakeup() == node.ctx.now
    alone.tick()
    assert not len(gate.held), "what waited for room alone is let go"

"""What may go first: emergencies and how seldom; what is only carried; proofs of splits, to whom and how fast."""

from __future__ import annotations

from meshnode.core.airtime.outbox import Outgoing
from meshnode.core.chain.block import Block, compact_of, write_block
from meshnode.core.chain.fork import prove
from meshnode.core.chain.kinds import POST
from meshnode.core.effects import Forget, Persist
from meshnode.core.gossip.emergency import AIRTIME_S, AUTHOR_S, STRANGERS_S, Emergencies
from meshnode.core.gossip.lately import REMEMBERED
from meshnode.core.gossip.serve import fork_frame
from meshnode.core.ids import LogId
from meshnode.core.neighbours.table import Heard
from meshnode.core.records import BODY_DROPPED, BODY_HELD, BlockRecord
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.wire.frames import BlockFrame, ForkFrame
from support.gossip_node import GossipNode, keys_of, node_of, village
from support.world import LINK, Disk, World


def written(
    name: str, *, cls: int = 1, kind: int = POST, body: bytes = b"fire", seq: int = 1, prev: bytes = bytes(20)
) -> Block:
    node = GossipNode(name)
    return write_block(
        node.log(), seq, prev, kind, body, time=0, cls=cls, secret=node.keys.device_secret, sealer=node.ctx.sealer
    )


def frame_of(block: Block) -> BlockFrame:
    return BlockFrame(block.log, compact_of(block, elide=False))


def grants(emergencies: Emergencies, block: Block, ring: int, hop: bytes = b"hop") -> bool:
    return emergencies.grants(block, ring, hop, frame_of(block))


# emergencies


def test_an_author_near_us_has_one_emergency_in_ten_minutes() -> None:
    node = GossipNode("a")
    emergencies = Emergencies(node.ctx)
    one, other = written("v"), written("w")
    assert grants(emergencies, one, 1)
    assert not grants(emergencies, one, 1)
    assert grants(emergencies, other, 2)
    node.ctx.now = AUTHOR_S
    assert grants(emergencies, one, 0)


def test_strangers_share_one_an_hour_for_each_hop() -> None:
    node = GossipNode("a")
    emergencies = Emergencies(node.ctx)
    assert grants(emergencies, written("s0"), 3, b"x")
    assert not any(grants(emergencies, written(f"s{index}"), 3, b"x") for index in range(1, 5))
    assert grants(emergencies, written("s6"), 3, b"y")
    assert grants(emergencies, written("s7"), 1, b"x"), "who is near has nothing to do with them"
    node.ctx.now = STRANGERS_S
    assert grants(emergencies, written("s8"), 3, b"x")


def test_emergencies_take_a_twentieth_of_the_airtime() -> None:
    node = GossipNode("a")
    node.ctx.links[LINK] = LinkSettings(multicast_bps=150_000)
    emergencies = Emergencies(node.ctx)
    count, hour, large = 0, 3600, written("near", body=b"x" * 1000)
    for moment in range(hour):
        node.ctx.now = float(moment)
        block = large._replace(log=moment.to_bytes(32, "big") + bytes(20))
        count += grants(emergencies, block, 1)
    airtime = 0.065  # of one
    assert 0.9 < count * airtime / (AIRTIME_S + hour / 20) < 1.1
    assert node.ctx.counters["emergency_over_airtime"] == hour - count


def test_a_restart_is_no_way_around_the_limits() -> None:
    disk, node = Disk(), GossipNode("a")
    emergencies = Emergencies(node.ctx)
    assert grants(emergencies, written("v"), 1)
    assert grants(emergencies, written("s0"), 3, b"x")
    for effect in node.ctx.out:
        if isinstance(effect, Persist):
            for record in effect.records:
                disk.write(record)
    again = GossipNode("a")
    again.ctx.now = 1.0
    again.ctx.links[LINK] = LinkSettings(multicast_bps=150_000)
    emergencies = Emergencies(again.ctx)
    emergencies.restore(disk.snapshot(1.0))
    assert not grants(emergencies, written("v"), 1)
    assert not grants(emergencies, written("s1"), 3, b"x")
    again.ctx.now = 1.1
    assert [grants(emergencies, written(name, body=b"x" * 1000), 1) for name in "wz"] == [True, False]
    assert again.ctx.counters["emergency_over_airtime"] == 1, "nothing was saved up while it was off"


def test_what_is_remembered_of_emergencies_is_bounded() -> None:
    node = GossipNode("a")
    emergencies = Emergencies(node.ctx)
    one = written("v")
    for number in range(REMEMBERED + 3):
        node.ctx.now += 0.01
        assert grants(emergencies, one._replace(log=LogId(number.to_bytes(32, "big") + bytes(20))), 1)
    gone = [key for effect in node.ctx.out if isinstance(effect, Forget) for key in effect.keys]
    assert len(gone) == 3
    node.ctx.now += AUTHOR_S
    assert grants(emergencies, one, 1)
    gone = [key for effect in node.ctx.out if isinstance(effect, Forget) for key in effect.keys]
    assert len(gone) == REMEMBERED + 3


def test_only_what_we_understand_is_an_emergency() -> None:
    emergencies = Emergencies(GossipNode("a").ctx)
    assert not grants(emergencies, written("v", cls=2), 1)
    assert not grants(emergencies, written("v", cls=0), 1)
    assert not grants(emergencies, written("v", kind=30), 1)
    assert not grants(emergencies, written("v")._replace(version=2), 1)


def sent_on(ring: int, *blocks: Block) -> list[tuple[int, int]]:
    """Class and ring in which a node sends blocks on, whose author is in that ring."""
    world = village(1, "abc")
    world.clique(*"abc")
    world.start()
    world.run(20)
    node, queued = node_of(world, "a"), list[Outgoing]()
    if ring < 3:
        for name in "vw":
            node.rings.device_known(keys_of(name).device, keys_of(name).persona)
            node.rings.contact_set(keys_of(name).persona, False)
    node.ctx.now, node.ctx.out = world.now, []
    real = node.outbox.put

    def put(outgoing: Outgoing) -> None:
        if isinstance(outgoing.frame, BlockFrame):
            queued.append(outgoing)
        real(outgoing)

    node.outbox.put = put  # type: ignore[method-assign]
    source = node.neighbours.get(node_of(world, "b").node)
    assert source is not None
    for block in blocks:
        node.gossip.heard(Heard(source.id, source, True, LINK, "b", False, (frame_of(block),)))
    return [(outgoing.cls, outgoing.ring) for outgoing in queued]


def test_a_strangers_second_emergency_goes_with_the_rest_and_so_does_its_urgent_block() -> None:
    assert sent_on(3, written("v"), written("w")) == [(1, 3), (3, 3)]
    assert sent_on(3, written("v", cls=2)) == [(3, 3)]
    again = written("v", seq=2, prev=written("v").ref)
    assert sent_on(1, written("v"), written("w"), again) == [(1, 1), (1, 1), (2, 1)]


# what is only carried


def test_what_we_do_not_understand_is_sent_on_like_a_strangers() -> None:
    assert sent_on(1, written("v", cls=2, kind=30)) == [(3, 3)]
    assert sent_on(1, written("v", cls=2)) == [(2, 1)]


def near_node() -> GossipNode:
    node = GossipNode("me", settings=Settings(store_limit=20_000))
    node.rings.device_known(keys_of("v").device, keys_of("v").persona)
    node.rings.contact_set(keys_of("v").persona, False)
    return node


def chain(count: int, kind: int) -> list[Block]:
    blocks: list[Block] = []
    for seq in range(1, count + 1):
        prev = blocks[-1].ref if blocks else bytes(20)
        blocks.append(written("v", cls=3, kind=kind, body=b"x" * 500, seq=seq, prev=prev))
    return blocks


def take(node: GossipNode, blocks: list[Block]) -> None:
    heard = Heard(node.neighbours.me, None, False, LINK, "x", True, ())
    for block in blocks:
        assert node.gossip.logs.take_untrusted(block.log, compact_of(block, elide=False), heard).new
    node.gossip.logs.flush()


def test_a_friends_blocks_of_unknown_kind_take_no_more_than_a_strangers_space() -> None:
    node = near_node()
    take(node, chain(8, 30))
    log = node.gossip.logs.book.logs[chain(1, 30)[0].log]
    assert log.head == 8, "the chain goes on"
    assert [log.state_at(seq) for seq in range(1, 9)] == [BODY_HELD] * 4 + [BODY_DROPPED] * 4
    assert node.ctx.counters["body_only_carried_dropped"] == 4
    world, disk = World(1), Disk()
    world.add("me", node, disk)
    world.perform("me", list(node.ctx.out))
    assert [row.body_state for row in disk.of(BlockRecord)] == [BODY_HELD] * 4 + [BODY_DROPPED] * 4
    again = GossipNode("me", settings=Settings(store_limit=20_000), snapshot=disk.snapshot(0.0))
    assert again.gossip.logs.shares.strangers + again.gossip.logs.shares.carried >= 4 * 500


def test_a_friends_posts_have_no_such_limit() -> None:
    node = near_node()
    take(node, chain(8, POST))
    log = node.gossip.logs.book.logs[chain(1, POST)[0].log]
    assert {log.state_at(seq) for seq in range(1, 9)} == {BODY_HELD}


# proofs of splits


def told_of_split(ring: int, *, cls: int = 3) -> list[tuple[str, int]]:
    """Who is told of a split by a node that hears its proof from b; c told it that it holds the log, d did not."""
    world = village(2, "abcd")
    world.clique(*"abcd")
    world.start()
    world.run(20)
    node, queued = node_of(world, "a"), list[Outgoing]()
    one, other = written("w", cls=cls, body=b"one"), written("w", cls=cls, body=b"other")
    heard = Heard(node.neighbours.me, None, False, LINK, "x", True, ())
    node.ctx.now, node.ctx.out = world.now, []
    node.gossip.logs.take_untrusted(one.log, compact_of(one, elide=False), heard)
    log = node.gossip.logs.book.logs[one.log]
    log.ring = ring
    names = {}
    for name in "bcd":
        neighbour = node.neighbours.get(node_of(world, name).node)
        assert neighbour is not None
        names[neighbour.id] = name
        if name != "d":
            node.gossip.repair.peer(neighbour).witness(one.log, 1)
    source = next(n for n in node.neighbours.bound() if names[n.id] == "b")
    node.outbox.put = queued.append  # type: ignore[method-assign]
    node.gossip.heard(Heard(source.id, source, True, LINK, "b", True, (fork_frame(prove(one, other)),)))
    assert log.forked
    return [(names[out.to] if out.to else "all", out.cls) for out in queued if isinstance(out.frame, ForkFrame)]


def test_a_strangers_split_is_told_to_who_holds_the_log() -> None:
    assert told_of_split(3) == [("c", 3)]
    assert told_of_split(3, cls=1) == [("c", 3)]


def test_a_friends_split_travels_in_the_class_of_its_blocks_and_never_first() -> None:
    assert told_of_split(1) == [("all", 3)]
    assert told_of_split(1, cls=2) == [("all", 2)]
    assert told_of_split(1, cls=1) == [("all", 2)]
    assert told_of_split(1, cls=4) == [("all", 4)]

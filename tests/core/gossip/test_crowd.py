"""Where many hear each other: what one lacks is told to all, what one tells the others leave out."""

from __future__ import annotations

import pytest

from meshnode.core.airtime.outbox import Outgoing
from meshnode.core.chain.block import Block, compact_of
from meshnode.core.chain.kinds import POST
from meshnode.core.gossip.flood import REMEMBERED, RIPE_S, Flood, Put
from meshnode.core.gossip.serve import Request
from meshnode.core.ids import channel_id, log_handle
from meshnode.core.neighbours.fragments import item_id
from meshnode.core.neighbours.table import Neighbour
from meshnode.core.records import BODY_HELD, BlockRecord
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame, Change, Delta, Frame, RefWant, Want
from support.gossip_node import agree, node_of, post, village
from support.world import LINK, World

NAMES = "abcdefgh"
SMALL = LinkSettings(multicast_payload=384, unicast_payload=1200)
LONG = "word " * 270  # five fragments of a multicast


def crowd(seed: int = 1, names: str = NAMES, *, loss: float = 0.0, met: bool = True) -> World:
    world = village(seed, names, loss=loss, settings=SMALL)
    if met:
        world.clique(*names)
    world.start()
    return world


def said(world: World, names: str = NAMES) -> list[tuple[str, Frame, bool]]:
    """From now on: who sent which whole frame, and whether to all."""
    frames: list[tuple[str, Frame, bool]] = []
    for name in names:
        outbox = node_of(world, name).outbox

        def note(outgoing: Outgoing, name: str = name) -> None:
            frames.append((name, outgoing.frame, outgoing.to is None))

        outbox.on_sent = note
    return frames


def known(world: World, name: str, other: str) -> Neighbour:
    neighbour = node_of(world, name).neighbours.get(node_of(world, other).node)
    assert neighbour is not None
    return neighbour


def write_all(world: World) -> None:
    """Each a short block and a long one: a stranger's log may not begin with a long one."""
    for name in NAMES:
        post(world, name, "first")
        post(world, name, LONG)


def flood_of(world: World, name: str) -> Flood:
    """Of a node that knows of nobody that it has anything."""
    flood = node_of(world, name).gossip.flood
    flood.holds = lambda neighbour, block: False
    return flood


@pytest.mark.parametrize("seed", range(2))
def test_what_each_wrote_before_they_met_is_told_to_all_about_once(seed: int) -> None:
    world = crowd(seed, met=False)
    write_all(world)
    world.run(20)
    frames = said(world)
    world.clique(*NAMES)
    world.run(30)
    assert agree(world, *NAMES)
    told = [frame for _, frame, _ in frames if isinstance(frame, BlockFrame) and frame.block.seq == 2]
    assert len(told) <= 1.5 * len(NAMES), "of 56 pairs"
    assert sum(isinstance(frame, Want | RefWant) for _, frame, _ in frames) <= 5 * len(NAMES)


def test_a_third_lost_and_all_of_it_arrives_by_few_repetitions() -> None:
    world = crowd(4, loss=0.3, met=False)
    write_all(world)
    world.run(20)
    frames = said(world)
    world.clique(*NAMES)
    world.run(90)
    assert agree(world, *NAMES)
    told = [frame for _, frame, _ in frames if isinstance(frame, BlockFrame) and frame.block.seq == 2]
    assert len(told) <= 6 * len(NAMES)


def test_what_beacons_do_not_name_is_told_in_one_delta_and_not_by_each() -> None:
    world = crowd(2, met=False)
    for name in NAMES:
        for channel in ("one", "other"):
            post(world, name, "old", channel_id(channel))
    world.run(120)
    frames = said(world)
    world.clique(*NAMES)
    world.run(60)
    assert agree(world, *NAMES)
    deltas = [aloud for _, frame, aloud in frames if isinstance(frame, Delta)]
    assert any(deltas)
    assert len(deltas) <= 3 * len(NAMES), "of 56 pairs"


def test_who_is_left_only_because_nobody_said_yet_whom_it_hears_waits_for_that() -> None:
    world = crowd()
    world.run(20)
    block = post(world, "a", LONG)
    flood, link = flood_of(world, "b"), LINK
    known(world, "b", "a").presences[link].bound_since = known(world, "b", "c").presences[link].bound_since = 0.0
    copies = flood._copies_of(block, link)
    copies.covering[node_of(world, "a").node] = known(world, "b", "a")
    left = [known(world, "b", "c")]
    assert not flood._in_doubt(left, copies, link), "they met long ago"
    known(world, "b", "c").presences[link].bound_since = world.now
    assert flood._in_doubt(left, copies, link)
    flood._copies.clear()
    assert not flood._in_doubt(left, flood._copies_of(block, link), link), "nobody told it to all"


def in_doubt(world: World, block: Block) -> Flood:
    """`b` heard a block of one it had not met, and does not know who else did."""
    flood, node = flood_of(world, "b"), node_of(world, "b")
    node.ctx.now, node.ctx.out = world.now, []
    copies = flood._copies_of(block, LINK)
    copies.strangers.add(known(world, "b", "a").id)
    for name in "cdefgh":
        known(world, "b", name).presences[LINK].bound_since = world.now
    flood._spread(block, None, 3)
    return flood


def test_who_told_it_before_it_was_bound_covers_once_it_is() -> None:
    world = crowd()
    world.run(20)
    frames = said(world, "b")
    flood = in_doubt(world, node_of(world, "a").write(LONG))
    assert flood.wakeup() == pytest.approx(world.now + RIPE_S)
    world.rewake("b")
    world.run(3)
    assert flood.wakeup() is None
    assert not [frame for _, frame, _ in frames if isinstance(frame, BlockFrame)]


def test_what_is_left_all_the_same_goes_on_and_nothing_to_a_link_that_is_gone() -> None:
    world = crowd()
    world.run(20)
    frames = said(world, "b")
    block = node_of(world, "a").write(LONG)
    flood = in_doubt(world, block)
    known(world, "b", "c").presences[LINK].echoes_heard.clear()
    world.rewake("b")
    world.run(3)
    assert len([frame for _, frame, _ in frames if isinstance(frame, BlockFrame)]) == 1
    flood = in_doubt(world, node_of(world, "c").write(LONG))
    del node_of(world, "b").ctx.links[LINK]
    node_of(world, "b").ctx.now += 10
    flood.tick()
    assert flood.wakeup() is None


def test_a_neighbour_that_begins_to_tell_a_long_block_silences_ours_unless_we_began() -> None:
    world = crowd()
    world.run(20)
    node, flood, block = node_of(world, "b"), flood_of(world, "b"), node_of(world, "a").write(LONG)
    item = item_id(encode_frame(BlockFrame(block.log, compact_of(block, elide=False))))
    node.ctx.now, node.ctx.out = world.now, []
    flood.begun(item, known(world, "b", "c"), LINK)  # never heard of it
    flood.answer(block, LINK, known(world, "b", "d"), 3, 3)
    assert len(list(node.outbox.waiting())) == 5
    node.outbox.flush()
    flood.begun(item, known(world, "b", "c"), LINK)
    assert len(list(node.outbox.waiting())) == 4, "the first is gone, and the others follow"
    other = node_of(world, "e").write(LONG)
    item = item_id(encode_frame(BlockFrame(other.log, compact_of(other, elide=False))))
    flood.answer(other, LINK, known(world, "b", "d"), 3, 3)
    flood.begun(item, known(world, "b", "c"), LINK)
    assert len(list(node.outbox.waiting())) == 4
    assert node.ctx.counters["block_suppressed"] == 1


def test_what_was_just_told_is_not_told_again() -> None:
    world = crowd()
    world.run(20)
    node, flood, block = node_of(world, "a"), flood_of(world, "a"), node_of(world, "a").write("next")
    frames = said(world, "a")
    node.ctx.now, node.ctx.out = world.now, []
    for _ in range(3):
        flood.answer(block, LINK, known(world, "a", "b"), 3, 3)
        world.perform("a", node.finish())
    assert sum(isinstance(frame, BlockFrame) for _, frame, _ in frames) == 1


def test_who_said_that_it_has_a_block_is_not_counted_among_those_who_want_it() -> None:
    world = crowd()
    post(world, "a", "first")
    world.run(30)
    node, asker = node_of(world, "a"), known(world, "a", "b")
    old, fresh = node.gossip.repair, node.write("next")
    assert all(old.witnesses.holds(known(world, "a", name), fresh) for name in "bcdefgh"), "as we have, so far"
    post(world, "a", "second")
    assert not any(old.witnesses.holds(known(world, "a", name), fresh) for name in "bcdefgh")
    assert node.gossip.flood.wanted_by_many(fresh, LINK, asker)
    for name in "cdefgh":
        old.peer(known(world, "a", name)).tell(Change(log_handle(fresh.log), 2))
    assert not node.gossip.flood.wanted_by_many(fresh, LINK, asker)


def test_an_asker_that_has_nothing_left_makes_us_tell_nobody() -> None:
    world = crowd()
    world.run(20)
    node, asker = node_of(world, "a"), known(world, "a", "b")
    flood_of(world, "a")
    block = node_of(world, "c").write("next")
    row = BlockRecord(block.log, 1, block.id, block.content, block.signature, block.body or b"", BODY_HELD, POST, 0.0)
    request = Request(asker, LINK, [(block.log, 1, 1, False)])
    node.ctx.now, node.ctx.out = world.now, []
    while node.neighbours.pay(asker, LINK, 1000.0):
        pass
    node.gossip.serve._answer(LINK, [request], [row], set())
    assert not [waiting for waiting in node.outbox.waiting() if waiting.kind == "block"]
    node.ctx.now += 1.0
    node.gossip.serve._answer(LINK, [request], [row], set())
    (told,) = (waiting for waiting in node.outbox.waiting() if waiting.kind == "block")
    assert told.to == "", "it is told to all as soon as the asker can pay"


def test_what_the_flood_remembers_is_bounded() -> None:
    world = crowd()
    world.run(30)
    node, flood = node_of(world, "b"), flood_of(world, "b")
    node.ctx.now, node.ctx.out = world.now, []
    for number in range(REMEMBERED + 2):
        block = node_of(world, "a").write(f"{number} {LONG}")
        frame = flood._frame(block)
        put = Put(frame, len(encode_frame(frame)), 3, 3, b"", world.now, ())
        flood._note_item(block, LINK, put)
        flood._doubt(block, LINK, put, set())
    assert len(flood._items) == len(flood._doubts) == REMEMBERED

"""The parts of gossip one by one: beacons, flood, bodies, splits, serving, calling, sessions, and what is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from meshnode.core.chain.block import Block, compact_of, without_body, write_block
from meshnode.core.chain.fork import Adoption, prove
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.kinds import POST
from meshnode.core.chain.log import Log
from meshnode.core.chain.ranges import build_run
from meshnode.core.chain.reconcile import LISTED, Range
from meshnode.core.effects import Dial, Effect, Hangup, Persist, ReadStored, Send, SendRecord
from meshnode.core.gossip import admission as admission_module
from meshnode.core.gossip import beacon as beacon_module
from meshnode.core.gossip import bodies as bodies_module
from meshnode.core.gossip import peer as peer_module
from meshnode.core.gossip import repair as repair_module
from meshnode.core.gossip import serve as serve_module
from meshnode.core.gossip import wishes as wishes_module
from meshnode.core.gossip.beacon import ANSWER_BURST, BUSY, LONELY, REFUSING
from meshnode.core.gossip.flood import block_named, class_of
from meshnode.core.gossip.forks import Forks
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.peer import HOLD_OFF_MAX_S, MAX_RESOLVED, Peer
from meshnode.core.gossip.serve import MAX_BYTES, fork_frame, runs
from meshnode.core.gossip.session import STALLED_S
from meshnode.core.ids import PERSON_CHANNEL, LogId, NeighbourId, channel_id, log_handle
from meshnode.core.inputs import (
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    LinkChanged,
    PeerSeen,
    RecordReceived,
    SessionWritable,
    StationSeen,
    Stored,
    Tick,
)
from meshnode.core.neighbours.table import Heard, Neighbour
from meshnode.core.notices import ForkFound
from meshnode.core.records import BODY_HELD, BODY_MISSING, BlockRecord
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    Change,
    Delta,
    Done,
    Elements,
    ForkFrame,
    Frame,
    Heads,
    Ranges,
    Refs,
    RefWant,
    Run,
    SessionBeacon,
    Unknown,
    Want,
    Wish,
)
from support.gossip_node import GossipNode, agree, node_of, post, restart, village
from support.world import LINK, World


def pair(seed: int = 1, *, sessions: bool = True, settings: LinkSettings | None = None) -> World:
    world = village(seed, "ab", settings=settings)
    world.sessions_work = sessions
    world.join("a", "b")
    world.start()
    world.run(10)
    return world


def far(world: World, one: str, other: str) -> Neighbour:
    neighbour = node_of(world, one).neighbours.get(node_of(world, other).node)
    assert neighbour is not None
    return neighbour


def hear(
    world: World, name: str, source: str, *frames: Frame, pairwise: bool = True, bound: bool = True
) -> list[Effect]:
    """Give a node frames as if a neighbour had sent them; what it does at once."""
    node = node_of(world, name)
    node.ctx.now, node.ctx.out = world.now, []
    neighbour = far(world, name, source)
    heard = Heard(neighbour.id, neighbour, bound, LINK, source, not pairwise, frames, pairwise=pairwise, size=100)
    node.gossip.heard(heard)
    out = list(node.finish())
    world.perform(name, out)
    return out


def frames_sent(world: World, name: str, kind: type) -> list[Frame]:
    """Frames of one kind that others have heard from a node."""
    me = node_of(world, name).neighbours.me
    return [
        frame
        for other, seat in world.seats.items()
        if other != name and isinstance(seat.core, GossipNode)
        for heard in seat.core.heard
        if heard.sender == me
        for frame in heard.frames
        if isinstance(frame, kind)
    ]


def blocks_of(name: str, count: int, text: str = "post") -> list[Block]:
    node, blocks = GossipNode(name), list[Block]()
    for index in range(count):
        prev = blocks[-1].ref if blocks else bytes(20)
        blocks.append(
            write_block(
                node.log(), index + 1, prev, POST, f"{text} {index}".encode(), time=0,
                secret=node.keys.device_secret, sealer=node.ctx.sealer,
            )
        )  # fmt: skip
    return blocks


def written_as(name: str, *, cls: int) -> Block:
    """The first post of a new writer, in a class."""
    node = GossipNode(name)
    return write_block(
        node.log(), 1, bytes(20), POST, b"words", time=0, cls=cls,
        secret=node.keys.device_secret, sealer=node.ctx.sealer,
    )  # fmt: skip


def clone_of(blocks: list[Block], name: str, at: int) -> Block:
    """Another block at a seq where `blocks` has one already."""
    node = GossipNode(name)
    prev = blocks[at - 2].ref if at > 1 else bytes(20)
    return write_block(
        node.log(), at, prev, POST, b"another", time=0, secret=node.keys.device_secret, sealer=node.ctx.sealer
    )


def frame_of(block: Block, *, full: bool = True) -> BlockFrame:
    return BlockFrame(block.log if full else log_handle(block.log), compact_of(block, elide=False))


def row_of(block: Block, state: int = BODY_HELD) -> BlockRecord:
    body = block.body or b""
    return BlockRecord(block.log, block.seq, block.id, block.content, block.signature, body, state, block.kind, 0.0)


# beacons


def test_flags_say_busy_refusing_lonely() -> None:
    world = pair()
    node = node_of(world, "a")
    node.ctx.store_refusing = True
    node.outbox.backlog_s = lambda link: 1.0  # type: ignore[method-assign]
    world.run(60)
    assert [beacon.flags for beacon in frames_sent(world, "a", Beacon)][-1] == BUSY | REFUSING  # type: ignore[attr-defined]
    world.part("a", "b")
    world.run(300)
    before = world.air_frames["a"]
    world.run(60)
    assert 11 <= world.air_frames["a"] - before <= 15, "every five seconds and Trickle's"


def test_who_asks_is_answered_soon_but_not_for_ever() -> None:
    world = pair()
    world.run(300)
    before = world.air_frames["a"]
    digest = node_of(world, "a").gossip.logs.digest()
    for _ in range(40):
        hear(world, "a", "b", Beacon(1, 1, LONELY, digest, bytes(4)), pairwise=False)
        world.run(0.5)
    assert 4 <= world.air_frames["a"] - before <= ANSWER_BURST + 8


def test_links_that_go_are_forgotten() -> None:
    world = pair()
    node = node_of(world, "a")
    beacons = node.gossip.beacons
    world.feed("a", LinkChanged(LINK, None))
    beacons.reset(LINK)
    beacons.consistent(LINK, far(world, "a", "b"))
    beacons._unknown(LINK, far(world, "a", "b").id)
    beacons._bound(far(world, "a", "b"))
    beacons._lost(far(world, "a", "b"))
    hear(world, "a", "b", Unknown(0x70, b""))
    assert beacons.wakeup() is None
    world.feed("a", LinkChanged(LINK, LinkSettings()))
    world.feed("a", LinkChanged(LINK, LinkSettings()))
    assert beacons.wakeup() is not None
    beacons.hurry(1.0, "other link")


def test_of_two_links_the_one_that_is_due_first_wakes_us_whichever_came_first() -> None:
    node = GossipNode("a")
    beacons = node.gossip.beacons
    beacons.link_changed("one", True)
    due = beacons.wakeup()
    assert due is not None
    node.ctx.now = due - 1e-3
    beacons.link_changed("other", True)
    assert beacons.wakeup() == due
    beacons.link_changed("one", False)
    later = beacons.wakeup()
    assert later is not None
    assert later > due
    beacons.link_changed("third", True)
    beacons.hurry(1e-3, "third")
    soon = beacons.wakeup()
    assert soon is not None
    assert soon < later


def test_a_hello_on_a_link_where_no_beacons_are_made_yet_goes_alone() -> None:
    node = GossipNode("a")
    up = LinkChanged(LINK, LinkSettings())
    node.ctx.links[LINK] = LinkSettings()
    node.neighbours.link_changed(up)
    said = []
    for asked_by in ("", "fe80::b", "fe80::c"):
        node.ctx.now += 60.0
        if asked_by:
            node.neighbours._hellos.ask(LINK, node.ctx.now, asked_by)
        node.neighbours.tick()
        said.append([waiting.kind for waiting in node.outbox.waiting()])
        node.outbox.forget_link(LINK)
        if asked_by:
            node.gossip.link_changed(up)
    assert said == [["hello"], ["hello"], ["hello", "beacon"]], "to all, to who asked, and with a beacon beside it"


def test_a_new_station_at_a_radio_is_greeted_soon_and_a_few_times() -> None:
    world = pair()
    world.run(400)
    node = node_of(world, "a")
    before, began = len(frames_sent(world, "a", Beacon)), world.now
    world.feed("a", StationSeen(LINK))
    world.run(0.3)
    assert len(frames_sent(world, "a", Beacon)) == before + 1
    world.run(6)
    assert len(frames_sent(world, "a", Beacon)) >= before + 3
    for _ in range(10):
        world.feed("a", StationSeen(LINK))
    spent = node.gossip.beacons.wakeup()
    world.feed("a", StationSeen(LINK))
    world.feed("a", StationSeen("another link"))
    assert node.gossip.beacons.wakeup() == spent
    world.run(30)
    assert len(frames_sent(world, "a", Beacon)) <= before + 12
    assert world.now - began < 40


def test_what_is_remembered_of_ids_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beacon_module, "REMEMBERED", 2)
    world = pair()
    beacons = node_of(world, "a").gossip.beacons
    presences = far(world, "a", "b").presences
    for index in range(4):
        node_of(world, "a").ctx.now = world.now + 100.0 * index
        name = NeighbourId(index.to_bytes(6, "big"))
        beacons._unknown(LINK, name)
        beacons._lost(Neighbour(name, node_of(world, "b").node, presences=presences))
    assert len(beacons._new_ids) == len(beacons._gone) == 2


def test_what_is_remembered_of_greetings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beacon_module, "REMEMBERED", 2)
    world = village(44, "abcd")
    world.clique(*"abcd")
    world.start()
    world.run(20)
    node = node_of(world, "a")
    node.ctx.now = world.now
    for name in "bcd":
        neighbour = far(world, "a", name)
        node.neighbours.lose(neighbour, LINK)
        monkeypatch.setattr(node.neighbours, "unbound", lambda link, since: 0)
        node.gossip.beacons._greeted.pop(neighbour.id, None)
        assert node.gossip.beacons._greet(LINK, neighbour.id)
    assert list(node.gossip.beacons._greeted) == [far(world, "a", name).id for name in "cd"]


# flood


def test_classes_are_what_authors_signed_within_their_ring() -> None:
    block = blocks_of("w", 1)[0]
    assert [class_of(block._replace(cls=cls), 1) for cls in range(5)] == [3, 2, 2, 3, 4]
    assert [class_of(block._replace(cls=cls), 3) for cls in range(5)] == [3, 3, 3, 3, 4]
    assert [class_of(block._replace(cls=cls, kind=30), 1) for cls in range(5)] == [3, 3, 3, 3, 4]
    assert [class_of(block._replace(cls=cls, version=2), 1) for cls in range(5)] == [3, 3, 3, 3, 4]


def test_keys_of_queued_blocks_name_them() -> None:
    assert block_named(b"block" + b"i" * 16 + b"halow0") == b"i" * 16
    assert block_named(b"beacon") is None


def waits(world: World, name: str, block: Block) -> bool:
    """True while a copy of the block stands in the node's outbox."""
    return node_of(world, name).outbox.holds(b"block" + block.id[:16] + LINK.encode())


def test_who_heard_the_multicast_that_all_its_neighbours_heard_says_nothing() -> None:
    world = village(2, "abcd")
    world.clique(*"abcd")
    world.start()
    world.run(20)
    block = blocks_of("w", 1)[0]
    hear(world, "a", "b", frame_of(block), pairwise=False)
    assert not waits(world, "a", block)


def test_copies_of_the_unbound_and_unicast_ones_silence_nobody() -> None:
    world = village(2, "abcdef")
    world.clique(*"abcdef")
    world.start()
    world.run(20)
    block = blocks_of("w", 1)[0]
    hear(world, "a", "b", frame_of(block))
    assert waits(world, "a", block)
    for source in ("c", "d", "c"):
        hear(world, "a", source, frame_of(block), pairwise=False, bound=False)
    hear(world, "a", "d", frame_of(block))
    assert waits(world, "a", block)
    hear(world, "a", "c", frame_of(block), pairwise=False)
    assert not waits(world, "a", block)


def test_an_emergency_is_left_to_others_once_two_have_told_it_to_all() -> None:
    world = village(2, "abcde")
    world.clique(*"abcde")
    world.start()
    world.run(20)
    urgent = written_as("w", cls=1)
    hear(world, "a", "b", frame_of(urgent), pairwise=False)
    hear(world, "a", "c", frame_of(urgent))
    assert waits(world, "a", urgent), "one copy to all and one to us are not enough"
    hear(world, "a", "d", frame_of(urgent), pairwise=False)
    assert not waits(world, "a", urgent)


def test_an_uncovered_neighbour_keeps_us_from_being_silenced() -> None:
    world = village(3, "abcde")
    world.clique(*"abcd")
    world.join("a", "e")
    world.start()
    world.run(40)
    block = blocks_of("w", 1)[0]
    hear(world, "a", "b", frame_of(block), pairwise=False)
    hear(world, "a", "c", frame_of(block), pairwise=False)
    assert waits(world, "a", block)


def test_who_says_to_hear_everybody_covers_only_those_who_say_so_too() -> None:
    """A liar's beacon names E, which does not hear it: B, who alone reaches E, still tells it."""
    world = village(3, "abe")
    world.join("a", "b")
    world.join("b", "e")
    world.start()
    world.run(40)
    node, block = node_of(world, "b"), blocks_of("w", 1)[0]
    far(world, "b", "a").presences[LINK].echoes_heard[node_of(world, "e").neighbours.me[:2]] = node.ctx.now
    hear(world, "b", "a", frame_of(block), pairwise=False)
    assert waits(world, "b", block) or block in node_of(world, "e").blocks


def test_what_is_remembered_of_copies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from meshnode.core.gossip import flood as flood_module

    monkeypatch.setattr(flood_module, "REMEMBERED", 3)
    world = village(3, "abc")
    world.clique(*"abc")
    world.start()
    world.run(40)
    for block in blocks_of("w", 6):
        hear(world, "a", "b", frame_of(block))
    assert len(node_of(world, "a").gossip.flood._copies) == 3


def test_a_sole_forwarder_waits_no_longer_than_three_milliseconds() -> None:
    world = village(4, "abcd")
    for name in "bcd":
        world.join("a", name)
    world.start()
    world.run(40)
    post(world, "b", "hello")
    world.run(0.05)
    assert [len(node_of(world, name).blocks) for name in "acd"] == [1, 1, 1]


# bodies


def test_a_missing_body_is_wanted_from_one_holder_after_another() -> None:
    world = pair()
    block = blocks_of("w", 1)[0]
    hear(world, "a", "b", frame_of(without_body(block)))
    log = node_of(world, "a").gossip.logs.book.logs[block.log]
    assert log.state_at(1) == BODY_MISSING
    holder = node_of(world, "b")
    holder.ctx.out = []
    holder.gossip.logs._offer(block, promise=False)
    world.perform("b", holder.ctx.out)
    world.run(30)
    assert log.state_at(1) == BODY_HELD
    assert node_of(world, "a").blocks[-1].body == block.body
    world.run(100)
    assert node_of(world, "a").gossip.bodies._wanted == {}


def test_bodies_are_asked_for_after_a_restart_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "AT_ONCE", 4)
    monkeypatch.setattr(bodies_module, "MAX_WANTED", 8)
    world = pair()
    for writer in range(10):
        hear(world, "a", "b", frame_of(without_body(blocks_of(f"w{writer}", 1)[0])))
    node = restart(world, "a", epoch=2)
    assert len(node.gossip.bodies._wanted) == 8
    assert node.gossip.bodies.wakeup() is None, "nobody is there yet"
    world.run(40)
    assert len(node.gossip.bodies._wanted) == 8
    wants = [want for want in frames_sent(world, "a", Want) if want.wishes[0].bodies_only]  # type: ignore[attr-defined]
    assert max(len(want.wishes) for want in wants) == 4  # type: ignore[attr-defined]
    node.gossip.bodies._wanted[LogId(bytes(52))] = bodies_module.Wanted(0.0)
    node.ctx.now = world.now
    node.gossip.bodies.tick()
    assert LogId(bytes(52)) not in node.gossip.bodies._wanted
    monkeypatch.setattr(node.neighbours, "reachable", list)
    node.gossip.bodies.tick()


# splits


def test_a_split_is_proved_told_and_shown_everywhere() -> None:
    world = village(6, "abc")
    world.line(*"abc")
    world.start()
    world.run(20)
    blocks = blocks_of("w", 3)
    for block in blocks:
        hear(world, "a", "b", frame_of(block))
    world.run(10)
    assert agree(world, *"abc")
    hear(world, "c", "b", frame_of(clone_of(blocks, "w", 2)))
    world.run(60)
    for name in "abc":
        log = node_of(world, name).gossip.logs.book.logs[blocks[0].log]
        assert (log.head, log.forked) == (1, True)
        assert [n.seq for n in world.seats[name].notices if isinstance(n, ForkFound)] == [2]
    assert agree(world, *"abc")


def test_who_was_away_learns_of_the_split_when_it_asks_past_it() -> None:
    world = pair(7, sessions=False)
    blocks = blocks_of("w", 3)
    for block in blocks[:2]:
        hear(world, "a", "b", frame_of(block))
    world.run(10)
    world.part("a", "b")
    node = node_of(world, "a")
    node.ctx.out = []
    node.gossip.forks._convict(prove(blocks[1], clone_of(blocks, "w", 2)), b"")
    node.gossip.forks._convict(prove(blocks[1], clone_of(blocks, "w", 2)), b"")
    world.perform("a", node.ctx.out)
    world.run(300)
    world.join("a", "b")
    world.run(120)
    assert node_of(world, "b").gossip.logs.book.logs[blocks[0].log].forked
    assert agree(world, "a", "b")


def test_a_split_is_learnt_in_a_session_too() -> None:
    world = village(8, "ab")
    world.start()
    blocks = blocks_of("w", 2)
    for name in "ab":
        node = node_of(world, name)
        node.ctx.out = []
        for block in blocks:
            node.gossip.logs._offer(block, promise=False)
        if name == "a":
            node.gossip.forks._convict(prove(blocks[0], clone_of(blocks, "w", 1)), b"")
        node.gossip.logs.flush()
        world.perform(name, node.ctx.out)
    world.open_overlay("b", "a")
    world.run(5)
    log = node_of(world, "b").gossip.logs.book.logs[blocks[0].log]
    assert (log.head, log.forked) == (0, True)
    assert agree(world, "a", "b")


def test_a_log_split_at_its_first_block_is_not_opened_for_that() -> None:
    world = village(9, "ab")
    world.start()
    blocks = blocks_of("w", 1)
    node = node_of(world, "a")
    node.ctx.out = []
    node.gossip.logs._offer(blocks[0], promise=False)
    node.gossip.forks._convict(prove(blocks[0], clone_of(blocks, "w", 1)), b"")
    node.gossip.logs.flush()
    world.perform("a", node.ctx.out)
    world.open_overlay("b", "a")
    world.run(5)
    assert node_of(world, "b").heads() == {}
    peer = node_of(world, "b").gossip.repair.peer(far(world, "b", "a"))
    assert peer.agrees(node_of(world, "b").gossip.logs.digest()), "resolved: nothing wanted either way"


def test_reading_for_proofs_is_bounded_and_equal_blocks_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from meshnode.core.gossip import forks as forks_module

    world = pair()
    node, blocks = node_of(world, "a"), blocks_of("w", 1)
    node.gossip.logs._offer(blocks[0], promise=False)
    node.ctx.out = []
    node.gossip.forks.split(blocks[0])
    (read,) = [effect for effect in node.ctx.out if isinstance(effect, ReadStored)]
    assert node.gossip.stored(Stored(read.token, (row_of(blocks[0]),)))
    assert not node.gossip.logs.book.logs[blocks[0].log].forked
    assert not node.gossip.stored(Stored(1))
    monkeypatch.setattr(forks_module, "MAX_READING", 0)
    node.ctx.out = []
    node.gossip.forks.split(blocks[0])
    assert node.ctx.out == []


def test_an_adopted_branch_is_fetched_and_agreed_on() -> None:
    world = pair(10)
    blocks = blocks_of("w", 3)
    other = clone_of(blocks, "w", 2)
    for block in (blocks[0], other):
        hear(world, "a", "b", frame_of(block))
    for block in (blocks[0], blocks[1], other):
        hear(world, "b", "a", frame_of(block))
    world.run(20)
    assert all(node_of(world, name).gossip.logs.book.logs[other.log].forked for name in "ab")
    for name in "ab":
        node = node_of(world, name)
        node.ctx.now, node.ctx.out = world.now, []
        node.gossip.adopt(Adoption(other.log, 2, other.id))
        world.perform(name, node.finish())
    world.run(120)
    assert {node_of(world, name).heads()[other.log] for name in "ab"} == {2}
    assert agree(world, "a", "b")


# serving


def test_a_want_is_answered_in_runs_within_the_limits() -> None:
    world = pair(11)
    world.part("a", "b")
    for index in range(70):
        post(world, "a", "x" * 600 + str(index))
    world.run(30)
    log = node_of(world, "a").log()
    world.join("a", "b")
    before = len(frames_sent(world, "a", Run)) + len(frames_sent(world, "a", BlockFrame))
    hear(world, "a", "b", Want((Wish(log, 1, 64),)))
    world.run(3)
    served = [*frames_sent(world, "a", Run), *frames_sent(world, "a", BlockFrame)][before:]
    sizes = sum(len(encode_frame(frame)) for frame in served)
    assert 20_000 < sizes <= MAX_BYTES


def test_too_many_requests_and_empty_ones_are_not_answered() -> None:
    world = pair(12)
    post(world, "a", "hello")
    world.run(5)
    node, log = node_of(world, "a"), node_of(world, "a").log()
    heard = Heard(far(world, "a", "b").id, far(world, "a", "b"), True, LINK, "b", False, (), pairwise=True)
    want = Want((Wish(log, 1, 1),))
    serve = node.gossip.serve
    assert not serve.want(heard._replace(neighbour=None), want, False)
    assert not serve.want(heard, Want((Wish(b"none", 1, 1),)), False)
    assert not serve.want(heard, Want((Wish(log, 5, 3),)), False)
    assert serve.want(heard, want, True)
    assert serve.want(heard, want, True)
    assert not serve.want(heard, want, True)
    assert serve.wakeup() is not None
    node.gossip.repair.ref_want(heard, RefWant((b"none",)))


def test_what_two_want_goes_once_to_both() -> None:
    world = village(13, "abc")
    world.clique(*"abc")
    world.start()
    world.run(20)
    blocks = blocks_of("w", 5)
    node = node_of(world, "a")
    node.ctx.out = []
    for block in blocks:
        node.gossip.logs._offer(block, promise=False)
    node.gossip.logs.flush()
    world.perform("a", node.ctx.out)
    node.ctx.now, node.ctx.out = world.now, []
    for name in "bc":
        heard = Heard(far(world, "a", name).id, far(world, "a", name), True, LINK, name, False, (), pairwise=True)
        assert node.gossip.serve.want(heard, Want((Wish(blocks[0].log, 1, 5 if name == "b" else 2),)), True)
    before = world.air_frames["a"]
    world.perform("a", node.finish())
    world.run(0.5)
    assert len(node_of(world, "b").blocks) == 5
    assert len(node_of(world, "c").blocks) >= 2
    groups = [heard for heard in node_of(world, "c").heard if any(isinstance(f, Run) for f in heard.frames)]
    assert any(heard.multicast for heard in groups)
    assert world.air_frames["a"] - before < 8


def test_what_is_asked_for_often_goes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_module, "MAX_SENT", 1)
    world = pair(14)
    serve = node_of(world, "a").gossip.serve
    one, two = blocks_of("w", 2)
    node_of(world, "a").ctx.now = 0.0
    assert [serve._class(b"n", one) for _ in range(6)] == [3, 3, 3, 3, 4, 4]
    node_of(world, "a").ctx.now = 700.0
    assert serve._class(b"n", one) == 3
    serve._class(b"n", two)
    assert len(serve._sent) == 1


def test_runs_join_what_fits_and_large_ones_stand_alone() -> None:
    small, large = blocks_of("w", 4), blocks_of("v", 2, "x" * 2000)
    other = [small[0]._replace()]
    cut = list(runs([row_of(one) for one in (*small, *large)], 250, {large[0].log}))
    assert [type(frame).__name__ for frame, _, _ in cut] == ["Run", "Run", "BlockFrame", "BlockFrame"]
    assert all(size == len(encode_frame(frame)) for frame, size, _ in cut)
    assert all(size <= 250 for frame, size, _ in cut if isinstance(frame, Run))
    assert cut[-1][0].log == large[0].log  # type: ignore[union-attr]
    assert list(runs([], 400, ())) == []
    (dropped,) = runs([row_of(other[0], BODY_MISSING)], 400, ())
    assert dropped[0].block.body is None  # type: ignore[union-attr]


def test_answers_for_who_left_are_dropped() -> None:
    world = pair(15)
    post(world, "a", "hello")
    world.run(5)
    node, serve = node_of(world, "a"), node_of(world, "a").gossip.serve
    row = row_of(node.write("x"))
    serve._send(LINK, (b"n" * 32,), [row], set(), Counter())
    serve._send("gone", (node_of(world, "b").node,), [row], set(), Counter())
    serve._answer(LINK, [], [row], set())
    assert serve._ring(LogId(bytes(52))) == 3


# repair


def test_a_peers_memory_is_bounded_and_keeps_the_highest_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer()
    peer.tell(Change(b"aaaa", 5))
    peer.tell(Change(b"aaaa", 3))
    assert peer.told[b"aaaa"].head == 5
    peer.tell(Change(b"aaaa", 2, True))
    assert peer.told[b"aaaa"] == Change(b"aaaa", 2, True)
    monkeypatch.setattr(peer_module, "MAX_TOLD", 2)
    for index in range(3):
        peer.tell(Change(bytes([index]) * 4, 1))
    assert len(peer.told) == 2
    for index in range(MAX_RESOLVED + 1):
        peer.resolve(bytes([index]), b"ours")
    assert len(peer.resolved) == MAX_RESOLVED
    waits = [peer.hold_off() for _ in range(12)]
    assert (waits[0], waits[1], waits[-1]) == (10.0, 20.0, HOLD_OFF_MAX_S)
    monkeypatch.setattr(peer_module, "MAX_WITNESSED", 1)
    assert peer.witness(LogId(b"a" * 52), 3)
    assert not peer.witness(LogId(b"a" * 52), 3)
    assert peer.witness(LogId(b"b" * 52), 1)
    assert peer.witness(LogId(b"a" * 52), 1), "forgotten: the table is bounded"


def test_what_is_not_bound_is_not_believed() -> None:
    world = pair(16)
    repair = node_of(world, "a").gossip.repair
    heard = Heard(NeighbourId(b"zzzzzz"), None, False, LINK, "z", True, ())
    repair.beacon(heard, Beacon(1, 1, 0, b"x" * 8, bytes(4)))
    repair.delta(heard, Delta(b"x" * 8, ()))
    repair.gap(heard, b"hand", 3)
    repair.refs(heard, Refs((LogId(bytes(52)),)))
    repair.witnesses.ask(LogId(bytes(52)))
    node_of(world, "a").gossip._want(heard, Want((Wish(b"hand", 1, 1),)))
    assert list(repair.peers) == [node_of(world, "b").node]


def test_memory_of_peers_and_refs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair_module, "MAX_PEERS", 1)
    monkeypatch.setattr(wishes_module, "MAX_REFS", 1)
    world = village(17, "abc")
    world.clique(*"abc")
    world.start()
    world.run(20)
    repair = node_of(world, "a").gossip.repair
    assert len(repair.peers) == 1
    logs = [LogId(bytes([index]) * 52) for index in range(2)]
    for log in logs:
        repair.new_items(Heard(NeighbourId(b"nobody"), None, False, LINK, "x", True, ()), log, 1)
    assert list(repair.wishes._flowing) == logs[1:]
    repair.wishes._asked_refs = dict.fromkeys(map(log_handle, logs), 0.0)
    hear(world, "a", "b", Refs((*logs, LogId(b"x" * 52))))
    assert list(repair.wishes._refs.values()) == logs[1:], "what was not asked for is not kept, nor more than fits"
    for log in logs:
        repair.gap(Heard(NeighbourId(b"bbbbbb"), far(world, "a", "b"), True, LINK, "b", True, ()), log, 4)
    assert list(repair.wishes._refs.values()) == logs[1:]


def test_an_unknown_handle_leads_to_its_log() -> None:
    world = pair(18, sessions=False)
    world.part("a", "b")
    for index in range(3):
        post(world, "a", f"old {index}")
    world.run(30)
    world.join("a", "b")
    world.run(1)
    node = node_of(world, "a")
    block = node.write("newest")
    hear(world, "b", "a", frame_of(block, full=False))
    world.run(3)
    assert [one.body for one in node_of(world, "b").blocks] == [b"old 0", b"old 1", b"old 2"]


def test_claims_that_nothing_comes_of_are_believed_less_and_less() -> None:
    world = pair(40)
    post(world, "b", "hello")
    world.run(20)
    log = node_of(world, "b").gossip.logs.book.logs[node_of(world, "b").log()]
    claim = Beacon(1, 1, 0, b"another!", bytes(4), (), (Change(log.handle, 9), Change(b"none", 2)))
    before = world.air_bytes["a"]
    for _ in range(600):
        hear(world, "a", "b", claim, pairwise=False)
        world.run(6)
    assert (world.air_bytes["a"] - before) / 60 < 900
    post(world, "b", "still heard")
    world.run(5)
    assert [block.body for block in node_of(world, "a").blocks] == [b"hello", b"still heard"]
    assert node_of(world, "a").gossip.repair.peer(far(world, "a", "b")).hold_off_s == 0.0


def test_a_refused_handle_is_not_asked_for() -> None:
    world = pair(19)
    node = node_of(world, "a")
    block = blocks_of("w", 1)[0]
    node.gossip.logs.admission.refuse(block.log)
    peer = node.gossip.repair.peer(far(world, "a", "b"))
    peer.tell(Change(log_handle(block.log), 4))
    assert node.gossip.repair.wishes.of(peer) == ([], [])
    node.gossip.repair.wishes._refs[log_handle(block.log)] = block.log
    assert node.gossip.repair.wishes.of(peer) == ([], [])
    held = blocks_of("v", 1)[0]
    node.gossip.logs._offer(held, promise=False)
    node.gossip.logs.admission.refuse(held.log)
    peer.tell(Change(log_handle(held.log), 4))
    assert node.gossip.repair.wishes.of(peer) == ([], [])


def test_unknown_handles_cost_no_look_at_every_refused_log(monkeypatch: pytest.MonkeyPatch) -> None:
    world = pair(41)
    node = node_of(world, "a")
    for number in range(300):
        node.gossip.logs.admission.refuse(LogId(number.to_bytes(52, "big")))
    peer = node.gossip.repair.peer(far(world, "a", "b"))
    for number in range(100):
        peer.tell(Change(number.to_bytes(4, "big"), 1))
    hashed = Counter[str]()
    for module in (repair_module, wishes_module, admission_module):
        monkeypatch.setattr(module, "log_handle", lambda log: bytes([hashed.update(["times"]) or 1]) * 4)
    assert len(node.gossip.repair.wishes.of(peer)[1]) == 100
    node.gossip.repair.telling.note_complete(peer)
    assert not hashed["times"]


def test_what_was_asked_for_in_vain_is_forgotten() -> None:
    world = pair(42)
    repair, neighbour = node_of(world, "a").gossip.repair, far(world, "a", "b")
    for number in range(20):
        node_of(world, "a").ctx.now = world.now + 10 * number
        repair._want(neighbour, Peer(), [], [number.to_bytes(4, "big")])
    assert len(repair.wishes._asked_refs) == 1


def test_wishes_fit_a_datagram_and_an_answer() -> None:
    world = pair(20)
    repair = node_of(world, "a").gossip.repair
    many = [(LogId(bytes(52)), Wish(bytes(52), 1, 1)) for _ in range(100)]
    assert len(repair.wishes.fitting(many, 350)) == 5
    assert len(repair.wishes.fitting([(LogId(bytes(52)), Wish(b"hand", 1, 60))] * 5, 1000)) == 2


def test_a_lower_look_for_a_split_is_asked_for() -> None:
    world = pair(21)
    node = node_of(world, "a")
    blocks = blocks_of("w", 4)
    for block in blocks:
        node.gossip.logs._offer(block, promise=False)
    log = node.gossip.logs.book.logs[blocks[0].log]
    log.suspect = 4
    found = node.gossip.repair.wishes._wish_for(log, Change(log.handle, 4))
    assert [(wish.first, wish.count) for wish in found] == [(1, 3)]
    twin = blocks_of("v", 1)[0]
    node.gossip.logs._offer(twin, promise=False)
    node.gossip.logs.book._by_handle[log.handle].append(node.gossip.logs.book.logs[twin.log])
    assert node.gossip.repair.wishes._wish_for(log, Change(log.handle, 9))[0].log == log.id


def test_deltas_are_answered_once() -> None:
    world = pair(22)
    post(world, "a", "hello")
    world.run(20)
    before = len(frames_sent(world, "a", Delta))
    lie = Delta(b"l" * 8, (Change(node_of(world, "a").gossip.logs.book.logs[node_of(world, "a").log()].handle, 0),))
    for _ in range(5):
        hear(world, "a", "b", lie)
        world.run(0.2)
    assert len(frames_sent(world, "a", Delta)) - before <= 2


def test_deltas_reach_a_small_link_page_by_page() -> None:
    world = pair(23, sessions=False, settings=LinkSettings(384, 384))
    world.part("a", "b")
    node = node_of(world, "a")
    node.ctx.out = []
    for index in range(60):
        node.gossip.logs._offer(blocks_of(f"w{index}", 1)[0], promise=False)
    node.gossip.logs.flush()
    world.perform("a", node.ctx.out)
    world.run(30)
    world.join("a", "b")
    world.run(400)
    assert agree(world, "a", "b")


# calling


def test_of_two_link_neighbours_the_lower_id_calls() -> None:
    world = pair(24)
    lower, higher = sorted("ab", key=lambda name: node_of(world, name).neighbours.me)
    for name, insist, called in ((lower, False, True), (higher, False, False), (higher, True, True)):
        node = node_of(world, name)
        node.ctx.out = []
        other = higher if name == lower else lower
        assert node.gossip.dialler.want_link(far(world, name, other), insist) is called
        assert any(isinstance(effect, Dial) for effect in node.ctx.out) is called
    node = node_of(world, lower)
    node.ctx.out = []
    assert node.gossip.dialler.want_link(far(world, lower, higher), False), "it is being called"
    node.gossip.dial_failed(DialFailed(higher, "no"))
    node.gossip.dial_failed(DialFailed("stranger", "no"))
    assert not node.gossip.dialler.want_link(far(world, lower, higher), True), "not now"
    assert node.ctx.out == []
    node.neighbours.lose(far(world, lower, higher), LINK)
    assert not node.gossip.dialler.want_link(far(world, lower, higher), True)


def test_a_peer_with_an_open_session_is_not_called() -> None:
    world = village(25, "ab")
    world.start()
    world.open_overlay("a", "b")
    world.feed("a", PeerSeen("b", "overlay"))
    world.feed("a", PeerSeen("b", "link"))
    world.run(60)
    assert node_of(world, "a").neighbours.session_peers() == [far(world, "a", "b")], "one session, the first"
    world.feed("a", EncounterEnded(99))


def test_an_overlay_peer_that_a_link_reaches_is_let_go_and_called_again_when_it_is_lost_there() -> None:
    world = pair(26)
    world.feed("a", PeerSeen("b", "overlay"))
    world.run(5)
    assert node_of(world, "a").neighbours.session_peers() == [far(world, "a", "b")]
    world.run(60)
    assert node_of(world, "a").neighbours.session_peers() == []
    world.run(600)
    assert node_of(world, "a").neighbours.session_peers() == [], "and not called again"
    world.part("a", "b")
    world.run(1500)
    assert node_of(world, "a").neighbours.session_peers() == [far(world, "a", "b")]


def test_a_far_end_that_we_never_call_is_not_called_because_it_said_when_it_opens() -> None:
    node = GossipNode("a")
    dialler = node.gossip.dialler
    dialler.postpone("200::b", 60.0)
    assert dialler.wakeup() is None
    dialler.peer_seen(PeerSeen("200::b", "overlay", uplink=True))
    due = dialler.wakeup()
    assert due is not None
    assert due < 5.0
    node.ctx.now, node.ctx.out = due, []
    dialler.tick()
    assert node.ctx.out == [Dial("200::b", "overlay", "")], "as a peer that came later it owes us no wait"


# sessions


def session(seed: int = 30, posts: int = 0) -> World:
    """a and b with an open overlay session; b dialled."""
    world = village(seed, "ab")
    world.start()
    for index in range(posts):
        post(world, "a", f"post {index}")
    world.open_overlay("b", "a")
    return world


def record(world: World, name: str, *frames: Frame) -> list[Frame]:
    """Give a node a record on its only session; what it says at once."""
    node = node_of(world, name)
    (number,) = node.neighbours._sessions
    node.ctx.out = []
    said = []
    for frame in frames:
        for effect in node.step(RecordReceived(number, encode_frame(frame)), world.now):
            if isinstance(effect, SendRecord):
                said += decode_frames_untrusted(effect.data)
    return said


def test_parcels_bring_blocks_and_nothing_else() -> None:
    world = village(31, "ab")
    world.start()
    blocks = blocks_of("w", 3)
    world.feed("a", EncounterBegan(5, node_of(world, "b").node, "parcel", "", False))
    run = Run(blocks[0].log, 1, build_run(blocks))
    others = (Want((Wish(blocks[0].log, 1, 3),)), Done(bytes(8)), SessionBeacon(bytes(8), bytes(4)))
    assert record(world, "a", run, *others) == []
    assert len(node_of(world, "a").blocks) == 3


def test_impossible_ranges_are_refused() -> None:
    world = session()
    world.run(5)
    lie = Ranges(b"lies", (Range(b"b", LISTED), Range(b"a", LISTED)))
    record(world, "a", lie)
    assert node_of(world, "a").ctx.counters["frame_refused"] == 1
    record(world, "a", Elements(b"none", (b"12345",)), Unknown(0x71, b""))


def test_a_peer_that_promises_and_never_delivers_is_given_up() -> None:
    world = session()
    world.run(5)
    log = blocks_of("w", 1)[0].log
    said = record(world, "a", Heads((Element(log, 5, False),)))
    assert [type(frame) for frame in said] == [Want]
    world.seats["a"].core.step(Tick(), world.now)
    world.rewake("a")
    world.run(STALLED_S + 1)
    sync = next(iter(node_of(world, "a").gossip.sessions._open.values()))
    assert sync.wanted == {}
    assert sync.done


def test_a_refused_log_is_not_wanted() -> None:
    world = session()
    world.run(5)
    log = blocks_of("w", 1)[0].log
    node_of(world, "a").gossip.logs.admission.refuse(log)
    assert record(world, "a", Heads((Element(log, 5, False),))) == []


def test_a_slow_peer_is_not_flooded() -> None:
    world = village(32, "ab")
    for index in range(1200):
        node = node_of(world, "a")
        node.ctx.out = []
        node.gossip.logs.take_own(node.write("x" * 200 + str(index)))
        world.perform("a", node.ctx.out)
    world.start()
    node = node_of(world, "a")
    world.feed("a", EncounterBegan(5, node_of(world, "b").node, "overlay", "200::b", False))
    sent = 0

    def step(happened: object) -> list[Effect]:
        nonlocal sent
        out = node.step(happened, world.now)  # type: ignore[arg-type]
        sent += sum(len(effect.data) for effect in out if isinstance(effect, SendRecord))
        return out

    todo = step(RecordReceived(5, encode_frame(Want((Wish(node.log(), 1, 1200),)))))
    while reads := [effect for effect in todo if isinstance(effect, ReadStored)]:
        wanted = [(log, seq) for log, first, count in reads[0].blocks for seq in range(first, first + count)]
        rows = tuple(world.seats["a"].disk.rows[(BlockRecord, key)] for key in wanted)
        todo = step(Stored(reads[0].token, rows))  # type: ignore[arg-type]
    assert 100_000 < sent < 200_000
    assert any(isinstance(effect, ReadStored) for effect in step(SessionWritable(5, 0)))
    step(SessionWritable(77, 0))


def test_sessions_on_the_link_end_when_both_are_done() -> None:
    world = village(33, "ab")
    world.start()
    node = node_of(world, "a")
    out = node.step(EncounterBegan(5, node_of(world, "b").node, "link", "b", True), 0.0)
    assert [type(effect) for effect in out if isinstance(effect, SendRecord)] == [SendRecord]
    assert node.gossip.sessions.compare(far(world, "a", "b")), "a round is running"
    out = node.step(RecordReceived(5, encode_frame(Done(node.gossip.logs.digest()))), 1.0)
    assert [effect.session for effect in out if isinstance(effect, Hangup)] == [5]
    node.step(EncounterEnded(5), 2.0)
    assert not node.gossip.sessions.compare(far(world, "a", "b"))
    node.step(RecordReceived(5, b""), 3.0)
    node.gossip.sessions.arrived(5, ())
    node.gossip.sessions.frame_untrusted(Heard(far(world, "a", "b").id, None, False, "", "", False, ()), Done(bytes(8)))


def test_rounds_are_forgotten_when_both_are_done() -> None:
    world = session(34, posts=3)
    syncs = [sync for name in "ab" for sync in node_of(world, name).gossip.sessions._open.values()]
    assert any(sync.rounds for sync in syncs)
    world.run(5)
    assert all(sync.settled and not sync.rounds for sync in syncs)
    assert agree(world, "a", "b")


def test_a_second_difference_begins_a_second_round() -> None:
    world = session(34, posts=3)
    world.run(5)
    assert agree(world, "a", "b")
    blocks = blocks_of("w", 2)
    node = node_of(world, "b")
    node.ctx.out = []
    for block in blocks:
        node.gossip.logs._offer(block, promise=False)
    node.gossip.logs.flush()
    world.perform("b", node.ctx.out)
    world.run(60)
    assert agree(world, "a", "b")
    assert node_of(world, "a").gossip.covered_by(blocks[0].log, 2) == [far(world, "a", "b")]
    assert node_of(world, "a").gossip.sessions.compare(far(world, "a", "b"))
    world.run(5)
    for nonce in range(6):
        record(world, "a", Ranges(nonce.to_bytes(4, "big"), ()))
    sync = next(iter(node_of(world, "a").gossip.sessions._open.values()))
    assert len(sync.rounds) == 4


def test_logs_that_share_a_rounds_handle_are_told_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    from meshnode.core.gossip import session as session_module

    class Colliding(session_module.Round):
        """Every log has the same handle."""

        def _add(self, handle: bytes, element: Element) -> None:
            super()._add(b"same!", element)

        def handle_of(self, log: LogId) -> bytes:
            return b"same!"

    monkeypatch.setattr(session_module, "Round", Colliding)
    world = village(35, "ab")
    world.start()
    node = node_of(world, "a")
    node.ctx.out = []
    for name in ("u", "v", "w"):
        node.gossip.logs._offer(blocks_of(name, 1)[0], promise=False)
    node.gossip.logs.flush()
    world.perform("a", node.ctx.out)
    world.open_overlay("b", "a")
    world.run(10)
    assert agree(world, "a", "b")


def test_a_session_that_breaks_is_followed_by_another_try() -> None:
    world = pair(36)
    node = node_of(world, "a")
    world.feed("a", EncounterBegan(5, node_of(world, "b").node, "link", "b", True))
    world.feed("a", EncounterEnded(5))
    peer = node.gossip.repair.peer(far(world, "a", "b"))
    assert peer.check_at is not None


# what is refused


def test_a_block_that_does_not_verify_costs_its_sender() -> None:
    world = pair(37)
    fined: list[int] = []
    node = node_of(world, "a")
    real = node.neighbours.fine
    node.neighbours.fine = lambda heard, size: (fined.append(size), real(heard, size))[1]  # type: ignore[method-assign]
    block = blocks_of("w", 2)[0]
    hear(world, "a", "b", BlockFrame(block.log, compact_of(block, elide=False)._replace(signature=bytes(64))))
    assert len(fined) == 1
    assert node.ctx.counters["block_refused"] == 1
    blocks = blocks_of("v", 3)
    run = list(build_run(blocks))
    run[1] = run[1]._replace(signature=bytes(64))
    hear(world, "a", "b", Run(blocks[0].log, 1, tuple(run)))
    assert [one.seq for one in node.blocks] == [1], "those before it stand"
    bad = ForkFrame(blocks[0].log, blocks[0].content, bytes(64), blocks[0].content, bytes(64))
    hear(world, "a", "b", bad)
    assert node.ctx.counters["frame_refused"] == 1


def test_a_proof_from_the_air_freezes_and_goes_on() -> None:
    world = pair(38)
    blocks = blocks_of("w", 2)
    hear(world, "a", "b", frame_of(blocks[0]), frame_of(blocks[1]))
    proof = prove(blocks[1], clone_of(blocks, "w", 2))
    hear(world, "a", "b", fork_frame(proof))
    hear(world, "a", "b", fork_frame(proof))
    assert node_of(world, "a").gossip.logs.book.logs[proof.log].frozen_at == 2
    assert len([notice for notice in world.seats["a"].notices if isinstance(notice, ForkFound)]) == 1


def test_frames_of_other_parts_pass_by() -> None:
    world = pair(39)
    assert [effect for effect in hear(world, "a", "b", Unknown(0x44, b"")) if isinstance(effect, Send | Persist)] == []


def test_a_gossip_without_listeners_still_takes_blocks() -> None:
    from meshnode.core.gossip.gossip import Gossip

    node = GossipNode("a", settings=Settings())
    gossip = Gossip(node.ctx, node.neighbours, node.outbox, node.rings)
    block = blocks_of("w", 1)[0]
    heard = Heard(NeighbourId(b"zzzzzz"), None, False, LINK, "z", True, (frame_of(block),))
    gossip.heard(heard)
    mine = GossipNode("a").write("mine")
    gossip.logs.take_untrusted(mine.log, compact_of(mine, elide=False), heard)
    gossip.repair.witnesses.on_covered(Neighbour(NeighbourId(b"zzzzzz"), node.node), block.log, 1)
    assert gossip.beacons.envelope_digest() == gossip.sessions.envelope_digest() == bytes(4)
    assert not gossip.beacons.carrying()
    assert block.log in gossip.logs.book


# corners


def test_a_later_large_block_is_asked_for_in_order_and_a_person_log_has_its_place() -> None:
    world = pair(41)
    gate = node_of(world, "a").gossip.logs.admission
    later = blocks_of("w", 2, "x" * 1200)[1]
    assert not gate.admits(later.log, compact_of(later, elide=False), b"hop")
    assert not gate.refuses(later.log), "no fault of its log"
    device = GossipNode("w")
    for name in ("one", "two"):
        gate.opened(device.log(channel_id(name)), world.now)
    third, person = device.log(channel_id("three")), device.log(PERSON_CHANNEL)
    small = compact_of(blocks_of("w", 1)[0], elide=False)
    assert gate.admits(person, small, b"hop")
    gate.opened(person, world.now)
    assert not gate.admits(third, small, b"hop")


def test_our_own_log_split_is_told_to_us() -> None:
    world = pair(42)
    node, told = node_of(world, "a"), list[bool]()
    post(world, "a", "one")
    node.gossip.forks.on_own()
    node.gossip.forks.on_own = lambda: told.append(True)
    ours = node.write("two")
    post(world, "a", "another two")
    hear(world, "a", "b", frame_of(ours))
    world.run(1)
    assert told == [True]


def test_a_refused_block_is_neither_new_nor_asked_for() -> None:
    world = pair(43)
    block = blocks_of("w", 1)[0]
    node = node_of(world, "a")
    node.gossip.logs.admission.refuse(block.log)
    hear(world, "a", "b", frame_of(block), Run(block.log, 1, build_run([block])))
    assert node.blocks == []
    assert node.gossip.repair.peer(far(world, "a", "b")).told == {}


def test_blocking_a_contact_drops_what_it_wrote() -> None:
    node, keys, block = GossipNode("a"), GossipNode("w").keys, blocks_of("w", 1)[0]
    node.rings.device_known(keys.device, keys.persona)
    node.rings.contact_set(keys.persona, False)
    node.gossip.logs._offer(block, promise=False)
    assert node.gossip.logs.book.logs[block.log].ring == 1
    node.rings.contact_set(keys.persona, True)
    assert block.log not in node.gossip.logs.book


def test_deltas_for_all_vouch_for_nothing_and_settled_ones_are_not_answered() -> None:
    world = pair(44)
    post(world, "a", "hello")
    world.run(30)
    node, log = node_of(world, "a"), node_of(world, "a").gossip.logs.book.logs[node_of(world, "a").log()]
    repair, peer = node.gossip.repair, node.gossip.repair.peer(far(world, "a", "b"))
    covered = len(node.covered)
    peer.witnessed.clear()
    hear(world, "a", "b", Delta(node.gossip.logs.digest(), (Change(log.handle, 1),)), pairwise=False)
    assert len(node.covered) == covered
    peer.delta_at = -100.0
    before = len(frames_sent(world, "a", Delta))
    hear(world, "a", "b", Delta(node.gossip.logs.digest(), (Change(b"none", 1),)))
    peer.resolve(b"theirs..", node.gossip.logs.digest())
    hear(world, "a", "b", Delta(b"theirs..", ()))
    world.run(1)
    assert len(frames_sent(world, "a", Delta)) == before
    assert peer.check_at is None
    peer.check_at = world.now
    node.neighbours.lose(far(world, "a", "b"), LINK)
    node.ctx.now = world.now
    repair.tick()
    assert peer.check_at is None
    alone = repair_module.Repair(node.ctx, node.neighbours, node.gossip.logs, node.gossip.beacons)
    assert not alone.want_session(far(world, "a", "b"), True)
    alone.witnesses.on_covered(far(world, "a", "b"), log.id, 1)


def test_a_difference_that_passes_in_time_begins_no_round() -> None:
    world = session(45, posts=1)
    world.run(5)
    node = node_of(world, "a")
    world.feed("a", EncounterBegan(99, GossipNode("c").node, "overlay", "200::c", False))
    assert node.gossip.sessions.compare(node.neighbours.session_peers()[1])
    sync = next(iter(node.gossip.sessions._open.values()))
    log = blocks_of("w", 2)[0].log
    number = sync.id
    for _ in range(2):
        node.step(RecordReceived(number, encode_frame(SessionBeacon(b"another!", bytes(4)))), world.now)
    due = sync.differs_at
    assert due is not None
    node.gossip.repair.peer(sync.neighbour).resolve(b"another!", node.gossip.logs.digest())
    world.run(10)
    assert sync.differs_at is None
    assert not sync.comparing
    for _ in range(2):
        node.step(RecordReceived(number, encode_frame(Heads((Element(log, 2, False),)))), world.now)
    other = blocks_of("v", 1)[0].log
    out = node.step(RecordReceived(number, encode_frame(Heads((Element(other, 1, False),)))), world.now)
    wants = [decode_frames_untrusted(effect.data)[0] for effect in out if isinstance(effect, SendRecord)]
    assert wants == [Want((Wish(other, 1, 1),))], "what was asked for is not asked for again"


def test_company_on_other_links_is_their_affair() -> None:
    world = pair(46)
    beacons = node_of(world, "a").gossip.beacons
    elsewhere = Neighbour(NeighbourId(b"zzzzzz"), GossipNode("z").node)
    elsewhere.presences["gone"] = replace(far(world, "a", "b").presences[LINK])
    before = beacons._airs[LINK].changed_at
    beacons._lost(elsewhere)
    beacons._bound(elsewhere)
    assert beacons._airs[LINK].changed_at == before


def test_who_takes_again_what_it_refused_looks_at_all_anew() -> None:
    world = pair(47)
    repair = node_of(world, "a").gossip.repair
    peer = repair.peer(far(world, "a", "b"))
    peer.resolve(b"theirs..", b"ours....")
    peer.acts, peer.hold_off_s, peer.check_at = 5, 80.0, None
    peer.frontier = b"theirs.."
    repair.peers[b"nobody"] = Peer()
    repair.reconsider()
    assert peer.resolved == {}
    assert peer.acts == 0
    assert peer.check_at is not None
    assert repair.peers[b"nobody"].check_at is None


def test_a_parcel_is_written_page_by_page_and_since_a_moment() -> None:
    from meshnode.core.gossip.export import Export

    node, blocks = GossipNode("a"), blocks_of("w", 3)
    for block in blocks:
        node.gossip.logs._offer(block, promise=False)
    node.gossip.logs.convict(prove(blocks[2], clone_of(blocks, "w", 3)))
    export = Export(node.ctx, node.gossip.logs)
    assert not export.stored(Stored(7))
    node.ctx.out = []
    export.begin(5, 1.0)
    proof, read = node.ctx.out
    assert isinstance(proof, SendRecord)
    assert isinstance(decode_frames_untrusted(proof.data)[0], ForkFrame)
    assert isinstance(read, ReadStored)
    assert read.blocks == ((blocks[0].log, 1, 2),)
    node.ctx.out = []
    old, new = row_of(blocks[0]), replace(row_of(blocks[1]), received_at=2.0)
    assert export.stored(Stored(read.token, (old, new)))
    sent, over = node.ctx.out
    assert isinstance(sent, SendRecord)
    (frame,) = decode_frames_untrusted(sent.data)
    assert isinstance(frame, BlockFrame)
    assert (frame.log, frame.block.seq) == (blocks[0].log, 2)
    assert over == Hangup(5)


def test_a_difference_that_stands_already_is_looked_at_when_it_was_to_be() -> None:
    world = session(43)
    world.run(5)
    (sync,) = node_of(world, "a").gossip.sessions._open.values()
    record(world, "a", SessionBeacon(b"another!", bytes(4)))
    due = sync.differs_at
    world.run(1)
    record(world, "a", SessionBeacon(b"another?", bytes(4)))
    assert sync.differs_at == due is not None


def test_a_difference_that_was_settled_vouches_for_nothing() -> None:
    """Both said that they want nothing of each other; their heads differ all the same."""
    world = session(45, posts=2)
    world.run(5)
    node, (sync,) = node_of(world, "a"), node_of(world, "a").gossip.sessions._open.values()
    node.gossip.repair.peer(sync.neighbour).resolve(b"another!", node.gossip.logs.digest())
    node.covered.clear()
    record(world, "a", SessionBeacon(b"another!", bytes(4)))
    assert sync.differs_at is None
    assert not node.covered


def test_bodies_that_nobody_missed_change_nothing() -> None:
    node = GossipNode("a")
    node.gossip.bodies.came(node.log())
    assert node.gossip.bodies.wakeup() is None


def test_forks_and_logs_alone_mind_nothing() -> None:
    node = GossipNode("a")
    forks = Forks(node.ctx, node.neighbours, node.gossip.logs, node.rings)
    log = Log(node.log())
    forks.on_proven(log)
    forks.on_own()
    assert forks.holders(log) == []
    logs = Logs(node.ctx, node.rings)
    logs.on_own_ahead(node.write("words"))
    logs.on_pardoned()
    for told in (logs.on_split, logs.on_wanted, logs.on_evicted):
        told(node.log())


def test_who_was_greeted_often_enough_is_not_greeted_again() -> None:
    world = village(44, "ab")
    world.start()
    world.join("a", "b")
    world.run(5)
    node, neighbour = node_of(world, "a"), far(world, "a", "b")
    node.ctx.now = world.now
    node.neighbours.lose(neighbour, LINK)
    node.gossip.beacons._greeted.clear()
    while node.neighbours.greet(LINK, "fe80::x"):
        pass
    assert not node.gossip.beacons._greet(LINK, neighbour.id)
    assert not node.gossip.beacons._greeted

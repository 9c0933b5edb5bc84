"""Neighbours: met, bound, lost; what is believed of whom; and which way things go out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.airtime.outbox import Outgoing
from meshnode.core.effects import Send, SendRecord
from meshnode.core.ids import NeighbourId, NodeKey
from meshnode.core.inputs import (
    EncounterBegan,
    EncounterEnded,
    FrameReceived,
    LinkChanged,
    PeerSeen,
    RecordReceived,
)
from meshnode.core.neighbours import greetings
from meshnode.core.neighbours.echoes import echo_hash
from meshnode.core.neighbours.epochs import EPOCH_FACT
from meshnode.core.neighbours.fragments import item_id
from meshnode.core.neighbours.hello import HelloPacing
from meshnode.core.neighbours.neighbour import FOREVER, Presence
from meshnode.core.neighbours.receive import NOBODY, Receiver
from meshnode.core.neighbours.roster import MAX_BOUND, MAX_KNOWN, SILENT_S, Roster
from meshnode.core.neighbours.table import JITTER_S, YIELDS_S, Heard, Neighbour, Neighbours
from meshnode.core.notices import NeighbourChanged, PeerChanged, Warned
from meshnode.core.records import FactRecord, NeighbourRecord
from meshnode.core.sealing.link import COUNTER_END, LinkHeader, LinkSeal
from meshnode.core.sealing.mesh import closed_mesh, with_secret
from meshnode.core.sealing.seeded import SeededSealer
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.codec import encode_frame, encode_frames
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    Delta,
    Done,
    Echo,
    EnvelopeFrame,
    Fragment,
    FragmentWant,
    Frame,
    RefWant,
    Unknown,
    Want,
    Wish,
)
from support.gossip_node import MESH, GossipNode, agree, keys_of, node_of, post, restart, village
from support.world import LINK, World

SILENT_FRAME = Unknown(0x70, b"nothing")


def pair(seed: int = 1) -> World:
    world = village(seed, "ab")
    world.join("a", "b")
    world.start()
    world.run(10)
    return world


def far(world: World, one: str, other: str) -> Neighbour:
    neighbour = node_of(world, one).neighbours.get(node_of(world, other).node)
    assert neighbour is not None
    return neighbour


def states(world: World, name: str) -> list[str]:
    return [notice.state for notice in world.seats[name].notices if isinstance(notice, NeighbourChanged)]


def say(world: World, name: str, frame: Frame, **how: object) -> list[Outgoing]:
    """Have a node send something, and catch what it queues."""
    node = node_of(world, name)
    node.ctx.now = world.now
    queued: list[Outgoing] = []
    real, node.outbox.put = node.outbox.put, queued.append  # type: ignore[method-assign]
    to = how.pop("to", None)
    node.neighbours.send(to, frame, 3, **how)  # type: ignore[arg-type]
    node.outbox.put = real  # type: ignore[method-assign]
    return queued


def spread(world: World, name: str, frame: Frame, **how: object) -> tuple[list[Outgoing], list[Neighbour]]:
    node = node_of(world, name)
    node.ctx.now, node.ctx.out = world.now, []
    queued: list[Outgoing] = []
    real, node.outbox.put = node.outbox.put, queued.append  # type: ignore[method-assign]
    reached = node.neighbours.spread(frame, 3, key=b"k", **how)  # type: ignore[arg-type]
    node.outbox.put = real  # type: ignore[method-assign]
    return queued, reached


def sealed(name: str, frames: list[Frame], *, counter: int = 5000, epoch: int = 1, to: str | None = None) -> bytes:
    """A datagram as a member who holds the mesh key would seal it in the name of `name`."""
    seal = LinkSeal(SeededSealer("liar"), MESH, GossipNode(name).neighbours.me, epoch)
    seal._counter = counter
    plaintext = encode_frames(frames, 1100)
    if to is None:
        return seal.seal_multicast(plaintext)
    return seal.seal_unicast(plaintext, GossipNode(to).neighbours.me, None)


# met, bound, lost


def test_two_strangers_are_bound_within_two_seconds() -> None:
    world = village(1, "ab")
    world.join("a", "b")
    world.start()
    world.run(2)
    for one, other in (("a", "b"), ("b", "a")):
        assert [n.node for n in node_of(world, one).neighbours.bound()] == [node_of(world, other).node]
        assert states(world, one) == ["heard", "bound"]
    assert far(world, "a", "b").key == far(world, "b", "a").key != b""
    assert far(world, "a", "b").short == node_of(world, "b").neighbours.me[:4].hex()


def test_one_way_hearing_binds_nobody() -> None:
    world = village(1, "ab")
    world.hears["a"].add("b")
    world.start()
    world.run(120)
    assert node_of(world, "b").neighbours.bound() == []
    assert node_of(world, "a").neighbours.bound() == []


def test_who_falls_silent_is_lost_and_found_again() -> None:
    world = pair()
    lost: list[Neighbour] = []
    node_of(world, "a").neighbours.on_lost.append(lost.append)
    world.part("a", "b")
    world.run(SILENT_S + 40)
    assert lost == [far(world, "a", "b")]
    assert node_of(world, "a").neighbours.reachable() == []
    world.join("a", "b")
    world.run(40)
    assert states(world, "a") == ["heard", "bound", "lost", "bound"]


def test_who_is_lost_on_one_link_and_bound_on_another_is_within_reach() -> None:
    world = pair()
    here, told = node_of(world, "a").neighbours, []
    here.on_lost.append(told.append)
    here.on_unlinked.append(told.append)
    neighbour = far(world, "a", "b")
    neighbour.presences["halow1"] = Presence("fe80::b", 0.0, bound_until=FOREVER, bound_since=0.0)
    here.lose(neighbour, LINK)
    assert not told
    assert here.reachable() == [neighbour]


def test_a_reboot_keeps_acquaintances_and_says_no_second_hello() -> None:
    world = pair()
    restart(world, "b", epoch=2)
    known = node_of(world, "b").neighbours
    assert known.get(node_of(world, "a").node) is not None
    assert known.bound() == []
    world.run(40)
    assert len(known.bound()) == 1
    assert states(world, "a") == ["heard", "bound", "lost", "bound"]  # its first beacon did not name us


def test_a_link_that_goes_takes_its_neighbours_with_it() -> None:
    world = pair()
    world.feed("a", LinkChanged(LINK, None))
    assert node_of(world, "a").neighbours.bound() == []
    assert states(world, "a")[-1] == "lost"
    frame = FrameReceived(LINK, "b", True, sealed("b", [SILENT_FRAME]))
    world.feed("a", frame)
    assert node_of(world, "a").ctx.counters["datagram_no_link"] == 1
    world.feed("a", LinkChanged(LINK, LinkSettings()))
    world.feed("a", LinkChanged(LINK, LinkSettings(multicast_payload=384)))
    world.run(40)
    assert len(node_of(world, "a").neighbours.bound()) == 1


def test_the_first_to_say_hello_keeps_the_id() -> None:
    world = pair()
    node, before = node_of(world, "a"), far(world, "a", "b").exchange
    twin = GossipNode("b", keys=replace(keys_of("b"), exchange=keys_of("c").exchange))
    hello = twin.neighbours
    from meshnode.core.neighbours.hello import make_hello

    world.feed("a", FrameReceived(LINK, "x", True, sealed("b", [make_hello(twin.ctx, 1)])))
    assert far(world, "a", "b").exchange == before
    assert node.ctx.counters["hello_second_key"] == 1
    assert hello.me == far(world, "a", "b").id


def test_a_key_of_small_order_is_refused() -> None:
    world = village(1, "a")
    world.start()
    twin = GossipNode("b", keys=replace(keys_of("b"), exchange=bytes(32)))
    from meshnode.core.neighbours.hello import make_hello

    world.feed("a", FrameReceived(LINK, "x", True, sealed("b", [make_hello(twin.ctx, 1)])))
    assert node_of(world, "a").neighbours.get(twin.node) is None
    assert node_of(world, "a").ctx.counters["datagram_refused"] == 1


def test_at_most_64_are_bound() -> None:
    world = pair()
    node = node_of(world, "a")
    neighbours = node.neighbours
    presence = far(world, "a", "b").presences[LINK]
    for index in range(MAX_BOUND):
        name = f"n{index}"
        twin = Neighbour(GossipNode(name).neighbours.me, GossipNode(name).node, presences={LINK: replace(presence)})
        neighbours.table[twin.id] = twin
        neighbours._heard_at[twin.id] = world.now
    world.run(1)
    neighbours.lose(far(world, "a", "b"), LINK)
    world.run(40)
    assert len(neighbours.bound(LINK)) == MAX_BOUND
    assert node.ctx.counters["neighbours_full"] > 0


def test_known_ones_are_bounded_the_longest_silent_go() -> None:
    world = pair()
    node = node_of(world, "a")
    node.ctx.out = []
    for index in range(MAX_KNOWN):
        fake = index.to_bytes(6, "big")
        node.neighbours.know(Neighbour(fake, bytes(32)), float(index))  # type: ignore[arg-type]
    assert len(node.neighbours.table) == MAX_KNOWN
    assert node.neighbours.by_id(bytes(6)) is None  # type: ignore[arg-type]
    assert far(world, "a", "b") is not None, "who is bound stays"


def test_lonely_beacon_of_one_who_was_away_means_lost_then_bound() -> None:
    world = pair()
    events: list[str] = []
    node = node_of(world, "a")
    node.neighbours.on_lost.append(lambda neighbour: events.append("lost"))
    node.neighbours.on_bound.append(lambda neighbour: events.append("bound"))
    node_of(world, "b").carries = True
    world.part("a", "b")
    world.run(30)
    assert events == []
    world.join("a", "b")
    world.run(4)
    assert events == ["lost", "bound"]


def silence_in_the_name_of(name: str, counter: int = 5000) -> bytes:
    """A beacon as a lying member makes it: this neighbour hears nobody any more."""
    return sealed(name, [Beacon(1, 1, 4, bytes(8), bytes(4))], counter=counter)


def test_nobody_ends_a_binding_in_anothers_name() -> None:
    world = pair()
    neighbours, b = node_of(world, "a").neighbours, far(world, "a", "b")
    for counter in range(5000, 5060):
        world.feed("a", FrameReceived(LINK, "b", True, silence_in_the_name_of("b", counter)))
        assert neighbours.bound() == [b]
        world.run(1)
    assert states(world, "a") == ["heard", "bound"]
    assert b.presences[LINK].address == "b"


def test_a_lie_drops_nothing_that_waits_and_costs_one_question_in_ten_seconds() -> None:
    world = pair()
    node, b = node_of(world, "a"), far(world, "a", "b")
    node.ctx.now = world.now
    node.neighbours.send(b, SILENT_FRAME, 3, delay=2.0, key=b"waits")
    for counter in range(5000, 5015):
        world.feed("a", FrameReceived(LINK, "evil", True, silence_in_the_name_of("b", counter)))
        world.run(0.1)
    assert node.outbox.holds(b"waits")
    assert [frame for heard in node_of(world, "b").heard for frame in heard.frames].count(RefWant(())) == 1
    assert b.presences[LINK].address == "b", "nor does the liar become its address"


def test_who_lies_on_causes_ever_fewer_questions_and_peace_forgets_it() -> None:
    world = pair()
    b = far(world, "a", "b")
    answered = node_of(world, "b").heard

    def questions(seconds: int, first: int) -> int:
        before = [frame for heard in answered for frame in heard.frames].count(RefWant(()))
        for counter in range(first, first + seconds):
            world.feed("a", FrameReceived(LINK, "evil", True, silence_in_the_name_of("b", counter)))
            world.run(1)
        return [frame for heard in answered for frame in heard.frames].count(RefWant(())) - before

    assert questions(600, 5000) == 10, "after 10, 20, 40 and 80 s, and each 80 s from then on"
    world.run(170)
    assert questions(25, 6000) == 2, "after 10 s again"
    assert node_of(world, "a").neighbours.bound() == [b]


def test_who_does_not_answer_a_doubt_is_lost() -> None:
    world = pair()
    node = node_of(world, "a")
    world.part("a", "b")
    world.feed("a", FrameReceived(LINK, "b", True, silence_in_the_name_of("b")))
    node.neighbours.send(far(world, "a", "b"), SILENT_FRAME, 3, delay=9.0, key=b"waits")
    world.run(0.9)
    assert node.outbox.holds(b"waits")
    world.run(0.2)
    assert node.neighbours.bound() == []
    assert not node.outbox.holds(b"waits")


# rule 2.5


def test_what_is_not_ours_or_comes_twice_is_dropped_and_counted() -> None:
    world = pair()
    counters = node_of(world, "a").ctx.counters
    good = sealed("b", [SILENT_FRAME])
    stranger = LinkSeal(SeededSealer("s"), closed_mesh("other", bytes(32)), far(world, "a", "b").id, 9)
    for data in (b"", b"x" * 1300, good[:-1], bytes([good[0] ^ 0x20]) + good[1:], stranger.seal_multicast(b"\x70")):
        world.feed("a", FrameReceived(LINK, "x", True, data))
    assert counters["datagram_refused"] == 5
    heard = len(node_of(world, "a").heard)
    world.feed("a", FrameReceived(LINK, "b", True, good))
    world.feed("a", FrameReceived(LINK, "b", True, good))
    assert counters["datagram_replayed"] == 1
    assert len(node_of(world, "a").heard) == heard + 1


def test_a_multicast_turned_into_a_unicast_does_not_open() -> None:
    world = pair()
    world.feed("a", FrameReceived(LINK, "b", False, sealed("b", [SILENT_FRAME])))
    assert node_of(world, "a").ctx.counters["datagram_refused"] == 1


def test_our_own_id_is_dropped_and_a_higher_epoch_warned_of() -> None:
    world = pair()
    node, notices = node_of(world, "a"), world.seats["a"].notices
    world.feed("a", FrameReceived(LINK, "x", True, sealed("a", [SILENT_FRAME], counter=0)))
    assert node.ctx.counters["own_link_id"] == 1
    assert not any(isinstance(notice, Warned) for notice in notices)
    world.feed("a", FrameReceived(LINK, "x", True, sealed("a", [SILENT_FRAME], epoch=2)))
    world.feed("a", FrameReceived(LINK, "x", True, sealed("a", [SILENT_FRAME], epoch=3)))
    assert [notice.code for notice in notices if isinstance(notice, Warned)] == ["own_id_heard"]


def test_who_is_spoken_for_ahead_of_itself_begins_a_new_epoch() -> None:
    world = pair()
    ahead = sealed("a", [SILENT_FRAME], counter=COUNTER_END - 1)
    world.feed("b", FrameReceived(LINK, "x", True, ahead))
    world.feed("a", FrameReceived(LINK, "x", True, ahead))
    assert node_of(world, "a").neighbours._seal.epoch == 2
    assert FactRecord(EPOCH_FACT, b"\0\0\2") in world.seats["a"].disk.of(FactRecord)
    world.feed("a", FrameReceived(LINK, "x", True, sealed("a", [SILENT_FRAME], counter=COUNTER_END - 1, epoch=2)))
    assert node_of(world, "a").neighbours._seal.epoch == 2, "once a minute"
    heard = len(node_of(world, "b").heard)
    world.run(70)
    assert len(node_of(world, "b").heard) > heard, "its next words are new ones"
    assert len(node_of(world, "b").neighbours.bound()) == 1


def test_one_lie_in_a_neighbours_name_does_not_silence_what_is_sealed_for_us() -> None:
    world = pair()
    world.feed("a", FrameReceived(LINK, "x", True, sealed("b", [SILENT_FRAME], counter=COUNTER_END - 1)))
    world.feed("a", FrameReceived(LINK, "x", True, sealed("b", [SILENT_FRAME], counter=1, epoch=0xFFFFFF)))
    assert node_of(world, "a").heard[-1].neighbour is None, "an epoch it never signed is not its word"
    post(world, "b", "still here")
    world.run(1)
    assert [block.body for block in node_of(world, "a").blocks] == [b"still here"]


def test_after_a_reboot_a_lost_hello_is_asked_for() -> None:
    world = pair()
    world.hears["b"].clear()
    restart(world, "b", epoch=2)
    world.run(1.5)
    world.join("a", "b")
    world.run(40)
    assert len(node_of(world, "a").neighbours.bound()) == 1
    assert world.seats["a"].disk.of(NeighbourRecord)[0].epoch == 2


def test_sybil_ids_share_one_bucket_and_the_bound_get_through() -> None:
    world = village(1, "ab", settings=LinkSettings(multicast_bps=100_000))
    world.join("a", "b")
    world.start()
    world.run(10)
    node = node_of(world, "a")
    noise = [Unknown(0x70, bytes(1000))]
    for index in range(100):
        world.feed("a", FrameReceived(LINK, "x", True, sealed(f"sybil{index}", noise)))
    assert node.ctx.counters["datagram_over_budget"] > 80
    before = len(node.heard)
    world.feed("a", FrameReceived(LINK, "b", True, sealed("b", [SILENT_FRAME])))
    assert len(node.heard) == before + 1


def test_fines_are_paid_by_who_sent_it() -> None:
    world = pair()
    node = node_of(world, "a")
    world.feed("a", FrameReceived(LINK, "b", True, sealed("b", [SILENT_FRAME])))
    heard = node.heard[-1]
    node.neighbours.fine(heard, 1_000_000)
    world.feed("a", FrameReceived(LINK, "b", True, sealed("b", [SILENT_FRAME], counter=5001)))
    assert node.ctx.counters["datagram_over_budget"] == 1
    node.neighbours.fine(heard._replace(link="gone"), 1_000_000)
    node.neighbours.fine(heard._replace(bound=False), 1_000_000)
    world.feed("a", FrameReceived(LINK, "x", True, sealed("zed", [SILENT_FRAME])))
    assert node.ctx.counters["datagram_over_budget"] == 2


@pytest.mark.parametrize(
    "frame", [Want((Wish(b"hand", 1, 1),)), RefWant((b"hand",)), Delta(bytes(8), ()), Done(bytes(8))]
)
def test_what_only_neighbours_may_ask_is_not_heard_from_others(frame: Frame) -> None:
    world = pair()
    world.feed("a", FrameReceived(LINK, "x", True, sealed("zed", [frame, SILENT_FRAME])))
    heard = node_of(world, "a").heard[-1]
    assert heard.frames == (SILENT_FRAME,)
    assert not heard.bound
    assert heard.node == b""


def test_a_want_under_the_mesh_key_proves_nobody_and_is_dropped() -> None:
    world = pair()
    world.feed("a", FrameReceived(LINK, "b", False, sealed("b", [Want((Wish(b"hand", 1, 1),)), SILENT_FRAME], to="a")))
    heard = node_of(world, "a").heard[-1]
    assert heard.bound
    assert not heard.pairwise
    assert heard.frames == (SILENT_FRAME,)


def test_a_liar_cannot_move_the_address_a_neighbour_proved() -> None:
    world = pair()
    post(world, "b", "hello")
    world.run(1)
    assert far(world, "a", "b").presences[LINK].proven_address
    world.feed("a", FrameReceived(LINK, "evil", True, sealed("b", [SILENT_FRAME])))
    assert far(world, "a", "b").presences[LINK].address == "b"


def test_garbage_behind_a_valid_seal_is_refused() -> None:
    world = pair()
    seal = LinkSeal(SeededSealer("x"), MESH, far(world, "a", "b").id, 1)
    seal._counter = 9000
    world.feed("a", FrameReceived(LINK, "b", True, seal.seal_multicast(b"\x02short")))
    assert node_of(world, "a").ctx.counters["datagram_refused"] == 1


def test_a_second_mesh_secret_opens_during_the_overlap() -> None:
    world = World(1)
    both = with_secret(MESH, 1, b"n" * 32)
    old_first = replace(both, secrets=(both.secrets[1], both.secrets[0]))
    world.add("a", GossipNode("a", mesh=old_first))
    world.add("b", GossipNode("b", mesh=old_first))
    world.join("a", "b")
    world.start()
    world.run(5)
    node, other = node_of(world, "a"), node_of(world, "b")
    neighbour = far(world, "a", "b")
    assert node.neighbours.pair_key(neighbour, 0) == neighbour.key
    assert node.neighbours.pair_key(neighbour, 1) == other.neighbours.pair_key(far(world, "b", "a"), 1) != neighbour.key
    assert node.neighbours.pair_key(neighbour, 3) is None


# fragments, in place


def test_a_large_block_crosses_a_384_byte_link_that_loses_a_third() -> None:
    world = village(7, "ab", loss=0.3, retries=0, settings=LinkSettings(384, 384))
    world.join("a", "b")
    world.start()
    world.run(30)
    post(world, "a", "a small one first")
    post(world, "a", "p" * 1350)
    world.run(60)
    assert [len(block.body or b"") for block in node_of(world, "b").blocks][-1] == 1350


def test_fragments_of_the_unbound_share_one_place() -> None:
    world = pair()
    piece = Fragment(b"i" * 8, 0, 3, b"piece")
    world.feed("a", FrameReceived(LINK, "x", True, sealed("zed", [piece])))
    world.run(1)
    receiver = node_of(world, "a").neighbours._receiver
    assert receiver.reassembly.wakeup() is not None
    world.run(60)
    assert receiver.reassembly.wakeup() is None


SMALL = LinkSettings(384, 384)
LARGE_FRAME = Unknown(0x70, b"a frame of three pieces" * 40)


def small_pair() -> World:
    world = village(1, "abc", settings=SMALL)
    world.clique(*"abc")
    world.start()
    world.run(20)
    return world


def send_large(world: World, name: str, to: str) -> None:
    node = node_of(world, name)
    node.ctx.now, node.ctx.out = world.now, []
    node.neighbours.send(far(world, name, to), LARGE_FRAME, 3, link=LINK)
    world.perform(name, node.finish())


def budget(world: World, name: str, of: str, *, pairwise: bool) -> float:
    node = node_of(world, name)
    bucket = node.neighbours.buckets.bound(far(world, name, of).id, pairwise, node.ctx.links[LINK], world.now)
    bucket._fill(world.now)
    return bucket._left


@pytest.mark.parametrize("lie", [Fragment(item_id(encode_frame(LARGE_FRAME)), 1, count, b"false") for count in (3, 4)])
def test_a_false_piece_in_a_neighbours_name_costs_a_second_asking_and_no_more(lie: Fragment) -> None:
    world = small_pair()
    world.feed("a", FrameReceived(LINK, "b", True, sealed("b", [lie])))
    send_large(world, "b", "a")
    world.run(3)
    assert node_of(world, "a").ctx.counters["item_refused"] >= 1
    assert LARGE_FRAME in [frame for heard in node_of(world, "a").heard for frame in heard.frames]
    wants = [frame for heard in node_of(world, "b").heard for frame in heard.frames if isinstance(frame, FragmentWant)]
    assert len(wants) == 1
    assert budget(world, "a", "b", pairwise=True) == node_of(world, "a").ctx.links[LINK].unicast_bps / 8 * 4


def test_a_wrong_whole_of_a_stranger_is_asked_of_a_neighbour() -> None:
    world = small_pair()
    send_large(world, "b", "c")
    item = item_id(encode_frame(LARGE_FRAME))
    for index in range(3):
        lie = sealed("zed", [Fragment(item, index, 3, b"lie")], counter=index)
        world.feed("a", FrameReceived(LINK, "x", True, lie))
    world.run(3)
    assert node_of(world, "a").ctx.counters["item_refused"] == 1
    first = node_of(world, "a").neighbours.bound(LINK)[0].node
    for name in "bc":
        frames = [frame for heard in node_of(world, name).heard for frame in heard.frames]
        asked = any(isinstance(frame, FragmentWant) and frame.item == item for frame in frames)
        assert asked == (node_of(world, name).node == first)


def test_who_sends_a_whole_that_nobody_can_read_pays_for_it() -> None:
    world = small_pair()
    noise = b"\x05no block"
    pieces = [noise[:5], noise[5:]]
    for index, piece in enumerate(pieces):
        lie = Fragment(item_id(noise), index, 2, piece)
        world.feed("a", FrameReceived(LINK, "b", True, sealed("b", [lie, SILENT_FRAME], counter=5000 + index)))
    node = node_of(world, "a")
    assert node.ctx.counters["item_refused"] == 1
    assert node.heard[-1].frames == (SILENT_FRAME,), "the rest of the datagram is heard"
    full = node.ctx.links[LINK].multicast_bps / 8 * 4
    assert budget(world, "a", "b", pairwise=False) < full - 10 * 29


# sessions


def test_a_session_peer_is_a_neighbour_too() -> None:
    world = village(1, "ab")
    world.start()
    node, bound, lost = node_of(world, "a"), list[Neighbour](), list[Neighbour]()
    node.neighbours.on_bound.append(bound.append)
    node.neighbours.on_lost.append(lost.append)
    world.open_overlay("a", "b")
    peer = far(world, "a", "b")
    assert bound == [peer]
    assert node.neighbours.reachable() == [peer] == node.neighbours.session_peers()
    assert peer.session_carrier == "overlay"
    assert peer.session is not None
    node.ctx.out = []
    node.neighbours.send(peer, SILENT_FRAME, 3)
    assert node.ctx.out == [SendRecord(peer.session, encode_frame(SILENT_FRAME))]
    world.feed("a", EncounterEnded(peer.session))
    assert lost == [peer]
    node.ctx.out = []
    node.neighbours.send(peer, SILENT_FRAME, 3)
    assert node.ctx.out == []
    kinds = [notice.state for notice in world.seats["a"].notices if isinstance(notice, PeerChanged)]
    assert kinds == ["open", "closed"]


def test_a_session_with_a_link_neighbour_changes_nothing_about_its_reach() -> None:
    world = pair()
    node, events = node_of(world, "a"), list[str]()
    node.neighbours.on_bound.append(lambda neighbour: events.append("bound"))
    node.neighbours.on_lost.append(lambda neighbour: events.append("lost"))
    other = node_of(world, "b").node
    world.feed("a", EncounterBegan(71, other, "overlay", "200::b", False))
    world.feed("a", EncounterBegan(72, other, "overlay", "200::b", False))
    world.feed("a", EncounterEnded(71))
    assert far(world, "a", "b").session == 72
    world.feed("a", EncounterEnded(72))
    world.feed("a", EncounterEnded(99))
    assert events == []
    world.feed("a", EncounterBegan(73, other, "overlay", "200::b", False))
    world.feed("a", LinkChanged(LINK, None))
    assert events == []


def test_records_of_sessions_and_parcels() -> None:
    world = village(1, "a")
    world.start()
    node = node_of(world, "a")
    other = GossipNode("b").node
    world.feed("a", EncounterBegan(1, other, "overlay", "200::b", False))
    world.feed("a", EncounterBegan(2, other, "parcel", "", False))
    assert node.neighbours.session_with(2) == (None, "parcel", "")
    for session in (1, 2, 3):
        world.feed("a", RecordReceived(session, encode_frame(SILENT_FRAME)))
    world.feed("a", RecordReceived(1, b"\x02short"))
    assert [(h.carrier, h.bound, h.session) for h in node.heard] == [("session", True, 1), ("parcel", False, 2)]
    assert node.ctx.counters["record_refused"] == 1
    assert node.neighbours.reachable() == [node.neighbours.get(other)]
    world.feed("a", EncounterEnded(2))


# out


def test_one_target_is_told_by_unicast_more_by_multicast() -> None:
    world = village(1, "abc")
    world.clique("a", "b", "c")
    world.start()
    world.run(10)
    queued, reached = spread(world, "a", SILENT_FRAME, jitter=True)
    assert [out.to for out in queued] == [None]
    assert 0.02 <= queued[0].not_before - world.now <= 0.2
    assert len(reached) == 2
    queued, reached = spread(world, "a", SILENT_FRAME, jitter=True, except_node=far(world, "a", "b").node)
    assert [out.to for out in queued] == [far(world, "a", "c").id]
    assert queued[0].not_before == world.now
    everyone = {far(world, "a", "b").node, far(world, "a", "c").node}
    assert spread(world, "a", SILENT_FRAME, skip=everyone) == ([], [])


def test_where_group_frames_are_filtered_each_gets_its_own() -> None:
    world = village(1, "abc", settings=LinkSettings(multicast=False))
    world.clique("a", "b", "c")
    world.start()
    for one in "abc":
        for other in "abc":
            if one != other:
                world.feed(one, PeerSeen(other, "link"))
    world.run(10)
    assert [len(node_of(world, name).neighbours.bound()) for name in "abc"] == [2, 2, 2]
    queued, _ = spread(world, "a", SILENT_FRAME)
    assert {out.to for out in queued} == {far(world, "a", "b").id, far(world, "a", "c").id}
    post(world, "a", "hello")
    world.run(2)
    assert agree(world, *"abc")


def test_a_configured_peer_that_hears_no_group_frames_is_told_alone() -> None:
    world = village(1, "abc")
    world.clique("a", "b", "c")
    world.hears["a"].discard("c")
    world.hears["c"].discard("a")
    world.start()
    real_send = world._send

    def deaf(seat: object, send: Send) -> None:
        """Between a and c unicast works and multicast does not."""
        if send.to in ("a", "c") and getattr(seat, "name", "") in ("a", "c"):
            world.hears["a"].add("c")
            world.hears["c"].add("a")
            real_send(seat, send)  # type: ignore[arg-type]
            world.hears["a"].discard("c")
            world.hears["c"].discard("a")
        else:
            real_send(seat, send)  # type: ignore[arg-type]

    world._send = deaf  # type: ignore[assignment,method-assign]
    world.feed("a", PeerSeen("c", "link"))
    world.feed("c", PeerSeen("a", "link"))
    world.feed("c", PeerSeen("200::1", "overlay"))
    world.run(30)
    assert len(node_of(world, "a").neighbours.bound()) == 2
    queued, _ = spread(world, "a", SILENT_FRAME)
    assert [out.to for out in queued] == [None, far(world, "a", "c").id]
    world.feed("a", PeerSeen("c", "link", present=False))
    assert len(spread(world, "a", SILENT_FRAME)[0]) == 1


def test_send_to_all_goes_where_somebody_is_bound() -> None:
    world = pair()
    world.feed("a", LinkChanged("empty", LinkSettings()))
    assert [out.link for out in say(world, "a", SILENT_FRAME)] == [LINK]
    assert [out.link for out in say(world, "a", SILENT_FRAME, link="empty")] == []
    assert [out.link for out in say(world, "a", Beacon(1, 1, 0, bytes(8), bytes(4)), link="empty")] == ["empty"]
    assert say(world, "a", SILENT_FRAME, to=far(world, "a", "b"), jitter=True)[0].not_before > world.now
    node_of(world, "a").ctx.links.pop("empty")
    assert say(world, "a", Beacon(1, 1, 0, bytes(8), bytes(4)), link="empty")[0].to is None
    assert spread(world, "a", SILENT_FRAME, link="empty") == ([], [])


def test_two_links_to_one_neighbour_carry_it_once() -> None:
    world = pair()
    neighbour = far(world, "a", "b")
    world.feed("a", LinkChanged("wire", LinkSettings()))
    neighbour.presences["wire"] = replace(neighbour.presences[LINK], heard_at=world.now + 1)
    assert neighbour.link(world.now) == "wire"
    queued, reached = spread(world, "a", SILENT_FRAME)
    assert len(queued) == len(reached) == 1


def test_spread_reaches_open_sessions_once() -> None:
    world = pair()
    node = node_of(world, "a")
    world.feed("a", EncounterBegan(1, GossipNode("far").node, "overlay", "200::f", False))
    world.feed("a", EncounterBegan(2, node_of(world, "b").node, "overlay", "200::b", False))
    _, reached = spread(world, "a", SILENT_FRAME)
    assert [n.node for n in reached] == [node_of(world, "b").node, GossipNode("far").node]
    assert [effect.session for effect in node.ctx.out if isinstance(effect, SendRecord)] == [1]


def test_no_address_no_datagram() -> None:
    world = pair()
    neighbours = node_of(world, "a").neighbours
    assert neighbours.seal(LINK, b"nobody", b"\x70") is None  # type: ignore[arg-type]
    assert neighbours.seal("other", far(world, "a", "b").id, b"\x70") is None


def test_a_spent_epoch_is_raised_on_disk_before_the_next_datagram() -> None:
    world = pair()
    node = node_of(world, "a")
    node.neighbours._seal._counter = COUNTER_END
    node.ctx.out = []
    sealed_now = node.neighbours.seal(LINK, None, b"\x70")
    assert sealed_now is not None
    assert sealed_now[1][7:13] == b"\0\0\2\0\0\0"
    record = node.ctx.out[0]
    assert getattr(record, "promise", False)
    assert record.records == (FactRecord(EPOCH_FACT, b"\0\0\2"),)  # type: ignore[union-attr]


def test_by_prefix_names_only_who_is_bound() -> None:
    world = pair()
    neighbours: Neighbours = node_of(world, "a").neighbours
    neighbour = far(world, "a", "b")
    assert neighbours.by_prefix(neighbour.id[:2]) is neighbour
    assert neighbours.heard_at(neighbour) > 0
    assert neighbours.by_id(neighbour.id) is neighbour
    neighbours.lose(neighbour, LINK)
    assert neighbours.by_prefix(neighbour.id[:2]) is None


def test_the_disk_keeps_what_stops_replays() -> None:
    world = pair()
    rows = world.seats["a"].disk.of(NeighbourRecord)
    assert [row.node for row in rows] == [node_of(world, "b").node]
    assert rows[0].epoch == 1
    writes = rows[0].counter
    world.run(1800)
    assert world.seats["a"].disk.of(NeighbourRecord)[0].counter - writes <= 64


# replay after a reboot of everyone, with no clock


def test_an_hour_of_captured_datagrams_raises_nothing_after_all_rebooted() -> None:
    world = village(3, "abc")
    world.clique("a", "b", "c")
    world.record_heard = True
    world.start()
    for index in range(20):
        post(world, "abc"[index % 3], f"post {index}")
        world.run(180)
    captured = [(target, received) for _, _, target, received in world.heard_log]
    for name in "abc":
        restart(world, name, epoch=2)
        world.hears[name] = set()
    before = sum(world.air_bytes.values())
    heads = [node_of(world, name).heads() for name in "abc"]
    for target, received in captured:
        world.feed(target, received)
        world.run(0.5)
    for name in "abc":
        assert node_of(world, name).neighbours.bound() == []
    assert [node_of(world, name).heads() for name in "abc"] == heads
    spent = (sum(world.air_bytes.values()) - before) / 3 / (len(captured) * 0.5 / 60)
    assert spent < 6 * 250 + 30 * 170, "at most the HELLOs and lonely beacons that the rules allow"


def test_blocks_pass_from_anyone_within_the_bucket() -> None:
    world = pair()
    writer = GossipNode("w")
    block = writer.write("from outside")
    from meshnode.core.chain.block import compact_of

    frame = BlockFrame(block.log, compact_of(block, elide=False))
    world.feed("a", FrameReceived(LINK, "x", True, sealed("w", [frame])))
    assert [one.id for one in node_of(world, "a").blocks] == [block.id]


def test_a_beacon_below_one_that_is_its_own_for_certain_is_late_and_says_nothing() -> None:
    world = pair()
    presence = far(world, "a", "b").presences[LINK]
    sure = presence.sure_nonce
    assert sure == presence.last_beacon_nonce, "it echoes us"
    earlier = sealed("b", [Beacon(1, 1, 0, b"old.....", bytes(4))], counter=int.from_bytes(sure[9:], "big") - 1)
    world.feed("a", FrameReceived(LINK, "b", True, earlier))
    assert presence.last_beacon_nonce == sure
    for counter in (5001, 5000):
        claimed = sealed("b", [Beacon(1, 1, 0, b"new.....", bytes(4))], counter=counter)
        world.feed("a", FrameReceived(LINK, "b", True, claimed))
        assert presence.last_beacon_nonce[9:] == counter.to_bytes(3, "big"), (
            "anybody can say that: it shuts out nothing"
        )
    assert presence.sure_nonce == sure


def test_what_a_lucky_guess_made_late_is_heard_again_after_a_pairwise_datagram() -> None:
    world = pair()
    node, presence = node_of(world, "a"), far(world, "a", "b").presences[LINK]
    name, place = node_of(world, "b").neighbours.me, COUNTER_END - 1
    node.neighbours.windows.vouch(LinkHeader(False, 0, name, 1, place))
    presence.sure_nonce = presence.last_beacon_nonce = guessed = name + b"\0\0\1" + place.to_bytes(3, "big")
    node_of(world, "b").neighbours.send(far(world, "b", "a"), RefWant(()), 0, link=LINK)
    world.run(200)
    assert guessed > presence.last_beacon_nonce == presence.sure_nonce, "its own beacons count, and are echoed"


def test_who_is_shut_out_by_a_lucky_guess_is_asked_at_once_and_once_in_ten_seconds() -> None:
    world = pair()
    node, name = node_of(world, "a"), node_of(world, "b").neighbours.me
    world.run(60)
    node.neighbours.windows.vouch(LinkHeader(False, 0, name, 1, COUNTER_END - 1))
    lost = [sealed("b", [SILENT_FRAME], counter=4000 + number) for number in range(3)]
    world.record_heard = True
    for datagram in lost:
        world.feed("a", FrameReceived(LINK, "b", True, datagram))
    world.run(1)
    asked = [received for _, source, _, received in world.heard_log if source == "a" and not received.multicast]
    assert len(asked) == 1
    heard = len(node.heard)
    world.feed("a", FrameReceived(LINK, "b", True, lost[0]))
    assert len(node.heard) == heard + 1, "its answer opened what the guess had closed"


def test_after_our_restart_an_echo_that_anybody_can_make_shuts_out_nothing() -> None:
    world = pair()
    node = restart(world, "a", epoch=2)
    world.run(0.1)
    beacons = node.neighbours._receiver.beacons[LINK]
    beacons.sent(own := node.neighbours.me + b"\0\0\2" + bytes(3), world.now)
    echo = Echo(node.neighbours.me[:2], echo_hash(own))
    claimed = sealed("b", [Beacon(1, 1, 0, bytes(8), bytes(4), (echo,))], counter=COUNTER_END - 1)
    world.feed("a", FrameReceived(LINK, "x", True, claimed))
    heard = len(node.heard)
    world.feed("a", FrameReceived(LINK, "b", True, sealed("b", [SILENT_FRAME], counter=4000)))
    assert len(node.heard) == heard + 1


def test_a_receiver_alone_minds_nothing() -> None:
    node = GossipNode("a")
    roster = Roster(node.ctx, node.outbox)
    receiver = Receiver(node.ctx, roster, LinkSeal(node.ctx.sealer, MESH, roster.me, 1), HelloPacing())
    receiver.on_spoken_for()
    receiver.on_doubt(Neighbour(roster.me, node.node), LINK)
    receiver.on_between_us(Neighbour(roster.me, node.node), LINK, RefWant(()))
    for alone in (receiver, Neighbours(node.ctx, node.outbox, 1)):
        alone.on_double(Neighbour(roster.me, node.node), LINK, b"i" * 8)
    assert roster.next_loss() is None
    assert node.ctx.out == []


def test_losing_all_on_one_link_touches_no_other() -> None:
    world = pair()
    world.feed("a", LinkChanged("wire", LinkSettings()))
    node_of(world, "a").neighbours.lose_all("wire")
    assert len(node_of(world, "a").neighbours.bound()) == 1


def test_a_configured_peer_is_told_once() -> None:
    world = pair()
    for _ in range(2):
        world.feed("a", PeerSeen("z", "link"))
    assert len(node_of(world, "a").neighbours._greetings.configured) == 1
    world.feed("a", PeerSeen("z", "link", present=False))
    world.feed("a", PeerSeen("z", "link", present=False))
    assert node_of(world, "a").neighbours._greetings.configured == {}


def test_addresses_of_the_unmet_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greetings, "MAX_GREETED", 2)
    node = GossipNode("a")
    for address in ("fe80::1", "fe80::2", "fe80::1", "fe80::3"):
        node.neighbours._greetings._stand_in(address)
    assert list(node.neighbours._greetings._greeted.values()) == ["fe80::1", "fe80::3"]


def test_who_is_not_bound_pays_for_nothing_and_gets_nothing() -> None:
    node = GossipNode("a")
    stranger = Neighbour(NeighbourId(b"nobody"), NodeKey(bytes(32)))
    assert not node.neighbours.pay(stranger, LINK, 1)
    node.ctx.links[LINK] = LinkSettings()
    assert not node.neighbours.pay(stranger, LINK, 1)
    parcel = Heard(NOBODY, None, False, "", "", False, (), carrier="parcel")
    assert node.neighbours.answer_costs(parcel, 10**9)
    node.neighbours.fine(parcel, 10**9)


def test_of_two_sessions_with_one_neighbour_the_older_is_sent_nothing() -> None:
    node, peer = GossipNode("a"), NodeKey(b"p" * 32)
    for session in (1, 2):
        node.neighbours.session_opened(EncounterBegan(session, peer, "overlay", "200::1", False))
    node.neighbours.session_closed(EncounterEnded(2))
    node.ctx.out = []
    node.neighbours.spread_sessions(Beacon(1, 1, 0, bytes(8), bytes(4)), ())
    assert node.ctx.out == []


def test_what_many_may_repeat_takes_turns_in_a_crowd_that_others_words_put_off() -> None:
    world = village(1, "abcdefgh")
    world.clique(*"abcdefgh")
    world.start()
    world.run(20)
    node = node_of(world, "a")
    node.ctx.now, node.ctx.out = world.now, []
    for number in range(20):
        node.neighbours.send(None, EnvelopeFrame(bytes(200), 0, number), 2, link=LINK, jitter=True)
        node.neighbours.send(None, EnvelopeFrame(bytes(200), 0, number), 2, link=LINK)
    waits = [(at - world.now, queued.outgoing.yields) for at, _, queued in node.outbox._waiting]
    assert len(waits) == 20, "the others go at once"
    assert all(JITTER_S[0] <= wait < JITTER_S[1] + 7 * 0.1 and yields == YIELDS_S for wait, yields in waits)
    assert max(waits)[0] > 1.5 * JITTER_S[1]

"""Rare ways through gossip: what nobody wired, who left, what is told in part, an uplink that asks too much."""

from __future__ import annotations

import pytest

from meshnode.core.airtime.outbox import Outgoing
from meshnode.core.chain.block import compact_of
from meshnode.core.chain.frontier import Element
from meshnode.core.effects import Effect, ReadStored, SendRecord
from meshnode.core.gossip import flood as flood_module
from meshnode.core.gossip import wishes as wishes_module
from meshnode.core.gossip.flood import Flood, Put
from meshnode.core.gossip.logs import change_of
from meshnode.core.gossip.pace import GATHERING_S
from meshnode.core.gossip.peer import Peer
from meshnode.core.gossip.session import DIFFER_S, TELL_LOGS, TELL_SOON_S
from meshnode.core.ids import LogId, NeighbourId, channel_id, log_channel
from meshnode.core.inputs import EncounterBegan, PeerSeen, RecordReceived, Tick
from meshnode.core.neighbours.hello import FEW
from meshnode.core.neighbours.table import Heard, Neighbour
from meshnode.core.settings import BridgeRules, Settings
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import BlockFrame, Change, Delta, Done, Frame, Heads, Ranges, SessionBeacon, Want, Wish
from support.gossip_node import VALLEY, GossipNode, node_of, post, village
from support.world import LINK, World

UPLINK, LOCAL = 1, 2  # sessions
ELSEWHERE = channel_id("elsewhere")


def near(names: str) -> tuple[World, GossipNode]:
    """All hear each other, and `a` is about to do something."""
    world = village(1, names)
    world.clique(*names)
    world.start()
    world.run(20)
    node = node_of(world, "a")
    node.ctx.now, node.ctx.out = world.now, []
    return world, node


# flood


def test_a_flood_that_nobody_wired_takes_nobody_to_have_anything() -> None:
    _, node = near("abc")
    flood = Flood(node.ctx, node.neighbours, node.outbox)
    assert flood.publish(node.write("words"), 0), "to both, as far as it knows"


def test_of_those_who_left_the_ones_told_longest_ago_are_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood_module, "REMEMBERED", 2)
    _, node = near("abcd")
    flood = node.gossip.flood
    large = Put(flood._frame(node.write("x" * 3000)), 3000, 3, 3, b"", 0.0, ())
    first, second, third = node.neighbours.bound(LINK)
    while flood._answers(first, large, LINK):
        pass
    assert not flood._answers(first, large, LINK)
    assert flood._answers(second, large, LINK)
    assert not flood._answers(first, large, LINK), "two are remembered"
    assert flood._answers(second, large, LINK)
    assert flood._answers(third, large, LINK)
    assert flood._answers(first, large, LINK), "it is forgotten"


# repair


def test_who_never_told_us_anything_is_taken_to_lack_everything() -> None:
    node = GossipNode("a")
    nobody = Neighbour(NeighbourId(b"nobody"), GossipNode("b").node)
    assert not node.gossip.repair.witnesses.holds(nobody, node.write("words"))


def test_what_was_asked_for_without_its_full_id_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishes_module, "MAX_REFS", 2)
    _, node = near("ab")
    repair, (neighbour,) = node.gossip.repair, node.neighbours.bound(LINK)
    for handle in (b"1st.", b"2nd.", b"3rd."):
        repair._want(neighbour, Peer(), [(LogId(handle), Wish(handle, 1, 1))], [])
    assert list(repair.wishes._by_handle) == [b"2nd.", b"3rd."]


def test_who_tells_all_a_part_of_what_we_have_too_did_not_tell_the_rest_for_us() -> None:
    world, node = near("abc")
    for channel in ("one", "other"):
        post(world, "a", "words", channel_id(channel))
    world.run(20)
    repair, ours = node.gossip.repair, node.gossip.logs.digest()
    changes = tuple(change_of(log) for log in node.gossip.logs.history.newest())
    b, c = node.neighbours.bound(LINK)
    repair.peer(c).told_all_for = b""
    for told, is_all in ((changes[:1], False), (changes, True)):
        repair.delta(Heard(b.id, b, True, LINK, "b", True, ()), Delta(ours, told))
        assert (repair.peer(c).told_all_for == ours) is is_all


def test_while_most_of_a_crowd_are_not_bound_yet_nothing_is_asked_for_but_not_for_ever() -> None:
    world, node = near("abcdefgh")
    repair, neighbours, sent = node.gossip.repair, node.neighbours, list[Outgoing]()
    node.outbox.on_sent = sent.append
    first, *others = neighbours.bound(LINK)
    for neighbour in others[: FEW + 1]:
        neighbours.lose(neighbour, LINK)
        neighbour.presences[LINK].heard_at = world.now
    peer = repair.peer(first)
    peer.frontier = b"theirs.."
    peer.tell(Change(b"new.", 1))
    for since, asked in ((world.now, 0), (world.now - GATHERING_S, 1)):
        peer.differs_since, peer.check_at = since, world.now
        repair.tick()
        node.outbox.flush()
        assert sum(isinstance(out.frame, Want) for out in sent) == asked
        assert peer.check_at > world.now


# sessions


def bridge(rules: BridgeRules) -> GossipNode:
    """It has posts of two channels, an uplink, and a session with an overlay neighbour; nothing is to be compared."""
    node = GossipNode("a", settings=Settings(bridge=rules))
    for channel in (VALLEY, ELSEWHERE):
        node.gossip.publish(node.write("words", channel))
    node.step(PeerSeen("200::e", "overlay"), 0.0)
    for session, name in ((UPLINK, "f"), (LOCAL, "e")):
        node.step(EncounterBegan(session, GossipNode(name).node, "overlay", f"200::{name}", False), 0.0)
        said(node, session, Done(b"theirs.."))
    return node


def said(node: GossipNode, session: int, frame: Frame, now: float = 1.0) -> list[Effect]:
    """What a node does when the far end of a session says a frame."""
    return node.step(RecordReceived(session, encode_frame(frame)), now)


def compared(effects: list[Effect]) -> list[int]:
    """The sessions on which a round is going on."""
    records = [effect for effect in effects if isinstance(effect, SendRecord)]
    return [one.session for one in records if isinstance(decode_frames_untrusted(one.data)[0], Ranges)]


def test_when_the_day_has_room_again_uplinks_are_compared_and_no_other_session_is() -> None:
    node = bridge(BridgeRules())
    node.ctx.out = []
    node.gossip.sessions.compare_uplinks()
    assert compared(node.ctx.out) == [UPLINK]
    node.gossip.sessions.compare_uplinks()
    assert compared(node.ctx.out) == [UPLINK], "it is being compared"


def test_a_log_that_does_not_cross_is_not_given_to_who_asks_for_it_over_an_uplink() -> None:
    node = bridge(BridgeRules(channels=frozenset({VALLEY})))
    want = Want(tuple(Wish(node.log(channel), 1, 1) for channel in (ELSEWHERE, VALLEY)))
    for session, given in ((UPLINK, {VALLEY}), (LOCAL, {VALLEY, ELSEWHERE})):
        (read,) = [effect for effect in said(node, session, want) if isinstance(effect, ReadStored)]
        assert {log_channel(log) for log, _, _ in read.blocks} == given


@pytest.mark.parametrize("logs", [1, TELL_LOGS, TELL_LOGS + 1, TELL_LOGS + 2])
def test_what_was_caught_up_with_is_named_where_it_is_little_and_not_over_an_uplink(logs: int) -> None:
    node = bridge(BridgeRules())
    blocks = [GossipNode(f"w{number}").write("words") for number in range(logs)]
    node.step(PeerSeen("200::d", "overlay"), 0.0)
    node.step(EncounterBegan(3, GossipNode("d").node, "overlay", "200::d", False), 0.0)
    said(node, 3, Heads(tuple(Element(block.log, 1, False) for block in blocks)))
    for block in blocks:
        said(node, 3, BlockFrame(block.log, compact_of(block, elide=False)))
    told = [effect for effect in node.step(Tick(), 1.0 + TELL_SOON_S) if isinstance(effect, SendRecord)]
    frames = {(one.session, type(decode_frames_untrusted(one.data)[0])) for one in told}
    digests = {(UPLINK, SessionBeacon), (LOCAL, SessionBeacon)}
    assert frames == (digests | {(LOCAL, Heads)} if logs <= TELL_LOGS else digests)


@pytest.mark.parametrize(("told", "rounds"), [(None, []), (b"another!", [LOCAL])])
def test_a_digest_that_crossed_with_our_news_begins_no_round(told: bytes | None, rounds: list[int]) -> None:
    node = bridge(BridgeRules())
    before = node.gossip.logs.digest()
    node.ctx.now = 2.0
    node.gossip.publish(node.write("news"))
    said(node, LOCAL, SessionBeacon(told or before, bytes(4)), 2.0)
    assert compared(node.step(Tick(), 2.0 + DIFFER_S)) == rounds

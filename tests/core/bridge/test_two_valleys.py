"""Two valleys with an uplink between their bridges: everything crosses, once, and within the rules."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from meshnode.core.bridge.gate import STATES
from meshnode.core.effects import SendRecord
from meshnode.core.ids import channel_id
from meshnode.core.inputs import PeerSeen, RecordReceived
from meshnode.core.settings import BridgeRules
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import BlockFrame, BridgeNews, EnvelopeFrame, Need, Ranges, Run
from support.trial_world import Box
from support.valleys import NO_RULES, Valleys, two_valleys

NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200.0


def bridge(box: Box) -> dict:
    status = box.node.status()["bridge"]
    assert isinstance(status, dict)
    return status


def crossings(world: Valleys, kind: type) -> Counter[tuple[str, str]]:
    return Counter((one, other) for one, other, frame in world.frames if isinstance(frame, kind))


def test_messages_and_posts_cross_and_the_uplink_is_silent_when_nothing_is_said() -> None:
    world = two_valleys(lines=("abcde", "vwxyz"))
    a, z = world.boxes["a"], world.boxes["z"]
    sent = a.write(z, "hello over there")
    a.post("to both valleys")
    assert world.run(30, until=lambda: z.inbox() == ["hello over there"] and z.posts() == ["to both valleys"])
    assert world.run(60, until=lambda: a.state(sent) == "delivered")
    world.run(300)
    before = world.bytes_between("e", "v")
    world.run(3600)
    assert world.bytes_between("e", "v") - before < 500


def test_an_hour_without_the_uplink_is_made_up_for_by_difference() -> None:
    world = two_valleys()
    a, c, z = (world.boxes[name] for name in "aez")
    world.uplink_fails("e", "v")
    for number in range(6):
        a.post(f"left {number}")
        z.post(f"right {number}")
        c.write(z, f"direct {number}")
        world.run(600)
    assert c.posts() == [f"left {number}" for number in range(6)], "each valley goes on by itself"
    assert bridge(world.boxes["e"])["state"] == "apart"
    before = world.bytes_between("e", "v")
    world.uplink_returns("e", "v")
    assert world.run(660, until=lambda: len(z.posts()) == len(a.posts()) == len(z.inbox()) == 6), "at the next call"
    world.run(30)
    assert world.bytes_between("e", "v") - before < 12_000


def test_two_bridges_of_one_mesh_do_not_double_the_traffic() -> None:
    one, two = (world_with_bridges(*names) for names in (("e",), ("e", "d")))
    assert sum(two.crossed.values()) < 1.25 * sum(one.crossed.values())
    assert crossings(two, EnvelopeFrame).total() == crossings(one, EnvelopeFrame).total()
    assert crossings(two, BlockFrame).total() == crossings(one, BlockFrame).total()
    standby = [box for name in "dewv" if (box := two.boxes[name]) and bridge(box)["state"] == "standby"]
    assert len(standby) == 2, "one pair goes first, and both its ends know"


def world_with_bridges(*lefts: str) -> Valleys:
    """Each of these has an uplink to v, or w; then both valleys talk."""
    world = Valleys(3)
    rights = "vw"[: len(lefts)]
    boxes = world.valley("ade", **dict.fromkeys(lefts, NO_RULES))
    boxes += world.valley("vwz", **dict.fromkeys(rights, NO_RULES))
    for box in boxes:
        box.knows(*(other for other in boxes if other is not box))
    world.run(60)
    for left, right in zip(lefts, rights, strict=True):
        world.uplink(left, right)
    world.run(120)
    a, z = world.boxes["a"], world.boxes["z"]
    a.write(z, "first")
    world.run(60)
    world.crossed.clear()
    world.frames.clear()
    for number in range(10):
        a.write(z, f"direct {number}")
        z.post(f"from the right {number}")
        world.run(20)
    world.run(120)
    assert len(z.inbox()) == 11
    assert len(a.posts()) == 10
    return world


def test_when_the_first_bridge_falls_silent_the_second_takes_everything_across() -> None:
    world = world_with_bridges("e", "d")
    first = next(name for name in "ed" if bridge(world.boxes[name])["state"] == "open")
    other = {"e": "v", "d": "w"}[first]
    world.uplink_fails(first, other)
    a, z = world.boxes["a"], world.boxes["z"]
    a.write(z, "still")
    a.post("here")
    assert world.run(90, until=lambda: z.inbox()[-1] == "still" and z.posts() == ["here"])


def test_one_that_begins_anew_hears_soon_that_it_is_to_stand_by() -> None:
    """What it knew of others is gone, and their news is due every quarter of an hour only."""
    world = world_with_bridges("e", "d")
    first, again = sorted((world.boxes[name] for name in "vw"), key=lambda box: bridge(box)["state"])
    assert [bridge(box)["state"] for box in (first, again)] == ["open", "standby"]
    again.off()
    again.boot()
    world.uplink(again.name, {"v": "e", "w": "d"}[again.name])
    assert world.run(60, until=lambda: bridge(again)["state"] == "open"), "it knows of nobody"
    assert world.run(60, until=lambda: bridge(again)["state"] == "standby")
    answered_at = first.node.gossip.bridges._told_at
    world.run(600)
    assert first.node.gossip.bridges._told_at == answered_at, "once is enough"


def test_one_far_bridge_for_two_of_ours_gets_everything_once() -> None:
    world = Valleys(5)
    world.valley("ade", d=NO_RULES, e=NO_RULES)
    world.valley("vz", v=NO_RULES)
    world.run(60)
    world.uplink("e", "v")
    world.uplink("d", "v")
    world.run(60)
    world.frames.clear()
    for number in range(5):
        world.boxes["a"].post(f"left {number}")
        world.boxes["z"].post(f"right {number}")
        world.run(30)
    world.run(60)
    assert len(world.boxes["z"].posts()) == len(world.boxes["a"].posts()) == 5
    assert crossings(world, BlockFrame).total() == 10
    assert crossings(world, Run).total() == 0


def test_a_channel_that_does_not_cross_stays_and_is_shown() -> None:
    world = two_valleys(left=BridgeRules(channels=frozenset({channel_id("square")})))
    for box in world.boxes.values():
        box.joins("market")
    world.boxes["e"].post("potatoes", "market")
    world.boxes["z"].post("apples", "market")
    world.boxes["z"].post("hello")
    world.run(120)
    e, a = world.boxes["e"], world.boxes["a"]
    assert a.posts() == ["hello"]
    assert a.posts("market") == ["potatoes"]
    assert world.boxes["v"].posts("market") != ["potatoes"]
    (held,) = [row for row in e.node.queue() if row.to == "the uplink"]
    assert held.waits_for == "nothing: its channel does not cross"
    before = world.bytes_between("e", "v")
    world.run(1800)
    assert world.bytes_between("e", "v") - before < 2000, "a difference that is wanted is settled"


def test_what_is_too_large_crosses_as_a_heading_and_its_text_waits() -> None:
    world = two_valleys(left=BridgeRules(largest=2000))
    a, e, z = (world.boxes[name] for name in "aez")
    a.post("x" * 2400)
    a.post("short")
    mine = e.post("y" * 2400)
    a.write(z, "brief")
    a.write(z, "z" * 2400)
    world.run(240)
    assert z.posts() == ["short"]
    assert z.inbox() == ["brief"]
    why = e.node.why(mine)
    assert why is not None
    assert "larger than the 2,000 bytes" in why.waiting_for
    assert len([row for row in e.node.queue() if row.to == "the uplink"]) == 3
    before = world.bytes_between("e", "v")
    world.run(7200)
    assert world.bytes_between("e", "v") - before < 8000, "asked for again ever more seldom"


def test_a_day_that_is_spent_is_not_exceeded_and_the_next_day_makes_up_for_it() -> None:
    day = 32_000
    world = two_valleys(left=BridgeRules(sent_per_day=day))
    a, e, z = (world.boxes[name] for name in "aez")
    for number in range(90):
        a.post(f"{number:03d} " + "x" * 300)
        world.run(20)
    told = len(z.posts())
    assert 10 < told < 90
    assert bridge(e)["held_back"]
    assert bridge(e)["sent"] <= 0.8 * day
    sent = a.write(z, "messages still cross")
    assert world.run(60, until=lambda: "messages still cross" in z.inbox())
    assert world.run(60, until=lambda: a.state(sent) == "delivered")
    e.off()
    world.run(5)
    e.boot()
    world.uplink("e", "v")
    world.run(60)
    assert bridge(e)["sent"] >= 0.7 * day, "a restart forgets nothing"
    world.run(3 * 86_400, until=lambda: len(z.posts()) == 90)
    assert len(z.posts()) == 90


def test_outside_its_hours_an_uplink_is_shut_and_the_far_end_does_not_call_for_nothing() -> None:
    world = Valleys(2)
    boxes = world.valley("ab", b=BridgeRules(hours=((13 * 60, 14 * 60),))) + world.valley("yz", y=NO_RULES)
    for box in boxes:
        box.set_clock(NOON)
    world.run(60)
    world.uplink("b", "y")
    world.run(600)
    a, b, z = (world.boxes[name] for name in "abz")
    a.post("at noon")
    world.run(600)
    assert bridge(b)["state"] == "hours"
    assert 0 < bridge(b)["opens_in_s"] < 3600
    assert z.posts() == []
    assert crossings(world, Ranges)["b", "y"] == 0
    assert crossings(world, BridgeNews)["b", "y"] == 1, "it was told once when the gate opens"
    assert "the uplink: outside its hours" in [row.waits_for for row in b.node.queue() if row.kind == "post"]
    assert a.node.status()["bridges"][0]["state"] == "hours"
    world.run(1800)
    assert world.run(720, until=lambda: z.posts() == ["at noon"])
    world.run(3600)
    assert bridge(b)["state"] == "hours"
    assert bridge(b)["uplinks"] == 0


def test_hours_without_a_date_keep_the_uplink_shut() -> None:
    world = two_valleys(left=BridgeRules(hours=((0, 1439),)))
    assert bridge(world.boxes["e"])["state"] == "no-date"
    assert world.boxes["v"].posts() == []


def test_forged_news_makes_a_bridge_late_and_not_silent() -> None:
    world = two_valleys()
    e = world.boxes["e"]
    forged = BridgeNews(b"forged", b"\x00\x00\x00\x00\x00\x01", 2**32 - 1, STATES.index("open"), 0, 0, 0, 0)
    e.node.gossip.bridges._of_our_mesh(forged)
    e.node.gossip.bridges._of_our_mesh(replace(forged, hops=1))
    assert bridge(e)["state"] == "standby"
    a, z = world.boxes["a"], world.boxes["z"]
    a.write(z, "late")
    a.post("but there")
    assert world.run(90, until=lambda: z.inbox() == ["late"] and z.posts() == ["but there"])


def test_what_the_far_end_sends_against_our_rules_is_not_taken() -> None:
    world = two_valleys(left=BridgeRules(frozenset({channel_id("market")}), frozenset({1, 3}), 200))
    world.boxes["z"].post("in the square")
    world.boxes["z"].write(world.boxes["a"], "class 2")
    world.run(120)
    assert world.boxes["a"].posts() == []
    assert world.boxes["a"].inbox() == []
    assert world.boxes["e"].node.counters["bridge_kept_out"] >= 1


def test_an_envelope_that_our_rules_keep_here_is_not_sent_to_a_far_end_that_asks_for_it() -> None:
    world = two_valleys(left=BridgeRules(largest=2000))
    a, e, z = (world.boxes[name] for name in "aez")
    z.off()
    a.write(z, "brief")
    a.write(z, "z" * 2400)
    world.run(60)
    brief, long = sorted(e.node.forwarding.shelf, key=lambda carried: carried.crossing.size)
    (session,) = e.node.neighbours.gate.uplinks
    said = e.feed(RecordReceived(session, encode_frame(Need((long.id[:6], brief.id[:6])))))
    frames = [
        frame for effect in said if isinstance(effect, SendRecord) for frame in decode_frames_untrusted(effect.data)
    ]
    assert [frame.data for frame in frames if isinstance(frame, EnvelopeFrame)] == [brief.record.data]


def test_a_peer_of_the_public_network_is_not_called_where_far_bridges_are_named() -> None:
    world = Valleys(1)
    world.valley("e", e=BridgeRules(far=("200::v",)))
    world.valley("v", v=NO_RULES)
    world.valley("w")
    e = world.boxes["e"]
    e.feed(PeerSeen("200::w", "overlay", uplink=True))
    world.run(60)
    assert bridge(e)["uplinks"] == 0
    e.feed(PeerSeen("200::v", "overlay", uplink=True))
    world.run(60)
    assert bridge(e)["uplinks"] == 1


def test_a_far_end_that_goes_on_after_the_farewell_is_not_heard() -> None:
    world = two_valleys()
    e, v = world.boxes["e"], world.boxes["v"]
    (session,) = e.node.neighbours.gate.uplinks
    e.node.neighbours.gate.leave(session)
    news = BridgeNews(bytes(6), bytes(6), 1, 0, 0, 0, 0, 0)
    e.feed(RecordReceived(session, encode_frame(news)))
    assert v.on
    assert bridge(e)["uplinks"] == 0

"""Receipts: checked by anyone, made by the two ends alone; they purge copies and stay as tombstones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.forwarding import trails
from meshnode.core.forwarding.receipts import _STAYS_S, MAX_LOOSE
from meshnode.core.ids import NodeKey, Receipt, hashed
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.records import EnvelopeRecord, HandoverRecord, SeenRecord, TombstoneRecord
from meshnode.core.sealing.envelope import receipt_tag
from meshnode.core.wire.frames import EnvelopeFrame, Handover, Offer, Receipts
from support.valley import LINK, Box, Valley

DAY_S = 86400.0


def receipt(number: int) -> Receipt:
    return Receipt(hashed(b"test-rcpt", number.to_bytes(4, "big"), 16))


def sealed(number: int, lifetime: int = 11) -> bytes:
    """An envelope whose receipt is `receipt(number)`."""
    return bytes((1 << 6 | 2, lifetime, 0, 0, 0, 0)) + receipt_tag(receipt(number)) + bytes(128)


def row(names: str = "abc") -> tuple[Valley, list[Box]]:
    valley = Valley(imax_s=1e9)
    boxes = valley.line(names)
    valley.beacons = False
    return valley, boxes


def carry(valley: Valley, giver: Box, taker: Box, number: int) -> None:
    handover = Handover(taker.neighbours.me[:2], 4, 0)
    valley.deliver(giver, taker, EnvelopeFrame(sealed(number), 0, 0, None, (handover,)))


def test_a_forged_receipt_purges_nothing() -> None:
    valley, (a, b, _) = row()
    carry(valley, a, b, 1)
    valley.deliver(a, b, Receipts((Receipt(bytes(16)), receipt(2))))
    assert len(b.forwarding.shelf) == 1
    assert not b.rows.every(TombstoneRecord)


def silenced(box: Box) -> None:
    """Its neighbours have not been heard since the beginning."""
    get = box.neighbours.get

    def silent(node: bytes) -> Neighbour | None:
        neighbour = get(node)
        for presence in neighbour.presences.values() if neighbour else ():
            presence.heard_at = 0.0
        return neighbour

    box.neighbours.get = silent  # type: ignore[method-assign]


def test_who_told_somebody_that_was_not_heard_since_looks_around() -> None:
    valley, (a, b, c) = row()
    get = b.neighbours.get
    for number, since in enumerate((get, lambda node: None, None)):
        b.neighbours.get = get  # type: ignore[method-assign]
        carry(valley, a, b, number)
        valley.deliver(c, b, Receipts((receipt(number),)))
        silenced(b)
        assert b.step(b.forwarding.unsure)
        valley.run(1.0 if since is not None else 299.0)
        assert b.step(b.forwarding.unsure)
        valley.run(2.0)
        if since is not None:
            b.neighbours.get = since  # type: ignore[method-assign]
        assert not b.step(b.forwarding.unsure)


@pytest.mark.parametrize(("here_s", "unsure"), [(_STAYS_S - 5, True), (_STAYS_S + 5, False)])
def test_who_has_been_here_for_long_is_not_doubted(here_s: float, unsure: bool) -> None:
    valley, (a, b, c) = row()
    valley.run(here_s - valley.now)  # they are bound since 0
    carry(valley, a, b, 1)
    valley.deliver(c, b, Receipts((receipt(1),)))
    silenced(b)
    assert b.step(b.forwarding.unsure) is unsure


def test_a_true_one_purges_all_under_its_tag_and_keeps_them_away() -> None:
    valley, (a, b, _) = row()
    carry(valley, a, b, 1)
    rubbish = sealed(1)[:-1] + b"\1"
    valley.deliver(a, b, EnvelopeFrame(rubbish, 0, 0))
    assert len(b.forwarding.shelf) == 2
    valley.deliver(a, b, Receipts((receipt(1),)))
    assert len(b.forwarding.shelf) == 0
    assert not b.rows.every(EnvelopeRecord)
    assert not b.rows.every(HandoverRecord)
    carry(valley, a, b, 1)
    assert len(b.forwarding.shelf) == 0
    valley.reboot(b)
    carry(valley, a, b, 1)
    assert len(b.forwarding.shelf) == 0
    valley.run(2.0)
    assert sum(isinstance(frame, Receipts) and name == "b" for name, frame in valley.on_air) >= 1


def test_a_true_one_purges_what_is_held_however_many_were_met_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "_MAX_TRAILS", 1)
    valley, (a, b, _) = row()
    carry(valley, a, b, 1)
    carry(valley, a, b, 2)
    valley.deliver(a, b, Receipts((receipt(1),)))
    assert [carried.record.tag for carried in b.forwarding.shelf] == [receipt_tag(receipt(2))]


def test_a_tombstone_outlives_the_envelope_by_half() -> None:
    valley, (a, b, _) = row()
    carry(valley, a, b, 1)
    valley.deliver(a, b, Receipts((receipt(1),)))
    (stone,) = b.rows.every(TombstoneRecord)
    assert stone.until == valley.now + 1.5 * 14 * DAY_S
    valley.run(1.5 * 14 * DAY_S + 1)
    assert not b.rows.every(TombstoneRecord)
    assert not b.rows.every(SeenRecord)


def test_one_that_matches_nothing_is_kept_and_passed_on_at_encounters() -> None:
    valley, (a, b, c) = row()
    valley.part(b, c)
    valley.deliver(a, b, Receipts((receipt(1),)))
    valley.deliver(a, b, Receipts((receipt(1),)))
    valley.run(1.0)
    assert not valley.on_air
    valley.beacons = True
    valley.join(b, c)
    valley.run(5.0)
    assert [(name, frame) for name, frame in valley.on_air if isinstance(frame, Receipts)] == [
        ("b", Receipts((receipt(1),)))
    ]
    valley.run(60.0)
    assert len(valley.on_air) == 1


def test_one_that_came_before_its_envelope_meets_it() -> None:
    valley, (a, b, _) = row()
    valley.deliver(a, b, Receipts((receipt(1),)))
    carry(valley, a, b, 1)
    assert len(b.forwarding.shelf) == 0
    assert [stone.receipt for stone in b.rows.every(TombstoneRecord)] == [receipt(1)]


def test_unmatched_ones_are_bounded_by_hop_and_forgotten_in_a_day() -> None:
    valley, (a, b, _) = row()
    for number in range(MAX_LOOSE + 10):
        valley.deliver(a, b, Receipts((receipt(number),)))
    assert b.ctx.counters["receipts_unmatched_dropped"] == 10
    assert b.forwarding._receipts.loose(receipt_tag(receipt(0))) is None
    assert b.forwarding._receipts.loose(receipt_tag(receipt(20))) == receipt(20)
    valley.run(DAY_S + 1)
    assert b.forwarding._receipts.loose(receipt_tag(receipt(20))) is None


def test_unmatched_ones_come_from_few_hops() -> None:
    _, (a, b, _) = row()
    for hop in range(70):
        near = replace_node(b.neighbours.of(a), NodeKey(bytes([hop]) * 32))
        heard = Heard(near.id, near, True, "halow0", "", False, ())
        b.step(lambda hop=hop, heard=heard: b.forwarding.frame_arrived(Receipts((receipt(hop),)), heard))
    assert b.ctx.counters["receipts_unmatched_dropped"] == 6


def replace_node(near, node: NodeKey):  # type: ignore[no-untyped-def]
    return replace(near, node=node)


def test_it_goes_back_the_way_the_envelope_came_and_no_other() -> None:
    valley = Valley()
    a, b, c, d = (valley.box(name) for name in "abcd")
    for one, other in ((a, b), (b, c), (b, d)):
        valley.join(one, other)
    valley.befriend(a, b, c, d)
    valley.beacons = False
    message = a.write(c, "hello")
    valley.run(20.0)
    assert a.state(message) == "delivered"
    assert len(d.forwarding.shelf) == 0


def test_a_receipt_that_was_lost_is_told_again_to_who_still_offers() -> None:
    valley = Valley()
    a, b = valley.line("ab")
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, Receipts)
    message = a.write(b, "hello")
    valley.run(30.0)
    assert a.state(message) != "delivered"
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(130.0)
    assert a.state(message) == "delivered"
    assert b.inbox() == ["hello"]


def test_a_receipt_for_something_handed_out_and_expired_here_still_counts() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.part(b, c)
    message = a.write(c, "hello")
    valley.run(5.0)
    valley.part(a, b)
    (carried,) = list(a.forwarding.shelf)
    a.step(lambda: a.forwarding._drop(carried))
    valley.join(b, c)
    valley.run(30.0)
    valley.join(a, b)
    valley.deliver(b, a, Receipts(tuple(stone.receipt for stone in b.rows.every(TombstoneRecord))))
    assert a.state(message) == "delivered"


@pytest.mark.parametrize("period_s", [60.0])
def test_a_ferry_between_two_cliques_carries_both_ways(period_s: float) -> None:
    valley = Valley()
    west = [valley.box(name) for name in "abc"]
    east = [valley.box(name) for name in "xyz"]
    ferry = valley.box("f")
    for clique in (west, east):
        for index, one in enumerate(clique):
            for other in clique[:index]:
                valley.join(one, other)
    valley.befriend(*west, *east)
    sent = []
    for turn in range(12):
        shore = west if turn % 2 == 0 else east
        for box in shore:
            valley.join(ferry, box)
        valley.run(period_s / 4)
        if turn < 8:
            sent.append((west[0], west[0].write(east[1], f"east {turn}")))
            sent.append((east[2], east[2].write(west[1], f"west {turn}")))
        for box in shore:
            valley.part(ferry, box)
        valley.run(period_s / 4)
    assert sorted(east[1].inbox()) == sorted(f"east {turn}" for turn in range(8))
    assert sorted(west[1].inbox()) == sorted(f"west {turn}" for turn in range(8))
    assert {box.state(message) for box, message in sent} == {"delivered"}
    assert not ferry.rows.every(EnvelopeRecord)


def crowd(names: str = "abcdef") -> tuple[Valley, list[Box]]:
    valley = Valley(imax_s=1e9)
    boxes = [valley.box(name) for name in names]
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            valley.join(one, other)
    valley.beacons = False
    return valley, boxes


def receipts_of(valley: Valley, box: Box) -> int:
    return sum(isinstance(frame, Receipts) for name, frame in valley.on_air if name == box.name)


def test_who_heard_the_same_multicast_of_a_receipt_is_not_told_again_by_each() -> None:
    valley, (a, b, c, d, *_) = crowd()
    carry(valley, a, b, 1)
    valley.run(1.0)
    valley.deliver(c, b, Receipts((receipt(1),)), multicast=True)
    before = receipts_of(valley, b)
    valley.deliver(d, b, EnvelopeFrame(sealed(1), 0, 0), multicast=True)
    valley.run(1.0)
    assert receipts_of(valley, b) == before, "it left d before the receipt came there"


@pytest.mark.parametrize(("names", "offers"), [("abcdef", 0), ("abcd", 1)])
def test_in_a_crowd_what_came_a_moment_ago_is_offered_to_nobody_yet(names: str, offers: int) -> None:
    valley, (a, b, c, *_) = crowd(names)
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 0, None, (Handover(b.neighbours.me[:2], 1, 0),)))
    far = b.neighbours.of(c)
    carried = b.forwarding.shelf.with_tag(receipt_tag(receipt(1)))[0]
    carried.has.clear()

    def said() -> int:
        valley.run(0.1)
        return sum(isinstance(frame, Offer) for name, frame in valley.on_air if name == "b")

    b.step(lambda: b.forwarding.digest_heard(far, bytes(4)))
    assert said() == offers
    valley.run(4.0)
    carried.has.clear()
    b.step(lambda: b.forwarding.digest_heard(far, bytes(4)))
    assert said() >= 1


@pytest.mark.parametrize("in_reach", [True, False])
def test_who_has_nothing_to_offer_says_what_it_holds_to_who_is_on_a_link(in_reach: bool) -> None:
    valley, (_, b, c) = crowd("abc")
    told: list[Neighbour] = []
    b.forwarding.say_digest = lambda neighbour, link: told.append(neighbour)
    far = b.neighbours.of(c)
    b.step(lambda: b.forwarding.digest_heard(far, b"else"))
    valley.run(13.0)
    if not in_reach:
        far.presences.clear()
    b.step(lambda: b.forwarding.digest_heard(far, b"else"))
    b.forwarding.say_digest(far, LINK)
    assert told == [far] * (1 + in_reach)

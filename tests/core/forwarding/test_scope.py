"""How far an envelope goes: to about where its reader was, everywhere if no receipt comes, and late to nobody else."""

from __future__ import annotations

import pytest

from meshnode.core.forwarding.scope import KEPT_S, LEAST_PATIENCE_S, MOST_PATIENCE_S
from meshnode.core.forwarding.trails import Trail
from meshnode.core.ids import NodeKey, Tag, hashed
from meshnode.core.records import ROLE_CUSTODY, ROLE_TRANSIT
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.core.wire.frames import EnvelopeFrame, Handover, Offer, Receipts
from meshnode.errors import WireError
from support.valley import LINK, Box, Valley


def sealed(number: int) -> bytes:
    """An envelope for nobody here, as a relay sees it."""
    return bytes((1 << 6 | 2, 11, 0, 0, 0, 0)) + hashed(b"test-tag", bytes((number,)), 10) + bytes(128)


def long_line(names: str = "abcdefgh", reader: int = 1) -> tuple[Valley, list[Box]]:
    """A row of boxes whose first has an answer from one of them already."""
    valley = Valley()
    boxes = valley.line(names)
    valley.today(*boxes)
    boxes[0].write(boxes[reader], "where are you?")
    valley.run(30.0)
    assert boxes[reader].inbox() == ["where are you?"]
    valley.on_air.clear()
    return valley, boxes


def senders(valley: Valley) -> set[str]:
    return {name for name, _ in valley.envelopes_on_air()}


def deaf(box: Box) -> Box:
    """It answers nothing any more."""
    box.valley.dropped = lambda sender, receiver, frame: box in (sender, receiver)
    return box


def test_the_first_goes_everywhere_and_the_next_to_where_the_receipt_came_from() -> None:
    valley, boxes = long_line()
    boxes[0].write(boxes[1], "only you")
    valley.run(15.0)
    assert boxes[1].inbox() == ["where are you?", "only you"]
    assert [frame.spread for _, frame in valley.envelopes_on_air()] == [2]  # it stays where it was opened


def test_receipts_count_the_hops_they_come() -> None:
    valley = Valley()
    a, *_, d = valley.line("abcd")
    a.write(d, "how far?")
    valley.run(30.0)
    told = [(name, frame.hops) for name, frame in valley.on_air if isinstance(frame, Receipts)]
    assert told == [("d", 1), ("c", 2), ("b", 3)]


def test_it_stops_two_boxes_behind_where_the_reader_was() -> None:
    valley, boxes = long_line(reader=2)
    deaf(boxes[2])
    valley.join(boxes[1], boxes[3])
    boxes[0].write(boxes[2], "you moved")
    valley.run(5.0)
    assert senders(valley) == {"a", "b", "d", "e"}
    assert [frame.spread for name, frame in valley.envelopes_on_air() if name == "e"][:1] == [1]
    edge = next(iter(boxes[5].forwarding.shelf))
    assert edge.reach == 0


def test_without_a_receipt_it_goes_everywhere_after_all() -> None:
    valley, boxes = long_line()
    a, b, far = boxes[0], boxes[1], boxes[-1]
    deaf(b)
    valley.join(a, boxes[2])
    a.write(b, "you moved")
    valley.run(LEAST_PATIENCE_S - 1)
    assert not list(far.forwarding.shelf)
    valley.dropped = lambda sender, receiver, frame: False
    for beside in valley.beside(b):
        valley.part(b, beside)
    valley.join(b, far)
    valley.run(30.0)
    assert b.inbox() == ["where are you?", "you moved"]
    assert a.ctx.counters["envelope_widened"] == 1
    valley.on_air.clear()
    a.write(b, "and now without a limit at once")
    valley.run(15.0)
    assert {frame.spread for _, frame in valley.envelopes_on_air()} == {0}


def test_patience_doubles_once_for_all_on_their_way_and_shrinks_with_receipts() -> None:
    valley, boxes = long_line("abcd")
    a, b = boxes[:2]
    deaf(b)
    for number in range(5):
        a.write(b, f"{number}")
    valley.run(LEAST_PATIENCE_S + 1)
    assert a.ctx.counters["envelope_widened"] == 5
    scope = a.forwarding._scope
    assert scope._patience_s == 2 * LEAST_PATIENCE_S
    for _ in range(9):
        for session in a.chat.sessions.of(b.keys.device):
            session.distance.wary_until = 0.0
        a.write(b, "again")
        valley.run(MOST_PATIENCE_S + 1)
    assert scope._patience_s == MOST_PATIENCE_S
    valley.dropped = lambda sender, receiver, frame: False
    for session in a.chat.sessions.of(b.keys.device):
        session.distance.wary_until = 0.0
    a.write(b, "back")
    valley.run(15.0)
    assert "back" in b.inbox()
    assert scope._patience_s == pytest.approx(0.9 * MOST_PATIENCE_S)
    assert scope.timers[0].next() is None, "nobody waits for what came"
    assert not scope._in_line


@pytest.mark.parametrize(("copies", "transit"), [(1, "xy"), (8, "y")])
def test_its_receipt_takes_the_trail_back_and_goes_to_whom_copies_were_given(copies: int, transit: str) -> None:
    """a, b and c in a row; x and y behind b are on no trail."""
    valley = Valley()
    a, b, c, x, y = boxes = [valley.box(name, copies=copies) for name in "abcxy"]
    for one, other in ((a, b), (b, c), (b, x), (x, y)):
        valley.join(one, other)
    valley.befriend(a, c)
    valley.today(*boxes)
    a.write(c, "where are you?")
    valley.run(30.0)
    assert not any(len(box.forwarding.shelf) for box in boxes)  # without a limit all are told
    valley.on_air.clear()
    a.write(c, "there?")
    valley.run(30.0)
    assert c.inbox() == ["where are you?", "there?"]
    told = {name for name, frame in valley.on_air if isinstance(frame, Receipts)}  # by whom
    assert told == {"b", "c"}
    roles = [(box.name, carried.record.role) for box in boxes for carried in box.forwarding.shelf]
    assert roles == [(name, ROLE_TRANSIT) for name in transit]
    assert not any(isinstance(frame, Offer) for _, frame in valley.on_air)


def test_a_trail_leads_back_to_the_first_in_reach() -> None:
    first, second = NodeKey(b"1" * 32), NodeKey(b"2" * 32)
    trail = Trail(Tag(bytes(10)), {first: None, second: None})
    assert trail.back({second}) == [first, second]
    trail.quiet = True
    assert trail.back({first, second}) == [first]
    assert trail.back({second}) == [second]
    assert trail.back(()) == [first]


def test_who_repeats_what_arrived_is_told_if_it_names_us_or_there_is_no_limit() -> None:
    valley, (a, b, c) = long_line("abc")
    a.write(b, "only you")
    valley.run(15.0)
    ((_, frame),) = valley.envelopes_on_air()
    for spread, handovers, told in ((2, (), 0), (2, (Handover(b.neighbours.me[:2], 0, 0),), 1), (0, (), 1)):
        valley.run(5.0)
        valley.on_air.clear()
        valley.deliver(c, b, EnvelopeFrame(frame.data, 0, spread, None, handovers))
        valley.run(1.0)
        assert sum(isinstance(each, Receipts) for _, each in valley.on_air) == told


def test_what_stands_in_line_for_the_air_is_not_missed() -> None:
    valley, boxes = long_line("abc")
    a, b = boxes[:2]
    a.neighbours.send = lambda *args, **more: None  # type: ignore[method-assign]  # it stands in line
    line = a.forwarding._scope._outbox
    line.holds = lambda key: True  # type: ignore[method-assign]
    a.write(b, "slow air")
    valley.run(5 * LEAST_PATIENCE_S)
    assert a.ctx.counters["envelope_widened"] == 0
    line.holds = lambda key: False  # type: ignore[method-assign]
    valley.run(LEAST_PATIENCE_S)
    assert a.ctx.counters["envelope_widened"] == 1


def test_what_goes_only_so_far_is_not_compared_and_what_is_kept_of_it_is_offered_to_who_comes() -> None:
    valley, boxes = long_line("abcd")
    a, b, c, _ = boxes
    digest = a.forwarding.envelope_digest()
    valley.part(a, b)
    a.write(b, "who is there?")
    assert a.forwarding.envelope_digest() == digest
    valley.join(a, c)
    valley.run(2.0)
    assert any(name == "a" and isinstance(frame, Offer) for name, frame in valley.on_air)
    assert b.inbox() == ["where are you?", "who is there?"]


def test_a_session_that_begins_is_offered_it_too() -> None:
    valley, boxes = long_line("abc")
    a, b, c = boxes
    valley.part(a, b)
    a.write(b, "over the hill")
    valley.open_session(a, c)
    valley.run(2.0)
    assert b.inbox() == ["where are you?", "over the hill"]


def test_a_promise_is_quiet_for_a_minute() -> None:
    valley = Valley()
    a, b = valley.line("ab")
    valley.beacons = False
    handover = Handover(b.neighbours.me[:2], 4, 0)
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 3, None, (handover,)))
    empty = a.forwarding.envelope_digest()
    assert [carried.record.role for carried in b.forwarding.shelf] == [ROLE_CUSTODY]
    assert b.forwarding.envelope_digest() == empty
    valley.run(KEPT_S + 1)
    assert b.forwarding.envelope_digest() != empty


def test_it_goes_on_where_it_comes_again_with_hops_left() -> None:
    valley = Valley()
    a, b, _ = valley.line("abc")
    valley.beacons = False
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 1))
    assert not valley.on_air  # the edge
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 3))
    valley.run(1.0)
    assert [(name, frame.spread) for name, frame in valley.envelopes_on_air()] == [("b", 2)]
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 4))
    valley.run(1.0)
    assert len(list(valley.envelopes_on_air())) == 1  # it went on once
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 0))
    valley.run(1.0)
    assert [(name, frame.spread) for name, frame in valley.envelopes_on_air()][1:] == [("b", 0)]
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 2))
    assert next(iter(b.forwarding.shelf)).reach is None


def test_who_asks_at_the_edge_gets_it_and_keeps_it_there() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.beacons = False
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 1))
    (carried,) = b.forwarding.shelf
    b.step(lambda: b.forwarding._flood.to_one(carried, b.neighbours.of(c), asked=True))
    valley.run(0.1)
    assert next(iter(c.forwarding.shelf)).reach == 0
    assert LINK in b.neighbours.of(c).presences


def test_a_list_of_receipts_that_ends_in_no_hops_is_refused() -> None:
    with pytest.raises(WireError):
        decode_frames_untrusted(b"\x09" + bytes(16) + b"\0")


def moved_out_of_scope(copies: int = 8) -> tuple[Valley, Box, Box]:
    """The reader was beside the author, and is now behind the end of a row."""
    valley = Valley()
    boxes = valley.line("abcdefgh", copies=copies)
    a, b, c, *_, far = boxes
    valley.today(*boxes)
    a.write(b, "where are you?")
    valley.run(30.0)
    valley.join(a, c)
    for beside in (a, c):
        valley.part(b, beside)
    valley.join(far, b)
    valley.run(60.0)
    return valley, a, b


@pytest.mark.parametrize("copies", [2, 8])
def test_it_goes_everywhere_also_if_its_author_falls_silent(copies: int) -> None:
    """Who was promised it offers it after a minute, and who held it in passing does so then as well."""
    valley, a, b = moved_out_of_scope(copies)
    a.write(b, "my last words")
    valley.run(5.0)
    a.on = False
    valley.run(300.0)
    assert b.inbox() == ["where are you?", "my last words"]


def test_it_goes_everywhere_also_if_its_author_restarts() -> None:
    valley, a, b = moved_out_of_scope(copies=1)
    a.write(b, "in short")
    valley.run(5.0)
    valley.reboot(a)
    valley.run(300.0)
    assert b.inbox() == ["where are you?", "in short"]


def test_who_holds_it_lifts_its_limit_for_a_late_offer_and_for_no_early_one() -> None:
    valley = Valley()
    a, b, _ = valley.line("abc")
    valley.beacons = False
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 1))
    (carried,) = b.forwarding.shelf
    for wait, reach in ((LEAST_PATIENCE_S - 1, 0), (1.0, None)):
        valley.run(wait)
        valley.deliver(a, b, Offer((carried.id[:6],)))
        assert carried.reach == reach
    own, boxes = long_line("ab")
    boxes[0].forwarding._scope._patience_s = MOST_PATIENCE_S
    deaf(boxes[1])
    boxes[0].write(boxes[1], "mine")
    own.run(LEAST_PATIENCE_S + 1)
    (mine,) = boxes[0].forwarding.shelf
    own.deliver(boxes[1], boxes[0], Offer((mine.id[:6],)))
    assert mine.reach is not None  # its author waits for the receipt, and sends it on itself


@pytest.mark.parametrize("away_s", [1.0, 20.0])
def test_a_ferry_that_comes_at_once_brings_it_to_all_of_another_village(away_s: float) -> None:
    valley = Valley()
    a, b, c = village = valley.line("abc", copies=2)
    w, _, y = other = valley.line("wxy", copies=2)
    ferry = valley.box("f", copies=2)
    valley.befriend(*village, *other, ferry)
    valley.today(*village, *other, ferry)
    a.write(b, "where are you?")
    valley.run(30.0)
    for beside in (a, c):
        valley.part(b, beside)
    valley.join(y, b)
    valley.run(60.0)
    a.write(b, "over the water")
    valley.join(a, ferry)
    valley.run(1.0)
    valley.part(a, ferry)
    valley.run(away_s)
    valley.join(ferry, w)
    valley.run(1.0)
    valley.part(ferry, w)
    valley.run(2 * KEPT_S)
    assert b.inbox() == ["where are you?", "over the water"]


def test_who_asked_for_it_is_told_that_it_arrived() -> None:
    valley = Valley()
    a, _, c, _ = boxes = valley.line("abcd", copies=2)
    ferry = valley.box("f", copies=2)
    valley.today(*boxes, ferry)
    a.write(c, "where are you?")
    valley.run(30.0)
    deaf(c)
    a.write(c, "there?")
    valley.join(a, ferry)
    valley.run(0.5)
    assert [carried.record.role for carried in ferry.forwarding.shelf] == [ROLE_TRANSIT]
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(15.0)
    assert c.inbox() == ["where are you?", "there?"]
    assert not list(ferry.forwarding.shelf)

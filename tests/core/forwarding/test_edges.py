"""Bounds and corners: what is forgotten first, what is asked too often, what does not fit."""

from __future__ import annotations

import pytest

from meshnode.core.forwarding import encounters, receipts, shelf, trace, trails
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.ids import EnvelopeId, NeighbourId, NodeKey, Tag, hashed
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.notices import ProbeHop
from meshnode.core.records import ROLE_CUSTODY, StateRecord
from meshnode.core.sealing.envelope import KIND_PROBE
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.frames import Beacon, EnvelopeFrame, Handover, Need, Offer, Receipts, Took, TookProof, Trace
from support.valley import LINK, Box, Valley


def sealed(number: int, *, kind: int = 0, size: int = 128) -> bytes:
    head = bytes((1 << 6 | kind << 3 | 2, 11, 0, 0, 0, 0))
    return head + hashed(b"test-tag", number.to_bytes(4, "big"), 10) + bytes(size)


def pair() -> tuple[Valley, Box, Box]:
    valley = Valley(imax_s=1e9)
    a, b = valley.line("ab")
    valley.beacons = False
    return valley, a, b


def hand(valley: Valley, giver: Box, taker: Box, data: bytes, copies: int = 4) -> None:
    handover = Handover(taker.neighbours.me[:2], copies, 0)
    valley.deliver(giver, taker, EnvelopeFrame(data, 0, 0, None, (handover,)))


def test_old_trails_are_forgotten_but_not_of_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "_MAX_TRAILS", 3)
    valley, a, b = pair()
    for number in range(5):
        hand(valley, a, b, sealed(number))
    kept = b.forwarding.shelf
    first = next(iter(kept))
    assert kept.trails.known(first.id) is None
    assert kept.by_short(first.id[:6]) is first
    gone = EnvelopeId(bytes(16))
    kept.trails.of(gone, first.record.tag)
    assert len(kept.trails.under(first.record.tag)) == 1
    for number in range(3):
        kept.trails.of(EnvelopeId(bytes([number + 1]) * 16), Tag(bytes(10)))
    assert kept.trails.by_short(gone[:6]) is None
    assert len(kept.trails.under(Tag(bytes(10)))) == 3


def test_two_trails_under_one_tag_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "_MAX_TRAILS", 2)
    _, a, _ = pair()
    kept, tag = a.forwarding.shelf, Tag(bytes(10))
    for number in range(3):
        kept.trails.of(EnvelopeId(bytes([number]) * 16), tag)
    assert len(kept.trails.under(tag)) == 2


def test_what_passed_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_MAX_PASSED", 2)
    valley, a, b = pair()
    for number in range(4):
        valley.deliver(a, b, EnvelopeFrame(sealed(number), 0, 0))
    valley.run(601.0)
    assert len(b.forwarding.shelf._passed) == 2


def test_who_was_told_what_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "_MAX_TOLD", 2)
    valley, a, b = pair()
    for number in range(4):
        valley.deliver(a, b, Receipts((hashed(b"test", bytes([number]), 16),)))  # type: ignore[arg-type]
    assert len(b.forwarding._receipts._told) == 2


def test_an_asker_gets_so_much_and_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    valley, a, b = pair()
    c = valley.box("c")
    valley.join(c, b)
    for number in range(10):
        hand(valley, a, b, sealed(number, size=4000))
    shorts = tuple(carried.id[:6] for carried in b.forwarding.shelf)
    valley.run(10.0)
    said = len(valley.on_air)
    valley.deliver(c, b, Need((*shorts, bytes(6))))
    assert b.ctx.counters["need_not_held"] == 1
    assert len(valley.on_air) - said == encounters._SERVED_BYTES // 4016 + 1
    for _ in range(8):
        valley.deliver(c, b, Need(shorts[:1]))
    assert b.ctx.counters["need_too_often"] > 0
    valley.run(601.0)
    before = b.ctx.counters["need_too_often"]
    valley.deliver(c, b, Need(shorts[:1]))
    assert b.ctx.counters["need_too_often"] == before
    b.neighbours.purse, said = 4000.0, len(valley.on_air)
    valley.deliver(c, b, Need(shorts[1:4]))
    assert b.ctx.counters["need_over_budget"] == 3
    assert len(valley.on_air) == said


def test_what_one_neighbour_was_asked_for_another_is_not() -> None:
    valley, a, b = pair()
    c = valley.box("c")
    valley.join(c, b)
    offer = Offer((b"abcdef",))
    valley.deliver(a, b, offer)
    valley.deliver(c, b, offer)
    assert sum(isinstance(frame, Need) for _, frame in valley.on_air) == 1
    valley.run(5.0)
    valley.deliver(c, b, offer)
    assert sum(isinstance(frame, Need) for _, frame in valley.on_air) == 2


def test_an_offer_tells_who_has_what_already() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1))
    (carried,) = list(b.forwarding.shelf)
    c = valley.box("c")
    valley.join(c, b)
    valley.deliver(c, b, Offer((carried.id[:6],)))
    assert c.keys.node in carried.has
    assert not any(isinstance(frame, Need) for _, frame in valley.on_air)


def test_what_was_given_away_is_not_asked_for_again() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1))
    (carried,) = list(b.forwarding.shelf)
    b.step(lambda: b.forwarding._drop(carried))
    valley.deliver(a, b, Offer((carried.id[:6],)))
    assert not any(isinstance(frame, Need) for _, frame in valley.on_air)


def probe_answer(hop: int = 1, carrier: int = 0, envelope: bytes = bytes(8)) -> Trace:
    return Trace(envelope, hop, carrier, NeighbourId(bytes(6)))


def test_answers_nobody_asked_for_or_too_far_or_unknown_are_dropped() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1, kind=KIND_PROBE))
    known = next(iter(b.forwarding.shelf)).id[:8]
    for answer in (probe_answer(), probe_answer(64, envelope=known), probe_answer(1, 3, envelope=known)):
        valley.deliver(a, b, answer)
    assert b.ctx.counters["trace_unasked"] == 3


def test_an_answer_stops_where_the_node_before_is_gone() -> None:
    valley, a, b = pair()
    data = sealed(1, kind=KIND_PROBE)
    stranger = Heard(NeighbourId(bytes(6)), None, False, LINK, "", True, ())
    b.step(lambda: b.forwarding.frame_arrived(EnvelopeFrame(data, 0, 0), stranger))
    known = next(iter(b.forwarding.shelf)).id[:8]
    said = len(valley.on_air)
    valley.deliver(a, b, probe_answer(envelope=known))
    valley.run(0.1)
    assert not any(isinstance(frame, Trace) and name == "b" for name, frame in valley.on_air[said:])


def test_probes_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_MAX_PROBES", 2)
    valley, a, b = pair()
    for number in range(4):
        hand(valley, a, b, sealed(number, kind=KIND_PROBE))
    assert len(b.forwarding._traces._probes) == 2


def test_a_trace_over_overlay_and_parcel_says_so() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    valley.befriend(a, b)
    valley.open_session(a, b)
    a.write(b, "", probe=True)
    valley.run(1.0)
    (hop,) = [notice for notice in a.notices if isinstance(notice, ProbeHop)]
    assert hop.carrier == "overlay"
    near = a.neighbours.of(b)
    for carrier, neighbour, number in (("parcel", None, 2), ("link", near, 0), ("session", near, 1)):
        heard = Heard(near.id, neighbour, True, "", "", False, (), carrier=carrier)
        assert trace.carrier_of(heard) == number
    near.session_carrier = "link"
    assert trace.carrier_of(Heard(near.id, near, True, "", "", False, (), carrier="session")) == trace.LINK


def test_frames_of_others_are_left_to_them() -> None:
    _, a, b = pair()
    near = a.neighbours.of(b)
    beacon = Beacon(1, 1, 0, bytes(8), bytes(4))
    assert a.step(lambda: a.forwarding.frame_arrived(beacon, Heard(near.id, near, True, LINK, "", True, ()))) is False


def test_where_multicast_is_filtered_each_gets_its_own() -> None:
    valley = Valley()
    middle, *leaves = (valley.box(name) for name in "mabc")
    for leaf in leaves:
        valley.join(middle, leaf)
    valley.befriend(middle, *leaves)
    middle.ctx.links[LINK] = LinkSettings(multicast=False)
    middle.write(leaves[1], "hello")
    valley.run(0.1)
    assert leaves[1].inbox() == ["hello"]
    frames = [frame for name, frame in valley.envelopes_on_air() if name == "m"]
    assert [frame.handovers[0].copies for frame in frames] == [4, 2, 1]


def test_a_settled_proof_is_owed_no_more_and_a_stranger_is_owed_nothing() -> None:
    _, a, b = pair()
    custody = a.forwarding._custody
    custody.settled(NodeKey(bytes(32)), EnvelopeId(bytes(16)))
    custody.rest(EnvelopeId(bytes(16)), b.keys.node)
    custody.overheard(EnvelopeId(bytes(16)), b.keys.node)
    assert custody.owed_envelopes(b.keys.node) == []


def test_without_callbacks_forwarding_stands_alone() -> None:
    _, a, b = pair()
    alone = Forwarding(a.ctx, a.neighbours, a.forwarding._flood._outbox)  # type: ignore[arg-type]
    near = a.neighbours.of(b)
    heard = Heard(near.id, near, True, LINK, "", False, ())
    handover = Handover(a.neighbours.me[:2], 4, 0)
    alone.frame_arrived(EnvelopeFrame(sealed(1), 0, 0, None, (handover,)), heard)
    assert [c.record.role for c in alone.shelf] == [ROLE_CUSTODY]
    alone.frame_arrived(Receipts((hashed(b"test", b"", 16),)), heard)  # type: ignore[arg-type]
    record, _ = alone.own(next(iter(alone.shelf)).header, sealed(2), b"m" * 16, 8)
    alone.submit(record)
    alone.on_air(b"m" * 16)  # type: ignore[arg-type]
    alone.on_carried(b"m" * 16, near)  # type: ignore[arg-type]
    assert alone.on_envelope(next(iter(alone.shelf)).header, b"", None) is False
    assert alone.on_receipt(Tag(bytes(10)), hashed(b"test", b"", 16), 0) is False  # type: ignore[arg-type]
    alone.on_missed(next(iter(alone.shelf)))


def test_a_neighbour_that_returns_unnoticed_is_offered_what_it_did_not_prove() -> None:
    valley, a, b = pair()
    hand(valley, b, a, sealed(1))
    c = valley.box("c")
    valley.dropped = lambda sender, receiver, frame: receiver is c
    valley.join(a, c)
    (carried,) = list(a.forwarding.shelf)
    a.step(lambda: a.forwarding._needed(carried, a.neighbours.of(c)))
    assert a.forwarding._custody.awaits(carried.id, c.keys.node)
    valley.join(a, c)
    assert not a.forwarding._custody.awaits(carried.id, c.keys.node)


def test_nothing_is_tried_on_who_is_out_of_reach() -> None:
    valley, a, b = pair()
    valley.dropped = lambda sender, receiver, frame: True
    hand(valley, a, b, sealed(1))
    c = valley.box("c")
    valley.join(b, c)
    (carried,) = list(b.forwarding.shelf)
    b.step(lambda: b.forwarding._needed(carried, b.neighbours.of(c)))
    c.on = False
    said = len(valley.on_air)
    valley.run(60.0)
    assert not b.forwarding._custody.awaits(carried.id, c.keys.node)
    assert not any(isinstance(frame, EnvelopeFrame) for _, frame in valley.on_air[said:])


def test_proofs_and_receipts_for_who_is_forgotten_are_dropped() -> None:
    valley, a, _ = pair()
    nobody = Neighbour(NeighbourId(bytes(6)), NodeKey(bytes(32)), key=bytes(32))
    a.forwarding._custody.owe(nobody, EnvelopeId(bytes(16)), 0)
    a.forwarding._receipts._twice[nobody.node] = {}
    a.forwarding._receipts._twice_due.set(nobody.node, valley.now)
    valley.run(1.0)
    assert not valley.on_air
    assert a.forwarding.wakeup() is None or a.forwarding.wakeup() > valley.now


def test_a_proof_we_no_longer_wait_for_changes_nothing() -> None:
    valley, a, b = pair()
    hand(valley, b, a, sealed(1))
    (carried,) = list(a.forwarding.shelf)
    proof = TookProof(a.neighbours.me[:2], bytes(8))
    valley.deliver(b, a, EnvelopeFrame(carried.record.data, 0, 0, proof), multicast=True)
    assert a.ctx.counters["custody_proof_false"] == 0


def test_the_same_from_a_stranger_counts_for_nothing() -> None:
    valley, a, b = pair()
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 100, 0))
    stranger = Heard(NeighbourId(bytes(6)), None, False, LINK, "", True, ())
    b.step(lambda: b.forwarding.frame_arrived(EnvelopeFrame(sealed(1), 0, 0), stranger))
    (carried,) = list(b.forwarding.shelf)
    assert not carried.heard
    assert carried.record.expires_at == valley.now + 14 * 86400


def test_receipts_that_concern_others_stay_when_some_ride_along() -> None:
    valley = Valley(imax_s=1e9)
    a, b, c = valley.line("abc")
    valley.beacons = False
    for _ in range(6):
        for writer in (a, c):
            writer.write(b, "hello")
        valley.run(20.0)
    said = len(valley.on_air)
    a.write(b, "again")
    c.write(b, "again")
    valley.run(1.0)
    b.step(lambda: b.forwarding._along_with(b.neighbours.of(a)))
    early = [frame for name, frame in valley.on_air[said:] if name == "b" and isinstance(frame, Receipts)]
    assert len(early) == 1
    valley.run(20.0)
    assert {row.state for row in c.rows.every(StateRecord)} == {"delivered"}


def test_only_what_came_after_a_moment_is_exported() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1))
    valley.run(10.0)
    assert len(list(b.forwarding.parcel_frames())) == 1
    assert list(b.forwarding.parcel_frames(since=valley.now)) == []


def test_a_session_peer_is_told_in_the_words_of_a_session() -> None:
    valley = Valley(imax_s=1e9)
    a, b = valley.box("a"), valley.box("b")
    valley.befriend(a, b)
    valley.open_session(a, b)
    a.write(b, "hello")
    valley.run(2.0)
    assert not any(isinstance(frame, Took) for _, frame in valley.on_air)  # the receipt says more
    assert {row.state for row in a.rows.every(StateRecord)} == {"delivered"}
    b.forwarding._custody.owe(b.neighbours.of(a), EnvelopeId(bytes(16)), 0)
    valley.run(1.0)
    assert valley.on_air[-1] == ("b", Took((EnvelopeId(bytes(16)),)))

"""Custody: promised on disk before the proof, moved by valid proofs alone, refused where there is no room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.effects import Persist
from meshnode.core.forwarding import custody as custody_module
from meshnode.core.forwarding.quota import NEIGHBOUR_SHARE, SPACE_SHARE, TRANSIT_SPACE
from meshnode.core.ids import NodeKey, hashed
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.records import (
    ROLE_CUSTODY,
    ROLE_OWN,
    ROLE_TRANSIT,
    EnvelopeRecord,
    HandoverRecord,
    SeenRecord,
)
from meshnode.core.sealing.pair import custody_mac
from meshnode.core.wire.frames import EnvelopeFrame, Handover, Proof, Proofs, Took, TookProof
from support.valley import Box, Valley


def sealed(number: int, *, cls: int = 2, lifetime: int = 11, created: int = 0, size: int = 128) -> bytes:
    """An envelope for nobody here, as a relay sees it. The kind is a later one: it is carried all the same."""
    head = bytes((1 << 6 | cls, lifetime)) + created.to_bytes(3, "big") + bytes(1)
    return head + hashed(b"test-tag", number.to_bytes(4, "big"), 10) + bytes(size)


def pair() -> tuple[Valley, Box, Box]:
    """Two boxes side by side, without beacons: what is handed is all that happens."""
    valley = Valley()
    a, b = valley.line("ab")
    valley.beacons = False
    return valley, a, b


def hand(valley: Valley, giver: Box, taker: Box, data: bytes, copies: int = 4, age: int = 0, reply: int = 0) -> None:
    """The giver names the taker in a frame."""
    handover = Handover(taker.neighbours.me[:2], copies, reply)
    valley.deliver(giver, taker, EnvelopeFrame(data, age, 0, None, (handover,)))


def held(box: Box) -> list[EnvelopeRecord]:
    return [carried.record for carried in box.forwarding.shelf]


def far_message(valley: Valley, a: Box) -> EnvelopeRecord:
    """A writes to somebody who is not here."""
    far = valley.box("far")
    a.knows(far)
    valley.share()
    a.write(far, "hello")
    (record,) = a.rows.every(EnvelopeRecord)
    return record


def test_it_is_on_disk_before_the_proof_leaves() -> None:
    valley, a, b = pair()
    steps: list[list[object]] = []
    perform = b._perform

    def watch(effects: list[object]) -> None:
        steps.append(effects)
        perform(effects)

    b._perform = watch  # type: ignore[method-assign]
    hand(valley, a, b, sealed(1))
    promised = [e for e in steps[0] if isinstance(e, Persist) and e.promise]
    assert {type(row) for e in promised for row in e.records} == {EnvelopeRecord, SeenRecord}
    assert not valley.on_air
    valley.run(1.0)
    assert [type(frame) for _, frame in valley.on_air] == [Proofs]


def test_the_giver_halves_on_a_valid_proof_only() -> None:
    valley, a, b = pair()
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, Proofs)
    record = far_message(valley, a)
    valley.run(1.0)
    assert held(a)[0].copies == record.copies == 8
    near = a.neighbours.of(b)
    false = Proof(record.id[:4], bytes(8))
    a.step(lambda: a.forwarding._custody.proofs_arrived((false,), near))
    assert a.ctx.counters["custody_proof_false"] == 1
    assert held(a)[0].copies == 8
    unasked = Proof(bytes(4), bytes(8))
    a.step(lambda: a.forwarding._custody.proofs_arrived((unasked,), near))
    assert a.ctx.counters["custody_proof_unasked"] == 1
    true = Proof(record.id[:4], custody_mac(near.key, record.id, near.id))
    valley.deliver(b, a, Proofs((true,)))
    assert held(a)[0].copies == 4
    assert [row.taker for row in a.rows.every(HandoverRecord)] == [b.keys.node]
    valley.deliver(b, a, Proofs((true,)))
    assert held(a)[0].copies == 4


def test_an_overheard_copy_without_a_valid_proof_only_delays_the_next_try() -> None:
    valley, a, b = pair()
    valley.dropped = lambda sender, receiver, frame: True
    record = far_message(valley, a)
    valley.run(1.4)
    assert len(list(valley.envelopes_on_air())) == 1
    for proof in (None, TookProof(a.neighbours.me[:2], bytes(8)), TookProof(bytes(2), bytes(8))):
        valley.deliver(b, a, EnvelopeFrame(record.data, 0, 0, proof), multicast=True)
    assert held(a)[0].copies == 8
    assert a.state(record.message) == "on_air"
    valley.run(1.4)
    assert len(list(valley.envelopes_on_air())) == 1
    valley.run(0.2)
    assert len(list(valley.envelopes_on_air())) == 2


def test_without_a_proof_it_is_tried_six_times_with_waits_doubling() -> None:
    valley, a, b = pair()
    valley.dropped = lambda sender, receiver, frame: True
    far_message(valley, a)
    valley.run(600.0)
    assert len(list(valley.envelopes_on_air())) == 6
    valley.dropped = lambda sender, receiver, frame: False
    valley.beacons = True
    valley.part(a, b)
    valley.join(a, b)
    valley.run(10.0)
    assert held(a)[0].copies == 4
    assert held(b)[0].role == ROLE_CUSTODY


def test_it_is_tried_again_in_small_pieces() -> None:
    valley, a, _ = pair()
    valley.dropped = lambda sender, receiver, frame: True
    asked: list[bool] = []
    send = a.neighbours.send
    a.neighbours.send = lambda *args, **more: (asked.append(more["small"]), send(*args, **more))[1]  # type: ignore[func-returns-value,method-assign]
    far_message(valley, a)
    valley.run(10.0)
    assert asked == [False, True, True]


def test_a_proof_in_an_overheard_multicast_counts() -> None:
    valley, a, b = pair()
    valley.dropped = lambda sender, receiver, frame: True
    record = far_message(valley, a)
    near = a.neighbours.of(b)
    proof = TookProof(a.neighbours.me[:2], custody_mac(near.key, record.id, near.id))
    valley.deliver(b, a, EnvelopeFrame(record.data, 0, 0, proof), multicast=True)
    assert a.state(record.message) == "carried"


def test_copies_are_clamped_to_the_class() -> None:
    valley, a, b = pair()
    for number, (cls, most) in enumerate(((1, 16), (2, 8), (3, 4), (4, 4))):
        hand(valley, a, b, sealed(number, cls=cls), copies=31)
        assert held(b)[-1].copies == most


def test_each_id_is_taken_once() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1), copies=2)
    hand(valley, a, b, sealed(1), copies=8)
    assert [record.copies for record in held(b)] == [2]
    (carried,) = list(b.forwarding.shelf)
    b.step(lambda: b.forwarding._drop(carried))
    hand(valley, a, b, sealed(1), copies=8)
    assert held(b) == []
    assert b.ctx.counters["envelope_seen_before"] == 1


def test_asked_again_it_proves_again() -> None:
    valley, a, b = pair()
    for _ in range(2):
        hand(valley, a, b, sealed(1))
        valley.run(1.0)
    assert sum(isinstance(frame, Proofs) for _, frame in valley.on_air) == 2


def test_handed_no_copies_it_passes_and_says_that_it_arrived() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1), copies=0)
    valley.run(1.0)
    assert [record.role for record in held(b)] == [ROLE_TRANSIT]
    assert any(isinstance(frame, Proofs) for _, frame in valley.on_air)
    assert not b.rows.every(EnvelopeRecord)
    hand(valley, a, b, sealed(1), copies=2)
    assert [record.role for record in held(b)] == [ROLE_CUSTODY]


def test_what_was_here_once_is_confirmed_but_not_taken_again() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1))
    (carried,) = list(b.forwarding.shelf)
    b.step(lambda: b.forwarding._drop(carried))
    valley.run(1.0)
    said = len(valley.on_air)
    hand(valley, a, b, sealed(1), copies=0)
    valley.run(1.0)
    assert len(valley.on_air) == said + 1
    assert held(b) == []


@pytest.mark.parametrize("why", ["full", "selfish"])
def test_custody_is_refused_and_not_proved_where_it_cannot_be_kept(why: str) -> None:
    valley = Valley()
    a, b = valley.line("ab", carry_for_others=why != "selfish")
    valley.beacons = False
    b.ctx.store_refusing = why == "full"
    hand(valley, a, b, sealed(1))
    valley.run(1.0)
    assert not any(isinstance(frame, Proofs) for _, frame in valley.on_air)
    assert not b.rows.every(EnvelopeRecord)
    assert b.ctx.counters["custody_refused" if why == "full" else "envelope_not_carried"] == 1
    if why == "full":
        hand(valley, a, b, sealed(1))
        assert [record.role for record in held(b)] == [ROLE_TRANSIT]


def test_no_neighbour_and_no_stranger_fills_more_than_its_share() -> None:
    limit = 400_000
    valley = Valley()
    a, b = valley.line("ab", store_limit=limit)
    for number in range(100):
        hand(valley, a, b, sealed(number, size=1000), copies=1)
    kept = [record for record in held(b) if record.role == ROLE_CUSTODY]
    assert 0.7 < sum(len(r.data) + 200 for r in kept) / (limit * SPACE_SHARE * NEIGHBOUR_SHARE) <= 1.0
    assert b.ctx.counters["custody_no_room"] > 0
    parcel = Heard(bytes(6), None, False, "", "", False, (), carrier="parcel")  # type: ignore[arg-type]
    for number in range(200, 240):
        frame = EnvelopeFrame(sealed(number, size=1000), 0, 1)
        b.step(lambda frame=frame: b.forwarding.frame_arrived(frame, parcel))
    strangers = [record for record in held(b) if record.role == ROLE_CUSTODY and not record.giver]
    assert 0 < sum(len(r.data) + 200 for r in strangers) <= limit * SPACE_SHARE * 0.25


def test_what_passes_through_is_evicted_first() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(0))
    for number in range(1, 1000):
        hand(valley, a, b, sealed(number, size=5000), copies=0)
    assert b.forwarding.shelf.transit_bytes <= TRANSIT_SPACE
    assert b.ctx.counters["transit_evicted"] > 0
    assert held(b)[0].role == ROLE_CUSTODY


def test_what_made_room_is_handed_over_no_more() -> None:
    valley = Valley()
    a, b, _ = valley.line("abc")
    valley.beacons = False
    valley.dropped = lambda sender, receiver, frame: receiver.name == "c"
    for number in range(900):
        hand(valley, a, b, sealed(number, size=5000), copies=0)
    custody = b.forwarding._custody
    assert b.ctx.counters["transit_evicted"] > 0
    assert {envelope for envelope, _ in custody._tries} <= {carried.id for carried in b.forwarding.shelf}
    assert custody._tries


def test_the_judgement_of_neighbours_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custody_module, "_MAX_JUDGED", 2)
    _, _, b = pair()
    for name in (b"one", b"two", b"one", b"three"):
        b.forwarding._custody.named(NodeKey(name), again=False)
    assert list(b.forwarding._custody._outcomes) == [b"one", b"three"]


def test_strangers_and_their_handovers_make_no_promise() -> None:
    valley, _, b = pair()
    frame = EnvelopeFrame(sealed(1), 0, 0, None, (Handover(b.neighbours.me[:2], 8, 0),))
    stranger = Heard(bytes(6), None, False, "halow0", "fe80::1", True, (frame,))  # type: ignore[arg-type]
    b.step(lambda: b.forwarding.frame_arrived(frame, stranger))
    valley.run(1.0)
    assert [record.role for record in held(b)] == [ROLE_TRANSIT]
    assert not any(isinstance(frame, Proofs) and name == "b" for name, frame in valley.on_air)
    for unauthenticated in (Proofs(()), Took(())):
        assert not b.step(lambda frame=unauthenticated: b.forwarding.frame_arrived(frame, stranger))


def test_a_refused_envelope_is_counted() -> None:
    _, _, b = pair()
    heard = Heard(bytes(6), None, False, "halow0", "", True, ())  # type: ignore[arg-type]
    b.step(lambda: b.forwarding.frame_arrived(EnvelopeFrame(b"short", 0, 0), heard))
    assert b.ctx.counters["envelope_refused"] == 1


def test_the_author_keeps_a_copy_and_a_carrier_gives_its_last_to_a_better_one() -> None:
    valley, a, b = pair()
    c = valley.box("c")
    others = [valley.box(name) for name in "mnopq"]
    for other in others:
        valley.join(c, other)
    hand(valley, a, b, sealed(1), copies=1)
    valley.part(a, b)
    valley.beacons = True
    valley.join(b, c)
    valley.run(60.0)
    assert all(record.role != ROLE_CUSTODY for record in held(b))
    assert [record.role for record in held(c)] == [ROLE_CUSTODY]
    record = far_message(valley, a)
    a.step(lambda: a.forwarding.shelf.update(next(iter(a.forwarding.shelf)), replace(record, copies=1)))
    valley.join(a, c)
    valley.run(60.0)
    assert [r.copies for r in held(a) if r.role == ROLE_OWN] == [1]


def test_own_and_promised_envelopes_are_handed_on_after_a_reboot() -> None:
    valley, a, b = pair()
    valley.part(a, b)
    record = far_message(valley, a)
    hand_to_a = valley.box("x")
    valley.join(hand_to_a, a)
    hand(valley, hand_to_a, a, sealed(7))
    valley.part(hand_to_a, a)
    valley.beacons = True
    valley.reboot(a)
    assert {r.id for r in held(a)} >= {record.id}
    valley.join(a, b)
    valley.run(30.0)
    assert sum(r.role == ROLE_CUSTODY for r in held(b)) == 2


def test_carriers_known_before_a_reboot_are_known_after() -> None:
    valley, a, b = pair()
    far_message(valley, a)
    valley.run(5.0)
    valley.reboot(a)
    (carried,) = list(a.forwarding.shelf)
    assert b.keys.node in carried.proved


def test_took_in_a_session_for_something_else_moves_nothing() -> None:
    valley, a, _ = pair()
    record = far_message(valley, a)
    valley.dropped = lambda sender, receiver, frame: True
    somebody = Neighbour(bytes(6), bytes(32))  # type: ignore[arg-type]
    for envelope in (bytes(16), record.id):
        a.step(lambda envelope=envelope: a.forwarding._took((envelope,), somebody))
    assert held(a)[0].copies == 8

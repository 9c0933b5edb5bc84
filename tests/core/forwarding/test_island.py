"""Envelopes within an island: once by each node, the cheapest way, mended hop by hop."""

from __future__ import annotations

from collections import Counter

import pytest

from meshnode.core.notices import ProbeHop
from meshnode.core.wire.frames import EnvelopeFrame, Proofs, Receipts
from support.valley import Valley


def sent(valley: Valley) -> Counter[str]:
    """How often each box sent an envelope."""
    return Counter(name for name, _ in valley.envelopes_on_air())


def test_a_message_crosses_four_hops_and_its_receipt_comes_back() -> None:
    valley = Valley()
    a, *_, e = valley.line("abcde")
    message = a.write(e, "soup is ready")
    valley.run(0.04)
    assert e.inbox() == ["soup is ready"]
    assert sent(valley) == {"a": 1, "b": 1, "c": 1, "d": 1}
    valley.run(20.0)
    assert a.state(message) == "delivered"
    assert a.states_told(message)[:2] == ["kept", "on_air"]


def test_in_a_star_one_multicast_reaches_all_and_leaves_repeat_nothing() -> None:
    valley = Valley()
    middle, *leaves = (valley.box(name) for name in "mabcd")
    for leaf in leaves:
        valley.join(middle, leaf)
    valley.befriend(middle, *leaves)
    middle.write(leaves[2], "hello")
    valley.run(0.3)
    assert leaves[2].inbox() == ["hello"]
    assert sent(valley) == {"m": 1}
    (frame,) = [frame for _, frame in valley.envelopes_on_air()]
    assert [handover.copies for handover in frame.handovers] == [2, 2]


def test_in_a_clique_few_repeat_what_all_have_heard() -> None:
    valley = Valley()
    boxes = [valley.box(name) for name in "abcdefgh"]
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            valley.join(one, other)
    valley.befriend(*boxes)
    message = boxes[0].write(boxes[5], "hello")
    valley.run(0.5)
    assert boxes[5].inbox() == ["hello"]
    assert sum(sent(valley).values()) <= 4
    valley.run(20.0)
    assert boxes[0].state(message) == "delivered"


def test_who_repeats_within_a_clique_proves_custody_in_its_own_frame() -> None:
    valley = Valley()
    boxes = [valley.box(name) for name in "abcdef"]
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            valley.join(one, other)
    valley.befriend(*boxes)
    far = valley.box("z")
    boxes[0].knows(far)
    valley.share()
    message = boxes[0].write(far, "nobody here")
    valley.run(0.2)
    assert any(frame.proof is not None for _, frame in valley.envelopes_on_air())
    assert boxes[0].state(message) == "carried"


def test_an_envelope_that_only_passes_is_gone_after_ten_minutes() -> None:
    valley = Valley()
    a, b, c, d, e, f = valley.line("abcdef")
    valley.part(e, f)
    a.write(f, "hello")
    valley.run(60.0)
    assert [len(box.forwarding.shelf) for box in (a, b, c, d, e)] == [1] * 5
    assert [box.forwarding.carrying() for box in (a, b, c, d, e)] == [True, True, True, True, False]
    valley.run(600.0)
    assert len(e.forwarding.shelf) == 0


@pytest.mark.parametrize("seed", range(3))
def test_lost_unicasts_are_mended_in_seconds(seed: int) -> None:
    valley = Valley(seed, loss=0.3)
    a, *_, f = valley.line("abcdef")
    for number in range(10):
        a.write(f, str(number))
        valley.run(2.0)
    valley.run(120.0)
    assert sorted(f.inbox()) == [str(number) for number in range(10)]


def test_receipts_ride_together_and_replace_proofs_on_good_links() -> None:
    valley = Valley()
    a, *_, d = valley.line("abcd")
    for _ in range(10):
        a.write(d, "x" * 100)
        valley.run(2.0)
    valley.run(30.0)
    before = len(valley.on_air)
    for _ in range(30):
        a.write(d, "x" * 100)
        valley.run(2.0)
    valley.run(30.0)
    later = [frame for _, frame in valley.on_air[before:]]
    receipts = [frame for frame in later if isinstance(frame, Receipts)]
    assert sum(isinstance(frame, EnvelopeFrame) for frame in later) == 90
    assert sum(isinstance(frame, Proofs) for frame in later) <= 3
    assert sum(len(frame.receipts) for frame in receipts) == 90
    assert len(receipts) <= 24


def test_a_burst_is_receipted_by_eights() -> None:
    valley = Valley()
    a, _, c = valley.line("abc")
    a.write(c, "hello")
    valley.run(20.0)
    for number in range(40):
        a.write(c, str(number))
    valley.run(20.0)
    assert len(c.inbox()) == 41
    sizes = [len(frame.receipts) for name, frame in valley.on_air if isinstance(frame, Receipts) and name == "c"]
    assert max(sizes) == 8


def test_a_prompt_receipt_does_not_wait() -> None:
    valley = Valley()
    a, _, c = valley.line("abc")
    message = a.write(c, "are you there?", prompt=True)
    valley.run(0.1)
    assert a.state(message) == "delivered"


def test_over_a_session_custody_is_confirmed_by_took() -> None:
    valley = Valley()
    a, b, c = valley.box("a"), valley.box("b"), valley.box("c")
    valley.befriend(a, b, c)
    valley.open_session(a, b)
    message = a.write(c, "far away")
    valley.run(1.0)
    assert a.state(message) == "carried"
    assert b.forwarding.carrying()
    valley.open_session(b, c)
    valley.run(20.0)
    assert c.inbox() == ["far away"]
    assert a.state(message) == "delivered"


def test_what_was_written_before_is_offered_when_a_session_opens() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    valley.befriend(a, b)
    message = a.write(b, "hello")
    assert a.state(message) == "kept"
    valley.open_session(a, b)
    valley.run(20.0)
    assert b.inbox() == ["hello"]
    assert a.state(message) == "delivered"


@pytest.mark.parametrize("answering", [True, False])
def test_a_probe_tells_its_way_if_the_nodes_on_it_do(answering: bool) -> None:
    valley = Valley()
    a, *others = valley.line("abcd", answer_traces=answering)
    d = others[-1]
    probe = a.write(d, "", probe=True, prompt=True)
    valley.run(2.0)
    hops = [notice for notice in a.notices if isinstance(notice, ProbeHop) and notice.message == probe]
    expected = [a.neighbours.of(box).short for box in others] if answering else []
    assert [hop.node for hop in sorted(hops, key=lambda hop: hop.hop)] == expected
    assert a.state(probe) == "delivered"
    assert d.inbox() == []
    a.write(d, "and now a message")
    valley.run(20.0)
    assert d.inbox() == ["and now a message"]

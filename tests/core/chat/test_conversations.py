"""Two people talk, over good ways and bad ones: everything arrives, once, in order, and the ticks are true."""

from __future__ import annotations

import pytest

from meshnode.core.chat.chat import Why
from meshnode.core.ids import channel_id
from meshnode.core.inputs import Compose
from meshnode.core.records import (
    HOPS_UNKNOWN,
    ConversationRecord,
    EnvelopeRecord,
    FactRecord,
    MessageRecord,
    RatchetRecord,
    StateRecord,
)
from meshnode.core.wire.frames import EnvelopeFrame, Frame
from meshnode.errors import UsageError
from support.valley import Box, Valley

DAY_S = 86400.0


def two(**more: float) -> tuple[Valley, Box, Box]:
    valley = Valley(**more)  # type: ignore[arg-type]
    a, b = valley.line("ab")
    return valley, a, b


def talked(valley: Valley, a: Box, b: Box) -> None:
    """They hold one confirmed session."""
    a.write(b, "hello")
    valley.run(10.0)


def test_a_first_message_and_an_answer() -> None:
    valley, a, b = two()
    first = a.write(b, "hello")
    valley.run(10.0)
    answer = b.write(a, "hello yourself")
    valley.run(10.0)
    assert (a.inbox(), b.inbox()) == (["hello yourself"], ["hello"])
    assert (a.state(first), b.state(answer)) == ("delivered", "delivered")
    assert a.chat.why(first).witnesses == ("b",)


def test_states_only_move_forward_and_each_is_told_once() -> None:
    valley = Valley()
    a, _, c = valley.line("abc")
    message = a.write(c, "hello")
    valley.run(30.0)
    told = a.states_told(message)
    assert told == sorted(set(told), key=("kept", "on_air", "carried", "delivered", "read").index)


def test_carried_names_its_witnesses_and_needs_valid_proofs() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.part(b, c)
    message = a.write(c, "hello")
    valley.run(5.0)
    assert a.state(message) == "carried"
    assert a.chat.why(message).witnesses == (a.neighbours.of(b).short,)
    assert a.chat.why(message).waiting_for == "the box of c to be met; it answers only those c has added"


def test_what_a_message_waits_for_is_said_by_its_state() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.part(a, b)
    valley.part(b, c)
    direct, post = a.write(c, "hello"), a.post(channel_id("square"), "hear ye")
    needs = [a.chat.why(message).waiting_for for message in (direct, post)]
    assert needs == ["a neighbour to come into reach"] * 2
    valley.join(a, b)
    assert a.chat.why(post).waiting_for == "air"
    valley.run(5.0)
    a.step(lambda: a.chat.block_on_air(valley.blocks[-1].id))
    assert a.chat.why(post).waiting_for == "neighbours to say that they have it"
    assert a.chat.why(direct).waiting_for == "the box of c to be met; it answers only those c has added"
    valley.join(b, c)
    valley.run(40.0)
    assert a.chat.why(direct) == Why("delivered", ("c",), "")
    valley.part(b, c)
    again = a.write(c, "and again")
    valley.run(5.0)
    assert a.chat.why(again).waiting_for == "the box of c to be met"  # it answered before
    assert {message.hops for box in (a, c) for message in box.filed()} == {HOPS_UNKNOWN}


def test_a_read_note_says_read() -> None:
    valley, a, b = two()
    message = a.write(b, "hello")
    valley.run(10.0)
    b.reads(*(m.id for m in b.filed()))
    valley.run(10.0)
    assert a.state(message) == "read"
    assert b.state(message) == "read"


def test_read_notes_can_be_left_out() -> None:
    valley = Valley()
    a, b = valley.line("ab", read_receipts=False)
    message = a.write(b, "hello")
    valley.run(10.0)
    b.reads(message)
    valley.run(10.0)
    assert a.state(message) == "delivered"


def test_marking_twice_or_marking_own_messages_tells_nobody_anything_new() -> None:
    valley, a, b = two()
    message = a.write(b, "hello")
    valley.run(10.0)
    b.reads(message)
    valley.run(10.0)
    said = len(valley.on_air)
    b.reads(message)
    a.reads(message)
    valley.run(1.0)
    assert len(valley.on_air) == said


def test_nobody_else_can_mark_a_message_read() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    message = a.write(b, "hello")
    valley.run(10.0)
    a.step(lambda: a.chat._out.read_note_came(c.keys.persona, message))
    assert a.state(message) == "delivered"


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_with_a_third_of_all_frames_lost(seed: int) -> None:
    valley = Valley(seed, loss=0.3)
    a, _, _, d = valley.line("abcd")
    for number in range(15):
        a.write(d, f"to d {number}")
        d.write(a, f"to a {number}")
        valley.run(3.0)
    valley.run(900.0)
    assert sorted(d.inbox()) == sorted(f"to d {number}" for number in range(15))
    assert sorted(a.inbox()) == sorted(f"to a {number}" for number in range(15))
    assert {row.state for row in (*a.rows.every(StateRecord), *d.rows.every(StateRecord))} == {"delivered"}


def test_the_first_is_lost_and_the_second_arrives() -> None:
    valley, a, b = two()
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, EnvelopeFrame) and len(frame.data) > 1000
    a.write(b, "one")
    a.write(b, "two")
    valley.run(20.0)
    assert b.inbox() == []
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(120.0)
    assert b.inbox() == ["one", "two"]


def test_both_write_first_and_settle_on_one_session() -> None:
    valley, a, b = two()
    valley.part(a, b)
    a.write(b, "from a")
    b.write(a, "from b")
    valley.join(a, b)
    valley.run(20.0)
    assert (a.inbox(), b.inbox()) == (["from b"], ["from a"])
    a.write(b, "more from a")
    b.write(a, "more from b")
    valley.run(20.0)
    a.write(b, "still from a")
    b.write(a, "still from b")
    valley.run(20.0)
    assert len(a.inbox()) == len(b.inbox()) == 3
    roots = {(row.root_id) for row in a.rows.every(RatchetRecord)}
    assert roots == {row.root_id for row in b.rows.every(RatchetRecord)}
    assert len(roots) == 2
    on = [box.chat.sessions.to_send_on(other.keys.device, other.keys.incarnation) for box, other in ((a, b), (b, a))]
    assert on[0].ratchet.root_id == on[1].ratchet.root_id == min(roots)


def lose_all(valley: Valley, a: Box, b: Box, number: int) -> None:
    """So many are written, and every copy of them is eaten by a cow."""
    valley.part(a, b)
    for one in range(number):
        a.write(b, f"lost {one}")
    for envelope in a.rows.every(EnvelopeRecord):
        a.step(lambda envelope=envelope: a.forwarding.withdraw(envelope.message))
    valley.join(a, b)


def test_sixty_lost_in_a_row_leave_gaps_that_are_filled_when_sealed_again() -> None:
    valley, a, b = two()
    talked(valley, a, b)
    lose_all(valley, a, b, 60)
    a.write(b, "is anybody there?")
    valley.run(60.0)
    assert b.inbox() == ["hello", "is anybody there?"]
    assert b.filed()[-1].missing == 60
    valley.run(DAY_S + 600)
    assert len(b.inbox()) == 62
    assert b.filed()[-1].missing == 0


def test_a_hundred_and_forty_lost_in_a_row_are_no_silent_end() -> None:
    valley, a, b = two()
    talked(valley, a, b)
    lose_all(valley, a, b, 140)
    a.write(b, "is anybody there?")
    valley.run(DAY_S + 600)
    assert sorted(b.inbox()) == sorted(["hello", *(f"lost {one}" for one in range(140)), "is anybody there?"])
    assert {row.state for row in a.rows.every(StateRecord)} == {"delivered"}


def test_late_messages_fill_their_gaps() -> None:
    valley, a, b = two()
    talked(valley, a, b)
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, EnvelopeFrame) and sender is a
    a.write(b, "two")
    valley.run(0.5)
    valley.dropped = lambda sender, receiver, frame: False
    a.write(b, "three")
    valley.run(0.5)
    assert b.filed()[-1].missing == 1
    valley.run(60.0)
    assert b.inbox() == ["hello", "three", "two"]
    (chain,) = [row for row in b.rows.every(ConversationRecord) if row.device == a.keys.device]
    assert chain.gaps == ()


def test_everything_replayed_changes_nothing() -> None:
    valley, a, b = two()
    heard: list[Frame] = []

    def listen(sender: Box, receiver: Box, frame: Frame) -> bool:
        if receiver is b:
            heard.append(frame)
        return False

    valley.dropped = listen
    for text in ("one", "two", "three"):
        a.write(b, text)
        valley.run(10.0)
    valley.dropped = lambda sender, receiver, frame: False
    for frame in list(heard):
        valley.deliver(a, b, frame)
    valley.run(60.0)
    assert b.inbox() == ["one", "two", "three"]


def test_the_same_request_is_the_same_message() -> None:
    valley, a, b = two()
    told = Compose("once", to=b.keys.persona, request=bytes(range(16)))
    first = a.compose(told)
    valley.run(1.0)
    valley.reboot(a)
    assert a.compose(told) == first
    valley.run(20.0)
    assert b.inbox() == ["once"]


def test_old_requests_are_forgotten_one_by_one() -> None:
    valley, a, b = two()
    valley.part(a, b)
    for number in range(1002):
        a.compose(Compose("x", to=a.keys.persona, request=number.to_bytes(16, "big")))
    known = [row for row in a.rows.every(FactRecord) if row.name.startswith("request/")]
    assert len(known) == 1000


def test_a_note_to_oneself_is_at_ones_own_box() -> None:
    valley, a, _ = two()
    message = a.write(a, "buy salt")
    assert a.state(message) == "delivered"
    assert [m.text for m in a.filed()] == ["buy salt"]
    valley.run(1.0)
    assert not list(valley.envelopes_on_air())


def test_a_message_waits_for_the_key_of_its_reader() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    valley.join(a, b)
    a.knows(b)
    b.knows(a)
    message = a.write(b, "hello")
    assert a.state(message) == "kept"
    assert a.chat.why(message).waiting_for == "key of b"
    valley.run(10.0)
    assert b.inbox() == []
    valley.share()
    valley.run(10.0)
    assert b.inbox() == ["hello"]


def test_a_message_that_waits_for_a_key_survives_a_reboot() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    valley.join(a, b)
    a.knows(b)
    b.knows(a)
    a.write(b, "hello")
    valley.reboot(a)
    valley.share()
    valley.run(10.0)
    assert b.inbox() == ["hello"]


def test_too_long_a_text_is_refused_in_one_sentence() -> None:
    _, a, b = two()
    with pytest.raises(UsageError, match="at most 3600 bytes"):
        a.write(b, "x" * 3601)


def test_a_message_goes_to_one_contact_or_one_channel() -> None:
    _, a, _ = two()
    with pytest.raises(UsageError, match="one contact or to one channel"):
        a.compose(Compose("to nobody"))


def test_it_expires_and_says_so() -> None:
    valley, a, b = two()
    talked(valley, a, b)
    valley.part(a, b)
    message = a.write(b, "hello")
    valley.run(15 * DAY_S)
    assert a.state(message) == "expired"
    assert a.states_told(message)[-1] == "expired"
    assert not [row for row in a.rows.every(EnvelopeRecord) if row.message == message]
    valley.join(a, b)
    valley.run(60.0)
    assert b.inbox() == ["hello"]  # the greeting alone


def test_unknown_messages_have_no_answer_to_why() -> None:
    _, a, _ = two()
    assert a.chat.why(bytes(16)) is None  # type: ignore[arg-type]


def test_texts_are_filed_with_the_direction_and_place() -> None:
    valley, a, b = two()
    valley.today(a, b)
    a.write(b, "hello", cls=1)
    valley.run(5.0)
    (sent,) = [row for row in a.rows.every(MessageRecord) if row.outgoing]
    (came,) = b.rows.every(MessageRecord)
    assert sent.id == came.id
    assert (sent.peer, came.peer) == (b.keys.persona, a.keys.persona)
    assert abs(came.sent_at - sent.sent_at) < 61.0

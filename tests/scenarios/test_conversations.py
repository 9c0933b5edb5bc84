"""Two people and what can go wrong between them: much is lost, both begin, one comes back from a backup."""

from __future__ import annotations

from collections import Counter

import pytest

from meshnode.core.ids import MessageId
from meshnode.core.notices import ContactChanged
from meshnode.core.records import EnvelopeRecord, MessageRecord, PeerPrekeyRecord, RatchetRecord
from support.trial_world import Box, TrialWorld

DAY_S = 86_400.0
TODAY = 1_795_000_000.0


def _pair(seed: int, **more: object) -> tuple[TrialWorld, Box, Box]:
    world = TrialWorld(seed)
    a, b = world.line("ab", **more)
    assert world.run(120, until=lambda: all(box.disk.every(PeerPrekeyRecord) for box in (a, b)))
    world.run(20)
    return world, a, b


def _in_session(world: TrialWorld, a: Box, b: Box) -> None:
    first, second = a.write(b, "hello"), b.write(a, "hello too")
    assert world.run(60, until=lambda: (a.state(first), b.state(second)) == ("delivered", "delivered"))


def _lose(box: Box, *messages: MessageId) -> None:
    """Every copy is gone, and nobody knows."""
    for message in messages:
        box.node.forwarding.withdraw(message)


def _texts(name: str, count: int) -> list[str]:
    return [f"{name} {number}" for number in range(count)]


@pytest.mark.parametrize("count", [60, 140])
def test_many_lost_in_a_row_then_all_arrive(count: int) -> None:
    """60: the window still knows the next tag. 140: beyond 96 unproved a new session began."""
    world, a, b = _pair(1)
    _in_session(world, a, b)
    world.part("a", "b")
    lost = [a.write(b, text) for text in _texts("lost", count)]
    _lose(a, *lost)
    after = a.write(b, "after the silence")
    world.run(1)
    world.join("a", "b")
    assert world.run(120, until=lambda: "after the silence" in b.inbox())
    row = next(row for row in b.disk.every(MessageRecord) if row.text == "after the silence")
    assert row.missing == count
    assert world.run(60, until=lambda: a.state(after) == "delivered")
    assert world.run(1.1 * DAY_S, until=lambda: len(b.inbox()) == count + 2)
    world.run(600)
    assert Counter(b.inbox()) == Counter(["hello", "after the silence", *_texts("lost", count)])
    assert b.in_order(a) == ["hello", *_texts("lost", count), "after the silence"]
    assert {a.state(message) for message in lost} == {"delivered"}


def test_a_burst_of_a_hundred_and_fifty() -> None:
    world, a, b = _pair(2)
    messages = [a.write(b, text) for text in _texts("burst", 150)]
    world.run(60)
    assert b.in_order(a) == _texts("burst", 150)
    assert world.run(60, until=lambda: {a.state(message) for message in messages} == {"delivered"})


def test_the_second_message_arrives_before_the_first() -> None:
    """A first message of 1.4 kB is cut into fragments, at last into small ones; what is smaller overtakes it."""
    world, a, b = _pair(3)
    world.filter = lambda source, target, send: source != "a" or len(send.data) < 300
    first = a.write(b, "first")
    world.run(0.2)
    second = a.write(b, "second")
    world.run(20)
    assert b.inbox() == []
    world.filter = lambda source, target, send: True
    world.run(60)
    assert b.in_order(a) == ["first", "second"]
    assert (a.state(first), a.state(second)) == ("delivered", "delivered")


def test_the_first_message_is_lost_for_good_and_all_is_sealed_again() -> None:
    world, a, b = _pair(4)
    world.part("a", "b")
    first = a.write(b, "first")
    world.run(40)
    _lose(a, first)
    a.write(b, "second")
    world.join("a", "b")
    world.run(120)
    assert b.inbox() == []
    assert world.run(1.1 * DAY_S, until=lambda: len(b.inbox()) == 2)
    world.run(600)
    assert b.in_order(a) == ["first", "second"]
    assert len(b.inbox()) == 2


def test_both_write_first() -> None:
    world, a, b = _pair(5)
    world.part("a", "b")
    a.write(b, "from A")
    b.write(a, "from B")
    world.join("a", "b")
    assert world.run(120, until=lambda: (a.inbox(), b.inbox()) == (["from B"], ["from A"]))
    world.run(30)
    for number in range(5):
        a.write(b, f"A {number}")
        b.write(a, f"B {number}")
        world.run(1)
    world.run(30)
    assert a.in_order(b) == ["from B", *_texts("B", 5)]
    assert b.in_order(a) == ["from A", *_texts("A", 5)]
    used = {
        box.node.chat.sessions.to_send_on(far.keys.device, far.keys.incarnation).key[1]  # type: ignore[union-attr]
        for box, far in ((a, b), (b, a))
    }
    assert len(used) == 1
    assert len(a.disk.every(RatchetRecord)) == 2


def test_a_replayed_first_message_opens_nothing_again() -> None:
    world, a, b = _pair(6)
    world.captured = []
    a.write(b, "once")
    world.run(20)
    assert b.inbox() == ["once"]
    records = a.export()
    world.run(1)
    assert records
    for _, _, target, received in list(world.captured):
        if target == "b":
            world.inject("b", received)
    b.import_(records)
    b.cut()
    b.boot()
    for _, _, target, received in list(world.captured):
        if target == "b":
            world.inject("b", received)
    world.run(120)
    assert b.inbox() == ["once"]


def test_the_recipient_comes_back_from_a_backup_of_yesterday() -> None:
    """New incarnation, no chain keys: what it had not receipted is sealed again, and comes once (rule 11.6)."""
    world, a, b = _pair(7)
    _in_session(world, a, b)
    backup = b.disk.copy()
    a.write(b, "after the backup")
    b.write(a, "from the lost day")
    world.run(60)
    world.part("a", "b")
    waiting = [a.write(b, text) for text in _texts("waiting", 3)]
    world.run(60)
    b.off()
    b.disk = backup
    b.disk.drop(EnvelopeRecord)
    b.renew()
    b.boot()
    world.join("a", "b")
    assert world.run(300, until=lambda: set(_texts("waiting", 3)) <= set(b.inbox()))
    world.run(60)
    assert {a.state(message) for message in waiting} == {"delivered"}
    assert Counter(b.inbox()) == Counter(["hello", *_texts("waiting", 3)])
    assert [told.what for told in a.told(ContactChanged)].count("incarnation") == 1
    again = b.write(a, "here I am")
    assert world.run(120, until=lambda: "here I am" in a.inbox())
    assert world.run(60, until=lambda: b.state(again) == "delivered")


def test_the_writer_comes_back_from_a_backup_with_words_nobody_confirmed() -> None:
    world, a, b = _pair(8)
    _in_session(world, a, b)
    world.part("a", "b")
    messages = [a.write(b, text) for text in _texts("unconfirmed", 3)]
    a.off()
    a.renew()
    a.boot()
    world.run(10)
    world.join("a", "b")
    assert world.run(300, until=lambda: len(b.inbox()) == 4)
    world.run(120)
    assert b.inbox() == ["hello", *_texts("unconfirmed", 3)]
    assert {a.state(message) for message in messages} == {"delivered"}


def _silent_days(world: TrialWorld, days: float, *boxes: Box) -> None:
    """Powered on, nobody in reach: no beacons, only clocks."""
    for box in boxes:
        box.mute()
    world.run(days * DAY_S)
    for box in boxes:
        box.unmute()


def test_a_prekey_forty_days_old_still_opens() -> None:
    world, a, b = _pair(9, date=TODAY)
    prekeys = a.disk.every(PeerPrekeyRecord)
    assert prekeys
    world.part("a", "b")
    _silent_days(world, 40, a, b)
    assert a.disk.every(PeerPrekeyRecord) == prekeys
    message = a.write(b, "sealed to an old key")
    assert a.disk.every(EnvelopeRecord)
    world.join("a", "b")
    assert world.run(120, until=lambda: b.inbox() == ["sealed to an old key"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_a_prekey_too_old_is_not_sealed_to() -> None:
    world, a, b = _pair(10, date=TODAY)
    world.part("a", "b")
    a.mute()
    b.off()
    world.run(60 * DAY_S)
    message = a.write(b, "too late")
    assert a.state(message) == "kept"
    why = a.node.why(message)
    assert why is not None
    assert "key of b" in why.waiting_for


def test_a_message_expires_with_its_lifetime() -> None:
    world, a, b = _pair(11, lifetime_s=3600)
    b.off()
    message = a.write(b, "too late")
    world.run(3700)
    assert a.state(message) == "expired"
    assert not a.disk.every(EnvelopeRecord)
    b.boot()
    world.run(120)
    assert b.inbox() == []


def test_a_blocked_contact_is_not_heard_and_learns_nothing() -> None:
    world, a, b = _pair(12)
    _in_session(world, a, b)
    b.knows(a, blocked=True)
    message = a.write(b, "are you there")
    world.run(120)
    assert b.inbox() == ["hello"]
    assert a.state(message) in ("on_air", "carried")
    b.knows(a, blocked=False)
    later = a.write(b, "and now")
    assert world.run(120, until=lambda: "and now" in b.inbox())
    assert world.run(60, until=lambda: a.state(later) == "delivered")


def test_strangers_fill_no_inbox_and_learn_nothing() -> None:
    world = TrialWorld(13)
    a, b = world.add("a"), world.add("b")
    world.join("a", "b")
    a.knows(b)
    world.run(30)
    message = a.write(b, "you do not know me")
    world.run(60)
    assert a.state(message) in ("on_air", "carried")
    assert [told.what for told in b.told(ContactChanged)] == ["request"]
    b.knows(a)
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    assert b.inbox() == ["you do not know me"]


def test_reading_is_told_back() -> None:
    world, a, b = _pair(14)
    message = a.write(b, "read this")
    world.run(30)
    b.read(message)
    assert world.run(60, until=lambda: a.state(message) == "read")

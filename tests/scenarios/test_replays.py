"""An hour of captured datagrams comes again after every node was rebooted, and no clock knows the date."""

from __future__ import annotations

from meshnode.core.records import EnvelopeRecord, MessageRecord, StateRecord, TombstoneRecord
from support.trial_world import TrialWorld


def test_an_hour_of_yesterday_after_all_rebooted() -> None:
    world = TrialWorld(1, loss=0.1)
    a, b, c = boxes = world.line("abc")
    world.captured = []
    for minute in range(60):
        if minute % 6 == 1:
            a.write(c, f"{minute} to c")
            c.write(a, f"{minute} to a")
            b.post(f"{minute} posted")
        world.run(60)
    captured, world.captured = world.captured, None
    for box in boxes:
        box.disk.sync()
        box.cut()
    world.run(100)
    for box in boxes:
        box.boot()
    kept = {box.name: _kept(box) for box in boxes}
    sent = sum(box.sent_bytes for box in boxes)
    for number, (_, _, target, received) in enumerate(captured):
        world.inject(target, received)
        if number % 20 == 0:
            world.run(0.5)
    world.run(300)
    assert {box.name: _kept(box) for box in boxes} == kept
    assert (sum(box.sent_bytes for box in boxes) - sent) < 60_000
    for box in boxes:
        assert len(box.node.neighbours.bound()) == (2 if box is b else 1)
        assert not box.warnings()
    message = a.write(c, "after all that")
    assert world.run(60, until=lambda: c.inbox()[-1] == "after all that")
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def _kept(box) -> object:  # type: ignore[no-untyped-def]
    """What a person would notice: messages, their states, what is carried, what was receipted."""
    return [
        sorted(box.disk.every(table), key=repr)
        for table in (MessageRecord, StateRecord, EnvelopeRecord, TombstoneRecord)
    ]


def test_a_replay_into_a_box_that_lost_everybody() -> None:
    """The thief's recording keeps a lonely box company, and gets nothing out of it."""
    world = TrialWorld(2)
    a, b = world.line("ab")
    world.run(30)
    world.captured = []
    a.write(b, "hello")
    world.run(200)
    captured, world.captured = world.captured, None
    b.off()
    world.run(700)
    assert not a.node.neighbours.bound()
    message = a.write(b, "still here?")
    for _, _, target, received in captured * 3:
        if target == "a":
            world.inject("a", received)
            world.run(1)
    assert not a.node.neighbours.bound()
    assert a.state(message) == "kept"
    b.boot()
    assert world.run(120, until=lambda: b.inbox() == ["hello", "still here?"])

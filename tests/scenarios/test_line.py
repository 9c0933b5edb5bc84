"""Lines that lose frames, split and heal, and people who are never on at the same time."""

from __future__ import annotations

from collections import Counter

import pytest

from meshnode.core.neighbours.neighbour import Neighbour
from support.trial_world import TrialWorld

IDLE_BYTES = 300  # a minute and node, on the air


def _settle(world: TrialWorld, seconds: float = 60.0) -> None:
    world.run(seconds)
    assert all(box.node.neighbours.bound() for box in world.boxes.values())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_a_line_that_loses_thirty_percent_everything_arrives_once(seed: int) -> None:
    world = TrialWorld(seed, loss=0.3)
    a, *_, e = boxes = world.line("abcde")
    _settle(world)
    sent, posted = [], {box.name: [] for box in boxes}
    for number in range(100):
        sent.append(a.write(e, f"message {number}"))
        world.run(1)
        if number % 2 == 0:
            writer = boxes[number // 2 % 5]
            writer.post(f"post {number}")
            posted[writer.name].append(f"post {number}")
        world.run(1)
    world.run(300)
    assert Counter(e.inbox()) == Counter(f"message {n}" for n in range(100))
    assert [a.state(message) for message in sent] == ["delivered"] * 100
    for box in boxes:
        others = [text for name, texts in posted.items() if name != box.name for text in texts]
        assert Counter(box.posts()) == Counter(others)
        for texts in posted.values():
            mine = [text for text in box.posts() if text in texts]
            assert sorted(mine, key=texts.index) == sorted(mine, key=lambda text: int(text.split()[1]))


def test_after_trouble_on_a_lossy_line_there_is_silence_again() -> None:
    """An item whose log was unknown when it became whole was shut out for ever, and asked for every three seconds."""
    world = TrialWorld(1, loss=0.3)
    boxes = world.line("abcde")
    _settle(world, 120)
    boxes[2].post("one for all")
    world.run(300)
    before = {box.name: box.sent_bytes for box in boxes}
    world.run(3600)
    spent = {box.name: (box.sent_bytes - before[box.name]) / 60 for box in boxes}
    assert max(spent.values()) <= IDLE_BYTES, spent
    assert len({box.node.gossip.logs.digest() for box in boxes}) == 1


def test_messages_and_posts_go_both_ways_at_once() -> None:
    world = TrialWorld(5, loss=0.1)
    a, _, c, _, e = world.line("abcde")
    _settle(world)
    for number in range(20):
        a.write(e, f"to e {number}")
        e.write(a, f"to a {number}")
        c.write(a, f"c to a {number}")
        world.run(0.5)
    world.run(120)
    assert Counter(e.inbox(a)) == Counter(f"to e {n}" for n in range(20))
    assert Counter(a.inbox(e)) == Counter(f"to a {n}" for n in range(20))
    assert Counter(a.inbox(c)) == Counter(f"c to a {n}" for n in range(20))


def test_a_partition_heals_without_help() -> None:
    world = TrialWorld(7, loss=0.2)
    a, *_, e = boxes = world.line("abcde")
    _settle(world)
    world.part("b", "c")
    sent = [a.write(e, f"over the gap {n}") for n in range(5)]
    a.post("from the left")
    e.post("from the right")
    world.run(60)
    assert not e.inbox()
    world.join("b", "c")
    world.run(90)
    assert Counter(e.inbox()) == Counter(f"over the gap {n}" for n in range(5))
    assert [a.state(message) for message in sent] == ["delivered"] * 5
    assert "from the left" in e.posts()
    assert "from the right" in a.posts()
    world.run(60)
    assert len({box.node.gossip.logs.digest() for box in boxes}) == 1


def test_a_ferry_that_never_touches_both_sides_carries_both_ways() -> None:
    world = TrialWorld(9, loss=0.1)
    a, *_, e = world.line("abfde")
    _settle(world)
    world.part("b", "f")
    world.part("f", "d")
    world.run(30)
    there, back = a.write(e, "to the far side"), e.write(a, "and to the near one")
    a.post("posted near")
    e.post("posted far")
    for _ in range(3):
        world.join("b", "f")
        world.run(60)
        world.part("b", "f")
        world.run(60)
        world.join("f", "d")
        world.run(60)
        world.part("f", "d")
        world.run(60)
    assert e.inbox() == ["to the far side"]
    assert a.inbox() == ["and to the near one"]
    assert "posted far" in a.posts()
    assert "posted near" in e.posts()
    assert (a.state(there), e.state(back)) == ("delivered", "delivered")


@pytest.mark.parametrize("seed", [4, 7, 13, 22])
def test_a_ferry_that_stays_for_ten_seconds_misses_no_landing(seed: int) -> None:
    """Ideal are 60 s, and the receipt's wait for company; once it took five minutes, for want of a beacon in time."""
    world = TrialWorld(seed)
    a, *_, e = world.line("abcde")
    _settle(world)
    world.part("b", "c")
    world.part("c", "d")
    there, back = [a.write(e, f"over {n}") for n in range(5)], [e.write(a, f"back {n}") for n in range(5)]
    for shore in "bdbdbdbd":
        world.join(shore, "c")
        world.run(10)
        world.part(shore, "c")
        world.run(5)
    assert [a.state(message) for message in there] == ["delivered"] * 5
    assert [e.state(message) for message in back] == ["delivered"] * 5


def test_writer_and_reader_are_never_on_together() -> None:
    """E is off when A writes, A is off when E returns; C took custody."""
    world = TrialWorld(11, loss=0.1)
    a, *_, e = world.line("abcde")
    _settle(world)
    e.write(a, "so that A has a key")
    world.run(20)
    e.off()
    world.run(120)
    message = a.write(e, "when you are back")
    world.run(120)
    a.off()
    world.run(600)
    assert not e.inbox()
    e.boot()
    world.run(120)
    assert e.inbox() == ["when you are back"]
    a.boot()
    world.run(120)
    assert a.state(message) == "delivered"


def test_every_box_is_switched_off_at_night() -> None:
    """Power cuts of everybody; what was promised goes on in the morning."""
    world = TrialWorld(12, loss=0.1)
    a, b, c, d, e = boxes = world.line("abcde")
    _settle(world)
    e.off()
    messages = [a.write(e, f"number {n}") for n in range(10)]
    world.run(90)
    for box in boxes:
        box.cut()
    world.run(8 * 3600)
    for box in (c, d, e):
        box.boot()
    world.run(120)
    for box in (a, b):
        box.boot()
    world.run(300)
    assert Counter(e.inbox()) == Counter(f"number {n}" for n in range(10))
    assert [a.state(message) for message in messages] == ["delivered"] * 10


def test_who_comes_back_after_minutes_is_served_at_once() -> None:
    """Each side may still believe in the other, or not: a beacon that names everybody but us says that we are lost."""
    world = TrialWorld(9)
    a, *_ = world.line("abc")
    _settle(world)
    world.part("b", "c")
    a.write(world.boxes["c"], "for C")
    world.run(200)
    world.join("b", "c")
    assert world.run(40, until=lambda: bool(world.boxes["c"].node.neighbours.heard_at(_peer(world, "c", "b"))))
    met = world.now
    assert world.run(10, until=lambda: world.boxes["c"].inbox() == ["for C"]), world.now - met


def _peer(world: TrialWorld, one: str, other: str) -> Neighbour:
    found = world.boxes[one].node.neighbours.get(world.boxes[other].keys.node)
    assert found is not None
    return found


def test_a_receipt_finds_its_way_back_when_the_way_was_dark() -> None:
    """The relay hands its last copy on and goes dark before the receipt: nobody there asks for it any more."""
    world = TrialWorld(13)
    a, b, c = world.line("abc")
    _settle(world)
    b.write(c, "a session, so that a receipt may wait")
    a.write(c, "the same")
    world.run(30)
    message = a.write(c, "and then the power went")
    assert world.run(5, until=lambda: len(c.inbox()) == 3)
    b.cut()
    world.run(400)
    for carried in list(a.node.forwarding.shelf):  # as on a box far from here, which offers it to nobody who knows
        carried.has[b.keys.node] = None
    b.boot()
    assert world.run(120, until=lambda: a.state(message) == "delivered")

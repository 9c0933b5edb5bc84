"""Two homes from one image, and stores that fell back: one warning, a new incarnation, never a fork (rule 2.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.ids import log_id
from meshnode.core.inputs import AdoptBranches
from meshnode.core.node import RENEW_FACT
from meshnode.core.notices import BranchAdopted, ForkFound
from meshnode.core.records import FactRecord
from meshnode.errors import UsageError
from support.trial_world import SQUARE, Box, TrialWorld


def _twin(world: TrialWorld, of: Box, name: str) -> Box:
    """Another board, started from a copy of the card."""
    twin = Box(world, name, of.settings, of.mesh, world.seed)
    twin.keys, twin.disk = of.keys, of.disk.copy()
    twin.seed = f"{world.seed}/twin"
    world.boxes[name] = twin
    world.hears[name] = {}
    twin.boot()
    return twin


def _renewed(*boxes: Box) -> list[Box]:
    return [box for box in boxes if box.disk.get(FactRecord, RENEW_FACT) is not None]


def _restart_renewed(world: TrialWorld, *boxes: Box) -> None:
    """As the daemon does when the node asks for it."""
    for box in _renewed(*boxes):
        box.off()
        box.boot()


def _forks(world: TrialWorld) -> int:
    return sum(len(box.told(ForkFound)) for box in world.boxes.values())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_homes_from_one_image_on_one_line(seed: int) -> None:
    """b and d are twins, a and e write to whoever they are; c stands between."""
    world = TrialWorld(seed)
    a, b, c = world.line("abc")
    world.run(30)
    b.post("before the copy")
    world.run(30)
    b.off()
    d = _twin(world, b, "d")
    b.boot()
    e = world.add("e")
    world.join("c", "d")
    world.join("d", "e")
    e.joins()
    for box in (a, b, c, d):
        box.knows(e)
        e.knows(box)
    b.post("one goes on")
    for _ in range(90):
        world.run(10)
        _restart_renewed(world, b, d)
    b.post("I am B")
    d.post("I am D")
    for _ in range(30):
        world.run(10)
        _restart_renewed(world, b, d)
    assert b.keys.incarnation != d.keys.incarnation
    warned = [box for box in (b, d) if "second_copy" in box.warnings()]
    assert warned
    for box in warned:
        assert box.warnings().count("second_copy") == 1
    for box in (a, c, e):
        assert {"I am B", "I am D"} <= set(box.posts())
    forks = _forks(world)
    for number in range(3):
        b.post(f"B {number}")
        d.post(f"D {number}")
        world.run(30)
    assert _forks(world) == forks
    message = a.write(b, "to one of you")
    assert world.run(600, until=lambda: a.state(message) == "delivered")
    assert len([box for box in (b, d) if "to one of you" in box.inbox()]) == 1


def _split_twins(seed: int) -> tuple[TrialWorld, Box, Box, Box, Box]:
    """b and its twin d both wrote before anybody could know; by now all know, and both have gone on as somebody new."""
    world = TrialWorld(seed)  # twins share their counters too: in some worlds all that one says is a replay to c
    a, b, c = world.line("abc")
    world.run(30)
    b.post("common")
    world.run(30)
    b.off()
    d = _twin(world, b, "d")
    b.boot()
    world.join("d", "c")
    world.part("b", "c")
    b.post("written by B")
    d.post("written by D")
    world.run(120)
    world.join("b", "c")
    for _ in range(60):
        world.run(10)
        _restart_renewed(world, b, d)
    for box in (b, d):  # equal heads look alike; the next blocks show that they hang on different ones
        box.post("one more")
    for _ in range(60):
        world.run(10)
        _restart_renewed(world, b, d)
    assert c.told(ForkFound)
    assert b.keys.incarnation != d.keys.incarnation
    return world, a, b, c, d


def test_twins_that_both_wrote_before_they_met() -> None:
    """The fork was made before anybody could know; it is found, shown, and nothing more is written there."""
    world, a, b, c, d = _split_twins(5)
    forks = _forks(world)
    for number in range(3):
        b.post(f"B {number}")
        d.post(f"D {number}")
        world.run(60)
    assert _forks(world) == forks
    for box in (a, c):
        assert {f"B {n}" for n in range(3)} | {f"D {n}" for n in range(3)} <= set(box.posts())
    assert len({box.node.gossip.logs.digest() for box in (a, b, c, d)}) == 1


def test_the_person_says_which_of_two_twins_was_right() -> None:
    world, a, b, c, d = _split_twins(5)
    square = log_id(b.keys.device, c.told(ForkFound)[-1].log[32:36], SQUARE)
    theirs = b.node.gossip.logs.book.logs[square]
    last = theirs.id_at(theirs.last)
    b.feed(AdoptBranches(b.keys.device))
    assert [(one.log, one.block, one.split) for one in b.told(BranchAdopted)] == [(square, last, theirs.frozen_at)]
    assert world.run(
        900, until=lambda: all(box.node.gossip.logs.book.logs[square].head == theirs.last for box in (a, c, d))
    )
    for box in (a, c, d):
        assert box.node.gossip.logs.book.logs[square].id_at(theirs.last) == last
        assert box.told(BranchAdopted)[-1].split == theirs.frozen_at
    for box in (a, c):
        assert "written by B" in box.posts()
    with pytest.raises(UsageError, match="no history of this device split"):
        b.feed(AdoptBranches(b.keys.device))
    with pytest.raises(UsageError, match="no device of your persona"):
        a.feed(AdoptBranches(b.keys.device))
    a.keys = replace(a.keys, persona_secret=b"")
    a.off()
    a.boot()
    with pytest.raises(UsageError, match="root key of your persona is not on this device"):
        a.feed(AdoptBranches(a.keys.device))


def test_a_card_of_yesterday_is_put_back() -> None:
    """The store fell back behind what was sent: seen by a block of our own log that we do not have."""
    world = TrialWorld(5)
    a, b, c = world.line("abc")
    world.run(30)
    backup = b.disk.copy()
    for number in range(3):
        b.post(f"lost {number}")
    world.run(60)
    b.off()
    b.disk = backup
    b.boot()
    for _ in range(30):
        world.run(10)
        _restart_renewed(world, b)
    assert b.warnings().count("second_copy") == 1
    b.post("after the return")
    world.run(60)
    for box in (a, c):
        assert "after the return" in box.posts()
        assert not box.told(ForkFound)
    message = a.write(b, "still you?")
    assert world.run(300, until=lambda: a.state(message) == "delivered")
    assert b.inbox() == ["still you?"]


def test_a_card_of_last_week_is_put_back_after_many_reboots() -> None:
    """Its epoch is one that everybody has heard already: its words look like old ones, until it goes on in a later."""
    world = TrialWorld(6)
    a, b, c = world.line("abc")
    world.run(30)
    backup = b.disk.copy()
    for _ in range(4):
        b.post("lost")
        world.run(30)
        b.cut()
        b.boot()
        world.run(30)
    b.off()
    b.disk = backup
    b.boot()
    for _ in range(60):
        world.run(10)
        _restart_renewed(world, b)
    assert b.warnings().count("second_copy") == 1
    b.post("after the return")
    world.run(120)
    for box in (a, c):
        assert "after the return" in box.posts()
        assert not box.told(ForkFound)

"""News that follow each other closely cross an uplink together."""

from __future__ import annotations

import pytest

from meshnode.core.gossip.company import APART_S, MOST
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import BlockFrame, Run
from support.valleys import Valleys, two_valleys

TEXT = "ten words that nobody has said before in this valley "


def crossed(world: Valleys) -> list[list[int]]:
    """The seqs of each frame with blocks that went from e to v, counted from the first of them."""
    frames = [frame for one, _, frame in world.frames if one == "e" and isinstance(frame, BlockFrame | Run)]
    first = [frame.first if isinstance(frame, Run) else frame.block.seq for frame in frames]
    count = [len(frame.blocks) if isinstance(frame, Run) else 1 for frame in frames]
    return [[at - first[0] + more for more in range(many)] for at, many in zip(first, count, strict=True)]


def ready() -> Valleys:
    """The log of the square is known on both sides, and nothing is on its way."""
    world = two_valleys()
    world.boxes["e"].post("hello")
    assert world.run(30, until=lambda: world.boxes["v"].posts() == ["hello"])
    world.run(30)
    world.frames.clear()
    return world


def test_what_follows_the_first_word_closely_shares_a_run() -> None:
    world = ready()
    e, v = world.boxes["e"], world.boxes["v"]
    said = [f"{TEXT}{number}" for number in range(10)]
    for text in said:
        e.post(text)
    world.run(2 * APART_S)
    assert v.posts() == ["hello", *said]
    assert crossed(world) == [[0], list(range(1, 10))]


def test_much_does_not_wait_and_stays_below_what_a_record_holds() -> None:
    world = ready()
    e, v = world.boxes["e"], world.boxes["v"]
    said = [f"{number} {TEXT * 38}" for number in range(40)]  # 80 kB, where a record holds 64 KiB
    for text in said:
        e.post(text)
    world.run(5)
    sizes = [len(encode_frame(frame)) for one, _, frame in world.frames if one == "e" and isinstance(frame, Run)]
    assert len(sizes) == 5, "and the first, alone"
    assert max(sizes) < MOST + 2500
    assert v.posts() == ["hello", *said]


def test_an_emergency_takes_along_what_waits() -> None:
    world = ready()
    e = world.boxes["e"]
    e.post("one")
    e.post("two")
    e.post("the river is over the road", cls=1)
    world.run(APART_S / 2)
    assert crossed(world) == [[0], [1, 2]]


def test_an_emergency_goes_before_what_others_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ready()
    a, e = world.boxes["a"], world.boxes["e"]
    a.post("good morning")
    world.run(30)
    for text in ("one", "two", "three"):
        a.post(text)
    assert world.run(APART_S, until=lambda: len(e.posts()) == 4)
    sent: list[bytes] = []
    monkeypatch.setattr(world, "_send_record", lambda box, record: sent.append(record.data))
    e.post("the river is over the road", cls=1)
    frames = [decode_frames_untrusted(data)[0] for data in sent]
    assert [type(frame) for frame in frames] == [BlockFrame, Run]


def test_the_words_of_two_stand_in_two_runs() -> None:
    world = ready()
    a, e = world.boxes["a"], world.boxes["e"]
    for number in range(3):
        e.post(f"e {number}")
        a.post(f"a {number}")
        world.run(APART_S / 10)
    world.run(5)
    assert sorted(world.boxes["v"].posts()) == ["a 0", "a 1", "a 2", "e 0", "e 1", "e 2", "hello"]


def test_what_waits_when_the_uplink_goes_is_made_up_for() -> None:
    world = ready()
    e, v = world.boxes["e"], world.boxes["v"]
    e.post("in time")
    e.post("too late")
    world.run(APART_S / 2)
    world.uplink_fails("e", "v")
    world.run(2)
    assert v.posts() == ["hello", "in time"]
    world.uplink_returns("e", "v")
    assert world.run(660, until=lambda: v.posts() == ["hello", "in time", "too late"])

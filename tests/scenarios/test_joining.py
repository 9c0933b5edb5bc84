"""A channel is joined and its history is read; the box is killed, or its power goes, before the last page."""

from __future__ import annotations

import pytest

from meshnode.core.chat import histories
from meshnode.core.chat.filing import CURSOR_FACT
from meshnode.core.ids import channel_id, log_channel
from meshnode.core.inputs import SetChannel
from meshnode.core.records import BlockRecord, FactRecord, MessageRecord
from support.trial_world import Box, TrialWorld

TEXTS = [f"post {number}" for number in range(14)]
UNREAD = "history/"


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four posts a page, so that fourteen are a long history."""
    monkeypatch.setattr(histories, "PAGE", 4)


def carried() -> tuple[TrialWorld, Box, Box]:
    """A wrote to the square, and b carries it all but never joined."""
    world = TrialWorld()
    a, b = world.add("a"), world.add("b")
    world.join("a", "b")
    a.joins()
    for text in TEXTS:
        a.post(text)
        world.run(2.0)
    world.run(60.0)
    posts = [row for row in b.disk.every(BlockRecord) if log_channel(row.log) == channel_id("square")]
    assert len(posts) == len(TEXTS)
    return world, a, b


def assert_all_filed_once(box: Box, texts: list[str]) -> None:
    assert sorted(box.posts()) == sorted(texts)
    cursor = box.disk.get(FactRecord, CURSOR_FACT)
    assert int.from_bytes(cursor.value, "big") == len(box.disk.every(MessageRecord)), "a place was taken twice"
    assert [fact.name for fact in box.disk.every(FactRecord) if fact.name.startswith(UNREAD)] == []


def pages_filed(world: TrialWorld, box: Box, number: int) -> None:
    assert world.run(10.0, until=lambda: len(box.posts()) >= 4 * number)


def kill(box: Box) -> None:
    box.off()
    box.boot()


def test_killed_between_two_pages_the_rest_is_filed_after_the_start() -> None:
    world, _, b = carried()
    b.joins()
    pages_filed(world, b, 1)
    kill(b)
    assert len(b.posts()) == 4, "the second page was never read"
    world.run(10.0)
    assert_all_filed_once(b, TEXTS)


def test_killed_twice_and_before_the_first_page() -> None:
    world, _, b = carried()
    b.joins()
    kill(b)
    pages_filed(world, b, 1)
    kill(b)
    pages_filed(world, b, 2)
    kill(b)
    kill(b)
    world.run(10.0)
    assert_all_filed_once(b, TEXTS)
    kill(b)
    world.run(10.0)
    assert_all_filed_once(b, TEXTS)


def test_left_between_two_pages_the_rest_waits_for_the_next_joining() -> None:
    world, a, b = carried()
    b.joins()
    pages_filed(world, b, 2)
    b.feed(SetChannel(channel_id("square"), "square", False))
    a.post("while away")
    world.run(60.0)
    assert len(b.posts()) == 8
    kill(b)
    world.run(10.0)
    assert len(b.posts()) == 8
    b.joins()
    kill(b)
    world.run(10.0)
    assert_all_filed_once(b, [*TEXTS, "while away"])


def test_the_power_goes_at_any_effect() -> None:
    world, _, b = carried()
    before, fuse, blown = b.disk.copy(), 0, True
    while blown:
        b.off()
        b.disk = before.copy()
        b.boot()
        b.fuse = fuse
        b.joins()
        world.run(1.0)
        blown, b.fuse = not b.on, None
        if blown:
            b.boot()
            b.joins()  # whoever saw no answer asks again
        world.run(10.0)
        assert_all_filed_once(b, TEXTS)
        fuse += 1
    assert fuse > len(TEXTS)

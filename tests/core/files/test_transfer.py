"""Files between whole nodes: near and far, with loss, with breaks, with restarts, from several at once, in sessions."""

from __future__ import annotations

import pytest

from meshnode.core.inputs import DropFile, FetchFile, KeepChunks, KeepFile
from meshnode.core.notices import FileMoved
from meshnode.core.records import ChunkRecord, FileRecord
from meshnode.core.sealing.manifest import CHUNK_SIZE, MAX_FILE
from meshnode.core.settings import Law, LinkSettings
from meshnode.errors import UsageError
from support.trial_files import Sample, attach, has, sample, want
from support.trial_world import Box, TrialWorld

SMALL = 3 * CHUNK_SIZE - 100


def line(names: str, seed: int = 1, *, loss: float = 0.0, **settings: object) -> tuple[TrialWorld, list[Box]]:
    world = TrialWorld(seed, loss=loss, link=LinkSettings(multicast_payload=384))
    boxes = world.line(names, **settings)
    world.run(30)
    return world, boxes


def arrives(world: TrialWorld, box: Box, given: Sample, within_s: float = 120.0) -> bool:
    return world.run(within_s, until=lambda: whole(box, given)) and has(box, given)


def whole(box: Box, given: Sample) -> bool:
    return box.on and box.node.files.whole(given.file)


def some(box: Box, given: Sample, chunks: int = 2) -> bool:
    held = box.node.files.library.get(given.file)
    return held is not None and len(held.chunks) >= chunks


@pytest.mark.parametrize("size", [1, CHUNK_SIZE, SMALL])
def test_a_neighbour_gets_a_file_and_sees_it_come(size: int) -> None:
    world, (a, b) = line("ab")
    given = attach(a, sample(size))
    want(b, given)
    assert arrives(world, b, given)
    told = b.told(FileMoved)
    assert [one.held for one in told] == sorted(one.held for one in told)
    assert (told[0].state, told[-1]) == ("coming", FileMoved(given.file, "here", size, size))
    assert b.node.next_wakeup() is None or not b.node.files.fetching.fetching(given.file)


def test_three_hops_away_those_between_keep_it_for_others_and_tell_nobody() -> None:
    world, (a, b, c, d) = line("abcd")
    given = attach(a, sample(SMALL))
    want(d, given)
    assert arrives(world, d, given)
    for between in (b, c):
        assert has(between, given)
        assert between.told(FileMoved) == []
        assert between.node.status()["counts"]["chunks"] == 3  # type: ignore[index]
    a.off()
    want(c, given)
    assert c.told(FileMoved)[-1].state == "here"


def test_what_was_carried_once_is_near_for_the_next_one() -> None:
    world, (a, _, c, d) = line("abcd")
    given = attach(a, sample(SMALL))
    want(c, given)
    assert arrives(world, c, given)
    before = len(a.sent_datagrams)
    want(d, given)
    assert arrives(world, d, given)
    assert len([send for send in a.sent_datagrams[before:] if len(send.data) > 1000]) == 0


def test_at_thirty_per_cent_loss_on_every_link_all_of_it_comes() -> None:
    world, (a, _, c) = line("abc", 3, loss=0.3)
    given = attach(a, sample(SMALL))
    want(c, given)
    assert arrives(world, c, given)


def test_pieces_that_are_lost_for_good_are_asked_for_again() -> None:
    world, (a, b) = line("ab", 4)
    given, dice = attach(a, sample(SMALL)), world.chance
    world.filter = lambda source, target, send: len(send.data) < 300 or dice.random() > 0.1
    want(b, given)
    assert arrives(world, b, given)


def test_a_question_that_is_lost_is_asked_again() -> None:
    world, (a, b) = line("ab", 5)
    given, dice = attach(a, sample(SMALL)), world.chance
    world.filter = lambda source, target, send: source == "a" or send.to is None or dice.random() > 0.5
    want(b, given)
    assert arrives(world, b, given, 300)


def test_a_break_in_the_middle_and_what_came_is_not_asked_for_again() -> None:
    world, (a, b) = line("ab", 6)
    given = attach(a, sample(8 * CHUNK_SIZE))
    want(b, given)
    assert world.run(60, until=lambda: some(b, given, 4))
    world.part("a", "b")
    world.run(400)
    assert not whole(b, given)
    before = len(a.sent_datagrams)
    world.join("a", "b")
    assert arrives(world, b, given)
    assert sum(len(send.data) for send in a.sent_datagrams[before:]) < 6.5 * CHUNK_SIZE


@pytest.mark.parametrize("who", range(3))
def test_whoever_loses_power_in_the_middle_it_comes_all_the_same(who: int) -> None:
    world, boxes = line("abc", 7 + who)
    given = attach(boxes[0], sample(SMALL))
    boxes[0].disk.sync()
    want(boxes[2], given)
    boxes[2].disk.sync()
    assert world.run(60, until=lambda: some(boxes[2], given))
    boxes[who].cut()
    world.run(5)
    boxes[who].boot()
    assert arrives(world, boxes[2], given, 900)


@pytest.mark.parametrize("fuse", range(1, 40, 10))
def test_power_lost_at_any_effect_of_the_receiver(fuse: int) -> None:
    world, (a, b) = line("ab", fuse)
    given = attach(a, sample(SMALL))
    want(b, given)
    b.disk.sync()
    assert world.run(60, until=lambda: some(b, given, 1))
    b.fuse = fuse
    world.run(3)
    if not b.on:
        b.boot()
    assert arrives(world, b, given, 900)


def test_two_sources_share_the_work_and_one_may_leave() -> None:
    world = TrialWorld(11)
    a, b, c = (world.add(name) for name in "abc")
    world.join("a", "c")
    world.join("b", "c")
    world.run(30)
    given = sample(8 * CHUNK_SIZE)
    for source in (a, b):
        attach(source, given)
    before = {box.name: len(box.sent_datagrams) for box in (a, b)}
    want(c, given)
    assert world.run(60, until=lambda: some(c, given, 4))
    assert all(len(box.sent_datagrams) - before[box.name] > 30 for box in (a, b))
    a.off()
    assert arrives(world, c, given)


def test_two_who_have_half_each_make_one_whole() -> None:
    world = TrialWorld(12)
    a, b, c, _d = (world.add(name) for name in "abcd")
    world.join("a", "b")
    world.run(30)
    given = attach(a, sample(8 * CHUNK_SIZE))
    want(b, given)
    assert world.run(60, until=lambda: some(b, given, 4))
    a.off()
    world.part("a", "b")
    world.join("b", "c")
    want(c, given)
    assert world.run(300, until=lambda: some(c, given, len(b.node.files.library.files[given.file].chunks)))
    assert not whole(c, given)
    a.boot()
    world.join("a", "d")
    world.join("d", "c")
    assert arrives(world, c, given, 300)


def test_a_peer_that_no_link_reaches_gets_it_in_a_session() -> None:
    world = TrialWorld(13)
    a, b = world.add("a"), world.add("b")
    world.connect("a", "b")
    world.run(1)
    given = attach(a, sample(20 * CHUNK_SIZE))
    want(b, given)
    assert world.run(60, until=lambda: some(b, given, 5))
    world.disconnect("a", "b")
    world.run(2)
    world.connect("a", "b")
    assert arrives(world, b, given)


def test_a_peer_has_no_more_in_a_session_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    from meshnode.core.neighbours import buckets

    monkeypatch.setattr(buckets, "SERVED_RATE", 50_000.0)
    monkeypatch.setattr(buckets, "SERVED_BURST", 50_000.0)
    world = TrialWorld(14)
    a, b = world.add("a"), world.add("b")
    world.connect("a", "b")
    world.run(1)
    given, begun = attach(a, sample(6 * CHUNK_SIZE)), world.now
    want(b, given)
    assert arrives(world, b, given)
    assert world.now - begun > 1.5


def test_a_file_nobody_has_is_sought_less_and_less_often_until_somebody_comes() -> None:
    world, (_a, b) = line("ab", 15)
    given = sample(SMALL)
    want(b, given)
    before = len(b.sent_datagrams)
    world.run(600)
    assert len(b.sent_datagrams) - before < 60
    c = world.add("c")
    attach(c, given)
    world.join("b", "c")
    assert arrives(world, b, given, 60)


def test_who_does_not_carry_for_others_serves_its_own_alone() -> None:
    world, (a, b, c) = line("abc", 16, carry_for_others=False)
    given = attach(a, sample(1000))
    want(c, given)
    world.run(60)
    assert not whole(c, given)
    want(b, given)
    assert arrives(world, b, given)
    assert arrives(world, c, given)


def test_the_way_ends_when_a_relay_has_no_room() -> None:
    world, (a, b, c) = line("abc", 17)
    given = attach(a, sample(SMALL))
    b.node.ctx.settings = type(b.node.ctx.settings)(name="b", store_limit=1000)
    want(c, given)
    world.run(60)
    assert not whole(c, given)
    assert b.disk.every(ChunkRecord) == []


def test_a_word_overtakes_a_file() -> None:
    world, (a, b) = line("ab", 18)
    given = attach(a, sample(14 * CHUNK_SIZE))
    want(b, given)
    assert world.run(60, until=lambda: some(b, given, 2))
    begun = world.now
    a.write(b, "soup is ready")
    assert world.run(60, until=lambda: b.inbox() == ["soup is ready"])
    assert world.now - begun < 0.5
    assert not whole(b, given)


def test_dropping_ends_fetching_and_serving() -> None:
    world, (a, b) = line("ab", 19)
    given = attach(a, sample(8 * CHUNK_SIZE))
    want(b, given)
    assert world.run(60, until=lambda: some(b, given))
    b.feed(DropFile(given.file))
    assert b.disk.every(ChunkRecord) == b.disk.every(FileRecord) == []
    assert b.told(FileMoved)[-1].state == "gone"
    world.run(10)
    assert b.disk.every(ChunkRecord) == []
    want(b, given)
    assert world.run(60, until=lambda: some(b, given))
    a.feed(DropFile(given.file))
    world.run(60)
    assert not whole(b, given)
    attach(a, given)
    assert arrives(world, b, given, 180)


@pytest.mark.parametrize(
    "wrong",
    [
        KeepFile(sample(10).file, 10, bytes(32)),
        KeepFile(sample(10).file, 0, b""),
        KeepFile(sample(10).file, MAX_FILE + 1, bytes(32)),
        KeepChunks(sample(10).file, 0, (b"x",)),
        DropFile(sample(10).file),
        FetchFile(sample(10).file, 600 * 2**20),
    ],
)
def test_what_cannot_be_is_said_at_once(wrong: object) -> None:
    world = TrialWorld(20)
    a = world.add("a")
    with pytest.raises(UsageError):
        a.feed(wrong)  # type: ignore[arg-type]


def test_own_mistakes_about_a_file_that_is_here() -> None:
    world = TrialWorld(21)
    a, given = world.add("a", store_limit=200_000), sample(100)
    a.feed(KeepFile(given.file, given.size, given.hashes))
    with pytest.raises(UsageError, match="wrong size"):
        a.feed(KeepChunks(given.file, 0, (b"x",)))
    a.feed(KeepChunks(given.file, 0, given.chunks))
    attach(a, given)
    with pytest.raises(UsageError, match="size it does not have"):
        a.feed(FetchFile(given.file, 101))
    large = sample(100_000)
    with pytest.raises(UsageError, match="no room"):
        a.feed(KeepFile(large.file, large.size, large.hashes))


def test_a_link_of_small_datagrams_and_the_lowest_rate() -> None:
    slow = LinkSettings(unicast_payload=384, multicast_payload=384, unicast_bps=150_000, multicast_bps=150_000)
    world = TrialWorld(22, link=slow)
    a, b = world.line("ab")
    world.run(60)
    given = attach(a, sample(40_000))
    want(b, given)
    assert arrives(world, b, given, 60)


def test_where_the_hour_is_limited_a_file_takes_half_of_it_and_words_go_on() -> None:
    law = Law(duty_ppm=28_000, window_s=300)
    world = TrialWorld(23, link=LinkSettings(law=law))
    a, b = world.line("ab")
    world.run(30)
    given = attach(a, sample(20 * CHUNK_SIZE))
    want(b, given)
    world.run(200)
    status = a.node.outbox.laws.status()
    assert not whole(b, given)
    assert 0.35 < status["used_s_halow0"] / status["allowed_s_halow0"] < 0.6
    a.write(b, "soup is ready")
    assert world.run(5, until=lambda: b.inbox() == ["soup is ready"])
    assert arrives(world, b, given, 1800)

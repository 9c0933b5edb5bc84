"""A bound member that lies about files: false answers, wrong bytes, floods of questions. Honest ones get theirs."""

from __future__ import annotations

import pytest

from meshnode.core.files import fetching, seeking, serving
from meshnode.core.ids import FileId
from meshnode.core.neighbours.neighbour import Heard
from meshnode.core.records import ChunkRecord, FileRecord
from meshnode.core.sealing.manifest import CHUNK_SIZE, MAX_FILE
from meshnode.core.wire.file_layouts import GONE, INDEX
from meshnode.core.wire.frames import ChunkPiece, ChunkWant, FileHave, FileSeek
from support.trial_files import Sample, attach, has, sample, want
from support.trial_member import neighbour, say
from support.trial_world import Box, TrialWorld

GIVEN = sample(6 * CHUNK_SIZE)
NOWHERE = FileId(b"\x07" * 32)


def three(seed: int = 1) -> tuple[TrialWorld, Box, Box, Box]:
    """a has the file, c wants it, m lies; all hear each other."""
    world = TrialWorld(seed)
    a, c, m = (world.add(name) for name in "acm")
    for one, other in ("ac", "cm", "am"):
        world.join(one, other)
    world.run(30)
    attach(a, GIVEN)
    return world, a, c, m


def plays(m: Box, given: Sample, lie: bytes) -> None:
    """m answers every question as if it had the file, with its own bytes."""
    files = m.node.files

    def seek(neighbour: object, frame: FileSeek) -> None:
        files.seeking._tell(neighbour, FileHave(given.file, 0, given.size))  # type: ignore[arg-type]

    def wanted(neighbour: object, frame: ChunkWant) -> None:
        body = given.hashes if frame.index == INDEX and lie else bytes(len(given.hashes))
        if frame.index != INDEX:
            body = lie * CHUNK_SIZE
        for at in range(0, len(body), 1000):
            piece = ChunkPiece(given.file[:4], frame.index, 0, at, body[at : at + 1000])
            m.node.neighbours.send(neighbour, piece, 4)  # type: ignore[arg-type]

    files.seeking.seek_arrived = seek  # type: ignore[method-assign, assignment]
    files.serving.want_arrived = wanted  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("lie", [b"", b"x"], ids=["a false list", "false chunks"])
def test_who_gives_wrong_bytes_is_fined_and_not_asked_again(lie: bytes) -> None:
    world, _, c, m = three()
    plays(m, GIVEN, lie)
    want(c, GIVEN)
    assert world.run(120, until=lambda: c.node.files.whole(GIVEN.file))
    assert has(c, GIVEN)
    assert c.node.counters["chunk_wrong"] in (0, 1)
    alone = sample(2 * CHUNK_SIZE, 2)
    plays(m, alone, lie)
    want(c, alone)
    world.run(300)
    assert c.node.counters["chunk_wrong"] in (1, 2)
    assert [row for row in c.disk.every(ChunkRecord) if row.file == alone.file] == []


def test_who_says_to_have_it_and_gives_nothing_is_left_after_a_while() -> None:
    world, a, c, m = three(2)
    a.off()
    m.node.files.serving.want_arrived = lambda neighbour, frame: None  # type: ignore[method-assign, assignment]
    want(c, GIVEN)
    world.run(2)
    say(m, FileHave(GIVEN.file, 0, GIVEN.size), c)
    world.run(120)
    assert not c.node.files.seeking.routes(GIVEN.file)
    a.boot()
    assert world.run(120, until=lambda: c.node.files.whole(GIVEN.file))


def test_a_file_of_another_size_is_not_asked_for() -> None:
    world, a, c, m = three(3)
    a.off()
    want(c, GIVEN)
    world.run(2)
    for size in (0, GIVEN.size + 1, MAX_FILE + 1):
        say(m, FileHave(GIVEN.file, 0, size), c)
    say(m, FileHave(GIVEN.file, 0, GIVEN.size, b"\xff\xff"), c)
    world.run(1)
    assert not any(fetch.flights for fetch in c.node.files.fetching.fetches.values())


def test_answers_and_pieces_nobody_asked_for_change_nothing() -> None:
    world, _, c, m = three(4)
    say(m, FileHave(NOWHERE, 0, 1000), c)
    say(m, ChunkPiece(NOWHERE[:4], 0, 0, 0, b"x"), c)
    world.run(1)
    assert c.node.counters["file_have_unasked"] == c.node.counters["chunk_piece_unasked"] == 1
    assert c.node.files.seeking.routes(NOWHERE) == []
    assert c.disk.every(FileRecord) == []


def test_pieces_from_who_was_not_asked_are_dropped() -> None:
    world, _, c, m = three(5)
    want(c, GIVEN)
    assert world.run(30, until=lambda: bool(c.node.files.fetching.fetches[GIVEN.file].flights))
    number = next(iter(c.node.files.fetching.fetches[GIVEN.file].flights))
    say(m, ChunkPiece(GIVEN.file[:4], number, 0, 0, b"poison"), c)
    assert world.run(60, until=lambda: c.node.files.whole(GIVEN.file))
    assert has(c, GIVEN)
    assert c.node.counters["chunk_wrong"] == 0


def test_questions_are_taken_as_fast_as_they_are_paid_for() -> None:
    world, a, _, m = three(6)
    for number in range(60):
        say(m, FileSeek(FileId(number.to_bytes(32, "big")), 3), a)
        world.run(0.01)
    assert a.node.counters["file_seek_over_budget"] > 30
    assert len(a.node.files.seeking._sought) <= 25


def test_what_is_looked_for_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "MAX_SOUGHT", 4)
    world, a, _, m = three(7)
    for number in range(8):
        say(m, FileSeek(FileId(number.to_bytes(32, "big")), 3), a)
        world.run(0.5)
    assert len(a.node.files.seeking._sought) == 4


def test_routes_to_one_file_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "MAX_ROUTES", 0)
    world, _a, c, _m = three(8)
    want(c, GIVEN)
    world.run(5)
    assert c.node.files.seeking.routes(GIVEN.file) == []


def test_one_asker_has_few_chunks_in_line() -> None:
    world, a, _, m = three(9)
    large = attach(a, sample(30 * CHUNK_SIZE, 3))
    for number in range(30):
        say(m, ChunkWant(large.file, number, 0, ((0, 40_000),)), a)
    world.run(0.2)
    (line,) = a.node.files.serving.lines.values()
    assert len(line.jobs) <= serving.MAX_JOBS
    assert a.node.counters["chunk_want_over_limit"] > 5


def test_who_asks_for_more_than_it_may_waits() -> None:
    world, a, _, m = three(10)
    bucket = a.node.neighbours.buckets.bound(m.node.neighbours.me, True, a.node.ctx.links["halow0"], a.node.ctx.now)
    bucket._left, bucket._rate, bucket._at = 200.0, 5_000.0, a.now
    before = len(a.sent_datagrams)
    say(m, ChunkWant(GIVEN.file, 0, 0, ((0, CHUNK_SIZE),)), a)
    world.run(1)
    assert len([send for send in a.sent_datagrams[before:] if len(send.data) > 1000]) < 8
    assert world.run(30, until=lambda: len([s for s in a.sent_datagrams[before:] if len(s.data) > 1000]) > 25)


def test_spans_and_numbers_beyond_the_end_are_answered_with_nothing() -> None:
    world, a, _, m = three(11)
    before = len(a.sent_datagrams)
    say(m, ChunkWant(GIVEN.file, 0, 0, ((CHUNK_SIZE, CHUNK_SIZE + 5),)), a)
    say(m, ChunkWant(GIVEN.file, 1999, 0, ((0, 5),)), a)
    say(m, ChunkWant(NOWHERE, 0, 0, ((0, 5),)), a)
    world.run(2)
    assert len([send for send in a.sent_datagrams[before:] if len(send.data) > 300]) == 0
    assert not a.node.files.serving.lines[m.keys.node].jobs


def test_a_member_cannot_have_us_fetch_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_CARRIED", 2)
    world = TrialWorld(12)
    a, b, m = world.line("abm")
    world.run(30)
    samples = [attach(a, sample(1000, seed)) for seed in range(4)]
    for given in samples:
        say(m, FileSeek(given.file, 3), b)
    world.run(2)
    a.node.files.serving.want_arrived = lambda neighbour, frame: None  # type: ignore[method-assign, assignment]
    for given in samples:
        say(m, ChunkWant(given.file, 0, 0, ((0, 1000),)), b)
    world.run(0.5)
    assert len(b.node.files.fetching.fetches) == 2


def test_a_way_that_is_gone_is_said_to_who_waits_there_and_asked_for_anew() -> None:
    world = TrialWorld(13)
    a, b, c = world.line("abc")
    world.run(30)
    given = attach(a, sample(6 * CHUNK_SIZE))
    want(c, given)
    assert world.run(60, until=lambda: (h := c.node.files.library.get(given.file)) is not None and len(h.chunks) > 1)
    a.off()
    world.run(60)
    assert not c.node.files.whole(given.file)
    assert not b.node.files.fetching.fetching(given.file)
    a.boot()
    assert world.run(300, until=lambda: c.node.files.whole(given.file))


def test_gone_from_somebody_who_never_had_it_is_nothing() -> None:
    world, _a, c, m = three(14)
    want(c, GIVEN)
    world.run(0.3)
    say(m, FileHave(GIVEN.file, GONE, GIVEN.size), c)
    assert world.run(60, until=lambda: c.node.files.whole(GIVEN.file))


def test_only_neighbours_are_listened_to() -> None:
    _world, a, _, _ = three(15)
    stranger = Heard(b"who", None, False, "halow0", "fe80::x", False, ())  # type: ignore[arg-type]
    a.node.files.frame_arrived(FileSeek(GIVEN.file, 3), stranger)
    assert a.node.files.seeking._budgets == {}


def test_an_asker_that_left_frees_what_was_fetched_for_it() -> None:
    world = TrialWorld(16)
    a, b, m = world.line("abm")
    world.run(30)
    given = attach(a, sample(6 * CHUNK_SIZE))
    say(m, FileSeek(given.file, 3), b)
    world.run(2)
    a.node.files.serving.want_arrived = lambda neighbour, frame: None  # type: ignore[method-assign, assignment]
    say(m, ChunkWant(given.file, 0, 0, ((0, 1000),)), b)
    assert world.run(1, until=lambda: b.node.files.fetching.fetching(given.file))
    b.node.files.neighbour_lost(neighbour(b, m))
    assert not b.node.files.fetching.fetching(given.file)
    assert b.node.files.serving.lines == {}


def test_a_chunk_that_is_not_there_is_not_fetched_for_anybody() -> None:
    world = TrialWorld(17)
    a, b, m = world.line("abm")
    world.run(30)
    given = attach(a, sample(1000))
    say(m, FileSeek(given.file, 3), b)
    world.run(2)
    say(m, ChunkWant(given.file, 1500, 0, ((0, 1000),)), b)
    assert world.run(1, until=lambda: b.node.files.library.get(given.file) is not None)
    world.run(1)
    assert not b.node.files.fetching.fetching(given.file)
    say(m, ChunkWant(given.file, 1500, 0, ((0, 1000),)), b)
    say(m, ChunkWant(given.file, 0, 0, ((0, 1000),)), b)
    assert world.run(1, until=lambda: b.node.files.whole(given.file))
    assert not b.node.files.fetching.fetching(given.file)


def test_an_asker_of_one_chunk_that_leaves_takes_nothing_from_another_one() -> None:
    world = TrialWorld(18)
    a, b = world.add("a"), world.add("b")
    c, d = world.add("c"), world.add("d")
    for one, other in ("ab", "bc", "bd"):
        world.join(one, other)
    world.run(30)
    given = attach(a, sample(4 * CHUNK_SIZE))
    for asker in (c, d):
        want(asker, given)
    assert world.run(60, until=lambda: b.node.files.library.get(given.file) is not None)
    b.node.files.neighbour_lost(neighbour(b, c))
    assert world.run(60, until=lambda: d.node.files.whole(given.file))


def test_what_the_window_leaves_no_room_for_is_given_up_for_others_after_a_while() -> None:
    world = TrialWorld(19)
    a, b, m = world.line("abm")
    world.run(30)
    samples = [attach(a, sample(1000, seed)) for seed in range(4)]
    for given in samples:
        say(m, FileSeek(given.file, 3), b)
    world.run(2)
    a.node.files.serving.want_arrived = lambda neighbour, frame: None  # type: ignore[method-assign, assignment]
    for given in samples:
        say(m, ChunkWant(given.file, 0, 0, ((0, 1000),)), b)
    world.run(1)
    assert sum(bool(fetch.flights) for fetch in b.node.files.fetching.fetches.values()) == fetching.WINDOW
    world.run(120)
    assert not any(b.node.files.fetching.fetching(given.file) for given in samples)


def test_a_chunk_that_was_evicted_meanwhile_is_not_sent() -> None:
    world, a, _c, m = three(20)
    say(m, ChunkWant(GIVEN.file, 2, 0, ((0, 1000),)), a)
    before = len(a.sent_datagrams)
    assert world.run(1, until=lambda: any(line.jobs for line in a.node.files.serving.lines.values()))
    for row in a.disk.every(ChunkRecord):
        a.disk.rows.pop((ChunkRecord, (row.file, row.number)))
    world.run(1)
    assert [send for send in a.sent_datagrams[before:] if len(send.data) > 900] == []


def test_who_asked_and_is_out_of_reach_waits_for_nothing() -> None:
    world, a, _c, m = three(21)
    say(m, ChunkWant(GIVEN.file, 2, 0, ((0, 1000),)), a)
    assert world.run(1, until=lambda: any(line.jobs for line in a.node.files.serving.lines.values()))
    line = a.node.files.serving.lines[m.keys.node]
    line.neighbour.presences.clear()
    a.node.files.serving._pump(line)
    assert line.jobs == {}


def test_answers_for_an_asker_that_left_or_is_too_far_are_not_passed_on() -> None:
    _world, a, c, m = three(22)
    seek = c.node.files.seeking
    m_as_known = c.node.neighbours.get(m.keys.node)
    assert m_as_known is not None
    seek.seek_arrived(m_as_known, FileSeek(NOWHERE, 3))
    sought = seek._sought[NOWHERE]
    sought.askers[b"nobody" * 5] = float("inf")  # type: ignore[index]
    seek.have_arrived(c.node.neighbours.get(a.keys.node), FileHave(NOWHERE, 15, 10))  # type: ignore[arg-type]
    assert set(sought.askers) == {m.keys.node, b"nobody" * 5}
    seek.have_arrived(c.node.neighbours.get(a.keys.node), FileHave(NOWHERE, 2, 10))  # type: ignore[arg-type]
    assert sought.askers == {}
    seek.have_arrived(m_as_known, FileHave(NOWHERE, GONE, 10))
    assert len(seek.routes(NOWHERE)) == 1

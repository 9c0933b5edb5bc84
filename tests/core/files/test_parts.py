"""The parts of files that stand alone: a chunk put together, the pace of pieces, the room files may take."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.context import Context
from meshnode.core.effects import Forget, Notify, Persist
from meshnode.core.files import library, pace
from meshnode.core.files.assembly import Assembly
from meshnode.core.files.library import Held, Library
from meshnode.core.files.pace import Delays, Pace, moment
from meshnode.core.ids import FileId
from meshnode.core.notices import FileMoved
from meshnode.core.records import FILE_CARRIED, FILE_OWN, FILE_WANTED, ChunkRecord, FileRecord, Snapshot
from meshnode.core.sealing.manifest import CHUNK_SIZE
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import Settings
from meshnode.core.wire.limits import MAX_SPANS
from support.gossip_node import MESH, keys_of

LIMIT = 10 * CHUNK_SIZE  # of all files; a quarter of it for others


def shelf_of(limit: int = LIMIT) -> tuple[Context, Library]:
    settings = Settings(store_limit=int(limit / library.FILES_SHARE) + 1)
    ctx = Context(keys_of("ada"), MESH, settings, SeededSealer("ada"), SeededEntropy("ada"))
    return ctx, Library(ctx)


def name(number: int) -> FileId:
    return FileId(bytes([number]) * 32)


def fill(shelf: Library, number: int, role: int, chunks: int) -> Held:
    held = shelf.begin(name(number), chunks * CHUNK_SIZE, role)
    assert held is not None
    shelf.learn(held, bytes(32 * chunks))
    for place in range(chunks):
        assert shelf.keep(held, place, bytes(CHUNK_SIZE))
    return held


# One chunk


@given(st.integers(1, 500), st.randoms(use_true_random=False), st.data())
def test_pieces_in_any_order_and_more_than_once_make_the_chunk(size: int, dice: Random, data: st.DataObject) -> None:
    whole = dice.randbytes(size)
    cuts = sorted({0, size, *data.draw(st.lists(st.integers(0, size), max_size=20))})
    pieces = list(itertools.pairwise(cuts)) * 2
    dice.shuffle(pieces)
    assembly = Assembly(size)
    for start, end in pieces:
        fresh = any(low < end and start < high for low, high in assembly.missing()) or len(assembly.missing()) > 15
        assert assembly.put(start, whole[start:end]) or not fresh
    assert assembly.whole
    assert assembly.body == whole
    assert assembly.missing() == ()


def test_a_piece_beyond_the_end_is_refused() -> None:
    assembly = Assembly(10)
    assert not assembly.put(8, b"abc")
    assert not assembly.put(3, b"")
    assert assembly.put(0, b"0123456789")
    assert not assembly.put(0, b"0123456789")


def test_a_question_names_a_few_spans() -> None:
    assembly = Assembly(100)
    for at in range(0, 100, 2):
        assembly.put(at, b"x")
    assert len(assembly.missing()) == MAX_SPANS
    assert assembly.missing()[0] == (1, 2)


# Pace


def test_a_line_that_grows_slows_down_and_an_empty_one_speeds_up() -> None:
    one = Pace()
    one.told(round(2 * pace.TARGET_S / pace.UNIT_S))
    assert one.gap_s(0.01) > 0.01
    for _ in range(50):
        one.told(0)
    assert one.gap_s(0.01) == pytest.approx(0.01 / pace.FASTEST)
    for _ in range(100):
        one.told(255)
    assert one.gap_s(0.01) == pytest.approx(0.01 / pace.SLOWEST)


@given(st.integers(0, 100_000), st.integers(0, 65_535))
def test_the_time_in_line_is_what_a_piece_took_beyond_the_quickest(began: int, offset: int) -> None:
    delays, now = Delays(), float(began)
    for took in (0.010, 0.010, 0.110, 0.110):
        now += 0.2
        delays.note((moment(now - took) + offset) % 65_536, now)
    assert delays.report() * pace.UNIT_S == pytest.approx(0.05, abs=0.005)
    assert delays.report() == 0


def test_a_way_that_became_longer_is_not_a_line_for_ever() -> None:
    delays, now = Delays(), 0.0
    delays.note(moment(now), now + 0.01)
    for _ in range(80):
        now += 1.0
        delays.report()
        delays.note(moment(now), now + 0.2)
    assert delays.report() == 0


# Room


def test_what_is_kept_for_others_goes_first_then_what_was_fetched_and_never_ones_own() -> None:
    ctx, shelf = shelf_of()
    for number, role, chunks in ((1, FILE_OWN, 4), (2, FILE_WANTED, 2), (3, FILE_WANTED, 2), (4, FILE_CARRIED, 2)):
        ctx.now += 1000.0
        fill(shelf, number, role, chunks)
    ctx.now += 1000.0
    shelf.used(shelf.files[name(2)])
    fill(shelf, 5, FILE_WANTED, 2)
    assert set(shelf.files) == {name(1), name(2), name(3), name(5)}
    fill(shelf, 6, FILE_OWN, 2)
    assert set(shelf.files) == {name(1), name(2), name(5), name(6)}
    assert FileMoved(name(3), "gone", 0, 2 * CHUNK_SIZE) in [e.notice for e in ctx.out if isinstance(e, Notify)]
    assert shelf.begin(name(7), 7 * CHUNK_SIZE, FILE_OWN) is None
    assert {name(1), name(6)} <= set(shelf.files)


def test_what_is_coming_is_not_evicted_and_its_room_is_spoken_for() -> None:
    _, shelf = shelf_of()
    assert shelf.begin(name(1), 8 * CHUNK_SIZE, FILE_WANTED) is not None
    assert shelf.begin(name(2), 3 * CHUNK_SIZE, FILE_WANTED) is None
    assert shelf.begin(name(1), 8 * CHUNK_SIZE, FILE_WANTED) is not None


def test_others_have_a_quarter_and_push_out_nobody_but_each_other() -> None:
    ctx, shelf = shelf_of()
    fill(shelf, 1, FILE_WANTED, 7)
    fill(shelf, 2, FILE_CARRIED, 1)
    ctx.now = 10.0
    fill(shelf, 3, FILE_CARRIED, 2)
    assert set(shelf.files) == {name(1), name(3)}
    held = shelf.files[name(3)]
    assert not shelf.keep(held, 2, bytes(CHUNK_SIZE))


def test_a_full_store_takes_no_file() -> None:
    ctx, shelf = shelf_of()
    held = fill(shelf, 1, FILE_CARRIED, 1)
    ctx.store_refusing = True
    assert shelf.begin(name(2), 1, FILE_OWN) is None
    assert not shelf.keep(held, 1, b"x")


def test_many_small_files_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_FILES", 3)
    _, shelf = shelf_of()
    for number in range(1, 6):
        fill(shelf, number, FILE_WANTED, 1)
    assert len(shelf.files) == 3


def test_a_file_kept_for_others_becomes_the_persons() -> None:
    ctx, shelf = shelf_of()
    held = fill(shelf, 1, FILE_CARRIED, 2)
    assert shelf.begin(name(1), held.size, FILE_WANTED) is held
    assert held.role == FILE_WANTED
    assert shelf.begin(name(1), held.size, FILE_CARRIED) is held
    assert held.role == FILE_WANTED
    assert held.record() in [row for e in ctx.out if isinstance(e, Persist) for row in e.records]


def test_what_nobody_asks_for_is_kept_a_day() -> None:
    ctx, shelf = shelf_of()
    assert shelf.wakeup() is None
    fill(shelf, 1, FILE_CARRIED, 1)
    fill(shelf, 2, FILE_WANTED, 1)
    for hour in range(1, 30):
        ctx.now = hour * 3600.0
        if hour == 10:
            shelf.used(shelf.files[name(1)])
        assert shelf.wakeup() is not None
        shelf.tick()
    assert set(shelf.files) == {name(1), name(2)}
    ctx.now = 40 * 3600.0
    shelf.tick()
    assert set(shelf.files) == {name(2)}


def test_a_bitmap_says_which_chunks_are_held() -> None:
    held = Held(name(1), 10 * CHUNK_SIZE, FILE_WANTED, bytes(320))
    held.chunks |= {0, 9}
    assert held.bitmap() == bytes([0x80, 0x40])
    held.chunks |= set(range(10))
    assert held.bitmap() == b""
    assert (held.size_of(9), held.size_of(10)) == (CHUNK_SIZE, 0)


def test_after_a_restart_what_was_half_attached_is_gone_and_the_rest_is_there() -> None:
    ctx, shelf = shelf_of()
    rows = tuple(FileRecord(name(n), 2 * CHUNK_SIZE, role, 0.0, bytes(64)) for n, role in ((1, 0), (2, 0), (3, 1)))
    shelf.restore(Snapshot(5.0, records=rows, chunks=((name(1), 0), (name(2), 0), (name(2), 1), (name(9), 0))))
    assert set(shelf.files) == {name(2), name(3)}
    assert shelf.chunks == 2
    assert shelf.files[name(2)].whole
    (gone,) = [effect for effect in ctx.out if isinstance(effect, Forget)]
    assert {key.table for key in gone.keys} == {FileRecord, ChunkRecord}

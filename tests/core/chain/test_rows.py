"""The packed headers of one log."""

from __future__ import annotations

import sys

from meshnode.core.chain.rows import Rows
from meshnode.core.ids import BlockId


def block(number: int) -> BlockId:
    return BlockId(number.to_bytes(32, "big"))


def filled(start: int, count: int) -> Rows:
    rows = Rows()
    for seq in range(start, start + count):
        rows.append(seq, block(seq), kind=seq % 7, state=seq % 4, body_len=seq)
    return rows


def test_rows_may_begin_anywhere_and_keep_every_field() -> None:
    rows = filled(5, 600)
    assert (rows.start, rows.last) == (5, 604)
    assert 4 not in rows
    assert 605 not in rows
    assert rows.id_at(300) == block(300)
    assert rows.ref_at(300) == block(300)[:20]
    assert (rows.kind_at(300), rows.state_at(300), rows.body_len_at(300)) == (300 % 7, 0, 300)
    assert list(rows.ids(7, 3)) == [block(7), block(8), block(9)]


def test_empty_rows_hold_nothing() -> None:
    rows = Rows()
    assert (rows.start, rows.last) == (0, 0)
    assert 0 not in rows


def test_rows_grow_at_both_ends_and_are_cut() -> None:
    rows = filled(5, 3)
    rows.prepend(block(4), 1, 2, 9)
    assert (rows.start, rows.last, rows.body_len_at(4)) == (4, 7, 9)
    rows.cut(6)
    assert (rows.start, rows.last) == (4, 5)
    rows.cut(1)
    assert (rows.start, rows.last) == (0, 0)


def test_rows_are_found_by_state_and_kind() -> None:
    rows = filled(1, 10)
    assert list(rows.in_state(2)) == [2, 6, 10]
    assert list(rows.of_kind(3)) == [3, 10]
    rows.set_state(6, 0)
    assert list(rows.in_state(2)) == [2, 10]


def test_ten_thousand_headers_take_less_than_half_a_megabyte() -> None:
    rows = filled(1, 10_000)
    assert sys.getsizeof(rows._data) < 420_000

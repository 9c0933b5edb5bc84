"""The packed headers of one log."""

from __future__ import annotations

import sys

from meshnode.core.chain.rows import Rows
from meshnode.core.ids import BlockId


def block(number: int) -> BlockId:
    return BlockId(number.to_bytes(32, "big"))


def filled(count: int) -> Rows:
    rows = Rows()
    for seq in range(1, count + 1):
        rows.append(block(seq), kind=seq % 7, state=seq % 4, body_len=seq)
    return rows


def test_rows_keep_every_field() -> None:
    rows = filled(600)
    assert rows.last == 600
    assert 1 in rows
    assert 0 not in rows
    assert 601 not in rows
    assert rows.id_at(300) == block(300)
    assert rows.ref_at(300) == block(300)[:20]
    assert (rows.kind_at(300), rows.state_at(300), rows.body_len_at(300)) == (300 % 7, 0, 300)
    assert list(rows.ids(7, 3)) == [block(7), block(8), block(9)]


def test_empty_rows_hold_nothing() -> None:
    rows = Rows()
    assert rows.last == 0
    assert 0 not in rows


def test_rows_are_cut() -> None:
    rows = filled(7)
    rows.cut(9)
    assert rows.last == 7
    rows.cut(6)
    assert (rows.last, rows.id_at(5), 6 in rows) == (5, block(5), False)
    rows.append(block(16), 1, 2, 9)
    assert (rows.last, rows.id_at(6), rows.body_len_at(6)) == (6, block(16), 9)
    rows.cut(1)
    assert (rows.last, 1 in rows) == (0, False)


def test_rows_are_found_by_state_and_kind() -> None:
    rows = filled(10)
    assert list(rows.in_state(2)) == [2, 6, 10]
    assert list(rows.of_kind(3)) == [3, 10]
    rows.set_state(6, 0)
    assert list(rows.in_state(2)) == [2, 10]


def test_ten_thousand_headers_take_less_than_half_a_megabyte() -> None:
    rows = filled(10_000)
    assert sys.getsizeof(rows._data) < 420_000

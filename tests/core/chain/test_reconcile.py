"""Reconciliation: finds every difference, costs what the difference costs, and bears hostile ranges."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chain import reconcile as module
from meshnode.core.chain.frontier import Element, Round
from meshnode.core.chain.reconcile import (
    ANSWERED,
    END,
    FINGERPRINT,
    LISTED,
    SKIP,
    Range,
    Reconciler,
    range_size,
    split_ranges,
)
from meshnode.core.ids import LogId
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import Ranges
from meshnode.errors import WireError

KEY, NONCE = b"d" * 32, b"once"


@dataclass
class Exchange:
    """What one round cost and found; side 0 opened it."""

    size: int = 0
    messages: int = 0
    lacks: tuple[set[bytes], set[bytes]] = field(default_factory=lambda: (set(), set()))
    other_lacks: tuple[set[bytes], set[bytes]] = field(default_factory=lambda: (set(), set()))


def exchange(mine: list[bytes], theirs: list[bytes]) -> Exchange:
    sides = Reconciler(mine, KEY, NONCE), Reconciler(theirs, KEY, NONCE)
    done, ranges = Exchange(), sides[0].open()
    while ranges:
        done.messages += 1
        done.size += len(encode_frame(Ranges(NONCE, ranges)))
        side = done.messages % 2
        answer = sides[side].answer_untrusted(ranges)
        done.lacks[side].update(answer.missing_here)
        done.other_lacks[side].update(answer.missing_there)
        ranges = answer.ranges
    return done


def frontiers(logs: int, changed: int, seed: int = 1) -> tuple[list[bytes], list[bytes]]:
    """The elements of two nodes that hold the same logs, of which some have another head at each."""
    rng = random.Random(seed)
    mine = [Element(LogId(rng.randbytes(52)), rng.randrange(1, 5000), False) for _ in range(logs)]
    theirs = list(mine)
    for at in rng.sample(range(logs), changed):
        theirs[at] = mine[at]._replace(head=mine[at].head + rng.randrange(1, 9))
    return Round(KEY, NONCE, mine).elements, Round(KEY, NONCE, theirs).elements


@pytest.mark.parametrize(
    ("logs", "changed", "limit"),
    [(200, 10, 1_500), (1_000, 10, 2_600), (5_000, 10, 4_000), (10_000, 10, 4_600), (1_000, 100, 9_000)],
)
def test_the_cost_follows_the_difference(logs: int, changed: int, limit: int) -> None:
    """At most 4 kB for ten of a thousand logs, 8 kB for ten of ten thousand; in fact much less."""
    for seed in range(5):
        mine, theirs = frontiers(logs, changed, seed)
        done = exchange(mine, theirs)
        assert done.size <= limit
        assert done.messages <= 5
        assert done.lacks == (set(theirs) - set(mine), set(mine) - set(theirs))


@pytest.mark.parametrize("logs", [0, 1, 24, 25, 1_000, 10_000])
def test_equal_sets_cost_one_small_message(logs: int) -> None:
    mine, theirs = frontiers(logs, 0)
    done = exchange(mine, theirs)
    assert (done.messages, done.lacks) == (1, (set(), set()))
    assert done.size <= 210


def test_a_newcomer_learns_everything_for_little_more_than_the_elements() -> None:
    _, theirs = frontiers(1_000, 0)
    for mine, other in (([], theirs), (theirs, [])):
        done = exchange(mine, other)
        assert done.lacks[0] | done.lacks[1] == set(theirs)
        assert done.size < 1_000 * 8 + 310


@given(st.sets(st.binary(min_size=8, max_size=8)), st.sets(st.binary(min_size=8, max_size=8)), st.data())
def test_each_side_learns_exactly_what_it_lacks(mine: set[bytes], theirs: set[bytes], data: st.DataObject) -> None:
    shared = data.draw(st.sets(st.binary(min_size=8, max_size=8), max_size=60))
    mine, theirs = mine | shared, theirs | shared
    done = exchange(list(mine), list(theirs))
    assert done.lacks == (theirs - mine, mine - theirs)
    assert done.other_lacks[0] <= mine - theirs
    assert done.other_lacks[1] <= theirs - mine


@given(st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 9))
def test_large_sets_too(shared: int, only_mine: int, only_theirs: int, seed: int) -> None:
    rng = random.Random(seed)
    both, mine, theirs = ([rng.randbytes(8) for _ in range(size)] for size in (shared, only_mine, only_theirs))
    done = exchange(both + mine, both + theirs)
    assert done.lacks == (set(theirs), set(mine))


def test_an_answer_is_bounded_and_the_rest_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWERED", 100)
    monkeypatch.setattr(module, "MAX_RANGES", 40)
    monkeypatch.setattr(module, "_CHUNK", 30)
    rng = random.Random(3)
    both, mine, theirs = ([rng.randbytes(8) for _ in range(size)] for size in (500, 900, 700))
    done = exchange(both + mine, both + theirs)
    assert done.lacks == (set(theirs), set(mine))
    flood = Reconciler(mine, KEY, NONCE).answer_untrusted([Range(END, LISTED)])
    assert sum(len(one.elements) for one in flood.ranges) == 100
    assert flood.ranges[-1].mode == FINGERPRINT


def test_a_bounded_answer_tells_what_it_settled_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWERED", 2)
    mine, theirs = [bytes([number]) * 8 for number in (1, 3, 5, 7)], [bytes([number]) * 8 for number in (2, 4, 6)]
    answer = Reconciler(mine, KEY, NONCE).answer_untrusted([Range(END, LISTED, elements=tuple(theirs))])
    assert (answer.missing_there, answer.missing_here) == (mine[:2], theirs[:2])
    assert [(one.mode, one.upper) for one in answer.ranges] == [(ANSWERED, mine[2]), (FINGERPRINT, END)]
    assert exchange(theirs, mine).lacks == (set(mine), set(theirs))


def test_an_answer_splits_only_so_many_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RANGES", 50)
    asked = [Range(bytes([number]), FINGERPRINT, bytes(8)) for number in range(1, 250)]
    mine = [bytes([number, at]) + bytes(6) for number in range(250) for at in range(30)]
    answer = Reconciler(mine, KEY, NONCE).answer_untrusted(asked)
    assert len(answer.ranges) == 3 * 16 + 246
    assert [one.upper for one in answer.ranges if len(one.upper) == 1] == [one.upper for one in asked]


def test_nothing_left_to_answer_with_is_a_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWERED", 0)
    answer = Reconciler([b"elements"], KEY, NONCE).answer_untrusted([Range(END, LISTED)])
    assert [one.mode for one in answer.ranges] == [FINGERPRINT]


def test_fingerprints_cover_the_whole_list_under_key_and_nonce() -> None:
    elements = frontiers(100, 0)[0]
    told = Reconciler(elements, KEY, NONCE).open()
    assert told == Reconciler(reversed(elements), KEY, NONCE).open()
    for other in (
        Reconciler(elements, b"e" * 32, NONCE),
        Reconciler(elements, KEY, b"more"),
    ):
        assert not {one.fingerprint for one in told} & {one.fingerprint for one in other.open()}


@pytest.mark.parametrize(
    "ranges",
    [
        [Range(b"\x02", SKIP), Range(b"\x01", SKIP)],
        [Range(b"\x02", SKIP), Range(b"\x02", SKIP)],
        [Range(END, SKIP), Range(END, SKIP)],
        [Range(END, SKIP), Range(b"\x02", SKIP)],
        [Range(b"\x02", LISTED, elements=(b"\x02" * 8,))],
        [Range(b"\x02", SKIP), Range(END, LISTED, elements=(b"\x01" * 8,))],
        [Range(END, ANSWERED, elements=(b"b" * 8, b"a" * 8))],
        [Range(END, LISTED, elements=(b"b" * 8, b"b" * 8))],
    ],
)
def test_ranges_and_elements_out_of_order_are_refused(ranges: list[Range]) -> None:
    with pytest.raises(WireError):
        Reconciler([], KEY, NONCE).answer_untrusted(ranges)


def test_a_batch_is_cut_for_records_of_any_size() -> None:
    mine, theirs = frontiers(2_000, 0)[0], frontiers(2_000, 0, seed=2)[0]
    ranges = Reconciler(mine, KEY, NONCE).answer_untrusted(Reconciler(theirs, KEY, NONCE).open()).ranges
    whole = Reconciler(theirs, KEY, NONCE).answer_untrusted(ranges)
    batches = split_ranges(ranges, 700)
    assert len(batches) > 2
    assert all(sum(range_size(one) for one in batch) <= 700 for batch in batches)
    parts = [Reconciler(theirs, KEY, NONCE).answer_untrusted(batch) for batch in batches]
    assert [one for part in parts for one in part.missing_here] == whole.missing_here
    assert [one for part in parts for one in part.ranges if one.mode != SKIP] == [
        one for one in whole.ranges if one.mode != SKIP
    ]


def test_a_range_larger_than_a_batch_goes_alone() -> None:
    big = Range(b"\x05", LISTED, elements=tuple(bytes([0, *[number] * 7]) for number in range(50)))
    assert split_ranges([Range(b"\0\0", SKIP), big, Range(END, SKIP)], 50) == [
        (Range(b"\0\0", SKIP),),
        (Range(b"\0\0", SKIP), big),
        (Range(b"\x05", SKIP), Range(END, SKIP)),
    ]

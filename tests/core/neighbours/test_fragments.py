"""Fragments: whole, lossy, hostile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.ids import NeighbourId
from meshnode.core.neighbours.fragments import (
    AIR_S,
    BUSY_S,
    DONE_ITEMS,
    KEPT_ITEMS,
    LIFE_S,
    MAX_OPEN,
    Cut,
    CutItems,
    Reassembly,
    item_id,
)
from meshnode.core.neighbours.receive import NOBODY
from meshnode.core.wire.frames import Fragment, FragmentWant
from meshnode.errors import SignatureError, WireError

HOP, OTHER = NeighbourId(b"hop..."), NeighbourId(b"other.")


def cut(whole: bytes, step: int = 100) -> list[Fragment]:
    parts = [whole[at : at + step] for at in range(0, len(whole), step)]
    return [Fragment(item_id(whole), index, len(parts), part) for index, part in enumerate(parts)]


@given(st.binary(min_size=200, max_size=1600), st.randoms(use_true_random=False))
def test_any_order_makes_the_whole_once(whole: bytes, random: object) -> None:
    fragments = cut(whole) * 2
    random.shuffle(fragments)  # type: ignore[attr-defined]
    reassembly = Reassembly()
    made = [reassembly.take_untrusted("l", HOP, fragment, 0.0) for fragment in fragments]
    assert [one for one in made if one] == [whole]
    assert reassembly.wakeup() is None


def test_what_is_missing_is_asked_for_with_growing_waits() -> None:
    reassembly, fragments = Reassembly(), cut(b"x" * 400)
    for fragment in (fragments[0], fragments[2]):
        reassembly.take_untrusted("l", HOP, fragment, 0.0)
    assert list(reassembly.asks(0.2)) == []
    assert reassembly.wakeup() == pytest.approx(0.3)
    assert list(reassembly.asks(0.3)) == [("l", HOP, FragmentWant(fragments[0].item, 0b1010))]
    assert list(reassembly.asks(0.5)) == []
    assert len(list(reassembly.asks(1.0))) == 1
    assert list(reassembly.asks(LIFE_S)) == []
    assert reassembly.wakeup() is None


def test_a_whole_from_one_ends_the_wait_for_it_from_others() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    reassembly.take_untrusted("l", OTHER, fragments[0], 0.0)
    made = [reassembly.take_untrusted("l", HOP, fragment, 0.0) for fragment in fragments]
    assert made[-1] == b"y" * 300
    assert list(reassembly.asks(5.0)) == []


def test_an_item_that_is_whole_is_asked_of_nobody_who_sends_it_later() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    for fragment in fragments:
        reassembly.take_untrusted("l", HOP, fragment, 0.0)
    reassembly.take_untrusted("l", OTHER, fragments[0], 2.0)
    assert [list(reassembly.asks(now)) for now in (3.0, 10.0, 29.0)] == [[], [], []]
    made = [reassembly.take_untrusted("l", OTHER, fragment, 29.5) for fragment in fragments]
    assert made[-1] == b"y" * 300, "all the same it may come again"


def test_what_comes_to_us_alone_is_asked_for_though_it_was_whole_before() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    for fragment in fragments:
        reassembly.take_untrusted("l", HOP, fragment, 0.0)
    reassembly.take_untrusted("l", HOP, fragments[0], 2.0, pairwise=True)
    assert [want.missing for _, _, want in reassembly.asks(3.0)] == [0b110], "its log was unknown, and it was wanted"


def test_an_item_that_many_send_is_asked_of_one_at_a_time_and_of_another_next() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    hops = [NeighbourId(b"hop%03d" % number) for number in range(10)]
    for hop in hops:
        reassembly.take_untrusted("l", hop, fragments[0], 0.0)
    asked = [[hop for _, hop, _ in reassembly.asks(tenth / 10)] for tenth in range(200)]
    assert [len(some) for some in asked if some] == [1] * 6, "waits double from 0.3 s, whoever is asked"
    assert len({hop for some in asked for hop in some}) == 6


def test_an_item_that_was_wrong_is_asked_for_though_it_was_whole_before() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    for fragment in fragments:
        reassembly.take_untrusted("l", HOP, fragment, 0.0)
    reassembly.begin_again("l", HOP, fragments[0].item, 1.0)
    assert [want.missing for _, _, want in reassembly.asks(1.0)] == [0xFFFF]


def test_pieces_from_several_make_one_whole_if_its_id_says_so() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    assert reassembly.take_untrusted("l", HOP, fragments[0], 0.0) is None
    assert reassembly.take_untrusted("l", NOBODY, fragments[1], 0.0) is None
    assert reassembly.take_untrusted("l", OTHER, fragments[2], 0.0) == b"y" * 300
    assert reassembly.is_whole(fragments[0].item, 1.0)
    assert not reassembly.is_whole(fragments[0].item, 31.0)
    assert list(reassembly.asks(5.0)) == []


def test_a_false_piece_of_one_spoils_nobody_elses() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    reassembly.take_untrusted("l", OTHER, replace(fragments[1], data=b"n" * len(fragments[1].data)), 0.0)
    made = [reassembly.take_untrusted("l", HOP, fragment, 0.0) for fragment in fragments]
    assert made == [None, None, b"y" * 300]


def test_while_fragments_come_nobody_asks_but_not_for_ever() -> None:
    reassembly, fragments, others = Reassembly(), cut(b"y" * 300), cut(b"z" * 1600)
    reassembly.take_untrusted("l", HOP, fragments[0], 0.0)
    asked: list[float] = []
    for number in range(60):
        now = 0.08 * number
        reassembly.take_untrusted("l", OTHER, others[number % 15], now)
        asked += [now for _, hop, _ in reassembly.asks(now) if hop == HOP]
    assert asked
    assert BUSY_S <= asked[0] < BUSY_S + 2 * AIR_S


def test_in_a_crowd_one_waits_longer_before_one_asks() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    reassembly.take_untrusted("l", HOP, fragments[0], 0.0, patience_s=0.5)
    assert [len(list(reassembly.asks(now))) for now in (0.3, 0.7, 0.81)] == [0, 0, 1]


def test_an_item_is_said_to_all_only_where_it_was_cut_fine_enough() -> None:
    items = CutItems()
    items.keep(b"i", Cut(bytes(900), 3, 1, 340, 30.0))
    assert items.fits(b"i", 340)
    assert not items.fits(b"i", 300)
    assert not items.fits(b"j", 340)


def test_four_items_open_the_oldest_goes() -> None:
    reassembly = Reassembly()
    items = [cut(bytes([index]) * 300) for index in range(MAX_OPEN + 1)]
    for fragments in items:
        reassembly.take_untrusted("l", HOP, fragments[0], 0.0)
    assert [want.item for _, _, want in reassembly.asks(1.0)] == [f[0].item for f in items[1:]]


def test_too_many_bytes_are_refused() -> None:
    reassembly = Reassembly()
    for index in range(2):
        for fragment in cut(bytes([index]) * 16_000, 1100)[:-1]:
            reassembly.take_untrusted("l", HOP, fragment, 0.0)
    more = cut(b"m" * 16_000, 1100)
    reassembly.take_untrusted("l", HOP, more[0], 0.0)
    with pytest.raises(WireError):
        reassembly.take_untrusted("l", HOP, more[1], 0.0)


@pytest.mark.parametrize(
    "fragment", [Fragment(b"i" * 8, 0, 1, b"x"), Fragment(b"i" * 8, 3, 3, b"x"), Fragment(b"i" * 8, 0, 17, b"x")]
)
def test_impossible_places_are_refused(fragment: Fragment) -> None:
    with pytest.raises(WireError):
        Reassembly().take_untrusted("l", HOP, fragment, 0.0)


def test_pieces_cut_finer_for_us_alone_take_the_place_of_large_ones() -> None:
    whole = b"z" * 900
    reassembly, large, small = Reassembly(), cut(whole, 400), cut(whole, 200)
    reassembly.take_untrusted("l", HOP, large[0], 0.0, pairwise=True)
    with pytest.raises(WireError):
        reassembly.take_untrusted("l", HOP, small[0], 0.0)  # not sealed for us: anybody may have said it
    for piece in small[:-1]:
        assert reassembly.take_untrusted("l", HOP, piece, 0.0, pairwise=True) is None
    with pytest.raises(WireError):
        reassembly.take_untrusted("l", HOP, large[1], 0.0, pairwise=True)
    assert reassembly.take_untrusted("l", HOP, small[-1], 0.0, pairwise=True) == whole


def test_fragments_that_disagree_and_wholes_that_lie_are_refused() -> None:
    reassembly, fragments = Reassembly(), cut(b"z" * 300)
    reassembly.take_untrusted("l", HOP, fragments[0], 0.0)
    with pytest.raises(WireError):
        reassembly.take_untrusted("l", HOP, Fragment(fragments[0].item, 1, 4, b"x"), 0.0)
    reassembly.take_untrusted("l", HOP, fragments[1], 0.0)
    with pytest.raises(WireError):
        reassembly.take_untrusted("l", HOP, Fragment(fragments[0].item, 2, 3, b"no"), 0.0)
    for fragment in fragments[:2]:
        reassembly.take_untrusted("l", HOP, fragment, 0.0)
    assert reassembly.take_untrusted("l", HOP, fragments[2], 0.0) == b"z" * 300, "the true one still passes"


def test_done_items_are_remembered_for_a_while() -> None:
    reassembly = Reassembly()
    first = cut(b"first" * 60)
    for fragment in first:
        reassembly.take_untrusted("l", HOP, fragment, 0.0)
    for index in range(DONE_ITEMS):
        for fragment in cut(bytes([index]) * 200):
            reassembly.take_untrusted("l", HOP, fragment, 0.0)
    assert [reassembly.take_untrusted("l", HOP, fragment, 0.0) for fragment in first][-1] is not None


def test_whose_turn_it_is_to_be_asked_is_remembered_within_bounds() -> None:
    reassembly = Reassembly()
    for number in range(DONE_ITEMS + 2):
        first = cut(b"%03d" % number * 100)[0]
        reassembly.take_untrusted("l", NeighbourId(b"hop%03d" % number), first, 0.0)
    assert len(list(reassembly.asks(1.0))) == DONE_ITEMS + 2, "each of another neighbour"
    oldest, newest = (item_id(b"%03d" % number * 100) for number in (0, DONE_ITEMS + 1))
    assert len(reassembly._turns) == DONE_ITEMS
    assert oldest not in reassembly._turns
    assert newest in reassembly._turns


def test_a_liars_piece_beside_true_ones_of_another_makes_no_whole_and_spoils_none() -> None:
    reassembly, fragments = Reassembly(), cut(b"y" * 300)
    reassembly.take_untrusted("l", OTHER, replace(fragments[2], data=b"false"), 0.0)
    made = [reassembly.take_untrusted("l", HOP, fragment, 0.0) for fragment in fragments]
    assert made == [None, None, b"y" * 300], "the whole of one and of the other was wrong, and nobody pays for it"


def test_the_sender_mends_from_what_it_kept() -> None:
    kept, whole = CutItems(), b"w" * 250
    kept.keep(item_id(whole), Cut(whole, 3, 1, 100, until=30.0))
    answer = [fragment for _, fragment in kept.answer(FragmentWant(item_id(whole), 0b101), 100, 1.0)]
    assert answer == [cut(whole)[0], cut(whole)[2]]
    assert list(kept.answer(FragmentWant(item_id(whole), 1), 100, 31.0)) == []
    assert list(kept.answer(FragmentWant(b"unknown.", 1), 100, 1.0)) == []
    for index in range(KEPT_ITEMS):
        kept.keep(bytes([index]) * 8, Cut(b"", 3, 1, 100, until=30.0))
    assert list(kept.answer(FragmentWant(item_id(whole), 1), 100, 1.0)) == []


def test_a_link_that_takes_less_by_now_gets_finer_pieces_for_those_who_ask_again() -> None:
    kept, whole, reassembly = CutItems(), bytes(range(250)), Reassembly()
    kept.keep(item_id(whole), Cut(whole, 3, 1, 100, until=30.0))
    reassembly.take_untrusted("l", HOP, cut(whole)[1], 0.0)
    finer = [fragment for _, fragment in kept.answer(FragmentWant(item_id(whole), 0xFFFF), 50, 1.0)]
    assert [len(fragment.data) for fragment in finer] == [50] * 5
    with pytest.raises(SignatureError):
        reassembly.take_untrusted("l", HOP, finer[0], 1.0)
    reassembly.begin_again("l", HOP, item_id(whole), 1.0)
    wholes = [reassembly.take_untrusted("l", HOP, fragment, 1.0, pairwise=True) for fragment in finer]
    assert wholes == [None, None, None, None, whole]
    assert list(kept.answer(FragmentWant(item_id(whole), 1), 10, 1.0)) == []


def test_a_wrong_item_is_asked_for_once_more_and_under_the_pairwise_key_alone() -> None:
    reassembly, fragments = Reassembly(), cut(b"z" * 300)
    item = fragments[0].item
    reassembly.begin_again("l", HOP, item, 0.0)
    assert [want.missing for _, _, want in reassembly.asks(0.0)] == [0xFFFF]
    assert [reassembly.take_untrusted("l", HOP, fragment, 0.1) for fragment in fragments] == [None] * 3
    reassembly.begin_again("l", HOP, item, 0.2)
    made = [reassembly.take_untrusted("l", HOP, fragment, 0.3, pairwise=True) for fragment in fragments]
    assert made == [None, None, b"z" * 300]


def test_items_that_were_wrong_are_remembered_within_bounds() -> None:
    reassembly = Reassembly()
    for number in range(DONE_ITEMS + 1):
        reassembly.begin_again("l", HOP, bytes([number]), 0.0)
    assert len(reassembly._again) == DONE_ITEMS
    reassembly.begin_again("l", OTHER, bytes([0]), 0.0)
    assert bytes([0]) in reassembly._open["l", OTHER], "the first one is forgotten"

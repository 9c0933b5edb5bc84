"""Which neighbour is worth a copy."""

from __future__ import annotations

from meshnode.core.forwarding.strategies.spray_and_focus import SprayAndFocus, bucket
from meshnode.core.ids import NeighbourId, NodeKey


def node(number: int) -> NodeKey:
    return NodeKey(bytes([number]) * 32)


def name(number: int) -> NeighbourId:
    return NeighbourId(bytes([number]) * 6)


def hears(*numbers: int) -> list[bytes]:
    return [name(number)[:2] for number in numbers]


def test_half_of_several_copies_to_anyone() -> None:
    strategy = SprayAndFocus()
    assert [strategy.copies_for(copies, 0, node(1)) for copies in (8, 5, 2)] == [4, 2, 1]
    assert strategy.copies_for(0, 0, node(1)) == 0


def test_without_a_hint_the_last_copy_goes_to_who_meets_twice_as_many() -> None:
    strategy = SprayAndFocus()
    strategy.met(node(1), name(1), hears(2, 3))
    strategy.met(node(2), name(2), hears(1))
    assert strategy.copies_for(1, 0, node(1)) == 0
    strategy.met(node(1), name(1), hears(4))
    assert strategy.copies_for(1, 0, node(1)) == 1
    assert strategy.copies_for(1, 0, node(2)) == 0


def test_with_a_hint_it_goes_to_who_meets_that_bucket() -> None:
    strategy = SprayAndFocus()
    strategy.met(node(1), name(1), hears(9))
    strategy.met(node(2), name(2), hears(3, 4, 5, 6, 7, 8))
    assert strategy.copies_for(1, 9, node(1)) == 1
    assert strategy.copies_for(1, 9, node(2)) == 0
    assert strategy.copies_for(1, 2, node(2)) == 0  # we meet that bucket ourselves
    assert strategy.rank(9, node(1)) > strategy.rank(9, node(2)) > strategy.rank(9, node(3))


def test_no_bucket_means_no_hint() -> None:
    assert bucket(bytes(6)) == 1
    assert bucket(name(7)) == 7


def test_memory_is_bounded() -> None:
    strategy = SprayAndFocus()
    for number in range(300):
        strategy.met(NodeKey(number.to_bytes(32, "big")), NeighbourId(number.to_bytes(6, "little")), ())
    strategy.met(node(1), name(1), (number.to_bytes(2, "big") for number in range(2000)))
    assert len(strategy._theirs) == 256
    assert len(strategy._theirs[node(1)]) == 1024
    assert strategy.nodes_known >= 1024

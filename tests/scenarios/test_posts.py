"""Posts and bursts on one modelled channel: what they cost, counted in bytes on air, and that nobody goes without."""

from __future__ import annotations

import pytest

from meshnode.air.topology import full, geometric, line, star
from support.trial_air import AirWorld
from support.trial_world import Box

POSTS = 30
SIZE = 200


def told(pairs: list[tuple[int, int]], nodes: int, *, seed: int = 1, loss: float = 0.0) -> tuple[list[Box], float]:
    """The first box posts in a row; bytes on air for each post and receiver once everybody has everything."""
    world = AirWorld("abcdefghij"[:nodes], pairs, seed, loss=loss)
    boxes = world.populate()
    world.run(30)
    boxes[0].post("so that every log is open")
    world.run(30)
    before = world.bytes_on_air
    for number in range(POSTS):
        world.at(0.003 * number, lambda number=number: boxes[0].post(f"{number:03d}" + "x" * (SIZE - 3)))
    everywhere = world.run(120, until=lambda: all(len(box.posts()) == POSTS + 1 for box in boxes[1:]))
    assert everywhere, [len(box.posts()) for box in boxes]
    world.run(5)
    return boxes, (world.bytes_on_air - before) / POSTS / (nodes - 1)


@pytest.mark.parametrize("seed", [1, 3])
def test_ten_strewn_nodes_stay_within_250_bytes_for_each_post_and_receiver(seed: int) -> None:
    boxes, spent = told(geometric(10, seed), 10, seed=seed)
    assert spent < 250
    assert all(box.in_order(boxes[0], "square") == boxes[0].written(channel="square") for box in boxes[1:])


def test_in_one_place_one_multicast_is_enough() -> None:
    assert told(full(8), 8)[1] < 140


def test_a_line_costs_no_more_than_before() -> None:
    assert told(line(6), 6)[1] < 400


@pytest.mark.parametrize("pairs", [star(8), full(8), geometric(8, 2)], ids=["star", "one place", "strewn"])
def test_at_30_percent_loss_everybody_gets_everything(pairs: list[tuple[int, int]]) -> None:
    boxes, _ = told(pairs, 8, loss=0.3)
    assert all(sorted(box.posts()) == sorted(boxes[0].written(channel="square")) for box in boxes[1:])


def test_a_burst_of_messages_over_three_hops_shares_its_datagrams() -> None:
    world = AirWorld("abcd", line(4))
    a, _, _, d = world.populate()
    a.knows(d)
    d.knows(a)
    world.run(20)
    for number in range(3):
        a.write(d, f"so that the session is open {number}")
        world.run(15)
    before, begun = world.bytes_on_air, world.now
    for number in range(100):
        world.at(0.002 * number, lambda number=number: a.write(d, f"{number:03d}" + "x" * 97))
    assert world.run(60, until=lambda: len(d.inbox()) == 103)
    assert world.now - begun < 0.7
    world.run(15)
    assert (world.bytes_on_air - before) / 100 < 600
    assert d.inbox() == a.written(d)

"""Pieces of a large item that got lost in a crowd: gathered, said to all, and paid for by those who ask."""

from __future__ import annotations

from meshnode.core.airtime.outbox import Outgoing
from meshnode.core.inputs import LinkChanged, Tick
from meshnode.core.neighbours.fragments import LIFE_S, Cut, item_id
from meshnode.core.neighbours.mending import GATHER_S
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.wire.frames import Fragment, FragmentWant
from support.gossip_node import node_of, village
from support.world import LINK, World

WHOLE = b"w" * 3000
ITEM = item_id(WHOLE)
STEP = 1000


def crowd() -> tuple[World, Neighbours]:
    """Five who hear each other, and the neighbours of `a`, which sent an item of three pieces."""
    world = village(1, "abcde")
    world.clique(*"abcde")
    world.start()
    world.run(20)
    node = node_of(world, "a")
    node.ctx.now, node.ctx.out = world.now, []
    node.neighbours._mending._cut.keep(ITEM, Cut(WHOLE, 3, 1, STEP, world.now + LIFE_S))
    return world, node.neighbours


def said_to_all(world: World) -> list[int]:
    """The pieces that `a` says to all within the next second."""
    said: list[Outgoing] = []
    node_of(world, "a").outbox.on_sent = said.append
    world.rewake("a")
    world.run(GATHER_S + 1.0)
    return [out.frame.index for out in said if isinstance(out.frame, Fragment) and out.to is None]


def test_what_several_lack_is_said_to_all_once() -> None:
    world, neighbours = crowd()
    first, second, *_ = neighbours.bound(LINK)
    neighbours._mending.asked(first, LINK, FragmentWant(ITEM, 0b011))
    neighbours._mending.asked(second, LINK, FragmentWant(ITEM, 0b110))
    assert sorted(said_to_all(world)) == [0, 1, 2]


def test_who_has_nothing_left_makes_nobody_say_it_to_all() -> None:
    world, neighbours = crowd()
    asker = neighbours.bound(LINK)[0]
    bucket = neighbours.buckets.bound(asker.id, True, world.settings, world.now)
    bucket.fine(1e9, world.now)
    neighbours._mending.asked(asker, LINK, FragmentWant(ITEM, 0b011))
    assert said_to_all(world) == []


def test_a_link_that_is_gone_meanwhile_is_told_nothing() -> None:
    world, neighbours = crowd()
    neighbours._mending.asked(neighbours.bound(LINK)[0], LINK, FragmentWant(ITEM, 0b011))
    node = node_of(world, "a")
    node.step(LinkChanged(LINK, None), world.now)
    node.step(Tick(), world.now + GATHER_S)
    assert node.ctx.out == []
    assert neighbours._mending._gathered == {}, "nor is it when it comes again"

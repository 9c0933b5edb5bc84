"""Whose turn it is: what comes of looking at neighbours alone is what comes of looking at everybody."""

from __future__ import annotations

import sys
from types import FrameType

from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.air.turns import Claim, Turns, in_each_others_way

NODES = 6
HEARING = st.lists(st.sets(st.integers(0, NODES - 1), max_size=3), min_size=NODES, max_size=NODES)
STEPS = st.tuples(st.sampled_from(["join", "join", "join all", "leave", "move"]), st.integers(0, NODES - 1))
DOING = st.lists(STEPS, min_size=20, max_size=40)


def claim_of(node: int, hearing: set[int], *, to_all: bool = True) -> Claim:
    heard = frozenset(hearing - {node})
    receivers = heard if to_all else frozenset(sorted(heard)[:1])
    everybody = frozenset(range(NODES)) - {node}
    return Claim(node, heard, heard | {node}, receivers, everybody, tuple(sorted(receivers)), True)


class Everybody:
    """The rule itself: whoever waits may talk if nobody who talks, or has waited longer, is in the way."""

    def __init__(self) -> None:
        self.talking: dict[int, Claim] = {}
        self.waiting: dict[tuple[int, int], Claim] = {}

    def begin(self) -> list[int]:
        before, free = list(self.talking.values()), []
        for _, claim in sorted(self.waiting.items(), key=lambda entry: entry[0]):
            if not any(in_each_others_way(claim, other) for other in before):
                free.append(claim)
            before.append(claim)
        self.talking |= {claim.talker: claim for claim in free}
        self.waiting = {place: claim for place, claim in self.waiting.items() if claim not in free}
        return [claim.talker for claim in free]

    def join(self, claim: Claim, since_ns: int) -> None:
        self.waiting[since_ns, claim.talker] = claim

    def leave(self, node: int) -> None:
        self.talking.pop(node, None)
        self.waiting = {place: claim for place, claim in self.waiting.items() if claim.talker != node}


@settings(max_examples=60, deadline=None)
@given(HEARING, DOING, st.integers(1, 6))
def test_those_may_talk_who_may_when_everybody_is_looked_at(
    hearing: list[set[int]], doing: list[tuple[str, int]], hurry: int
) -> None:
    turns, everybody = Turns(), Everybody()
    for moment, (what, node) in enumerate(doing):
        present = {*everybody.talking, *turns.waiting()}
        if what.startswith("join") and node not in present:
            claim = claim_of(node, hearing[node], to_all=what == "join all")
            for queue in (turns, everybody):
                queue.join(claim, moment // hurry)  # several at one moment: the lower number goes first
        elif what == "leave" and node in present:
            for queue in (turns, everybody):
                queue.leave(node)
        elif what == "move" and node in turns.waiting():
            hearing[node] = {(other + 1) % NODES for other in hearing[node]}
            moved = claim_of(node, hearing[node])
            turns.again([node], lambda _, moved=moved: moved)
            everybody.waiting = {
                place: moved if place[1] == node else claim for place, claim in everybody.waiting.items()
            }
        if moment % 3 == 2:
            assert [claim.talker for claim in turns.begin()] == everybody.begin()
            assert sorted(turns.waiting()) == sorted(node for _, node in everybody.waiting)


def in_line(node: int, nodes: int) -> Claim:
    near = frozenset(other for other in (node - 1, node + 1) if 0 <= other < nodes)
    around = frozenset(range(max(0, node - 2), min(nodes, node + 3))) - {node}
    return Claim(node, near, near | {node}, near, around, tuple(sorted(near)), True)


def looks(nodes: int) -> int:
    """How often two are held against each other until all of a line have talked who want to at once."""
    turns, count = Turns(), 0

    def look(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code is in_each_others_way.__code__

    sys.setprofile(look)
    for node in range(nodes):
        turns.join(in_line(node, nodes), 0)
    while begun := turns.begin():
        for claim in begun:
            turns.leave(claim.talker)
    sys.setprofile(None)
    assert not turns.waiting()
    return count


def test_a_turn_costs_what_is_around_it_and_not_how_many_wait() -> None:
    assert looks(400) < 2 * 400

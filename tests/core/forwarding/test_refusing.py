"""Who said that its store takes nothing is offered no copies."""

from __future__ import annotations

import pytest

from meshnode.core.inputs import StoreState
from support.trial_world import Box, TrialWorld


@pytest.mark.parametrize("relays", ["b", "bd"])
def test_copies_stay_here_while_the_neighbours_stores_take_nothing(relays: str) -> None:
    world = TrialWorld(7)
    a, c = world.add("a"), world.add("c")
    near = [world.add(name) for name in relays]
    for box in near:
        world.join("a", box.name)
        world.join("c", box.name)
    everyone = [a, c, *near]
    for box in everyone:
        box.knows(*(other for other in everyone if other is not box))
    world.run(120)
    for box in near:
        world.part("c", box.name)
    world.run(600)
    for box in near:
        box.feed(StoreState(100, 100, True))
    world.run(120)
    handed = _handed(a)
    sent = a.write(c, "keep it")
    world.run(120)
    assert set(handed) <= {0}, "proof of arrival may be asked for"
    assert a.state(sent) == "on_air"
    for box in near:
        box.feed(StoreState(10, 100, False))
    world.run(120)
    later = a.write(c, "take it")
    world.run(60)
    assert a.state(later) == "carried"
    assert max(handed) > 0


def _handed(box: Box) -> list[int]:
    """The copies of every handover that this node words from now on."""
    custody, found = box.node.forwarding._custody, list[int]()
    real = custody.hand_over

    def hand_over(carried: object, taker: object, copies: int) -> object:
        found.append(copies)
        return real(carried, taker, copies)  # type: ignore[arg-type]

    custody.hand_over = hand_over  # type: ignore[method-assign,assignment]
    return found

"""First contact, and coming back after a reboot, while a tenth of all frames is lost: a matter of seconds."""

from __future__ import annotations

import pytest

from meshnode.core.records import PeerPrekeyRecord
from meshnode.core.settings import LinkSettings
from support.trial_world import LINK, Box, TrialWorld

SMALL = LinkSettings(multicast_payload=384, unicast_bps=900_000, multicast_bps=300_000)


def line(seed: int) -> tuple[TrialWorld, list[Box]]:
    world = TrialWorld(seed, loss=0.1, link=SMALL)
    return world, world.line("abcde")


def has_key_of(box: Box, other: Box) -> bool:
    return any(row.device == other.keys.device for row in box.disk.every(PeerPrekeyRecord))


def are_bound(one: Box, other: Box) -> bool:
    return all(
        (far := here.node.neighbours.get(there.keys.node)) is not None and far.bound_on(LINK, here.now)
        for here, there in ((one, other), (other, one))
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_first_key_crosses_four_lossy_hops_within_six_seconds(seed: int) -> None:
    world, boxes = line(seed)
    assert world.run(6, until=lambda: has_key_of(boxes[0], boxes[-1]))


@pytest.mark.parametrize("seed", range(8))
def test_who_was_dark_for_a_second_is_bound_again_within_four(seed: int) -> None:
    world, (_, before, box, after, _) = line(seed)
    world.run(120)
    box.off()
    world.run(1)
    box.boot()
    assert world.run(4, until=lambda: are_bound(before, box) and are_bound(box, after))

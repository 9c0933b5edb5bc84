"""What a node remembers of when its parts are due is never too late; `next_wakeup` says what asking all would say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshnode.core.clock import Instant
from meshnode.core.effects import Effect
from meshnode.core.inputs import Input
from meshnode.core.node import Node
from support.trial_fuzz import Fuzz
from support.trial_world import TrialWorld


@pytest.fixture
def asked() -> Iterator[list[Instant | None]]:
    """Every step of every node is checked; the list holds what `next_wakeup` said each time."""
    said: list[Instant | None] = []
    step, next_wakeup = Node.step, Node.next_wakeup

    def checked(node: Node, given: Input, now: Instant) -> list[Effect]:
        out = step(node, given, now)
        within = [part.wakeup() for part in node.gossip._timed] + [*node.gossip._witness.values()]
        assert all(node.gossip._rest_at <= at for at in within if at is not None), f"gossip was not stirred by {given}"
        resting = [part.wakeup() for part, _ in node._dues]
        told = [(at, due.at) for at, (_, due) in zip(resting, node._dues, strict=True) if at is not None]
        assert all(said <= at for at, said in told), f"nobody was told of a timer by {given}"
        due = [*within, *resting, node.gossip.beacons.wakeup(), node.files.wakeup(), node.outbox.wakeup()]
        truth = min((at for at in due if at is not None), default=None)
        assert next_wakeup(node) == truth
        said.append(truth)
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Node, "step", checked)
        yield said


def test_no_timer_is_set_in_silence(asked: list[Instant | None]) -> None:
    world = TrialWorld(7)
    a, b, c = world.line("abc")
    world.run(30)
    for number in range(4):
        a.write(c, f"words {number}")
        b.write(a, f"answer {number}")
        world.run(20)
    world.run(900)
    assert len(asked) > 300


def test_nor_by_bad_input(asked: list[Instant | None]) -> None:
    Fuzz(4).run(400)
    assert len(asked) > 400

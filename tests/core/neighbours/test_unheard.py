from __future__ import annotations

from itertools import pairwise

import pytest

from meshnode.core.neighbours import epochs
from meshnode.core.neighbours.unheard import AFTER_S, MAX_TRIES, Unheard
from meshnode.core.sealing.link import COUNTER_END
from support.trial_member import neighbour
from support.trial_world import LINK, Box, TrialWorld


def test_it_waits_a_minute_and_goes_twice_as_far_each_time() -> None:
    unheard, now, steps = Unheard(), 100.0, []
    for _ in range(40 * MAX_TRIES):
        steps.append(unheard.unechoed(now))
        now += AFTER_S / 2
    assert steps[:3] == [0, 0, 1]
    assert [step for step in steps if step] == [1 << n for n in range(MAX_TRIES)]


def test_an_echo_ends_it() -> None:
    unheard = Unheard()
    unheard.unechoed(0.0)
    unheard.heard()
    assert unheard.unechoed(AFTER_S) == 0
    assert unheard.unechoed(2 * AFTER_S) == 1


def bound(one: Box, other: Box) -> bool:
    return neighbour(one, other) in one.node.neighbours.bound()


def test_who_takes_all_that_we_say_for_old_words_does_not_part_us_for_good() -> None:
    """As a node of version 1 does when somebody spoke in our name, where we could not hear it."""
    world = TrialWorld(3)
    _, a, b, c = world.line("dabc")
    world.run(60)
    name, epoch = a.node.neighbours.me, a.node.neighbours._seal.epoch
    windows = b.node.neighbours.windows
    windows._pairwise[name].accept(epoch, COUNTER_END - 2)
    windows._said[name].floor = (epoch, COUNTER_END - 2)
    assert world.run(700, until=lambda: not bound(b, a)), "what a says is older than the lie"
    assert world.run(900, until=lambda: bound(a, b) and bound(b, a))
    assert a.node.neighbours._seal.epoch == epoch + 1
    message = a.write(c, "still there?")
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    assert not a.node.neighbours._epochs._deaf


def test_who_never_hears_us_again_costs_an_epoch_ever_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    world = TrialWorld(4)
    _, a, b = world.line("dab")
    world.run(60)
    node, lost = a.node.neighbours, neighbour(a, b)
    own = node._epochs
    node.lose(lost, LINK)
    neighbour(a, world.boxes["d"]).presences[LINK].bound_until = 1e9
    raised = []
    for _ in range(200):
        node._ctx.now += 10
        own.unechoed(lost, LINK)
        raised += [node._ctx.now] if own._raised_at == node._ctx.now else []
    assert [round(later - earlier, -1) for earlier, later in pairwise(raised)] == [120, 240, 480, 960]
    monkeypatch.setattr(epochs, "MAX_KNOWN", 1)
    node.lose(neighbour(a, world.boxes["d"]), LINK)
    assert len(own._deaf) == 1

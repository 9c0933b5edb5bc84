"""Twenty thousand bad inputs into whole nodes, a million in the long run: no traceback, no table without a limit."""

from __future__ import annotations

import pytest

from meshnode.core.inputs import StoreState
from support.trial_fuzz import WRITERS, Fuzz, sizes

EVERYDAY, LONG = 5_000, 62_500
MOST = 21_000  # the largest limit of most tables: trails, and who was told of which receipt
TAGS = WRITERS * 32 * 130  # expected tags: of 32 sessions with each writer who became a contact
ROWS = 60_000


def _trial(seed: int, inputs: int) -> Fuzz:
    fuzz = Fuzz(seed)
    fuzz.run(inputs)
    found = sizes(fuzz.target.node)
    large = {way: size for way, size in found.items() if size > (TAGS if way.endswith("._sessions._tags") else MOST)}
    assert not large
    assert len(fuzz.target.disk.rows) < ROWS
    _still_works(fuzz)
    return fuzz


def _still_works(fuzz: Fuzz) -> None:
    """The neighbours come back, and all is as before."""
    world, b = fuzz.world, fuzz.target
    a, c = world.boxes["a"], world.boxes["c"]
    b.feed(StoreState(1, 100, False))
    a.boot()
    c.boot()
    through, to = a.write(c, "through all that"), a.write(b, "and to it")
    assert world.run(400, until=lambda: c.inbox()[-1:] == ["through all that"] and "and to it" in b.inbox(a))
    assert world.run(100, until=lambda: (a.state(through), a.state(to)) == ("delivered", "delivered"))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_bad_input_of_every_day(seed: int) -> None:
    fuzz = _trial(seed, EVERYDAY)
    counters = fuzz.target.node.counters
    assert counters["datagram_refused"] > EVERYDAY / 3
    assert counters["block_refused"]
    assert counters["first_message_refused"]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(11, 27))
def test_a_million_bad_inputs(seed: int) -> None:
    _trial(seed, LONG)


def test_the_same_seed_gives_the_same_input() -> None:
    assert Fuzz(5).target.node.gossip.logs.digest() == Fuzz(5).target.node.gossip.logs.digest()

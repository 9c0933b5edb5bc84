"""When a peer that is gone is dialled again; in virtual time."""

from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio

from meshnode.errors import LinkError
from meshnode.overlay.embedded.host import peerings, streams
from meshnode.overlay.uris import parse_peer_uri


@pytest.fixture
def dialled(monkeypatch):
    """The moments at which somebody was dialled who never answers."""
    moments = []

    async def nobody(target, context):
        moments.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        raise LinkError("no answer")

    monkeypatch.setattr(peerings, "dial", nobody)
    return moments


@asynccontextmanager
async def gone():
    """A peering whose peer never answers."""
    peering = peerings.Peering(streams.target_of(parse_peer_uri("tcp://192.0.2.1:1")))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peering.run, None, None)
        yield peering
        nursery.cancel_scope.cancel()


async def test_who_is_gone_is_dialled_after_a_fourth_of_its_absence(dialled, autojump_clock):
    async with gone():
        await trio.sleep(1000)
    waits = [late - early for early, late in pairwise(dialled)]
    for at, wait in zip(dialled, waits, strict=False):
        assert wait == pytest.approx(min(60, max(2, (at - dialled[0]) / 4)))
    assert (waits[0], waits[-1]) == pytest.approx((2, 60))


async def test_a_link_that_comes_up_ends_the_wait_but_not_of_who_has_just_been_dialled(dialled, autojump_clock):
    async with gone() as peering:
        await trio.sleep(100.5)
        before = len(dialled)
        for _ in range(10):
            peering.hurry()
            await trio.sleep(0.1)
        assert len(dialled) == before + 1


async def test_to_ask_again_for_who_is_gone_begins_anew(dialled, autojump_clock):
    async with gone() as peering:
        await trio.sleep(300)
        peering.retry()
        await trio.sleep(7)
    assert [late - early for early, late in pairwise(dialled[-4:])] == pytest.approx([2, 2, 2])

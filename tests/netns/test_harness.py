"""What the other tests take for granted of their helpers."""

from __future__ import annotations

import os

import pytest
import trio

from support import netns

pytestmark = pytest.mark.netns


async def here() -> str:
    """The network namespace in which work handed to another thread is done."""
    return await trio.to_thread.run_sync(os.readlink, "/proc/thread-self/ns/net")


async def test_a_thread_works_in_the_namespace_of_its_test() -> None:
    outside = os.readlink("/proc/thread-self/ns/net")
    assert await here() == outside
    with netns.namespace("threads") as name:
        with netns.entered(name):
            assert await here() == os.readlink("/proc/thread-self/ns/net") != outside
        assert await here() == outside

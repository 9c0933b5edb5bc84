"""A part that fails is started again, later each time, and never more than once a minute."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from meshnode.core.notices import Warned
from meshnode.daemon.supervise import FIRST_S, LONGEST_S, SETTLED_S, describe, supervised
from meshnode.errors import LinkError


async def test_the_pauses_grow_and_shrink_again(autojump_clock: Any) -> None:
    starts: list[float] = []
    lasts = [0.0] * 9 + [SETTLED_S] + [0.0] * 3

    async def part(*, task_status: trio.TaskStatus[None]) -> None:
        starts.append(trio.current_time())
        task_status.started()
        await trio.sleep(lasts[len(starts) - 1])
        if len(starts) == len(lasts):
            await trio.sleep_forever()
        raise LinkError("halow0 is gone.")

    warned: list[Warned] = []
    ran: list[float] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(supervised, "link", part, warned.append, lambda: ran.append(trio.current_time()))
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()
    pauses = [b - a - last for a, b, last in zip(starts, starts[1:], lasts, strict=False)]
    assert pauses[:8] == pytest.approx([1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S])
    assert pauses[9:11] == pytest.approx([FIRST_S, 2 * FIRST_S])
    assert ran == starts
    assert {warning.text for warning in warned} == {"The link stopped (halow0 is gone.); it is started again."}


async def test_one_that_ends_without_a_word_is_started_again_too(autojump_clock: Any) -> None:
    starts: list[float] = []
    ran: list[float] = []

    async def part(*, task_status: trio.TaskStatus[None]) -> None:
        starts.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        await nursery.start(supervised, "overlay", part, lambda warned: None, lambda: ran.append(0.0))
        await trio.sleep(2.5)
        nursery.cancel_scope.cancel()
    assert (len(starts), ran) == (2, [])


def test_other_peoples_words_stay_out_of_the_log() -> None:
    words = "soup is ready"
    assert describe(ExceptionGroup("g", [ValueError(words)])) == "ValueError"
    assert describe(LinkError("halow0 is gone.")) == "halow0 is gone."

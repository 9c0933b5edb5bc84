"""Frames are lost on every link; messages are not."""

from __future__ import annotations

import pytest

from support.valley_lab import all_delivered, arrived, received, send_all, story, valley

pytestmark = pytest.mark.netns

LINE = 'shape = "line"\nnodes = 5'


@pytest.mark.parametrize("loss", [0.2, 0.3])
async def test_all_arrives_exactly_once_whatever_the_air_loses(loss: float) -> None:
    there = [f"there {number} at {loss}" for number in range(20)]
    back = [f"back {number} at {loss}" for number in range(20)]
    posts = [f"post {number} at {loss}" for number in range(10)]
    async with valley(story(LINE, loss=loss)) as lab:
        await send_all(lab["A"], "E", there)
        await send_all(lab["E"], "A", back)
        for post in posts:
            await lab["C"].cli("post", "square", post)
        await arrived(lab["E"], {*there, *posts})
        await arrived(lab["A"], {*back, *posts})
        await all_delivered(lab["A"])
        await all_delivered(lab["E"])
        assert await received(lab["E"]) == dict.fromkeys([*there, *posts], 1)
        assert await received(lab["A"]) == dict.fromkeys([*back, *posts], 1)

"""Five daemons in a line over a modelled radio and the real Yggdrasil."""

from __future__ import annotations

import pytest

from support.valley_lab import arrived, deliver, inbox, received, story, valley

pytestmark = [pytest.mark.netns, pytest.mark.ygg]

LINE = 'shape = "line"\nnodes = 5'


async def test_messages_cross_the_line_both_ways_and_a_post_reaches_all() -> None:
    async with valley(story(LINE, overlay="system")) as lab:
        await deliver(lab["A"], "E", "soup is ready — “now”, naïve ☃")
        await deliver(lab["E"], "A", "on my way")
        await lab["A"].cli("post", "square", "market at nine")
        for name in "BCDE":
            await arrived(lab[name], {"market at nine"})
        assert await received(lab["E"]) == {"soup is ready — “now”, naïve ☃": 1, "market at nine": 1}
        assert await received(lab["A"]) == {"on my way": 1}
        assert await received(lab["C"]) == {"market at nine": 1}
        states = {m["text"]: m["state"] for m in await inbox(lab["A"])}
        assert states["soup is ready — “now”, naïve ☃"] in ("delivered", "read")
        status = (await lab["C"].cli("status", "--json")).json
        assert status["overlay"]["backend"] == "child"
        assert status["overlay"]["address"].startswith("2")
        assert {peer["up"] for peer in status["overlay"]["peers"]} == {True}
        assert len(status["neighbours"]) == 2

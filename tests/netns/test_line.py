"""Five daemons in a line over a modelled radio and the real Yggdrasil."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from support.valley_lab import arrived, deliver, inbox, once, received, status, story, valley

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
        middle = await once(has_two_on_each, partial(status, lab["C"]), "C does not see both sides")
        assert middle["overlay"]["backend"] == "child"
        assert middle["overlay"]["address"].startswith("2")


def has_two_on_each(said: dict[str, Any]) -> bool:
    """True once the overlay has found its neighbours on the link, too: messages do not wait for that."""
    up = [peer["up"] for peer in said["overlay"]["peers"]]
    return len(up) >= 2 and all(up) and len(said["neighbours"]) == 2

"""Who writes and who reads are never on at the same time: somebody between them keeps the message."""

from __future__ import annotations

from functools import partial

import pytest

from support.valley_lab import arrived, once, received, send, status, story, valley

pytestmark = pytest.mark.netns

LINE = 'shape = "line"\nnodes = 5'


async def test_it_arrives_though_sender_and_recipient_never_meet() -> None:
    async with valley(story(LINE)) as lab:
        await send(lab["E"], "A", "know me", "--wait", "delivered", "--timeout", "300")
        await lab.power_off("E")
        await send(lab["A"], "E", "kept on the way", "--wait", "carried", "--timeout", "300")
        await once(lambda said: said["counts"]["envelopes"], partial(status, lab["C"]), "C takes nothing into custody")
        await lab.power_off("A")
        await lab.power_on("E")
        await arrived(lab["E"], {"kept on the way"})
        assert await received(lab["E"]) == {"kept on the way": 1}

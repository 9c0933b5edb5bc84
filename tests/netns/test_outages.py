"""Long stories: a partition, a ferry, and nodes that die at any moment."""

from __future__ import annotations

import itertools
import random

import pytest
import trio

from meshnode_sim.lab import Lab
from support.valley_lab import all_delivered, arrived, deliver, received, send_all, story, valley

pytestmark = [pytest.mark.netns, pytest.mark.soak]

LINE = 'shape = "line"\nnodes = 5'


async def test_a_partition_of_a_minute_heals_without_help() -> None:
    async with valley(story(LINE, loss=0.1)) as lab:
        await deliver(lab["A"], "E", "before")
        lab.partition(["A", "B"])
        await send_all(lab["A"], "E", [f"west {n}" for n in range(5)])
        await send_all(lab["E"], "A", [f"east {n}" for n in range(5)])
        await lab["B"].cli("post", "square", "west post")
        await lab["D"].cli("post", "square", "east post")
        await trio.sleep(60)  # the length of the partition is the story
        assert "east 0" not in await received(lab["A"])
        lab.heal()
        await arrived(lab["E"], {f"west {n}" for n in range(5)} | {"west post"})
        await arrived(lab["A"], {f"east {n}" for n in range(5)} | {"east post"})
        await all_delivered(lab["A"])
        await all_delivered(lab["E"])
        assert max((await received(lab["E"])).values()) == 1
        assert max((await received(lab["A"])).values()) == 1


async def ferry(lab: Lab) -> None:
    """C goes to and fro: ten seconds with B, five alone, ten with D, five alone."""
    lab.cut("B", "C")
    lab.cut("C", "D")
    for shore in itertools.cycle("BD"):
        lab.join(shore, "C")
        await trio.sleep(10)
        lab.cut(shore, "C")
        await trio.sleep(5)


async def test_a_ferry_that_is_never_in_touch_with_both_sides_carries_both_ways() -> None:
    async with valley(story(LINE)) as lab, trio.open_nursery() as nursery:
        await deliver(lab["A"], "E", "know me")  # C and D have met: two with company find each other by chance alone
        nursery.start_soon(ferry, lab)
        await send_all(lab["A"], "E", [f"over {n}" for n in range(5)])
        await send_all(lab["E"], "A", [f"back {n}" for n in range(5)])
        await arrived(lab["E"], {f"over {n}" for n in range(5)})
        await arrived(lab["A"], {f"back {n}" for n in range(5)})
        await all_delivered(lab["A"])
        assert await received(lab["E"]) == dict.fromkeys(["know me", *(f"over {n}" for n in range(5))], 1)
        assert await received(lab["A"]) == {f"back {n}": 1 for n in range(5)}
        nursery.cancel_scope.cancel()


async def killer(lab: Lab, seed: int) -> None:
    """For a minute some node dies every few seconds, and comes back."""
    chance = random.Random(seed)
    with trio.move_on_after(60):
        while True:
            await trio.sleep(chance.uniform(1.0, 3.0))
            victim = lab[chance.choice("ABCDE")]
            with trio.CancelScope(shield=True):
                await victim.kill()
                await victim.start()


async def flow(lab: Lab, sender: str, to: str, texts: list[str]) -> None:
    """Messages over a minute, each repeated under its request id until the node of the moment has kept it."""
    for number, text in enumerate(texts):
        request = f"{ord(sender):02x}{number:030x}"
        while True:
            said = await lab[sender].cli("send", to, text, "--request", request, may_fail=True)
            if said.status == 0:
                break
            await trio.sleep(0.2)  # its node is being killed; a person would try again too
        await trio.sleep(0.3)


async def test_nodes_killed_at_any_moment_lose_nothing_and_deliver_nothing_twice() -> None:
    there, back = [f"there {n}" for n in range(100)], [f"back {n}" for n in range(100)]
    async with valley(story(LINE)) as lab:
        await deliver(lab["A"], "E", "know me")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(killer, lab, 5)
            nursery.start_soon(flow, lab, "A", "E", there)
            nursery.start_soon(flow, lab, "E", "A", back)
        await arrived(lab["E"], set(there))
        await arrived(lab["A"], set(back))
        assert await received(lab["E"]) == dict.fromkeys(["know me", *there], 1)
        assert await received(lab["A"]) == dict.fromkeys(back, 1)

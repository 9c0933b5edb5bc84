"""The radio changes under messages that flow: rate, width, region; and for a while it is gone."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import trio

from meshnode_sim.lab import Lab
from meshnode_sim.node import Node
from support.valley_lab import all_delivered, arrived, deliver, once, received, send_all, status, story, valley

pytestmark = [pytest.mark.netns, pytest.mark.soak]

LINE = 'shape = "line"\nnodes = 4'
PAIRS = '[["A", "D"], ["D", "A"]]'
AWAY_S = 30  # the length of the outage is the story
SLOWEST = {"unicast_bps": 150_000, "multicast_bps": 150_000}  # 1 MHz, MCS 10
WIDE = {"unicast_bps": 650_000, "multicast_bps": 650_000}  # 2 MHz, MCS 0


def tell(lab: Lab, state: dict[str, int]) -> None:
    """Every radio says this of itself from now on."""
    for node in lab.nodes.values():
        node.radio_state.write_text(json.dumps({**state, "family": "modelled", "role": "mesh"}))


async def settled(node: Node, bps: int) -> dict[str, Any]:
    """The interface as `status` shows it, once it shows this rate."""

    def true(said: dict[str, Any]) -> bool:
        return said["interface"]["state"] == "up" and said["interface"]["unicast_bps"] == bps

    said = await once(true, partial(status, node), f"{node.name} does not come to {bps} bit/s")
    return dict(said["interface"])


async def check(node: Node, name: str) -> dict[str, str]:
    """One finding of `doctor`."""
    found = (await node.cli("doctor", "--json", may_fail=True)).json["checks"]
    return next(one for one in found if one["name"] == name)


async def airtime_of(node: Node) -> dict[str, float]:
    """What `status` says of the hour, once the link is there: a node is ready before its carriers are."""
    said = await once(
        lambda said: "used_s_halow0" in said["airtime"], partial(status, node), f"{node.name} has no carrier"
    )
    return dict(said["airtime"])


async def another_region(node: Node) -> None:
    """A person says where the radio is, and starts the node again."""
    await node.stop()
    with (node.home / "config.toml").open("a") as config:
        config.write('\n[radio]\ncountry = "DE"\n')
    await node.start()


async def test_nothing_is_lost_and_everybody_says_what_happened() -> None:
    texts: list[str] = []

    async def write(about: str) -> None:
        there, back = ([f"{about} {way} {n}" for n in range(4)] for way in ("there", "back"))
        await send_all(lab["A"], "D", there)
        await send_all(lab["D"], "A", back)
        texts.extend(there)

    async with valley(story(LINE, loss=0.1, pairs=PAIRS)) as lab:
        await deliver(lab["A"], "D", "know me")
        middle = lab["B"]
        await write("before")

        tell(lab, SLOWEST)
        await write("slow")
        interface = await settled(middle, 150_000)
        assert (interface["unicast_payload"], interface["multicast_payload"]) == (384, 384)
        rate = await check(middle, "rate")
        assert (rate["state"], rate["detail"][:10]) == ("warn", "150 kbit/s")

        tell(lab, WIDE)
        await write("wide")
        assert (await settled(middle, 650_000))["unicast_payload"] == 1200
        assert (await check(middle, "rate"))["state"] == "ok"

        middle.namespace.drop_tap()
        gone_at = trio.current_time()
        await write("away")
        await another_region(lab["C"])
        assert (await airtime_of(lab["C"]))["allowed_s_halow0"] == pytest.approx(100.8, abs=5)
        assert (await check(middle, "interface"))["state"] == "fail"
        await once(
            lambda said: "link_missing" in [one["code"] for one in said["warnings"]],
            partial(status, middle),
            "B does not say that its radio is gone",
        )
        await trio.sleep_until(gone_at + AWAY_S)
        await middle.namespace.replace_tap()
        await settled(middle, 650_000)
        await write("after")

        await arrived(lab["D"], set(texts))
        await all_delivered(lab["A"])
        await all_delivered(lab["D"])
        assert await received(lab["D"]) == dict.fromkeys(["know me", *texts], 1)
        assert await received(lab["A"]) == {text.replace("there", "back"): 1 for text in texts}

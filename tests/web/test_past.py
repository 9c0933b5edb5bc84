"""Who was near in the last hour: kept in bounds, for the keeper alone, and played back on the page by keys."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import expect

from meshnode.control.client import connect
from meshnode.control.replies import NeighbourInfo, StatusReply
from meshnode.control.requests import StatusRequest
from meshnode.web import past
from meshnode.web.past import Past
from meshnode.web.shapes import HourReply, Moment, Station
from support.boxes import PASSPHRASE, Phone, boxes, until
from support.phones import Phones, barriers, tell

HEARD = NeighbourInfo(
    node="a1b2c3d4", address="fe80::2aa:bbff:fecc:dd01%halow0", carrier="link", last_heard_s=2.0, bound=True
)
HOUR = HourReply(
    moments=[
        Moment(ago_s=180.0, neighbours=[], stations=[]),
        Moment(ago_s=120.0, neighbours=[HEARD], stations=[Station(mac="00:aa:bb:cc:dd:01", signal_dbm=-88)]),
        Moment(ago_s=60.0, neighbours=[HEARD], stations=[Station(mac="00:aa:bb:cc:dd:01", signal_dbm=-55)]),
    ]
)


async def saw_somebody(phone: Phone) -> bool:
    """True once a moment has a neighbour."""
    return any(one["neighbours"] for one in (await phone.get("/box/hour"))["moments"])


async def test_an_hour_is_kept_for_the_keeper_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "EVERY_S", 0.2)
    async with (
        boxes(tmp_path, "Alder", "Birch") as valley,
        await valley.keeper() as keeper,
        await valley.phone() as mia,
    ):
        await until(lambda: saw_somebody(keeper))
        await mia.sign_up("Mia")
        await mia.get("/box/hour", 403)
        socket = valley.homes[0] / "control.sock"
        async with connect(socket) as client:
            status = await client.ask(StatusRequest(), StatusReply)
    times = iter(range(1000))
    kept = Past(socket, lambda: float(next(times)))
    for _ in range(100):
        kept.take(msgspec.structs.replace(status, neighbours=[HEARD] * 100))
    hour = kept.hour().moments
    assert [one.ago_s for one in hour] == [float(ago) for ago in range(60, 0, -1)]
    assert {len(one.neighbours) for one in hour} == {64}


@pytest.mark.browser
async def test_the_keeper_plays_the_hour_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Past, "hour", lambda _: HOUR)
    async with boxes(tmp_path, "Alder") as valley, await valley.keeper() as keeper:

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url) + "#/box")
            page.get_by_role("button", name="Sign in").first.click()
            page.get_by_label("Your name").fill("Alder")
            page.get_by_label("Passphrase").fill(PASSPHRASE)
            page.locator("form button").click()
            slider, when = page.get_by_role("slider", name="Who is near"), page.locator(".hour p")
            expect(when).to_have_text("The last hour: now")
            expect(page.get_by_text("No other box is in reach now.")).to_be_visible()
            slider.press("ArrowLeft")
            expect(slider).to_have_attribute("aria-valuetext", "The last hour: 60 seconds ago")
            expect(page.get_by_text("signal -55 dBm, strong")).to_be_visible()
            expect(page.get_by_role("img", name="Drawing: 1 box around this one")).to_be_visible()
            assert not barriers(page)
            slider.press("ArrowLeft")
            expect(page.get_by_text("signal -88 dBm, weak")).to_be_visible()
            slider.press("Home")
            expect(page.get_by_text("No other box was in reach then.")).to_be_visible()
            page.get_by_role("button", name="Play the last hour").press("Enter")
            expect(when).to_have_text("The last hour: now")
            expect(page.get_by_role("button", name="Play the last hour")).to_be_visible()

        await tell(story)

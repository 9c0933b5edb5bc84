"""Takes the pictures of the page in docs/pictures, from four real boxes in one process and Chromium.

PYTHONPATH=tests python docs/tools/page_pictures.py docs/pictures
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import trio
from playwright.sync_api import Page

from meshnode.web import past
from support.boxes import PASSPHRASE, Boxes, boxes, unread, until
from support.phones import DESK, PHONE, Phones, tell

BELOW_THE_TOP = "one => (one.scrollIntoView(), one.closest('main').scrollBy(0, -80))"
NAMES = ("Mill", "Bridge House", "Chapel", "Ferry")


async def main(folder: Path) -> None:
    """Tells the boxes a small story, then looks at each screen."""
    past.EVERY_S = 2.0  # else the last hour has only now, and no slider
    with tempfile.TemporaryDirectory() as homes:
        async with boxes(Path(homes), *NAMES) as valley:
            address = await said(valley)
            file = Path(homes) / "mill.backup"
            async with await valley.phone(0) as keeper:
                await keeper.sign_in(NAMES[0])
                made = await keeper.http.post("/api/v1/me/backup", json={"passphrase": PASSPHRASE})
            file.write_bytes(made.content)
            await tell(partial(pictures, address, folder, file))


async def said(valley: Boxes) -> str:
    """A channel with two posts, and two members three hops apart who write to each other."""
    mill, ferry = await valley.keeper(0), await valley.keeper(3)
    for box in (1, 2):
        await valley.keeper(box)
    for keeper, text in ((mill, "The road over the pass is open again."), (ferry, "Thank you! Bread leaves at six.")):
        (channel,) = (await keeper.post("/channels", name="square"))["channels"]
        await keeper.post(f"/conversations/c-{channel['id']}/messages", text=text, client_id="c0" * 16)
    mia, noa = await valley.phone(0), await valley.phone(3)
    await mia.sign_up("Mia")
    await noa.sign_up("Noa")
    await mia.post("/channels", name="square")
    to_mia = (await noa.post("/contacts", invite=(await mia.get("/contacts/mine"))["uri"]))["contacts"][0]["persona"]
    to_noa = (await mia.post("/contacts", invite=(await noa.get("/contacts/mine"))["uri"]))["contacts"][0]["persona"]
    await mia.post(f"/conversations/d-{to_noa}/messages", text="Is the ferry running tonight?", client_id="a0" * 16)
    await until(lambda: unread(noa))
    await noa.post(f"/conversations/d-{to_mia}/messages", text="Yes, at eight. Bring a lamp.", client_id="a1" * 16)
    await until(lambda: unread(mia))
    return str(mill.http.base_url)


def pictures(address: str, folder: Path, backup: Path, phones: Phones) -> None:
    """Each main screen on a phone and on a desk; Arabic and dark on the phone."""
    for device, kind in ((PHONE, "phone"), (DESK, "desk")):
        member, keeper = phones.open(address, device=device), phones.open(address, device=device)
        shoot = partial(_shoot, folder, kind)
        shoot(member, "entrance", "form")
        member.get_by_role("button", name="I have a backup").click()
        member.get_by_label("File of the backup").set_input_files(backup)
        member.locator("input[type=password]").fill(PASSPHRASE)
        member.locator("form button").click()
        shoot(member, "restore", ".choices")
        member.get_by_role("button", name="Back").click()
        _sign_in(member, "Mia")
        shoot(member, "chats", ".list a")
        member.locator(".list a", has_text="Noa").click()
        member.locator(".mine .ticks").first.click()
        shoot(member, "chat", ".why")
        for view, sign in (("people", ".line"), ("add", ".words"), ("me", "#theme")):
            _go(member, view)
            shoot(member, view, sign)
        _go(member, "people")
        member.locator(".list a", has_text="Noa").click()
        shoot(member, "person", ".words")
        _go(member, "search")
        member.locator("input[type=search]").fill("ferry")
        member.keyboard.press("Enter")
        shoot(member, "search", ".list a")
        _sign_in(keeper, NAMES[0])
        _go(keeper, "box")
        shoot(keeper, "box", ".health")
        keeper.get_by_text("What goes first when it is full").click()
        keeper.wait_for_selector("details[open] :is(ol, p.quiet)")
        keeper.get_by_role("heading", name="Disk").evaluate(BELOW_THE_TOP)
        shoot(keeper, "box-disk", ".bar")
        _go(keeper, "poster")
        keeper.locator("input").first.fill("Mill")
        shoot(keeper, "poster", ".qr")
    arabic = phones.open(address, language="ar")
    _sign_in(arabic, "Mia")
    _go(arabic, "me")
    arabic.select_option("#theme", "dark")
    _shoot(folder, "phone", arabic, "me-arabic-dark", "#theme")
    _go(arabic, "inbox")
    arabic.locator(".list a", has_text="Noa").click()
    _shoot(folder, "phone", arabic, "chat-arabic-dark", ".theirs")


def _sign_in(page: Page, name: str) -> None:
    page.locator(".doors button").nth(1).click()
    page.locator("input").first.fill(name)
    page.locator("input[type=password]").fill(PASSPHRASE)
    page.locator("form button").click()
    page.wait_for_selector("nav")


def _go(page: Page, view: str) -> None:
    page.goto(page.url.split("#")[0] + "#/" + view)


def _shoot(folder: Path, kind: str, page: Page, name: str, shown: str) -> None:
    page.wait_for_selector(shown)
    page.evaluate("() => Promise.all([...document.images].map((picture) => picture.decode().catch(() => {})))")
    page.screenshot(path=folder / f"{kind}-{name}.png")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    trio.run(main, place)

"""The page that a phone keeps: it opens without the box, changes cleanly, holds no words, and goes when told to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from meshnode.web import keeping
from meshnode.web.files import PAGE
from meshnode.web.keeping import worker_script
from support.boxes import boxes
from support.phones import Phones, tell

HELD = """async () => {
    const found = [];
    for (const name of await caches.keys()) {
        for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
    }
    return found;
}"""


WAITS = "async () => Boolean((await navigator.serviceWorker.getRegistration())?.waiting)"
IS_NEW = "async (before) => (await caches.keys()).every((name) => name.startsWith('page-newer-') && name !== before)"


def test_another_byte_makes_another_worker(tmp_path: Path) -> None:
    folder = shutil.copytree(PAGE, tmp_path / "page")
    before = worker_script(folder)
    assert worker_script(PAGE) == before
    (folder / "route.js").write_text((folder / "route.js").read_text() + "\n")
    assert worker_script(folder).splitlines()[0] != before.splitlines()[0]


@pytest.mark.browser
async def test_a_phone_keeps_the_page_and_nothing_that_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        await keeper.post("/channels", name="square")

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url))
            page.get_by_label("Your name").fill("Ida")
            page.get_by_role("button", name="Start writing").click()
            page.get_by_label("Message", exact=True).fill("is the ferry late?")
            page.get_by_role("button", name="Send", exact=True).click()
            expect(page.locator(".mine p")).to_have_text("Ida: is the ferry late?")
            page.get_by_role("link", name="Me", exact=True).click()
            page.get_by_role("button", name="Keep the page on this phone").click()
            expect(page.get_by_role("button", name="Keep it no longer")).to_be_visible()
            held = page.evaluate(HELD)
            assert {"/", "/main.js", "/lang/ar.json"} <= set(held)
            assert not [path for path in held if path.startswith("/api/")]
            page.context.set_offline(True)
            page.reload()
            expect(page.get_by_text("The box does not answer")).to_be_visible()
            page.context.set_offline(False)
            expect(page.get_by_role("button", name="Keep it no longer")).to_be_visible()
            (before,) = page.evaluate("() => caches.keys()")
            monkeypatch.setattr(
                keeping, "worker_script", lambda folder: worker_script(folder).replace('"', '"newer-', 1)
            )
            page.reload()
            page.wait_for_function(WAITS)
            page.reload()
            page.wait_for_function(IS_NEW, arg=before)
            page.get_by_role("button", name="Keep it no longer").click()
            expect(page.get_by_role("button", name="Keep the page on this phone")).to_be_visible()
            assert page.evaluate(HELD) == []
            assert page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0

        await tell(story)

"""Phones with a real browser: Chromium on the box's page. What a page must never do fails the test at its end.

A story with phones is plain, blocking code (`tell`), in a thread beside the boxes: it names what it sees, not how long
it takes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

AXE = Path(__file__).parents[1] / "vendor" / "axe-4.14.1.min.js"
PATIENCE_MS = 180_000
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
SENSES = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
EXPECTED = ("Failed to load resource", "net::ERR_")  # a box that is off is part of some stories

# A view that is still fetched would be judged by what is not there yet; one that never rests is taken as it is.
SETTLED = """() => new Promise((done) => {
    let still = 0, changed = true, left = 250;
    const watch = new MutationObserver(() => (changed = true));
    watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    const coming = () => [...document.querySelectorAll(".wait")].some((one) => one.textContent === "…");
    const look = () => {
        still = changed || coming() ? 0 : still + 1;
        changed = false;
        still < 8 && left-- ? setTimeout(look, 20) : (watch.disconnect(), done(left));
    };
    look();
})"""

expect.set_options(timeout=PATIENCE_MS)


class Phones:
    """The phones of one story, and what their browsers complained of."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.faults: list[str] = []
        self.taps = 0

    def open(
        self,
        address: str,
        *,
        device: dict[str, Any] | None = None,
        language: str = "en-GB",
        script: str = "",
        also: Iterable[str] = (),
    ) -> Page:
        """A phone of its own, with nothing remembered, on the page at this address. `script` runs before the page.

        `also`: the box, where the page is from elsewhere; it may ask these and nobody else.
        """
        context = self._browser.new_context(**(device or PHONE), locale=language, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(script)
        page = context.new_page()
        places = {urlsplit(place).netloc for place in (address, *also)}
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", lambda request: self._asked(request, places))
        page.goto(address)
        return page

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in EXPECTED):
            self.faults.append(f"console: {message.text}")

    def _asked(self, request: Request, places: set[str]) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc not in places:
            self.faults.append(f"a request off the box: {request.url}")


@contextmanager
def _phones(camera: Path | None, key: str) -> Iterator[Phones]:
    senses = [*SENSES, f"--use-file-for-fake-video-capture={camera}"] if camera else []
    with sync_playwright() as playwright:
        trusted = [f"--ignore-certificate-errors-spki-list={key}"] if key else []
        args = ["--no-sandbox", *senses, *trusted]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=args, timeout=PATIENCE_MS)
        phones = Phones(browser)
        try:
            yield phones
        finally:
            browser.close()
        assert not phones.faults, phones.faults


async def tell(story: Callable[[Phones], None], *, camera: Path | None = None, key: str = "") -> None:
    """Runs a story in a thread of its own; the boxes go on meanwhile.

    With a film (Y4M) phones have a camera that shows it and a microphone that beeps, and may use both.
    `key`: of a certificate they trust, as the SHA-256 of its public key in base64.
    """

    def run() -> None:
        with _phones(camera, key) as phones:
            story(phones)

    await trio.to_thread.run_sync(run)


def barriers(page: Page) -> list[str]:
    """What axe finds serious on this page once it has stood still for a while, as one line each; empty is well."""
    page.evaluate(SETTLED)
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['help']} {[node['html'][:120] for node in one['nodes']]}" for one in serious]

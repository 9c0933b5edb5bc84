"""The page at its limits: a long chat, a large file over a slow line that breaks, many followers, start and memory.

    PYTHONPATH=tests python bench/page.py --trial chat      10,000 messages: first paint, pages back, in Chromium
    PYTHONPATH=tests python bench/page.py --trial upload    20 MB at 1 Mbit/s, the line dark for 10 s in the middle
    PYTHONPATH=tests python bench/page.py --trial streams   1,000 event streams of 200 guests beside a keeper who writes
    PYTHONPATH=tests python bench/page.py --trial start     a daemon with the page: seconds until ready, idle memory

Boxes run in the process of the bench, but for `start`. The browser's own throttle makes the slow line.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import trio
from common import emit, progress, spread
from playwright.sync_api import Page, expect

from support.boxes import API, PASSPHRASE, Phone, boxes, fill
from support.phones import DESK, Phones, tell

Results = dict[str, Any]

SHOWN = "() => document.querySelectorAll('.messages .theirs').length >= 50"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
FOLLOWING = re.compile(r'what="streams"} ([0-9.]+)')
PATIENCE_S = 3600.0


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--trial", choices=sorted(TRIALS), default="chat")
    words.add_argument("--messages", type=int, default=10_000)
    words.add_argument("--size", type=int, default=20_000_000)
    words.add_argument("--rate", type=int, default=1_000_000, help="bit/s")
    words.add_argument("--dark", type=float, default=10.0, help="seconds")
    words.add_argument("--clients", type=int, default=1000)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = trio.run(TRIALS[options.trial], options, Path(folder))
    emit("page", {**vars(options), "load": os.getloadavg()[0]}, {options.trial: results})


async def chat(options: argparse.Namespace, folder: Path) -> Results:
    """From the reload of a signed-in page in the chat until it is painted, and until its messages stand."""
    measured: Results = {}
    async with boxes(folder) as valley, await valley.keeper():
        await valley.stop(0)
        conversation = await trio.to_thread.run_sync(fill, valley.homes[0], options.messages)
        await valley.start(0)
        address = (await valley.code()).addresses[0]

        def story(phones: Phones) -> None:
            page = phones.open(f"{address}#/chat/{conversation}")
            _sign_in(page, "Ada")
            page.wait_for_function(SHOWN)
            painted, shown = [], []
            for _ in range(5):
                page.reload(wait_until="commit")
                page.wait_for_function(SHOWN, polling=20)
                shown.append(page.evaluate("performance.now()"))
                painted.append(page.evaluate(PAINTED))
            measured.update(first_paint_ms=spread(painted), messages_shown_ms=spread(shown))
            measured["page_back_ms"] = spread([_page_back(page) for _ in range(20)])

        await tell(story)
    return measured


def _page_back(page: Page) -> float:
    top = page.locator(".theirs p").first.inner_text()
    began = time.perf_counter()
    page.locator(".messages").evaluate("list => list.scrollTo(0, 0)")
    expect(page.locator(".theirs p").first).not_to_have_text(top)
    return (time.perf_counter() - began) * 1000


async def upload(options: argparse.Namespace, folder: Path) -> Results:
    """A file from the page to its box; whole and unchanged at the end."""
    content = Random(options.seed).randbytes(options.size)
    (folder / "film.bin").write_bytes(content)
    measured: Results = {}
    async with boxes(folder / "boxes") as valley, await valley.keeper() as keeper:

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url), device=DESK)
            page.context.set_default_timeout(PATIENCE_S * 1000)
            _sign_in(page, "Ada")
            page.locator(".list a", has_text="square").click()
            line = page.context.new_cdp_session(page)
            began = time.perf_counter()
            _throttle(line, options.rate)
            page.locator(".attach input").first.set_input_files(folder / "film.bin")
            page.wait_for_function("() => document.querySelector('.composer progress')?.value > 0.5")
            _throttle(line, options.rate, dark=True)
            time.sleep(options.dark)
            _throttle(line, options.rate)
            page.wait_for_selector(".mine .file a")
            measured["seconds"] = round(time.perf_counter() - began, 1)

        await tell(story)
        (file,) = (await keeper.get("/files"))["files"]
        answer = await keeper.http.get(f"{API}/files/{file['file']['id']}")
        measured["unchanged"] = hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    measured["least_seconds"] = round(options.size * 8 / options.rate + options.dark, 1)
    return measured


def _throttle(line: Any, rate: int, *, dark: bool = False) -> None:
    speed = rate / 8
    told = {"offline": dark, "latency": 20, "downloadThroughput": speed, "uploadThroughput": speed}
    line.send("Network.emulateNetworkConditions", told)


async def streams(options: argparse.Namespace, folder: Path) -> Results:
    """Each guest from an address of its own; the keeper's posts are timed without them and beside them."""
    async with boxes(folder) as valley, await valley.keeper() as keeper, AsyncExitStack() as phones:
        alone = [await _said(keeper, number) for number in range(20)]
        guests = [await phones.enter_async_context(await valley.phone(0, f"127.0.1.{at}")) for at in range(1, 201)]
        for at, guest in enumerate(guests):
            await guest.post("/session/guest", name=f"guest {at}")
        accepted = 0
        for number in range(options.clients):
            guest = guests[number % len(guests)]
            accepted += await phones.enter_async_context(_Follower(guest, guest.address))
        progress(f"{accepted} of {options.clients} were let in")
        following = FOLLOWING.search((await keeper.http.get("/metrics")).text)
        beside = [await _said(keeper, 20 + number) for number in range(20)]
    return {
        "let_in": accepted,
        "refused": options.clients - accepted,
        "following": float(following[1]) if following else 0.0,
        "post_ms_alone": spread(alone),
        "post_ms_beside": spread(beside),
    }


class _Follower:
    """One stream of events, left open; entering says whether it was accepted."""

    def __init__(self, phone: Phone, source: str) -> None:
        self._base, self._source = phone.http.base_url, source
        self._cookie = "; ".join(f"{name}={value}" for name, value in phone.http.cookies.items())
        self._raw: trio.SocketStream | None = None

    async def __aenter__(self) -> bool:
        ask = f"GET {API}/events HTTP/1.0\r\nHost: {self._base.host}\r\nCookie: {self._cookie}\r\n\r\n"
        self._raw = await trio.open_tcp_stream(self._base.host, self._base.port or 80, local_address=self._source)
        try:
            await self._raw.send_all(ask.encode())
            return (await self._raw.receive_some(12)).endswith(b" 200")
        except trio.BrokenResourceError:
            return False

    async def __aexit__(self, *error: object) -> None:
        if self._raw is not None:
            await self._raw.aclose()


async def _said(phone: Phone, number: int) -> float:
    (square,) = (await phone.get("/channels"))["channels"]
    began = time.perf_counter()
    await phone.post(f"/conversations/c-{square['id']}/messages", text=f"post {number}", client_id=f"{number:032x}")
    return (time.perf_counter() - began) * 1000


async def start(options: argparse.Namespace, folder: Path) -> Results:
    """The program as a person starts it, three times; nobody signed in, five seconds after it is ready."""
    command = [sys.executable, "-c", "import sys; from meshnode.cli.app import main; sys.exit(main())"]
    home = ["--home", str(folder / "home")]
    await trio.run_process([*command, "init", "--name", "Ada", *home], stdout=subprocess.DEVNULL)
    run = [*command, "run", *home, "--interface", "lo", "--overlay", "none"]
    found = {name: [await _run(run + more) for _ in range(3)] for name, more in (("page", ["--web"]), ("without", []))}
    return {name: {key: spread([one[key] for one in runs], 2) for key in runs[0]} for name, runs in found.items()}


async def _run(command: list[str]) -> dict[str, float]:
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        node: trio.Process = await nursery.start(run)
        told = b""
        while b"ready" not in told:
            told += await node.stdout.receive_some()
        seconds = trio.current_time() - began
        await trio.sleep(5)
        memory = {"pss_mb": _memory_mb(node.pid, "Pss"), "private_mb": _memory_mb(node.pid, "Private_Dirty")}
        node.send_signal(signal.SIGINT)
    return {"ready_s": seconds, **memory}


def _memory_mb(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _sign_in(page: Page, name: str) -> None:
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.locator("form button").click()


TRIALS = {"chat": chat, "upload": upload, "streams": streams, "start": start}

if __name__ == "__main__":
    main()

"""The worker that keeps the page on a phone: one script, made for exactly the files that are here.

A browser asks for it again when the page is opened. Another byte in any file makes another script, and with it the
phone takes all files anew, so that it never mixes two versions of the page.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Final

import trio
from starlette.requests import Request
from starlette.responses import Response

WORKER: Final = "/worker.js"
SCRIPT: Final = Path(__file__).with_name("worker.js")


class Keeping:
    """Hands out the worker of a page's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def worker(self, request: Request) -> Response:
        """The script; a browser asks each time whether it is still that one."""
        script = await trio.to_thread.run_sync(worker_script, self._folder)
        return Response(script, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def worker_script(folder: Path) -> str:
    """The script of this folder: which files, and what tells them from others."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".LICENSE")
    digest = sha256()
    for path in paths:
        digest.update(sha256(path.read_bytes()).digest())
    files = [_address(path.relative_to(folder).as_posix()) for path in paths if path.name != "SHA256SUMS"]
    head = f"const VERSION = {json.dumps(digest.hexdigest()[:16])};\nconst FILES = {json.dumps(files)};\n"
    return head + SCRIPT.read_text(encoding="utf-8")


def _address(name: str) -> str:
    return "/" if name == "index.html" else f"/{name}"

"""Backups to take away: of the own profile, and of the whole box for its keeper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import trio
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from meshnode.control import replies, requests
from meshnode.web.box import Box
from meshnode.web.routes import Asked, Route
from meshnode.web.shapes import BackupWords

MEDIA = "application/octet-stream"


class Saving:
    """Written by the node it is of, handed out, and removed."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        yield Route(
            "POST", "/me/backup", "member", "Everything of my profile in one sealed file (the keeper's: of the box).",
            self.save, None, BackupWords, media=MEDIA,
        )  # fmt: skip

    async def save(self, asked: Asked) -> Response:
        """The file; what it takes on the disk is given back when it was sent."""
        self._box.patience.take(f"backup {asked.who.persona}")
        request = requests.BackupRequest(passphrase=asked.sent(BackupWords).passphrase)
        made = await self._box.ask_mine(asked, request, replies.BackupReply)
        return FileResponse(
            made.path,
            media_type=MEDIA,
            filename="meshnode.backup",
            headers={"Cache-Control": "no-store"},
            background=BackgroundTask(trio.Path(Path(made.path)).unlink, missing_ok=True),
        )

"""Uploads as a phone asks about them: begun with a size, gone on with from where they stand, let go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from meshnode.web.routes import Asked, Query
from meshnode.web.shapes import UploadState
from meshnode.web.spool import Spool, Upload

BYTES: Final = "application/octet-stream"
OFFSET: Final = Query("offset", int, "Where the bytes begin: where the upload stands.", 0)


class Uploads:
    """Those of one spool; `owner` says whose a request is about."""

    def __init__(self, spool: Spool, owner: Callable[[Asked], str]) -> None:
        self._spool = spool
        self._owner = owner

    async def begin(self, asked: Asked, size: int) -> UploadState:
        """A new one, of so many bytes."""
        return _state(await self._spool.begin(self._owner(asked), size))

    def find(self, asked: Asked) -> Upload:
        """The one that the address names."""
        return self._spool.find(self._owner(asked), asked.place["id"])

    async def state(self, asked: Asked) -> UploadState:
        """For a phone that comes back."""
        return _state(self.find(asked))

    async def more(self, asked: Asked) -> UploadState:
        """What came before the line broke stays."""
        upload = self.find(asked)
        async with aclosing(asked.chunks) as pieces:
            await self._spool.write(upload, asked.query["offset"], pieces)
        return _state(upload)

    async def forget(self, asked: Asked) -> UploadState:
        """Its bytes are gone."""
        upload = self.find(asked)
        await self._spool.drop(upload)
        return _state(upload)


def _state(upload: Upload) -> UploadState:
    return UploadState(id=upload.id, offset=upload.offset, size=upload.size)

"""Files of messages: taken from a phone piece by piece, and handed to one with ranges."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from typing import Final
from urllib.parse import quote

from meshnode.control import replies, requests
from meshnode.errors import MissingError
from meshnode.web.box import Box
from meshnode.web.flowing import Flowing
from meshnode.web.routes import Asked, Route
from meshnode.web.shapes import NewUpload, UploadState
from meshnode.web.uploads import BYTES, OFFSET, Uploads

PART: Final = 128 * 1024
# Shown in the page itself; anything else, above all SVG and HTML, which may hold scripts, is only ever saved.
SHOWN: Final = re.compile(r"image/(jpeg|png|gif|webp|avif|heic)|audio/[a-z0-9.+-]+|video/[a-z0-9.+-]+")
_RANGE: Final = re.compile(r"bytes=(\d{0,12})-(\d{0,12})")


class Attachments:
    """Both directions."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._uploads = Uploads(box.spool, lambda asked: asked.who.persona)

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        uploads = self._uploads
        yield Route("POST", "/uploads", "member", "Begin to upload a file.", self.begin, UploadState, NewUpload)
        yield Route("GET", "/uploads/{id}", "member", "How far an upload is.", uploads.state, UploadState)
        yield Route(
            "PATCH", "/uploads/{id}", "member", "Bytes of an upload, from its offset on.", uploads.more, UploadState,
            query=(OFFSET,), takes=BYTES,
        )  # fmt: skip
        yield Route("DELETE", "/uploads/{id}", "member", "Let an upload go.", uploads.forget, UploadState)
        yield Route("GET", "/files", "member", "The files that messages announced.", self.files, replies.FilesReply)
        yield Route("POST", "/files/{id}/fetch", "member", "Have a file fetched.", self.fetch, replies.FileReply)
        yield Route(
            "GET", "/files/{id}", "member", "Its content, with ranges.", self.content, None, media=BYTES, looked_at=True
        )
        yield Route("DELETE", "/files/{id}", "member", "Keep a file no longer.", self.drop, replies.FileReply)

    async def begin(self, asked: Asked) -> UploadState:
        """Its size is told first."""
        return await self._uploads.begin(asked, asked.sent(NewUpload).size)

    async def files(self, asked: Asked) -> replies.FilesReply:
        """All."""
        return await self._box.ask_mine(asked, requests.FilesRequest(), replies.FilesReply)

    async def fetch(self, asked: Asked) -> replies.FileReply:
        """The answer comes at once; how far it is stands in the list."""
        request = requests.FileGetRequest(id=asked.place["id"], timeout_s=0.0)
        return await self._box.ask_mine(asked, request, replies.FileReply)

    async def drop(self, asked: Asked) -> replies.FileReply:
        """Its bytes may be given up."""
        return await self._box.ask_mine(asked, requests.FileDropRequest(id=asked.place["id"]), replies.FileReply)

    async def content(self, asked: Asked) -> Flowing:
        """All of it, or a range; 404 while it is not whole here."""
        info = (await self._part(asked, 0, 1)).file
        if info.state != "here":
            raise MissingError(f"The file {info.name} is not here yet; {info.held} of {info.size} bytes are.")
        span = _span(asked.headers.get("range", ""), info.size)
        first, last = span or (0, info.size - 1)
        headers = _headers(info) | {"Content-Length": str(last - first + 1), "ETag": f'"{info.id}"'}
        if span:
            headers["Content-Range"] = f"bytes {first}-{last}/{info.size}"
        return Flowing(self._bytes(asked, first, last), headers, 206 if span else 200)

    async def _bytes(self, asked: Asked, first: int, last: int) -> AsyncGenerator[bytes, None]:
        while first <= last:
            part = await self._part(asked, first, min(PART, last - first + 1))
            if not part.data:
                return  # it was dropped meanwhile: shorter than promised, which a browser notices
            yield part.data
            first += len(part.data)

    async def _part(self, asked: Asked, offset: int, size: int) -> replies.FilePartReply:
        request = requests.FileReadRequest(id=asked.place["id"], offset=offset, size=size)
        return await self._box.ask_mine(asked, request, replies.FilePartReply)


def _headers(info: replies.FileInfo) -> dict[str, str]:
    """A file of somebody else's: nothing in it may run, and what is not known to be harmless is saved, not shown."""
    shown = SHOWN.fullmatch(info.media) is not None
    return {
        "Content-Type": info.media if shown else BYTES,
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(info.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=86400, immutable",
    }


def _span(header: str, size: int) -> tuple[int, int] | None:
    """The first and last byte asked for; None for no range, or one that cannot be: then it is all of it."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    first = int(found[1]) if found[1] else max(0, size - int(found[2]))
    last = min(int(found[2]), size - 1) if found[1] and found[2] else size - 1
    return (first, last) if first <= last else None

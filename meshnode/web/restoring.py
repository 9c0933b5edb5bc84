"""Restoring from the page: a backup comes up, is looked into, and takes its place; who may is decided by the box.

    begun (size told)  --bytes at the offset-->  whole  --looked into-->  whole  --restored-->  gone

On a box without a keeper its set-up code is needed. Elsewhere the keeper restores the box, and anybody a profile of
their own, where people may make one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing

import msgspec
from starlette.background import BackgroundTask
from starlette.responses import Response

from meshnode.control import replies, requests
from meshnode.errors import UsageError
from meshnode.web.box import Box
from meshnode.web.routes import Asked, Query, Route
from meshnode.web.shapes import NewRestore, RestoreWords, UploadState
from meshnode.web.spool import Upload

BYTES = "application/octet-stream"


class Restoring:
    """Its steps. One backup of a person at a time: another one takes the place of the first."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        offset = Query("offset", int, "Where the bytes begin: where the upload stands.", 0)
        found = replies.RestoredReply
        yield Route("POST", "/restores", "anyone", "Begin to upload a backup.", self.begin, UploadState, NewRestore)
        yield Route("GET", "/restores/{id}", "anyone", "How far a backup is.", self.state, UploadState)
        yield Route(
            "PATCH", "/restores/{id}", "anyone", "Bytes of a backup, from its offset on.", self.more, UploadState,
            query=(offset,), takes=BYTES,
        )  # fmt: skip
        yield Route("DELETE", "/restores/{id}", "anyone", "Let a backup go.", self.forget, UploadState)
        yield Route(
            "POST", "/restores/{id}/look", "anyone", "What it holds, all of it opened and checked.", self.look, found,
            RestoreWords,
        )  # fmt: skip
        yield Route(
            "POST", "/restores/{id}", "anyone", "Restore it: a profile; or the box, which then begins anew.", self.take,
            found, RestoreWords,
        )  # fmt: skip

    async def begin(self, asked: Asked) -> UploadState:
        """The box says whether it may, and has room."""
        sent, by_keeper = asked.sent(NewRestore), _by_keeper(asked)
        self._box.patience.take("set-up" if sent.code else f"restore {asked.source}")
        may = requests.RestoreMayRequest(size=sent.size, code=sent.code, by_keeper=by_keeper)
        await self._box.ask(may, replies.DoneReply)
        await self._box.backups.drop_of(_owner(asked))
        return _state(await self._box.backups.begin(_owner(asked), sent.size))

    async def state(self, asked: Asked) -> UploadState:
        """For a phone that comes back."""
        return _state(self._upload(asked))

    async def more(self, asked: Asked) -> UploadState:
        """What came before the line broke stays."""
        upload = self._upload(asked)
        async with aclosing(asked.chunks) as pieces:
            await self._box.backups.write(upload, asked.query["offset"], pieces)
        return _state(upload)

    async def forget(self, asked: Asked) -> UploadState:
        """Its bytes are gone."""
        upload = self._upload(asked)
        await self._box.backups.drop(upload)
        return _state(upload)

    async def look(self, asked: Asked) -> replies.RestoredReply:
        """Nothing changes."""
        upload, sent = self._opened(asked), asked.sent(RestoreWords)
        request = requests.RestoreLookRequest(
            path=str(upload.path), passphrase=sent.passphrase, code=sent.code, by_keeper=_by_keeper(asked)
        )
        return await self._box.ask(request, replies.RestoredReply)

    async def take(self, asked: Asked) -> Response:
        """A box begins anew once this was answered; everybody is signed out then."""
        upload, sent = self._opened(asked), asked.sent(RestoreWords)
        request = requests.RestoreRequest(
            path=str(upload.path), passphrase=sent.passphrase, code=sent.code, by_keeper=_by_keeper(asked)
        )
        found = await self._box.ask(request, replies.RestoredReply)
        await self._box.backups.drop(upload)
        then = BackgroundTask(self._begin_anew) if found.kind == "box" else None
        return Response(msgspec.json.encode(found), media_type="application/json", background=then)

    async def _begin_anew(self) -> None:
        await self._box.ask(requests.BeginAnewRequest(), replies.DoneReply)

    def _opened(self, asked: Asked) -> Upload:
        """A whole upload; each try to open one costs a passphrase's work."""
        upload = self._upload(asked)
        if upload.offset < upload.size:
            raise UsageError(f"Only {upload.offset} of the {upload.size} bytes of this backup are here.")
        self._box.patience.take(f"restore {asked.source}")
        return upload

    def _upload(self, asked: Asked) -> Upload:
        return self._box.backups.find(_owner(asked), asked.place["id"])


def _by_keeper(asked: Asked) -> bool:
    return asked.login is not None and asked.login.may("keeper")


def _owner(asked: Asked) -> str:
    return "keeper" if _by_keeper(asked) else asked.source


def _state(upload: Upload) -> UploadState:
    return UploadState(id=upload.id, offset=upload.offset, size=upload.size)

"""Restoring from the page: a backup comes up, is looked into, and takes its place; who may is decided by the box.

    begun (size told)  --bytes at the offset-->  whole  --looked into-->  whole  --restored-->  gone

On a box without a keeper its set-up code is needed. Elsewhere the keeper restores the box, and anybody a profile of
their own, where people may make one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import trio
from starlette.background import BackgroundTask
from starlette.responses import Response

from meshnode.control import replies, requests
from meshnode.errors import UsageError
from meshnode.web.box import Box
from meshnode.web.routes import Asked, Route
from meshnode.web.shapes import NewRestore, RestoreWords, UploadState
from meshnode.web.spool import Upload
from meshnode.web.uploads import BYTES, OFFSET, Uploads

KEEPER: Final = "keeper"  # whose an upload is; else it is the address's that it comes from


class Restoring:
    """Its steps. One backup of a person at a time: another one takes the place of the first."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._uploads = Uploads(box.backups, _owner)
        self._turn = trio.Lock()  # room on the disk is given to one after the other

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        uploads, found = self._uploads, replies.RestoredReply
        yield Route("POST", "/restores", "anyone", "Begin to upload a backup.", self.begin, UploadState, NewRestore)
        yield Route("GET", "/restores/{id}", "anyone", "How far a backup is.", uploads.state, UploadState)
        yield Route(
            "PATCH", "/restores/{id}", "anyone", "Bytes of a backup, from its offset on.", uploads.more, UploadState,
            query=(OFFSET,), takes=BYTES,
        )  # fmt: skip
        yield Route("DELETE", "/restores/{id}", "anyone", "Let a backup go.", uploads.forget, UploadState)
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
        async with self._turn:
            awaited = self._box.backups.awaited(but=_owner(asked))
            visitors = self._box.backups.promised(but=(KEEPER, _owner(asked)))
            may = requests.RestoreMayRequest(
                size=sent.size, code=sent.code, by_keeper=by_keeper, awaited=awaited, visitors=visitors
            )
            await self._box.ask(may, replies.DoneReply)
            await self._box.backups.drop_of(_owner(asked))
            return await self._uploads.begin(asked, sent.size)

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
        upload = self._uploads.find(asked)
        if upload.offset < upload.size:
            raise UsageError(f"Only {upload.offset} of the {upload.size} bytes of this backup are here.")
        self._box.patience.take(f"restore {asked.source}")
        return upload


def _by_keeper(asked: Asked) -> bool:
    return asked.login is not None and asked.login.may("keeper")


def _owner(asked: Asked) -> str:
    return KEEPER if _by_keeper(asked) else asked.source

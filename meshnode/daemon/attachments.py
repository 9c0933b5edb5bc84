"""Handlers about files: what was announced, fetching one, reading of it, letting it go."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.core.ids import FileId
from meshnode.core.inputs import DropFile, FetchFile
from meshnode.core.records import FILE_CARRIED
from meshnode.core.sealing.manifest import (
    Manifest,
    chunk_count,
    content_step,
    decode_manifest_untrusted,
    open_chunk_untrusted,
)
from meshnode.daemon import wording
from meshnode.daemon.adapters import Filed, FileHere
from meshnode.daemon.desk import Desk
from meshnode.errors import UsageError, WireError

AT_ONCE = 8  # chunks read from the store at a time
KNOWN = 256  # manifests remembered: a page that plays a film asks for many parts of one file


class Attachments:
    """Files of messages and posts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[FileId, Manifest] = {}

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.FilesRequest: self._list,
            requests.FileGetRequest: self._get,
            requests.FileReadRequest: self._read,
            requests.FileDropRequest: self._drop,
        }

    async def _list(self, request: requests.FilesRequest) -> replies.FilesReply:
        rows = [self._row(filed) for filed in await self._desk.host.attached()]
        announced = {row.file.id for row in rows}
        loose = [here for here in await self._desk.host.files() if here.record.role != FILE_CARRIED]
        rows += [_nameless(here) for here in loose if here.record.file.hex() not in announced]
        return replies.FilesReply(files=rows)

    def _row(self, filed: Filed) -> replies.FileRow:
        shown = wording.message(filed, self._desk.book, self._desk.me.name)
        return replies.FileRow(file=shown.files[0], message=shown.id, sender=shown.sender)

    async def _get(self, request: requests.FileGetRequest) -> replies.FileReply:
        manifest = await self._manifest(request.id)
        reached = await self._fetch(manifest, request.timeout_s)
        if reached and request.path:
            await self._write(manifest, Path(request.path))
        path = request.path if reached else ""
        return replies.FileReply(file=await self._info(manifest), reached=reached, path=path)

    async def _fetch(self, manifest: Manifest, timeout_s: float) -> bool:
        """Have it fetched, and wait; false if it was not whole in time."""
        with self._desk.progress.follow(manifest.file) as steps:
            await self._desk.host.submit(FetchFile(manifest.file, manifest.size))
            with trio.move_on_after(timeout_s):
                while (await self._info(manifest)).state != "here":
                    await steps.receive()
        return (await self._info(manifest)).state == "here"

    async def _write(self, manifest: Manifest, path: Path) -> None:
        """Replaced whole, so that a full disk leaves no half file under the name."""
        if await trio.Path(path).is_dir():
            raise UsageError(f"{path} is a directory; name the file to write in it")
        fresh = path.with_name(path.name + ".part")
        try:
            async with await trio.open_file(fresh, "wb") as file:
                async for content in self._contents(manifest, 0, chunk_count(manifest.size)):
                    await file.write(content)
                await file.flush()
                await trio.to_thread.run_sync(os.fsync, file.fileno())
            await trio.to_thread.run_sync(os.replace, fresh, path)
        except OSError as error:
            await trio.Path(fresh).unlink(missing_ok=True)
            raise UsageError(f"{path} cannot be written ({error.strerror})") from error

    async def _read(self, request: requests.FileReadRequest) -> replies.FilePartReply:
        manifest = await self._manifest(request.id)
        step = content_step(manifest.key)
        first, last = request.offset // step, (request.offset + request.size - 1) // step
        parts = self._contents(manifest, first, min(last + 1, chunk_count(manifest.size)))
        start = request.offset - first * step
        data = b"".join([part async for part in parts])[start : start + request.size]
        return replies.FilePartReply(file=await self._info(manifest), offset=request.offset, data=data)

    async def _contents(self, manifest: Manifest, first: int, end: int) -> AsyncIterator[bytes]:
        """What stands in the chunks `first` to `end`, up to the first that is not here."""
        for at in range(first, end, AT_ONCE):
            wanted = [(manifest.file, number) for number in range(at, min(at + AT_ONCE, end))]
            found = await self._desk.host.chunks(wanted)
            for (_, number), chunk in zip(wanted, found, strict=False):
                if chunk.number != number:
                    return
                yield self._opened(manifest, number, chunk.body)
            if len(found) < len(wanted):
                return

    def _opened(self, manifest: Manifest, number: int, body: bytes) -> bytes:
        try:
            return open_chunk_untrusted(self._desk.me.sealer, manifest.key, number, body)
        except WireError:
            raise UsageError(f"the file {manifest.name} does not open: its writer announced a wrong key") from None

    async def _drop(self, request: requests.FileDropRequest) -> replies.FileReply:
        manifest = await self._manifest(request.id, nameless=True)
        await self._desk.host.submit(DropFile(manifest.file))
        return replies.FileReply(file=await self._info(manifest))

    async def _info(self, manifest: Manifest) -> replies.FileInfo:
        here = {one.record.file: one for one in await self._desk.host.files()}
        return wording.file(manifest, here.get(manifest.file))

    async def _manifest(self, prefix: str, *, nameless: bool = False) -> Manifest:
        """The file whose id begins so."""
        text = prefix.lower()
        known = next((one for one in self._known.values() if one.file.hex() == text), None)
        if known is not None:
            return known
        found = {one.file: one for one in [_announced(filed) for filed in await self._desk.host.attached()]}
        for here in await self._desk.host.files() if nameless else ():
            found.setdefault(here.record.file, Manifest(here.record.file, here.record.size, ""))
        matching = [one for one in found.values() if text and one.file.hex().startswith(text)]
        if len(matching) != 1:
            raise UsageError(
                f"{'several files have' if matching else 'no file has'} an id that begins with {prefix!r};"
                " see `meshnode files list`"
            )
        return self._remember(matching[0])

    def _remember(self, manifest: Manifest) -> Manifest:
        self._known[manifest.file] = manifest
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]
        return manifest


def _announced(filed: Filed) -> Manifest:
    return decode_manifest_untrusted(filed.message.file)  # it was checked when it came


def _nameless(here: FileHere) -> replies.FileRow:
    return replies.FileRow(file=wording.file(Manifest(here.record.file, here.record.size, ""), here))

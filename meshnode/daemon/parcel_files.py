"""Handlers of `export` and `import`: parcels as files, sealed for the mesh or for one contact.

A file that is cut short or damaged gives what opened before the damage, and the answer says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import trio

from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.core.ids import PersonaKey
from meshnode.core.records import DeviceRecord, PeerPrekeyRecord, PrekeyRecord
from meshnode.core.sealing.parcel import ParcelOpen, begin_parcel, begin_parcel_for
from meshnode.core.sealing.records import RecordSeal
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame, join_frames, joined_size
from meshnode.core.wire.frames import BlockFrame, EnvelopeFrame, Run
from meshnode.daemon.desk import Desk, read_cursor
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.files import open_given
from meshnode.errors import UsageError, WireError
from meshnode.peering.packing import pack, unpack_untrusted

READ_AT_ONCE = 64 * 1024
RECORD = 48 * 1024  # of frames: below the limit of a record even where nothing can be compressed
TAKE_AT_ONCE = 4_000_000  # bytes of frames handed to the node at a time: a parcel may be larger than the memory

_SPAN = re.compile(r"(?P<count>\d+)(?P<unit>[hd])")
_UNIT_S = {"h": 3_600, "d": 86_400}


class ParcelFiles:
    """Written and read where the person says."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {requests.ExportRequest: self._export, requests.ImportRequest: self._import}

    async def _export(self, request: requests.ExportRequest) -> replies.ParcelReply:
        to = self._desk.book.contact(request.contact) if request.contact else None
        head, seal = await self._begin(to.persona if to else None)
        records = await self._desk.host.export(to.persona if to else None, self._since(request.since))
        blocks, envelopes = _counted(records)
        data = b"".join((head, *(seal.seal(pack(part)) for part in _joined(records)), seal.seal(b"", final=True)))
        await trio.to_thread.run_sync(_write, Path(request.path), data)
        return replies.ParcelReply(blocks=blocks, envelopes=envelopes, chunks=0, refused=0)

    async def _begin(self, to: PersonaKey | None) -> tuple[bytes, RecordSeal]:
        sealer, entropy = self._desk.me.sealer, SystemEntropy()
        if to is None:
            return begin_parcel(sealer, entropy, self._desk.me.mesh)
        devices = {one.device for one in await self._desk.host.every(DeviceRecord) if one.persona == to}
        keys = [one for one in await self._desk.host.every(PeerPrekeyRecord) if one.device in devices]
        if not keys:
            raise UsageError(f"no key of {self._desk.book.name_of(to)} has arrived yet; export without --for")
        return begin_parcel_for(sealer, entropy, keys[0].public)

    def _since(self, text: str) -> float:
        if span := _SPAN.fullmatch(text):
            return max(0.0, self._desk.host.now - int(span["count"]) * _UNIT_S[span["unit"]])
        return read_cursor(text)[1]

    async def _import(self, request: requests.ImportRequest) -> replies.ParcelReply:
        secrets = [prekey.secret for prekey in await self._desk.host.every(PrekeyRecord) if prekey.secret]
        reading = _Reading(Path(request.path), ParcelOpen(self._desk.me.sealer, self._desk.me.mesh, secrets))
        taken = dict.fromkeys(("blocks", "envelopes", "chunks", "refused"), 0)
        while records := await trio.to_thread.run_sync(reading.some):
            for name, count in (await self._desk.host.import_records(records)).items():
                taken[name] += count
        return replies.ParcelReply(**taken, text=reading.fault)


class _Reading:
    """A parcel file, some records at a time. `fault` says in one sentence what ended it early."""

    def __init__(self, path: Path, opening: ParcelOpen) -> None:
        self.fault = ""
        self._path = path
        self._opening = opening
        self._records = self._every()

    def some(self) -> list[bytes]:
        """The next records; none at the end."""
        taken: list[bytes] = []
        for record in self._records:
            taken.append(record)
            if sum(map(len, taken)) >= TAKE_AT_ONCE:
                break
        return taken

    def _every(self) -> Iterator[bytes]:
        opened = 0
        try:
            for piece in self._pieces():
                for record in self._opening.feed_untrusted(piece):
                    opened += 1
                    if record:
                        yield unpack_untrusted(record)
        except WireError as error:
            if not opened:
                reason = f"{self._path} gives nothing: {error}"
                raise UsageError(f"{reason}; it is damaged, of another mesh, or for somebody else") from error
            self.fault = f"the parcel is damaged ({error}): what opened before was taken"
            return
        if not self._opening.finished:
            self.fault = "the parcel is cut short: what opened was taken"

    def _pieces(self) -> Iterator[bytes]:
        try:
            with os.fdopen(open_given(self._path, os.O_RDONLY), "rb") as file:
                while piece := file.read(READ_AT_ONCE):
                    yield piece
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read ({error.strerror})") from error


def _write(path: Path, data: bytes) -> None:
    """Replaced whole, so that a full stick leaves no half parcel under the name."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory; name the file to write in it")
    fresh = path.with_name(path.name + ".part")
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written ({error.strerror})") from error


def _joined(records: list[bytes]) -> Iterator[bytes]:
    """The same frames in as few records as may be: they compress better together."""
    batch: list[bytes] = []
    for frame in (encode_frame(frame) for record in records for frame in decode_frames_untrusted(record)):
        if joined_size([*map(len, batch), len(frame)]) > RECORD:
            yield join_frames(batch, RECORD)
            batch = []
        batch.append(frame)
    if batch:
        yield join_frames(batch, RECORD)


def _counted(records: list[bytes]) -> tuple[int, int]:
    frames = [frame for record in records for frame in decode_frames_untrusted(record)]
    blocks = sum(len(f.blocks) if isinstance(f, Run) else isinstance(f, BlockFrame) for f in frames)
    return blocks, sum(isinstance(f, EnvelopeFrame) for f in frames)

"""`meshnode capture`: what this node sends and hears, opened, as pcapng with a line that says what each packet is.

Frames are seen where they are sealed and opened: in the primitives the node is given. While nobody captures, that is
one comparison more for each. A packet is the plaintext of one datagram or session record, under link type USER0.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from meshnode.control import requests
from meshnode.control.notices import CaptureNotice
from meshnode.core.ids import NeighbourId
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.daemon.desk import Desk
from meshnode.daemon.files import open_given
from meshnode.errors import UsageError, WireError
from meshnode.peering.packing import unpack_untrusted

TELL_EVERY_S = 1.0

_LINK_LABEL = b"mn-link-v1"
_TO_ONE = 1
_RECORD_HEAD = 3  # the associated data of a session record is its head alone
_USER0 = 147
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _NANOSECONDS = 1, 9


@dataclass(frozen=True, slots=True)
class Seen:
    """One plaintext, and what is known of its way."""

    way: str
    plaintext: bytes


class TappedSealer(RealSealer):
    """The real primitives; `taps` are shown every datagram and session record that is sealed or opened."""

    def __init__(self) -> None:
        self.taps: list[Callable[[Seen], None]] = []

    def aead_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """As it is, seen."""
        if self.taps and ad.startswith(_LINK_LABEL):
            self._show(f"sent to {_receiver(ad)}", plaintext)
        return super().aead_seal(key, nonce, plaintext, ad)

    def aead_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes | None:
        """As it is, seen where it opens."""
        plaintext = super().aead_open(key, nonce, ciphertext, ad)
        if self.taps and plaintext is not None and ad.startswith(_LINK_LABEL):
            self._show(f"heard from {nonce[:4].hex()} to {_receiver(ad)}", plaintext)
        return plaintext

    def stream_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """As it is, seen."""
        if self.taps and plaintext and len(ad) == _RECORD_HEAD:
            self._show("sent in a session or parcel", _unpacked(plaintext))
        return super().stream_seal(key, nonce, plaintext, ad)

    def stream_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes | None:
        """As it is, seen where it opens."""
        plaintext = super().stream_open(key, nonce, ciphertext, ad)
        if self.taps and plaintext and len(ad) == _RECORD_HEAD:
            self._show("received in a session or parcel", _unpacked(plaintext))
        return plaintext

    def _show(self, way: str, plaintext: bytes) -> None:
        for tap in self.taps:
            tap(Seen(way, plaintext))


class Capturing:
    """The stream behind the command."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def capture(self, request: requests.CaptureRequest) -> AsyncGenerator[CaptureNotice, None]:
        """Write until the client goes; one notice a second."""
        sealer = self._desk.me.sealer
        if not isinstance(sealer, TappedSealer):
            raise UsageError("this node was started without the means to capture; start it with `meshnode run`")
        file = PcapngFile(Path(request.path))
        sealer.taps.append(file.add)
        try:
            while True:
                file.flush()
                if file.fault:
                    raise UsageError(file.fault)
                yield CaptureNotice(at=self._desk.feed.at(), frames=file.packets, bytes=file.size)
                await trio.sleep(TELL_EVERY_S)
        finally:
            sealer.taps.remove(file.add)
            file.close()


class PcapngFile:
    """One capture, 0600: it holds what members of the mesh can read. What cannot be written ends it, with a `fault`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.fdopen(open_given(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb")
        self.fault = ""
        self.packets = 0
        self.size = 0
        self._write(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        resolution = struct.pack("<HHBxxx", 9, 1, _NANOSECONDS) + struct.pack("<HH", 0, 0)
        self._write(_INTERFACE, struct.pack("<HHI", _USER0, 0, 0) + resolution)

    def add(self, seen: Seen) -> None:
        """One packet, now."""
        now = time.time_ns()
        head = struct.pack("<5I", 0, now >> 32, now & 0xFFFFFFFF, len(seen.plaintext), len(seen.plaintext))
        comment = f"{seen.way}: {described(seen.plaintext)}".encode()
        options = struct.pack("<HH", _COMMENT, len(comment)) + _padded(comment) + struct.pack("<HH", 0, 0)
        self._write(_PACKET, head + _padded(seen.plaintext) + options)
        self.packets += 1

    def flush(self) -> None:
        """Let others read what is there."""
        with self._kept():
            self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        with self._kept():
            self._file.close()

    def _write(self, kind: int, body: bytes) -> None:
        length = len(body) + 12
        if not self.fault:
            with self._kept():
                self.size += self._file.write(struct.pack("<II", kind, length) + body + struct.pack("<I", length))

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Frames are added from within the node's step, which no disk may end."""
        try:
            yield
        except OSError as error:
            self.fault = f"{self._path} cannot be written ({error.strerror})"


def described(plaintext: bytes) -> str:
    """The frames in a plaintext, by name and size."""
    try:
        frames = decode_frames_untrusted(plaintext)
    except WireError as error:
        return f"refused ({error})"
    return ", ".join(type(frame).__name__.removesuffix("Frame").lower() for frame in frames) + f", {len(plaintext)} B"


def _receiver(ad: bytes) -> str:
    way = ad[len(_LINK_LABEL) + 1 :]
    return NeighbourId(way[1:5]).hex() if way[:1] == bytes((_TO_ONE,)) else "all"


def _unpacked(plaintext: bytes) -> bytes:
    try:
        return unpack_untrusted(plaintext)
    except WireError:
        return plaintext


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)

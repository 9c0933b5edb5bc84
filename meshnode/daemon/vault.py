"""A sealed stream in a file: the container of a backup. Any size, read and written piece by piece.

    file   = "meshnode backup 1\\n" | length 4 | 32 B key, sealed by passphrase (core/sealing/atrest.py) | record...
    record = length 4 | ChaCha20-Poly1305 of at most 64 KiB; nonce = its number; ad = 1 in the last one, else 0

A stream that is cut, reordered or changed does not open: every record is numbered, and the last one says that it is.
"""

from __future__ import annotations

import io
from types import TracebackType
from typing import BinaryIO, Final

from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.atrest import open_by_passphrase_untrusted, seal_by_passphrase
from meshnode.errors import WireError

MAGIC: Final = b"meshnode backup 1\n"
PIECE: Final = 64 * 1024
MORE, LAST = b"\0", b"\1"
_TAG: Final = 16
_HEAD_MOST: Final = 4096


class SealedWriter(io.RawIOBase):
    """What is written to it lands sealed in `file`; `close` writes the last record and leaves `file` open."""

    def __init__(self, file: BinaryIO, passphrase: str, sealer: Sealer, entropy: Entropy) -> None:
        self._file = file
        self._sealer = sealer
        self._key = entropy.take("backup", 32)
        self._number = 0
        self._rest = bytearray()
        head = seal_by_passphrase(sealer, entropy, self._key, passphrase)
        file.write(MAGIC + len(head).to_bytes(4, "big") + head)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: object, /) -> int:
        """Seal what is whole; the rest waits."""
        given = bytes(memoryview(data))  # type: ignore[arg-type]
        self._rest += given
        while len(self._rest) > PIECE:  # one piece always stays, for the last record
            self._put(bytes(self._rest[:PIECE]), MORE)
            del self._rest[:PIECE]
        return len(given)

    def close(self) -> None:
        """The last record."""
        if not self.closed:
            self._put(bytes(self._rest), LAST)
        super().close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._rest.clear()
            io.RawIOBase.close(self)  # no last record: what was written does not open as whole
        else:
            self.close()

    def _put(self, piece: bytes, which: bytes) -> None:
        sealed = self._sealer.stream_seal(self._key, self._number.to_bytes(12, "big"), piece, which)
        self._number += 1
        self._file.write(len(sealed).to_bytes(4, "big") + sealed)


class SealedReader(io.RawIOBase):
    """The plaintext of such a file, which is closed with it.

    WireError where it is none, is damaged, or opens with another passphrase.
    """

    def __init__(self, file: BinaryIO, passphrase: str, sealer: Sealer) -> None:
        self._file = file
        self._sealer = sealer
        self._number = 0
        self._rest = b""
        self._last = False
        if self._take(len(MAGIC)) != MAGIC:
            raise WireError("this is no backup of meshnode, or one of a newer version")
        self._key = open_by_passphrase_untrusted(sealer, self._take(self._length(_HEAD_MOST)), passphrase)

    def readable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """The file, too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: object, /) -> int:
        """Some bytes, none at the end of the last record."""
        room = memoryview(buffer)  # type: ignore[arg-type]
        while not self._rest and not self._last:
            self._rest = self._next_untrusted()
        given, self._rest = self._rest[: len(room)], self._rest[len(room) :]
        room[: len(given)] = given
        return len(given)

    def _next_untrusted(self) -> bytes:
        sealed = self._take(self._length(PIECE + _TAG))
        nonce = self._number.to_bytes(12, "big")
        self._number += 1
        for which in (MORE, LAST):
            piece = self._sealer.stream_open(self._key, nonce, sealed, which)
            if piece is not None:
                self._last = which == LAST
                return piece
        raise WireError("the backup is damaged")

    def _length(self, most: int) -> int:
        length = int.from_bytes(self._take(4), "big")
        if length > most:
            raise WireError("the backup is damaged")
        return length

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise WireError("the backup is cut short")
        return data

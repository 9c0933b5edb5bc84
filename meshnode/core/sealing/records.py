"""Sealed records in a row: sessions and parcels. Order, gaps and the true end are part of the seal.

    3 B (final 1 bit | length of what follows 23 bits) | ChaCha20-Poly1305 ciphertext and tag

The nonce is final flag and counter, so that a record dropped, repeated, swapped, or a stream cut short does not pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshnode.core.ports import Sealer
from meshnode.core.sealing.primitives import TAG_SIZE
from meshnode.errors import SignatureError, UsageError, WireError

MAX_RECORD = 64 * 1024  # of plaintext
RECORD_OVERHEAD = 3 + TAG_SIZE

_FINAL = 1 << 23


class RecordSeal:
    """Seals one direction. The key must be used for nothing else."""

    def __init__(self, sealer: Sealer, key: bytes) -> None:
        self._sealer = sealer
        self._key = key
        self._counter = 0
        self.finished = False

    def seal(self, plaintext: bytes, *, final: bool = False) -> bytes:
        """The next record; after the final one there is no other."""
        if self.finished or len(plaintext) > MAX_RECORD:
            raise UsageError("a record is at most 64 KiB, and none follows the final one")
        size = (_FINAL if final else 0) | len(plaintext) + TAG_SIZE
        head = size.to_bytes(3, "big")
        sealed = self._sealer.stream_seal(self._key, _nonce(final, self._counter), plaintext, head)
        self._counter += 1
        self.finished = final
        return head + sealed


class RecordOpen:
    """Opens one direction from bytes as they come. `finished` once the final one was opened: else it was cut short."""

    def __init__(self, sealer: Sealer, key: bytes) -> None:
        self._sealer = sealer
        self._key = key
        self._counter = 0
        self._buffer = bytearray()
        self.finished = False

    def feed_untrusted(self, data: bytes) -> Iterator[bytes]:
        """The plaintexts now complete, one by one; the error comes after those before it."""
        self._buffer += data
        return self._opened_untrusted()

    def _opened_untrusted(self) -> Iterator[bytes]:
        while len(self._buffer) >= 3:
            if self.finished:
                raise WireError("bytes after the final record")
            head = bytes(self._buffer[:3])
            size = int.from_bytes(head, "big") & ~_FINAL
            if not TAG_SIZE <= size <= MAX_RECORD + TAG_SIZE:
                raise WireError("a record is too short or too long")
            if len(self._buffer) < 3 + size:
                return
            sealed = bytes(self._buffer[3 : 3 + size])
            del self._buffer[: 3 + size]
            yield self._open_untrusted(head, sealed)

    def _open_untrusted(self, head: bytes, sealed: bytes) -> bytes:
        final = bool(head[0] & 0x80)
        plaintext = self._sealer.stream_open(self._key, _nonce(final, self._counter), sealed, head)
        if plaintext is None:
            raise SignatureError("a record does not open")
        self._counter += 1
        self.finished = final
        return plaintext


def _nonce(final: bool, counter: int) -> bytes:
    return bytes((final, 0, 0, 0)) + counter.to_bytes(8, "big")

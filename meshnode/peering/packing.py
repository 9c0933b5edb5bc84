"""What stands inside a sealed record: one byte that says how, then the frames, compressed where that is shorter.

    0 | frames            1 | frames, as one zstd frame with its size

A peer may not make us unpack more than 256 KiB, nor hold a larger window for it.
"""

from __future__ import annotations

import sys

from meshnode.core.sealing.records import MAX_RECORD
from meshnode.errors import UsageError, WireError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN, ZSTD = 0, 1
LEVEL = 3
WORTH_TRYING = 64  # bytes below which zstd cannot win
MAX_UNPACKED = 256 * 1024
_WINDOW_LOG = 18  # 256 KiB


def pack(frames: bytes) -> bytes:
    """Frames as the plaintext of a record; UsageError for more than fit into one."""
    if len(frames) > MAX_UNPACKED:
        raise UsageError("a record holds at most 256 KiB of frames")
    if len(frames) > WORTH_TRYING:
        shorter = zstd.compress(frames, LEVEL)
        if len(shorter) < len(frames):
            return _checked(bytes((ZSTD,)) + shorter)
    return _checked(bytes((PLAIN,)) + frames)


def unpack_untrusted(plaintext: bytes) -> bytes:
    """The frames of a record; WireError for anything `pack` would not make."""
    if plaintext[:1] == bytes((PLAIN,)):
        return plaintext[1:]
    if plaintext[:1] != bytes((ZSTD,)):
        raise WireError("a record is packed in a way that is not known here")
    unpacker = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
    try:
        frames = unpacker.decompress(plaintext[1:], max_length=MAX_UNPACKED)
    except zstd.ZstdError as error:
        raise WireError("a record does not unpack") from error
    if not unpacker.eof or unpacker.unused_data:
        raise WireError("a record unpacks to too much, is cut short, or goes on after its end")
    return frames


def _checked(plaintext: bytes) -> bytes:
    if len(plaintext) > MAX_RECORD:
        raise UsageError("a record holds at most 64 KiB once packed")
    return plaintext

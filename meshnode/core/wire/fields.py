"""What the layouts of frames have in common: lists that fill a body, exact sizes, changes of logs.

In the layouts `put_...` writes one frame and `take_...` reads one body. They are called by `codec.py` alone, which
turns running out of bytes (IndexError) into WireError.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meshnode.core.chain.frontier import put_mark, take_mark
from meshnode.core.ids import LOG_ID_SIZE
from meshnode.core.wire.frames import Change
from meshnode.errors import WireError

LOG_HANDLE: Final = 4


def rows(body: bytes, size: int, at: int = 0) -> range:
    """Where items of `size` bytes each begin; they fill the body to its end."""
    if (len(body) - at) % size:
        raise WireError("a list does not end where it should")
    return range(at, len(body), size)


def exactly(body: bytes, size: int) -> None:
    """Refuse a body that is not of this size."""
    if len(body) != size:
        raise WireError("a frame has the wrong size")


def at_least(body: bytes, size: int) -> None:
    """Refuse a body shorter than this."""
    if len(body) < size:
        raise WireError("a frame ends too early")


def log_size(full: bool) -> int:
    """How a frame names a log: by its full id, or by a handle."""
    return LOG_ID_SIZE if full else LOG_HANDLE


def put_changes(changes: Iterable[Change]) -> bytes:
    """Handles and marks in a row."""
    return b"".join([change.handle + put_mark(change.head, change.forked) for change in changes])


def take_changes(body: bytes, starts: Iterable[int]) -> tuple[Change, ...]:
    """The changes that begin at `starts`."""
    return tuple([Change(body[at : at + 4], *take_mark(body[at + 4 : at + 7])) for at in starts])

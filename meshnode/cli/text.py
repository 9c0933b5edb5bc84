"""The words of a message: from the command line, or from standard input."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

from meshnode.cli import say
from meshnode.errors import UsageError

LONGEST = 1_000_000  # bytes: far above any message, far below what would trouble the machine
PIECE = 64 * 1024


def given(text: str | None, what: str = "message") -> str:
    """The text, or all of standard input without its last line end."""
    if text is None:
        if sys.stdin and sys.stdin.isatty():
            say.note(f"write the {what}, then Ctrl-D")
        text = _decoded(_read(LONGEST + 1)).removesuffix("\n").removesuffix("\r")
    if not text:
        raise UsageError(f"an empty {what} is of no use; give one, or write it to standard input")
    return text


async def lines() -> AsyncGenerator[list[str], None]:
    """Lines of standard input as they come, those that came together in one list, empty ones left out."""
    import trio

    rest = b""
    while piece := await trio.to_thread.run_sync(_piece, abandon_on_cancel=True):
        *whole, rest = (rest + piece).split(b"\n")
        yield _texts([*whole, *([rest] if len(rest) > LONGEST else [])])
    yield _texts([rest])


def _texts(raw: list[bytes]) -> list[str]:
    return [text for one in raw if (text := _decoded(one).rstrip("\r"))]


def _read(most: int) -> bytes:
    return sys.stdin.buffer.read(most) if sys.stdin else b""


def _piece() -> bytes:
    """What comes next, read beside the buffer: a thread that waits within its lock cannot be left behind by Ctrl-C."""
    if not sys.stdin:
        return b""
    source = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return source.read(PIECE) or b""


def _decoded(raw: bytes) -> str:
    if len(raw) > LONGEST:
        raise UsageError("standard input is longer than any message; send it in parts")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 text (byte {error.start}); files cannot be sent yet") from error

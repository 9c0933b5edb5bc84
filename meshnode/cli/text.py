"""The words of a message: from the command line, or from standard input."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from meshnode.cli import say
from meshnode.errors import UsageError


def given(text: str | None) -> str:
    """The text, or all of standard input without its last line end."""
    if text is None:
        if sys.stdin.isatty():
            say.note("write your message, then Ctrl-D")
        text = _decoded(sys.stdin.buffer.read()).removesuffix("\n").removesuffix("\r")
    if not text:
        raise UsageError("an empty message is not sent; give a text, or write it to standard input")
    return text


async def lines() -> AsyncIterator[str]:
    """Lines of standard input as they come, empty ones left out."""
    import trio

    while raw := await trio.to_thread.run_sync(sys.stdin.buffer.readline, abandon_on_cancel=True):
        if text := _decoded(raw).rstrip("\r\n"):
            yield text


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 text (byte {error.start}); files cannot be sent yet") from error

"""A passphrase handed to a command: the first line of a file, or of standard input; never a word of the command."""

from __future__ import annotations

import sys
from pathlib import Path

from meshnode.errors import UsageError

MOST = 1024


def passphrase_from(file: Path) -> str:
    """The passphrase, with single spaces between its words. UsageError where there is none."""
    try:
        if str(file) == "-":
            raw = sys.stdin.buffer.readline(MOST)
        else:
            with file.open("rb") as opened:
                raw = opened.readline(MOST)
        text = " ".join(raw.decode().split())
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise UsageError("a passphrase is UTF-8 text in one line") from None
    if not text:
        raise UsageError("there is no passphrase: name its file with --passphrase-file, or type it")
    return text

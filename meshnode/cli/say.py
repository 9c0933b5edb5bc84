"""How commands speak: answers on stdout, everything else on stderr, and nothing from the air moves the terminal."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from meshnode.cli.options import Common
from meshnode.errors import UsageError

# C1 controls, line ends and format characters that terminals obey; JSON itself escapes those below U+0020
_STEERING = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def answer(common: Common, data: object, lines: Iterable[str]) -> None:
    """The answer of a command: `data` for a program, `lines` for a person."""
    if common.json:
        line(data)
        return
    for text in lines:
        out(text)


def line(data: object) -> None:
    """One JSON object on a line of its own. What would steer a terminal is written as \\u escapes: the same JSON."""
    out(_STEERING.sub(_escaped, msgspec.json.encode(data).decode()))


def out(text: str) -> None:
    """A line on stdout; UsageError where it cannot be written, for example on a full disk."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        silence()
        raise UsageError(f"the answer cannot be written ({error.strerror}); look where it is sent") from error


def silence() -> None:
    """Nothing goes to stdout any more: what is left of it must not fail again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """A warning, or an error: a sentence on stderr. Where that takes nothing, the exit code has to say it."""
    with suppress(OSError):
        print(f"meshnode: {plain(text)}", file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """How far it is: one line on a terminal, written over; nothing in a pipe."""
    if sys.stderr and sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def progress_ends() -> None:
    """The terminal goes on below."""
    if sys.stderr and sys.stderr.isatty():
        print(file=sys.stderr)


def table(header: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> list[str]:
    """Columns of one width under their names; the sentence `empty` when there are no rows."""
    cells = [[plain(str(cell)) for cell in row] for row in rows]
    if not cells:
        return [empty]
    cells.insert(0, list(header))
    widths = [max(_width(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def plain(text: str, *, lines: bool = False) -> str:
    """`text` with control and direction characters shown as escapes: a message must not steer the reader's terminal."""
    return "".join(c if _harmless(c, lines) else c.encode("unicode_escape").decode() for c in text)


def when(stamp: str | None) -> str:
    """An RFC 3339 time in the reader's own time zone, short; "-" when it is not known."""
    if not stamp:
        return "-"
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")


def ago(seconds: float) -> str:
    """A span of time in its largest fitting unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def counted(count: int, noun: str) -> str:
    """A number of things, in words: `1 block`, `2 blocks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: float) -> str:
    """A number of bytes, readable."""
    for unit in ("B", "kB", "MB"):
        if count < 1_000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1_000
    return f"{count:.1f} GB"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _harmless(character: str, lines: bool) -> bool:
    if character in "\n\t":
        return lines
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character == "\u200d"


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))

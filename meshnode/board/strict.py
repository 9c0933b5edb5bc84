"""Reads one TOML file of hardware/ into a typed value; what is wrong is told with file and line.

Unknown fields, wrong types and impossible values are errors. Every entry that names its `source` does so with keys of
the file's own `[sources]` table; how far to trust it stands in `confidence`:

    A   read in a primary source (driver or firmware source, vendor document, standard), or measured
    B   one secondary source: a vendor's statement about a law, an issue thread, a field report
    C   derived by rule, or from general knowledge: check before anything depends on it

msgspec names the place as a path (`$.bands[1].channels[0]`), tomllib no lines at all: the line is found again by
reading the text as our files are written, one entry of a list a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from meshnode.errors import ConfigError

Confidence = Literal["A", "B", "C"]
T = TypeVar("T", bound="Table")

_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.?([A-Za-z0-9_\-]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"field `(?P<name>[^`]+)`")
_HEADER = re.compile(r"^\[(?P<many>\[)?(?P<name>[^\[\]]+)\]")
_KEY = re.compile(r"^(?P<key>[A-Za-z0-9_\-]+) *=")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of a file."""


class Entry(Table, frozen=True):
    """A table that says where it comes from and how far to trust it."""

    source: tuple[str, ...]
    confidence: Confidence

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("an entry needs a source")


def load(path: Path, kind: type[T]) -> T:
    """The file as a value of `kind`. Raises ConfigError with file, line and reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    return decode(text, kind, path.name)


def decode(text: str, kind: type[T], name: str) -> T:
    """The text of the file `name` as a value of `kind`. Raises ConfigError with file, line and reason."""
    try:
        value = msgspec.toml.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise _located(text, name, str(error)) from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{name}: {error}") from error
    if missing := sorted(_cited(value) - set(getattr(value, "sources", {}))):
        raise _located(text, name, f"source `{missing[0]}` is not in [sources]", quoted=missing[0])
    return value


def line_of(text: str, path: str) -> int:
    """The line, from 1, where the entry `path` of a message stands, or the nearest entry around it."""
    wanted = tuple(_steps(path))
    best, line = 0, 1
    for number, at in _entries(text):
        shared = len(at)
        if shared <= len(wanted) and at == wanted[:shared] and shared > best:
            best, line = shared, number
    return line


def _located(text: str, name: str, message: str, quoted: str = "") -> ConfigError:
    """The error with the line of its place, and of the field in it where the message names one."""
    place = _PLACE.search(message)
    line = line_of(text, place["path"]) if place else 1
    field = _FIELD.search(message)
    if quoted or (field and "unknown" in message):
        needle = f'"{quoted}"' if quoted else field["name"] if field else ""
        lines = text.splitlines()
        line = next((n for n in range(line, len(lines) + 1) if needle in lines[n - 1]), line)
    said = message[: place.start()] if place else message
    return ConfigError(f"{name}:{line}: {said[:1].lower()}{said[1:]}")


def _steps(path: str) -> Iterator[str]:
    for step in _STEP.finditer(path.removeprefix("$")):
        yield step[1] or step[2]


def _entries(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each line that begins an entry, with the path of that entry."""
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    listed: tuple[str, ...] | None = None
    item = 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table, listed = _opened(header, counts), None
            yield number, table
        elif listed is not None and line.startswith("]"):
            listed = None
        elif listed is not None and line.strip():
            yield number, (*listed, str(item))
            item += 1
        elif key := _KEY.match(line):
            yield number, (*table, key["key"])
            if line.rstrip().endswith("["):
                listed, item = (*table, key["key"]), 0


def _opened(header: re.Match[str], counts: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    """The path of a `[table]` or of the next `[[table]]`; one inside the last of a list of tables counts as in it."""
    path: tuple[str, ...] = ()
    names = header["name"].split(".")
    for depth, name in enumerate(names):
        path = (*path, name)
        last = depth == len(names) - 1
        if last and header["many"]:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, str(counts[path]))
    return path


def _cited(value: object) -> set[str]:
    """All source keys that entries of the value name."""
    found: set[str] = set()
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            inner = getattr(value, field)
            found |= set(inner) if field == "source" else _cited(inner)
    elif isinstance(value, tuple):
        for inner in value:
            found |= _cited(inner)
    return found

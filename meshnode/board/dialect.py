"""The AT dialects of serial modems, as data: line discipline, commands, answers, traps."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

from msgspec import Meta, field

from meshnode import resources
from meshnode.board.strict import Entry, Table, load
from meshnode.errors import UsageError


class Command(Entry, frozen=True):
    """One command: the forms it has, the arguments of its set form, the pattern of its answer."""

    name: str
    forms: tuple[Literal["run", "set", "get", "help"], ...]
    args: str = ""
    answer: str = ""
    note: str = ""


class Binary(Table, frozen=True):
    """Lines after which raw bytes follow: their prefix, and which field of the line (from 1) is the length."""

    prefix: str
    length_field: Annotated[int, Meta(ge=1)]


class Dialect(Table, frozen=True):
    """One file of hardware/modems. What is missing is not known."""

    name: str
    title: str
    sources: dict[str, str]
    carries: Literal["udp4", "netdev", "none"]  # datagrams in IPv4 sockets; a network card beside it; nothing
    baud: int
    line_end: str
    terminators: tuple[str, ...]
    async_prefixes: tuple[str, ...]
    rules: tuple[str, ...]
    commands: tuple[Command, ...]
    events: tuple[str, ...]
    speeds: tuple[int, ...] = ()
    flow: Literal["none", "rtscts"] = "none"
    echo: bool | None = None
    line_limit: int | None = None
    over_limit: Literal["truncated", "dropped"] | None = None
    max_params: int | None = None
    most_bytes: int | None = None
    greeting: str = ""
    errors: dict[int, str] = field(default_factory=dict)
    binary: Binary | None = None
    unknown: tuple[str, ...] = ()


@cache
def dialects() -> tuple[Dialect, ...]:
    """All dialects, by name. Raises ConfigError for a file with an error."""
    return tuple(load(path, Dialect) for path in resources.files("modems"))


def dialect(name: str) -> Dialect:
    """The dialect of that name. Raises UsageError if there is none."""
    for one in dialects():
        if one.name == name:
            return one
    known = ", ".join(each.name for each in dialects())
    raise UsageError(f"there is no modem dialect {name!r}; there is {known}")

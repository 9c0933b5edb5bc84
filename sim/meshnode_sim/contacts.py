"""Contact traces: who met whom from when to when, as simulators of delay-tolerant networks write them.

Each line is `time CONN a b up` or `time CONN a b down`, times in seconds and never falling; nodes are named as in the
scenario or numbered from 0, with letters before the number or without (`p12`). Empty lines and those that begin with #
are passed over. So is a beginning of what has begun and an end of what is over: recordings of two devices tell each
contact twice, and The ONE reads them so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshnode.errors import ConfigError
from meshnode_sim.agenda import nanoseconds

_NUMBERED: Final = re.compile(r"[^\d\s]*([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Contact:
    """Two nodes (the lower number first) begin or cease to hear each other."""

    at_ns: int
    one: int
    other: int
    up: bool


def read_contacts(path: Path, number: dict[str, int]) -> list[Contact]:
    """All changes of a trace in order; ConfigError names the line that makes no sense."""
    found: list[Contact] = []
    together: set[tuple[int, int]] = set()
    for line, at_s, fields in events(path):
        check_contact(fields, path, line)
        pair = sorted(node_named(text, number, path, line) for text in fields[1:3])
        key, up = (pair[0], pair[1]), fields[3].lower() == "up"
        if key[0] == key[1]:
            raise ConfigError(f"{path}:{line}: node {fields[1]} meets itself")
        if up != (key in together):
            (together.add if up else together.discard)(key)
            found.append(Contact(nanoseconds(at_s), *key, up))
    return found


def check_contact(fields: list[str], path: Path, line: int) -> None:
    """Two nodes and `up` or `down`; which interface they met with may follow, and makes no difference."""
    if not 4 <= len(fields) <= 5 or fields[0] != "CONN" or fields[3].lower() not in ("up", "down"):
        raise ConfigError(f"{path}:{line}: a contact is `time CONN a b up` or `time CONN a b down`")


def events(path: Path) -> Iterator[tuple[int, float, list[str]]]:
    """Number, time and further fields of each line of a file of events; times may not fall."""
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no file: give the name of one with events")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): give the name of a file with events") from error
    before = 0.0
    for line, text in enumerate(lines, 1):
        fields = text.split()
        if not fields or fields[0].startswith("#"):
            continue
        at_s = _time(fields[0], path, line)
        if at_s < before:
            raise ConfigError(f"{path}:{line}: time goes back from {before:g} to {at_s:g} s: sort the lines by time")
        before = at_s
        yield line, at_s, fields[1:]


def node_named(text: str, number: dict[str, int], path: Path, line: int) -> int:
    """A node by its name in the scenario, or by its number from 0."""
    if text in number:
        return number[text]
    digits = _NUMBERED.fullmatch(text)
    if digits and int(digits[1]) < len(number):
        return int(digits[1])
    raise ConfigError(f"{path}:{line}: there is no node {text[:40]} among {len(number)}: see `nodes` or `names`")


def _time(text: str, path: Path, line: int) -> float:
    try:
        at_s = float(text)
    except ValueError:
        raise ConfigError(f"{path}:{line}: {text[:40]} is no time in seconds") from None
    if not 0 <= at_s < 1e9:
        raise ConfigError(
            f"{path}:{line}: {text[:40]} is no time of a run, which begins at 0 s: take off the first time"
        )
    return at_s

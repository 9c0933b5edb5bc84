"""Where a scenario is wrong: from what a reader of TOML or a check complains of, to the line a person has to change."""

from __future__ import annotations

import re
from typing import Any, Final

from meshnode.errors import UsageError

LARGEST: Final = 1e12  # of any number: seconds, metres, octets or bit/s beyond are a slip of the pen
SEEDS: Final = 1 << 63

_UNKNOWN: Final = re.compile(r"unknown field `(?P<key>[^`]+)`")
_PLACE: Final = re.compile(r" - at `\$?(?P<path>[^`]*)`")
_KEY: Final = re.compile(r"^\s*(?P<key>[a-z_]+)\s*=|[{,]\s*(?P<inner>[a-z_]+)\s*=")


def check_numbers(tree: Any, key: str = "") -> None:
    """Refuses infinities, what is no number, and what no world holds; UsageError names the key."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            check_numbers(value, name)
    elif isinstance(tree, list):
        for value in tree:
            check_numbers(value, key)
    elif key == "seed" and isinstance(tree, int):
        if not -SEEDS <= tree < SEEDS:
            raise UsageError(f"`seed` is {tree}: give one of 64 bits")
    elif isinstance(tree, int | float) and not abs(tree) <= LARGEST:
        raise UsageError(f"`{key}` is {tree:g}: numbers go up to {LARGEST:g} here")


def line_of(text: str, error: str) -> str:
    """`:12` where the key that msgspec complains of is found in the file, else nothing."""
    unknown, place = _UNKNOWN.search(error), _PLACE.search(error)
    path = [part for part in re.split(r"[.\[\]]+", place["path"]) if part] if place else []
    key = unknown["key"] if unknown else next((part for part in reversed(path) if not part.isdigit()), None)
    if key is None:
        return ""
    head = next((part for part in path if part != key and not part.isdigit()), None)
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if head and re.match(rf"\s*\[+\s*{re.escape(head)}\b", line)), 0)
    for number, line in enumerate(lines[start:], start + 1):
        if re.search(rf"(^|[\s{{,\[]){re.escape(key)}\s*[=\]]", line):
            return f":{number}"
    return ""


def line_of_sentence(text: str, sentence: str) -> str:
    """`:12` for a sentence of ours: the line with a name or word it quotes, else one that sets a key it speaks of."""
    stranger = re.search(r" names (?P<name>.+), and no node is called that", sentence)
    quoted = [f'"{stranger["name"]}"'] if stranger else [f'"{word}"' for word in re.findall(r"'([^']+)'", sentence)]
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if any(word in line for word in quoted):
            return f":{number}"
    spoken = [*re.findall(r"`([a-z_]+)`", sentence), *re.findall(r"[a-z_]+", sentence.lower())]
    keys = [
        (number, found["key"] or found["inner"])
        for number, line in enumerate(lines, 1)
        for found in _KEY.finditer(line)
    ]
    for word in spoken:
        number = next((number for number, key in keys if key == word), 0)
        if number:
            return f":{number}"
    return ""


def for_people(error: str) -> str:
    """What msgspec says, with the place first and a hint where there is one."""
    place = _PLACE.search(error)
    what = _PLACE.sub("", error)
    unknown = _UNKNOWN.search(error)
    if unknown:
        what = f"there is no key `{unknown['key']}` here; `meshnode-sim new` shows the keys there are"
    return f"at {place['path'].lstrip('.')}: {what}" if place and place["path"] else what

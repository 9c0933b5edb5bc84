"""What msgspec says of a wrong configuration, in words for a person."""

from __future__ import annotations

import difflib
import re

from meshnode.config.described import sections

_TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")


def worded(message: str) -> str:
    """The message of msgspec as a place and a sentence: "mesh.name: expected text, got a whole number"."""
    found = _PLACE.match(message)
    what, where = (found["what"], found["where"] or "") if found else (message, "")
    if unknown := _UNKNOWN.match(what):
        return _unknown_option(where, unknown["name"])
    if choices := _choices(where):
        return f"{where}: expected one of {', '.join(choices)}"
    words = re.sub(r"`(\w+)`", lambda m: _TYPES.get(m[1], f"`{m[1]}`"), what)
    words = words[:1].lower() + words[1:].replace(">=", "at least").replace("<=", "at most")
    return f"{where}: {words}" if where else words


def _choices(where: str) -> list[str]:
    found = [o for section, _, options in sections() for o in options if f"{section}.{o.name}" == where]
    return [choice.strip("`") for choice in found[0].kind.split(", ")] if found and found[0].kind[0] == "`" else []


def _unknown_option(where: str, name: str) -> str:
    known = [option.name for section, _, options in sections() if section == where for option in options]
    near = difflib.get_close_matches(name, known or [section for section, _, _ in sections()], 1)
    hint = f", did you mean {near[0]}?" if near else ""
    return f"{where + '.' if where else ''}{name}: there is no such option{hint}"

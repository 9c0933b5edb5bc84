"""What the documentation says of each option, taken from the tree itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from meshnode.config.options import Config


@dataclass(frozen=True, slots=True)
class Option:
    """What the documentation says of one field."""

    name: str
    kind: str
    default: object
    help: str


def sections() -> Iterator[tuple[str, str, list[Option]]]:
    """Each table: its name, what it is about, its options."""
    for field in msgspec.structs.fields(Config):
        hints = get_type_hints(field.type, include_extras=True)
        options = [
            Option(inner.name, _kind(hints[inner.name]), inner.default, _description(hints[inner.name]))
            for inner in msgspec.structs.fields(field.type)
        ]
        yield field.name, (field.type.__doc__ or "").strip(), options


def documentation() -> str:
    """docs/how-to/configuration.md."""
    lines = [
        "# Configuration",
        "",
        "`config.toml` in the home; `meshnode init` writes it, and `meshnode run --config FILE` reads another.",
        "Only what differs from a default needs to be there. A name that does not exist, a wrong type or a value",
        "out of range is refused with its place. This page is made from `meshnode/config`",
        "(`python -m meshnode.config`).",
    ]
    for name, about, options in sections():
        lines += ["", f"## [{name}]", "", about, "", "| option | is | default | |", "|---|---|---|---|"]
        lines += [f"| `{o.name}` | {o.kind} | `{as_toml(o.default)}` | {o.help} |" for o in options]
    return "\n".join(lines) + "\n"


def _metas(hint: Any) -> list[Meta]:
    return [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Meta)]


def _description(hint: Any) -> str:
    return next((meta.description for meta in _metas(hint) if meta.description), "")


def _bases(hint: Any) -> tuple[Any, ...]:
    """A type as it stands, and without its bounds."""
    return hint, getattr(hint, "__origin__", hint)


def _kind(hint: Any) -> str:
    base = hint.__origin__ if _metas(hint) else hint
    low = next((meta.ge for meta in _metas(hint) if meta.ge is not None), None)
    high = next((meta.le for meta in _metas(hint) if meta.le is not None), None)
    if get_origin(base) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(base))
    if get_origin(base) is tuple:
        return "list of text" if str in _bases(get_args(base)[0]) else "list of numbers"
    word = {"str": "text", "int": "number", "float": "number", "bool": "true or false"}[base.__name__]
    return f"{word} {low:,} to {high:,}" if low is not None and high is not None else word


def as_toml(value: object) -> str:
    """A value as it stands in the file."""
    return msgspec.json.encode(value).decode()  # for text, numbers, booleans and lists of text, TOML writes the same

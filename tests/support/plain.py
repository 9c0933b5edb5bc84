"""Frames as plain JSON values, the way the vectors write them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass


def plain(value: object) -> object:
    """Bytes as hex, records as objects, rows as lists."""
    if isinstance(value, bytes):
        return value.hex()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None)
        return {name: plain(getattr(value, name)) for name in names} if names else [plain(one) for one in value]
    return value

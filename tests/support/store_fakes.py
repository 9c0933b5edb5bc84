"""A store key without a key file, and records to fill tables with."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from meshnode.core import records
from meshnode.core.records import (
    BODY_HELD,
    BlockRecord,
    EnvelopeRecord,
    FactRecord,
    LogRecord,
    MessageRecord,
    Record,
    StateRecord,
)
from meshnode.core.sealing.atrest import StoreKey
from meshnode.core.sealing.primitives import RealSealer
from meshnode.store.store import Store

KINDS = get_args(Record)
LIMIT = 64_000_000


class FakeKey(StoreKey):
    """A store key from eight bits; another number does not open what this one sealed."""

    def __init__(self, number: int = 1) -> None:
        super().__init__(RealSealer(), SystemRandomness(), bytes([number]) * 32)


class SystemRandomness:
    """Entropy that no test depends on."""

    def take(self, purpose: str, size: int) -> bytes:
        return os.urandom(size)

    def between(self, purpose: str, low: float, high: float) -> float:
        return low


def open_store(folder: Path, limit: int = LIMIT, **options: Any) -> Store:
    return Store(folder / "store.db", FakeKey(), limit, **options)


def any_record(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Records of this class with any values their types allow."""
    hints = get_type_hints(kind, vars(records), {})
    return st.builds(kind, **{field.name: _values(field.name, hints[field.name]) for field in fields(kind)})


def _values(name: str, hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is tuple:
        return st.lists(_values(name, get_args(hint)[0]), max_size=3).map(tuple)
    if name == "window":
        return st.integers(0, 2**64 - 1)
    base = getattr(hint, "__supertype__", hint)
    return {
        bytes: st.binary(max_size=80),
        int: st.integers(-(2**63), 2**63 - 1),
        bool: st.booleans(),
        str: st.text(max_size=40),
        float: st.floats(allow_nan=False),
    }[base]


def fact(name: str, value: bytes = b"v") -> FactRecord:
    return FactRecord(name, value)


def block(log: int, seq: int, body: bytes = b"body", at: float = 0.0) -> BlockRecord:
    log_id = bytes([log]) * 52
    return BlockRecord(
        log_id, seq, bytes([log, seq % 256]) * 16, b"content" * 15, b"s" * 64, body, BODY_HELD, 1, at or float(seq)
    )


def log(number: int, ring: int, head: int = 1) -> LogRecord:
    return LogRecord(bytes([number]) * 52, 1, head, 0, 0, b"", ring, 0, 0.0)


def envelope(number: int, role: int, expires_at: float = 1e9, tag: bytes = b"", size: int = 150) -> EnvelopeRecord:
    id = number.to_bytes(16, "big")
    return EnvelopeRecord(id, tag or id[-10:], bytes(size), role, 1, 0, float(number), expires_at, b"", b"")


def message(number: int, **changed: Any) -> MessageRecord:
    values: dict[str, Any] = {
        "id": number.to_bytes(16, "big"),
        "cursor": number,
        "outgoing": False,
        "peer": b"p" * 32,
        "device": b"d" * 32,
        "channel": b"",
        "seq": number,
        "text": f"words {number}",
        "cls": 2,
        "sent_at": 0.0,
        "received_at": 0.0,
        "hops": 0,
        "missing": 0,
        "request": b"",
    }
    return MessageRecord(**(values | changed))


def state(number: int, name: str) -> StateRecord:
    return StateRecord(number.to_bytes(16, "big"), name, ("ab12",), 1e9, 0, 0.0)

"""When each of some names had its last one, as far as that still counts: over restarts too.

Else each loss of power would be a way around the limits.
"""

from __future__ import annotations

from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.records import FactRecord, RecordKey, Snapshot

REMEMBERED: Final = 1024


class Lately:
    """In memory, and as facts `prefix` and the name in hex on disk."""

    def __init__(self, ctx: Context, prefix: str, span_s: float) -> None:
        self._ctx = ctx
        self._prefix = prefix
        self._span_s = span_s
        self._at: dict[bytes, Instant] = {}  # oldest first

    def restore(self, snapshot: Snapshot) -> dict[bytes, Instant]:
        """Go on from the disk; those that still count, and when they had theirs."""
        facts = [one for one in snapshot.records if isinstance(one, FactRecord) and one.name.startswith(self._prefix)]
        found = {bytes.fromhex(one.name[len(self._prefix) :]): float(one.value.decode()) for one in facts}
        self._at = dict(sorted(found.items(), key=lambda item: item[1]))
        return {name: at for name, at in self._at.items() if self.had(name)}

    def had(self, name: bytes) -> bool:
        """It had one, too short a while ago for another."""
        return self._ctx.now < self._at.get(name, float("-inf")) + self._span_s

    def note(self, name: bytes) -> None:
        """It has one now."""
        self._at.pop(name, None)
        self._at[name] = self._ctx.now
        self._ctx.persist(fact(self._prefix, name, self._ctx.now))
        over = [one for one in self._at if not self.had(one)]
        over = over or list(self._at)[: max(0, len(self._at) - REMEMBERED)]
        for one in over:
            del self._at[one]
        if over:
            self._ctx.forget(*(RecordKey(FactRecord, (self._prefix + one.hex(),)) for one in over))


def fact(prefix: str, name: bytes, at: Instant) -> FactRecord:
    """How it stands on disk that `name` had one at that time."""
    return FactRecord(prefix + name.hex(), repr(at).encode())

"""The store from within trio: each call in a worker thread, one after the other, so that no sync holds up the loop.

A call that has begun is always waited for, even when the daemon stops: a commit is never left half known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from meshnode.core.effects import Forget, Persist, ReadStored
from meshnode.core.inputs import BodiesDropped, Stored, StoreState
from meshnode.core.records import FactRecord, Snapshot
from meshnode.store.reads import Reads
from meshnode.store.store import Store

T = TypeVar("T")


class Disk:
    """One store, for one daemon."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = trio.Lock()

    async def commit(self, effects: Sequence[Persist | Forget], now: float, promise: bool) -> None:
        """See `Store.commit`."""
        await self._call(lambda: self._store.commit(effects, now, promise))

    async def answer(self, asked: ReadStored) -> Stored:
        """What is there of the blocks, envelopes and chunks asked for."""
        reads = self._store.reads
        return await self._call(
            lambda: Stored(
                asked.token,
                reads.blocks(asked.blocks, asked.most),
                reads.envelopes(asked.envelopes),
                reads.chunks(asked.chunks),
            )
        )

    async def tend(self, now: float) -> StoreState:
        """Make room if the store nears its limit, and say how full it is."""
        return await self._call(lambda: self._store.make_room(now))

    async def dropped(self) -> BodiesDropped:
        """The blocks that lost their bodies when room was made, each told once."""
        return await self._call(self._store.take_dropped)

    async def read(self, question: Callable[[Reads], T]) -> T:
        """Anything else that is read."""
        return await self._call(lambda: question(self._store.reads))

    async def copy_to(self, target: Path) -> None:
        """A copy of the file, whole, as it is between two commits."""
        await self._call(lambda: self._store.copy_to(target))

    async def snapshot(self) -> Snapshot:
        """All a node needs to go on."""
        return await self._call(self._store.snapshot)

    async def raise_epoch(self, name: str, now: float) -> int:
        """Count one more start, on disk before this returns (protocol rule 2.4)."""
        found = await self.read(lambda reads: list(reads.every(FactRecord, "WHERE name = ?", (name,))))
        epoch = int.from_bytes(found[0].value, "big") + 1 if found else 1
        await self.commit([Persist((FactRecord(name, epoch.to_bytes(3, "big")),))], now, promise=True)
        return epoch

    async def _call(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await trio.to_thread.run_sync(work)

"""All logs of a node: found by id, or by the handle a frame gives; their frontier and its digest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.fork import Adoption, ForkProof
from meshnode.core.chain.frontier import Element, frontier_digest
from meshnode.core.chain.log import STRANGERS, Log
from meshnode.core.chain.verdict import Verdict
from meshnode.core.ids import LogId

MAX_CANDIDATES: Final = 4  # logs that one handle may mean: each costs a signature check (rule 4.4)


class Logbook:
    """All logs of a node, found by id and by the 4 B handle. Which logs to open or drop, quotas decide above."""

    def __init__(self) -> None:
        self.logs: dict[LogId, Log] = {}
        self._by_handle: dict[bytes, list[Log]] = {}
        self._digest = b""
        self._encoded: dict[LogId, bytes] = {}  # the frontier, without the logs of which nothing counts yet
        self._order: list[LogId] = []
        self._dirty: set[LogId] = set()

    def __contains__(self, log: object) -> bool:
        return log in self.logs

    def __len__(self) -> int:
        return len(self.logs)

    def get(self, log: LogId) -> Log | None:
        """What is held of a log."""
        return self.logs.get(log)

    def open(self, log: LogId, ring: int = STRANGERS) -> Log:
        """The log, begun empty if it was not known."""
        known = self.logs.get(log)
        if known is None:
            known = self.logs[log] = Log(log, ring)
            self._by_handle.setdefault(known.handle, []).append(known)
            self._dirty.add(log)
        return known

    def drop(self, log: LogId) -> None:
        """Forget a log."""
        gone = self.logs.pop(log, None)
        if gone is not None:
            self._by_handle[gone.handle].remove(gone)
            if not self._by_handle[gone.handle]:
                del self._by_handle[gone.handle]
            self._dirty.add(log)

    def candidates(self, handle: bytes) -> list[Log]:
        """The logs a handle may mean, nearest ring first, at most 4."""
        found = self._by_handle.get(handle, [])
        return sorted(found, key=lambda log: log.ring)[:MAX_CANDIDATES] if len(found) > 1 else found[:]

    def offer(self, block: Block) -> Verdict:
        """Take one verified block; its log is opened if it was not."""
        verdict = self.open(block.log).offer(block)
        if verdict.fresh:
            self._dirty.add(block.log)
        return verdict

    def convict(self, proof: ForkProof) -> bool:
        """Freeze a log below a proven split. False when a proof we have stands."""
        news = self.open(proof.log).convict(proof)
        if news:
            self._dirty.add(proof.log)
        return news

    def adopt(self, adoption: Adoption) -> bool:
        """The owner says which branch of a log is right. False when an earlier statement stands."""
        self._dirty.add(adoption.log)
        return self.open(adoption.log).adopt(adoption)

    def settle(self, log: LogId) -> tuple[int, int] | None:
        """After `convict` or `adopt`: the stretch of rows to forget, if any; see `Log.settle`."""
        self._dirty.add(log)
        return self.logs[log].settle()

    def restore_proof(self, proof: ForkProof, replaced: int) -> None:
        """Take up again a stored proof."""
        log = self.open(proof.log)
        log.proof, log.replaced, log.frozen_at = proof, replaced, log.frozen_at or proof.seq

    def frontier(self) -> Iterator[Element]:
        """All elements, sorted by log; logs of which nothing counts yet are left out."""
        self._refresh()
        return (self.logs[log].element for log in self._order)

    def digest(self, key: bytes) -> bytes:
        """The frontier digest under the mesh's digest subkey; computed when asked for after a change."""
        if self._dirty:
            self._refresh()
        if not self._digest:
            self._digest = frontier_digest(key, (self._encoded[log] for log in self._order))
        return self._digest

    def _refresh(self) -> None:
        """Bring the encoded frontier up to date: only what changed is encoded anew, a box has thousands of logs."""
        if not self._dirty:
            return
        for log in self._dirty:
            held = self.logs.get(log)
            counts = held is not None and held.counts
            if counts != (log in self._encoded):
                self._order = []
            if held is not None and counts:
                self._encoded[log] = held.element.encode()
            else:
                self._encoded.pop(log, None)
        self._order = self._order or sorted(self._encoded)
        self._dirty.clear()
        self._digest = b""

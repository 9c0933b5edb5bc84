"""Runs: blocks of one log in a row, their backlinks elided because each can be computed from the one before.

The first block of a run gives its backlink (unless it is seq 1), so a run can be checked by whoever receives it, after
a gap too, and a receiver on another branch sees a split instead of a wrong signature. A block gives its backlink again
where it does not link to the one before it in the run.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshnode.core.chain.block import Block, compact_of
from meshnode.core.chain.compact import Compact
from meshnode.errors import UsageError


def build_run(blocks: Iterable[Block]) -> tuple[Compact, ...]:
    """The wire form of blocks of one log with consecutive seqs, lowest first."""
    run: list[Compact] = []
    before: Block | None = None
    for block in blocks:
        if before is not None and (block.log != before.log or block.seq != before.seq + 1):
            raise UsageError("a run is made of consecutive blocks of one log")
        run.append(compact_of(block, elide=before is not None and block.prev == before.ref))
        before = block
    return tuple(run)

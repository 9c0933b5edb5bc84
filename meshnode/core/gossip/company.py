"""News on their way over an uplink: blocks of one log that come soon after each other share a run.

The first goes at once. What follows within 0.2 s waits until then, or until it is 16 KiB: in a run a block leaves out
its backlink and the name of its log, 29 B of perhaps 200. An emergency waits for nothing, goes first, and takes along
what waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from meshnode.core.chain.block import Block, compact_of
from meshnode.core.chain.ranges import build_run
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import NodeKey, log_handle
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.neighbours.table import Neighbour, Neighbours
from meshnode.core.wire.frames import BlockFrame, Run

APART_S: Final = 0.2
MOST: Final = 16 * 1024  # bytes: what a session writes at once, and far below what a record holds
_AROUND: Final = 70  # bytes of a block in a run beside its body


@dataclass(slots=True)
class _Waiting:
    """What waits for one far bridge, and until when."""

    until: Instant = NEVER
    blocks: list[Block] = field(default_factory=list)
    size: int = 0  # of them, in bytes


class Company:
    """Blocks that may cross, for each far bridge."""

    def __init__(self, ctx: Context, neighbours: Neighbours) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._waiting: dict[NodeKey, _Waiting] = {}

    def say(self, neighbour: Neighbour, block: Block, *, urgent: bool) -> None:
        """Send a new block, alone or soon in company."""
        waiting = self._waiting.setdefault(neighbour.node, _Waiting())
        waiting.blocks.append(block)
        waiting.size += _AROUND + len(block.body or b"")
        if urgent or self._ctx.now >= waiting.until or waiting.size >= MOST:
            self._speak(neighbour, waiting, first=block if urgent else None)

    def tick(self) -> None:
        """What waited long enough goes; who is gone, or has no room left, compares later."""
        for node in [node for node, waiting in self._waiting.items() if waiting.until <= self._ctx.now]:
            neighbour, waiting = self._neighbours.get(node), self._waiting.pop(node)
            if waiting.blocks and neighbour is not None and self._neighbours.has_news_at_once(neighbour, True):
                self._waiting[node] = waiting
                self._speak(neighbour, waiting)

    def wakeup(self) -> Instant | None:
        """When something has waited long enough."""
        return min((waiting.until for waiting in self._waiting.values()), default=None)

    def _speak(self, neighbour: Neighbour, waiting: _Waiting, first: Block | None = None) -> None:
        blocks, waiting.blocks, waiting.size = waiting.blocks, [], 0
        waiting.until = self._ctx.now + APART_S
        if neighbour.session is not None:
            for together in sorted(_in_rows(blocks), key=lambda row: row[-1] is not first):
                self._neighbours.speak(neighbour.session, frame_of(together, full=together[0].seq == 1))


def frame_of(blocks: list[Block], *, full: bool) -> BlockFrame | Run:
    """Blocks of one log in a row as a frame; `full`: with the whole log id, for who cannot know its handle."""
    first = blocks[0]
    ref = first.log if full else log_handle(first.log)
    if len(blocks) == 1:
        return BlockFrame(ref, compact_of(first, elide=False))
    return Run(ref, first.seq, build_run(blocks))


def _in_rows(blocks: list[Block]) -> list[list[Block]]:
    """Each log's blocks that follow each other."""
    rows: list[list[Block]] = []
    last: dict[bytes, list[Block]] = {}
    for block in blocks:
        row = last.get(block.log)
        if row is None or row[-1].seq + 1 != block.seq:
            row = last[block.log] = []
            rows.append(row)
        row.append(block)
    return rows

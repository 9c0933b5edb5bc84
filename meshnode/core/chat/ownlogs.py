"""Our own logs: the next block of each, signed once and published as signed (protocol rule 11.3).

Every 64 blocks a checkpoint follows: our claim over what we wrote since the last one (rule 4.8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.chain.block import ROOT, Block, write_block
from meshnode.core.chain.kinds import CHECKPOINT, DEFAULT_CLASS
from meshnode.core.context import Context
from meshnode.core.ids import REF_SIZE, BlockId, ChannelId, LogId, log_device, log_id
from meshnode.core.records import FactRecord, Snapshot

_DATE_FACT: Final = "newest_date"


class OwnLogs:
    """Heads of the logs of this incarnation. The node wires `publish`, which persists with a promise and spreads, and
    `checkpoint_due`: the body of the checkpoint that shall follow the block at that seq, or nothing.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._own = ctx.keys.device + ctx.keys.incarnation
        self._heads: dict[LogId, tuple[int, BlockId]] = {}
        self._newest = 0  # date of our newest block: a clock that steps back does not turn a log around (rule 10.2)
        self.publish: Callable[[Block], None] = _unheard
        self.checkpoint_due: Callable[[LogId, int], bytes] = _not_due

    def restore(self, snapshot: Snapshot) -> None:
        """Go on where the disk ends."""
        for index in snapshot.blocks:
            if log_device(index.log) == self._ctx.keys.device and index.seq > self.head(index.log)[0]:
                self._heads[index.log] = (index.seq, index.id)
        dates = [r.value for r in snapshot.records if isinstance(r, FactRecord) and r.name == _DATE_FACT]
        self._newest = max((int.from_bytes(date, "big") for date in dates), default=0)

    def log(self, channel: ChannelId) -> LogId:
        """Our log in a channel."""
        return log_id(self._ctx.keys.device, self._ctx.keys.incarnation, channel)

    def writes(self, log: LogId) -> bool:
        """True for the logs this incarnation of this device writes."""
        return log.startswith(self._own)

    def head(self, log: LogId) -> tuple[int, BlockId]:
        """The newest block of a log of this device: seq and id, (0, nothing) before the first."""
        return self._heads.get(log, (0, BlockId(b"")))

    def write(self, channel: ChannelId, kind: int, body: bytes, *, cls: int = DEFAULT_CLASS) -> Block:
        """Append to our log in a channel, and publish."""
        log = self.log(channel)
        block = self._append(log, kind, body, cls)
        claim = self.checkpoint_due(log, block.seq)
        if claim:
            self._append(log, CHECKPOINT, claim, DEFAULT_CLASS)
        return block

    def date(self) -> int:
        """Unix seconds for a block, never below those of the one before; 0 while the date is unknown."""
        clock = self._ctx.date
        return max(self._newest, int(clock.at(self._ctx.now))) if clock.known else 0

    def _append(self, log: LogId, kind: int, body: bytes, cls: int) -> Block:
        seq, before = self.head(log)
        ours = self._ctx.date is self._ctx.clock  # what neighbours say shall not bind us for ever
        if ours and self.date() > self._newest:
            self._newest = self.date()
            self._ctx.persist(FactRecord(_DATE_FACT, self._newest.to_bytes(8, "big")))
        block = write_block(
            log,
            seq + 1,
            before[:REF_SIZE] if seq else ROOT,
            kind,
            body,
            time=self.date(),
            secret=self._ctx.keys.device_secret,
            sealer=self._ctx.sealer,
            cls=cls,
        )
        self._heads[log] = (block.seq, block.id)
        self.publish(block)
        return block


def _unheard(block: Block) -> None:
    return None


def _not_due(log: LogId, seq: int) -> bytes:
    return b""

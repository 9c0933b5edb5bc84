"""Logs that split: prove it, keep the proof, tell it to those who hold the log, show it to a person (rules 4.9, 4.10).

a second block at a held seq -> read the held one -> prove -> freeze, write, notify, send on
a proof from the air         -> verify            ->          freeze, write, notify, send on
a checkpoint that contradicts its log: frozen already ->              notify; the block is the proof, and goes on
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.chain.block import Block, stored_block
from meshnode.core.chain.fork import ForkProof, prove
from meshnode.core.chain.log import Log
from meshnode.core.context import Context
from meshnode.core.effects import ReadStored
from meshnode.core.gossip.flood import class_of
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.serve import TOKENS, fork_frame
from meshnode.core.ids import LogId, log_device
from meshnode.core.inputs import Stored
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.notices import ForkFound
from meshnode.core.trust.rings import STRANGERS, Rings
from meshnode.core.wire.frames import ForkFrame

FIRST_TOKEN: Final = TOKENS << 2
MAX_READING: Final = 64


class Forks:
    """Splits that are being proved, and proofs on their way."""

    def __init__(self, ctx: Context, neighbours: Neighbours, logs: Logs, rings: Rings) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._rings = rings
        self._reading: dict[int, Block] = {}
        self._token = FIRST_TOKEN
        logs.on_split = self._show
        self.on_proven: Callable[[Log], None] = _ignore_log
        self.holders: Callable[[Log], list[Neighbour]] = _nobody
        self.on_own: Callable[[], None] = _ignore  # our own log split: somebody else writes in our name

    def split(self, block: Block) -> None:
        """A verified block other than the held one at its seq."""
        if len(self._reading) < MAX_READING:
            self._token += 1
            self._reading[self._token] = block
            self._ctx.emit(ReadStored(self._token, ((block.log, block.seq, 1),)))

    def stored(self, stored: Stored) -> bool:
        """The held block was read; False when it was not for us."""
        other = self._reading.pop(stored.token, None)
        if other is None:
            return False
        for row in stored.blocks:
            if row.id != other.id:
                self._convict(prove(stored_block(row.content, row.signature, None), other), b"")
        return True

    def proof_untrusted(self, heard: Heard, frame: ForkFrame) -> None:
        """A proof from the air."""
        proof = self._logs.convict_untrusted(
            frame.log, frame.content_a, frame.signature_a, frame.content_b, frame.signature_b
        )
        if proof is not None:
            self._tell(proof, heard.node)

    def _convict(self, proof: ForkProof, source: bytes) -> None:
        if self._logs.convict(proof):
            self._logs.flush()
            self._tell(proof, source)

    def _tell(self, proof: ForkProof, source: bytes) -> None:
        self._show(proof.log)
        held = self._logs.book.logs[proof.log]
        frame, cls = fork_frame(proof), _class_of(proof, held.ring)
        key, author = b"fork" + held.handle, log_device(proof.log)
        if held.ring < STRANGERS:
            self._neighbours.spread(
                frame, cls, except_node=source, key=key, jitter=True, ring=held.ring, author=author, previous=source
            )
        else:
            for holder in self.holders(held):
                if holder.node != source:
                    self._neighbours.send(
                        holder, frame, cls, key=key, jitter=True, ring=held.ring, author=author, previous=source
                    )
        self.on_proven(held)

    def _show(self, log: LogId) -> None:
        if self._logs.is_own(log):
            self.on_own()
        at = self._logs.book.logs[log].frozen_at
        self._ctx.notify(ForkFound(log, at, self._rings.persona_of(log_device(log))))


def _class_of(proof: ForkProof, ring: int) -> int:
    """That of its log: the better one of the two blocks'. Emergencies are no matter of proofs (rule 4.10)."""
    blocks = (
        stored_block(proof.content_a, proof.signature_a, None),
        stored_block(proof.content_b, proof.signature_b, None),
    )
    return min(class_of(block, ring) for block in blocks)


def _ignore() -> None:
    return None


def _nobody(log: Log) -> list[Neighbour]:
    return []


def _ignore_log(log: Log) -> None:
    return None

"""One log: a row of headers from its first block up to the first gap, and blocks kept beyond the gap.

Only the row counts for the frontier (rule 4.6). What each new block means stands in the table of `verdict.py`. Bodies
stay in the store; a log knows which are held, wanted, dropped, or removed by their author.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from meshnode.core.chain.block import ROOT, Block
from meshnode.core.chain.checkpoint import agrees, decode_checkpoint_untrusted
from meshnode.core.chain.compact import MAX_SEQ
from meshnode.core.chain.fork import MAX_REPLACEMENTS, Adoption, ForkProof
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.kinds import (
    BODY_DROPPED,
    BODY_HELD,
    BODY_MISSING,
    BODY_REMOVED,
    CHECKPOINT,
    FLOOR,
    acted_upon,
)
from meshnode.core.chain.prune import decode_floor_untrusted, touchable
from meshnode.core.chain.rows import Rows
from meshnode.core.chain.verdict import Verdict
from meshnode.core.ids import REF_SIZE, BlockId, LogId, log_handle
from meshnode.errors import WireError

MAX_BEYOND: Final = 2048  # blocks kept above a gap: a page or two of newest-first fetching
MAX_BEYOND_STRANGERS: Final = 256  # each takes some 350 B of memory, and strangers may have a thousand logs
STRANGERS: Final = 3  # the ring of a log nobody placed nearer
_FIRST_LOOK: Final = 16  # how far below a suspicious block to look for the split; four times farther each time


_READ: Final = frozenset({CHECKPOINT, FLOOR})  # the kinds a log acts upon itself


class Held(NamedTuple):
    """A block kept beyond the gap. `body` only where the log itself reads it (checkpoints, floors)."""

    id: BlockId
    prev: bytes
    kind: int
    state: int
    body_len: int
    body: bytes


class Log:
    """What is held of one log, bodies apart."""

    __slots__ = (
        "_looks",
        "adopted_id",
        "adopted_seq",
        "beyond",
        "floor",
        "frozen_at",
        "handle",
        "id",
        "proof",
        "replaced",
        "ring",
        "rows",
        "suspect",
    )

    def __init__(self, log: LogId, ring: int = STRANGERS) -> None:
        self.id = log
        self.handle = log_handle(log)
        self.ring = ring
        self.rows = Rows()
        self.beyond: dict[int, Held] = {}
        self.floor = 0
        self.frozen_at = 0  # first seq of a split, 0 none
        self.proof: ForkProof | None = None
        self.replaced = 0  # how often a lower proof took the place of another
        self.adopted_seq = 0
        self.adopted_id = BlockId(b"")
        self.suspect = 0  # lowest seq whose backlink contradicts what we hold below it
        self._looks = 0

    # -- what there is

    @property
    def last(self) -> int:
        """Last seq of the row, split or not."""
        return self.rows.last

    @property
    def forked(self) -> bool:
        """True when the log is known to have split."""
        return self.frozen_at != 0

    @property
    def limit(self) -> int:
        """The highest seq that counts here: below a split, or up to the adopted block."""
        if not self.frozen_at:
            return MAX_SEQ
        return max(self.frozen_at - 1, self.adopted_seq)

    @property
    def served(self) -> int:
        """The highest seq that others may have: what counts, and a checkpoint that contradicts it, for all to see."""
        proven = self.proof is not None and self.proof.seq <= self.frozen_at
        return self.limit if proven else max(self.limit, self.frozen_at)

    @property
    def head(self) -> int:
        """The contiguous head as the frontier tells it."""
        return min(self.rows.last, self.limit) if self.frozen_at else self.rows.last

    @property
    def counts(self) -> bool:
        """True once the frontier tells of this log."""
        return bool(self.rows.last or self.frozen_at)

    @property
    def element(self) -> Element:
        """This log in the frontier."""
        return Element(self.id, self.head, self.forked)

    @property
    def highest(self) -> int:
        """The highest seq held at all, beyond gaps too."""
        return max(self.rows.last, max(self.beyond, default=0))

    def id_at(self, seq: int) -> BlockId | None:
        """The id of the block held at `seq`."""
        if seq in self.rows:
            return self.rows.id_at(seq)
        held = self.beyond.get(seq)
        return held.id if held else None

    def state_at(self, seq: int) -> int:
        """What is known of the body at `seq`; BODY_MISSING where no header is held."""
        if seq in self.rows:
            return self.rows.state_at(seq)
        held = self.beyond.get(seq)
        return held.state if held else BODY_MISSING

    def ref_before(self, seq: int) -> bytes | None:
        """The backlink a block at `seq` must have, as far as we know."""
        if seq == 1:
            return ROOT
        before = self.id_at(seq - 1)
        return before[:REF_SIZE] if before else None

    def gaps(self, upto: int) -> list[tuple[int, int]]:
        """Stretches (first, count) of headers to ask for, up to a head that a neighbour told."""
        cursor, upto, out = self.rows.last + 1, min(upto, self.limit), []
        for seq in sorted(self.beyond):
            if cursor <= upto and seq > cursor:
                out.append((cursor, min(seq - 1, upto) - cursor + 1))
            cursor = max(cursor, seq + 1)
        if cursor <= upto:
            out.append((cursor, upto - cursor + 1))
        return out

    @property
    def below(self) -> tuple[int, int] | None:
        """The stretch (first, count) in which to look for a split that must lie further down, or None."""
        top = self.suspect
        if self.proof is not None:
            top = 0 if self.proof.lowest or self.replaced >= 2 * MAX_REPLACEMENTS else self.proof.seq
        first = max(1, top - _FIRST_LOOK * 4**self._looks)
        return (first, top - first) if top > first else None

    def missing_bodies(self) -> Iterator[int]:
        """Seqs within the row whose bodies are wanted, lowest first."""
        return (seq for seq in self.rows.in_state(BODY_MISSING) if seq <= self.limit)

    def held_bodies(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Stretches (first, count) within these seqs whose bodies are here."""
        begun = 0
        for seq in range(first, last + 2):
            here = seq <= last and self.state_at(seq) == BODY_HELD
            if here and not begun:
                begun = seq
            elif begun and not here:
                yield begun, seq - begun
                begun = 0

    def droppable(self) -> Iterator[int]:
        """Seqs whose bodies the author allowed to drop."""
        return (seq for seq in self.rows.in_state(BODY_HELD) if seq < self.floor and self.touchable(seq))

    def touchable(self, seq: int) -> bool:
        """True when the body at `seq` may ever be dropped."""
        return touchable(self.id, self.rows.kind_at(seq))

    # -- what happens to it

    def offer(self, block: Block) -> Verdict:
        """Take one verified block of this log; the table in `verdict.py` says what comes of it."""
        held = self.id_at(block.seq)
        if held == block.id:
            return self._again(block)
        if self.frozen_at and block.seq >= self.frozen_at:
            return self._past_split(block, held)
        if held is not None:
            return Verdict.FORK
        return self._place(block)

    def drop_body(self, seq: int) -> int:
        """The body at `seq` is gone from here: by its author below the floor, else by quota. How long it was."""
        if self.state_at(seq) != BODY_HELD:
            return 0
        if seq in self.rows:
            self.rows.set_state(seq, BODY_REMOVED if seq < self.floor and self.touchable(seq) else BODY_DROPPED)
            return self.rows.body_len_at(seq)
        held = self.beyond[seq]
        self.beyond[seq] = held._replace(state=BODY_DROPPED)
        return held.body_len

    def want_dropped(self) -> None:
        """Its writer came nearer: bodies that went to make room are wanted again."""
        for seq in list(self.rows.in_state(BODY_DROPPED)):
            self.rows.set_state(seq, BODY_MISSING)
        self._raise_floor(self.floor)

    def convict(self, proof: ForkProof) -> bool:
        """Freeze the log below a proven split. False when a proof we have stands."""
        if not proof.replaces(self.proof, self.replaced):
            return False
        if self.proof is not None:
            self.replaced += 1
        self.proof, self.frozen_at = proof, min(proof.seq, self.frozen_at or proof.seq)
        self.suspect = 0
        self._looks += 1
        return True

    def adopt(self, adoption: Adoption) -> bool:
        """The owner says which branch is right. Of several statements the one that reaches highest holds."""
        if (adoption.seq, adoption.id) <= (self.adopted_seq, self.adopted_id):
            return False
        self.adopted_seq, self.adopted_id = adoption.seq, adoption.id
        return True

    def settle(self) -> tuple[int, int] | None:
        """After `convict` or `adopt`: forget what may be the other branch; the stretch (first, last) that is gone.

        What is held past a split stays where no branch was adopted; it is shown, marked.
        """
        if (
            not self.frozen_at <= self.adopted_seq
            or not 0 < self.frozen_at <= self.highest
            or self._on_adopted_branch()
        ):
            return None
        gone = (self.frozen_at, self.highest)
        for seq in [one for one in self.beyond if one >= self.frozen_at]:
            del self.beyond[seq]
        self.rows.cut(self.frozen_at)
        return gone

    def restore(self, floor: int, frozen_at: int, adopted: bytes) -> None:
        """Take up again what the log's row says; `restore_block` follows for each of its blocks, lowest seq first."""
        self.floor, self.frozen_at = floor, frozen_at
        self.adopted_seq, self.adopted_id = int.from_bytes(adopted[:4], "big"), BlockId(adopted[4:])

    def restore_block(self, seq: int, held: Held) -> None:
        """Take up again one stored block; where its backlink is not known (empty), rows are taken as they stand."""
        follows = seq == self.rows.last + 1
        if follows and held.prev in (b"", self.ref_before(seq)):
            self.rows.append(held.id, held.kind, held.state, held.body_len)
        elif held.prev and held.kind not in _READ:
            self.beyond[seq] = held
            if follows:
                self.suspect = seq

    @property
    def adopted(self) -> bytes:
        """The adopted block as a row keeps it: seq 4 | id 32, or nothing."""
        return self.adopted_seq.to_bytes(4, "big") + self.adopted_id if self.adopted_seq else b""

    # -- how

    def _again(self, block: Block) -> Verdict:
        if block.body is None or self.state_at(block.seq) != BODY_MISSING:
            return Verdict.DUPLICATE
        if block.seq in self.rows:
            self.rows.set_state(block.seq, BODY_HELD)
            return self._read(block.seq, _understood(block), block.body, Verdict.BODY)
        self.beyond[block.seq] = self._held(block)
        return Verdict.BODY

    def _place(self, block: Block) -> Verdict:
        seq, held = block.seq, self._held(block)
        if seq == self.rows.last + 1:
            return self._next(seq, held)
        if len(self.beyond) >= (MAX_BEYOND if self.ring < STRANGERS else MAX_BEYOND_STRANGERS):
            return Verdict.TOO_FAR
        self.beyond[seq] = held
        return Verdict.BEYOND_GAP

    def _next(self, seq: int, held: Held) -> Verdict:
        if held.prev == (self.rows.ref_at(seq - 1) if seq > 1 else ROOT):
            verdict = self._append(seq, held)
            if self.beyond:
                self._pull()
            return verdict
        self.beyond[seq] = held
        self.suspect = seq
        return Verdict.FORK_BELOW

    def _append(self, seq: int, held: Held) -> Verdict:
        self.rows.append(held.id, held.kind, held.state, held.body_len)
        return self._read(seq, held.kind, held.body, Verdict.NEW) if held.body else Verdict.NEW

    def _pull(self) -> None:
        """Join what waited beyond the gap, as far as it links."""
        while (held := self.beyond.get(self.rows.last + 1)) is not None:
            seq = self.rows.last + 1
            if held.prev != self.rows.ref_at(seq - 1):
                self.suspect = seq
                return
            del self.beyond[seq]
            self._append(seq, held)

    def _held(self, block: Block) -> Held:
        state = BODY_HELD
        if block.body is None:
            gone = block.seq < self.floor and touchable(self.id, block.kind)
            state = BODY_REMOVED if gone else BODY_MISSING
        read = block.body if block.kind in _READ and block.body is not None and _understood(block) else b""
        return Held(block.id, block.prev, block.kind, state, block.body_len, read)

    def _read(self, seq: int, kind: int, body: bytes, otherwise: Verdict) -> Verdict:
        """Act upon what a block says of its own log. A statement we cannot read is no statement."""
        try:
            if kind == FLOOR:
                self._raise_floor(decode_floor_untrusted(body, seq))
            elif kind == CHECKPOINT and not agrees(decode_checkpoint_untrusted(body, seq), self.rows):
                self.frozen_at = min(seq, self.frozen_at or seq)
                return Verdict.BAD_CHECKPOINT
        except WireError:
            return otherwise
        return otherwise

    def _raise_floor(self, floor: int) -> None:
        self.floor = max(self.floor, floor)
        for seq in self.rows.in_state(BODY_MISSING):
            if seq < self.floor and self.touchable(seq):
                self.rows.set_state(seq, BODY_REMOVED)

    def _past_split(self, block: Block, held: BlockId | None) -> Verdict:
        """Past a split only the adopted branch is taken, from its named end down: each block pins the one below."""
        if held is not None or block.seq > self.adopted_seq or not self._pinned(block):
            return Verdict.FROZEN
        return self._place(block)

    def _pinned(self, block: Block) -> bool:
        if block.seq == self.adopted_seq:
            return block.id == self.adopted_id
        above = self.beyond.get(block.seq + 1)
        return above is not None and above.prev == block.ref

    def _on_adopted_branch(self) -> bool:
        return self.adopted_seq in self.rows and self.rows.id_at(self.adopted_seq) == self.adopted_id


def _understood(block: Block) -> int:
    """Its kind; 0 for what a later version means by that number."""
    return block.kind if acted_upon(block.version, block.kind) else 0

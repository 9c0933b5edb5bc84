"""The logs held here, as gossip needs them: blocks from the air are verified, kept and written.

A block is taken once it verified under one of the logs its handle may mean. What it meant for its log is a `Verdict`
(chain/verdict.py); what is to be written of blocks and logs is written once a step. In which order logs changed stands
in `history.py`, what they take of the store in `shares.py`, which may be opened in `admission.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from meshnode.core.chain.block import Block, verify_untrusted
from meshnode.core.chain.compact import Compact
from meshnode.core.chain.fork import Adoption, ForkProof, verify_fork_untrusted
from meshnode.core.chain.frontier import Element, frontier_digest
from meshnode.core.chain.kinds import KNOWN, acted_upon
from meshnode.core.chain.log import Held, Log
from meshnode.core.chain.logbook import Logbook
from meshnode.core.chain.verdict import Verdict
from meshnode.core.context import Context
from meshnode.core.gossip.admission import PARCEL, Admission
from meshnode.core.gossip.history import History
from meshnode.core.gossip.shares import Shares
from meshnode.core.ids import LOG_ID_SIZE, DeviceKey, LogId, PersonaKey, log_device
from meshnode.core.neighbours.neighbour import Heard
from meshnode.core.records import (
    BODY_HELD,
    BlockRecord,
    ForkProofRecord,
    LogRecord,
    RecordKey,
    Snapshot,
)
from meshnode.core.trust.rings import STRANGERS, Rings
from meshnode.core.wire.frames import Change
from meshnode.errors import WireError

RECENT: Final = 512  # verified blocks whose repetition costs no second look at the signature


class Taken(NamedTuple):
    """What became of a block from the air. `unknown`: no log here fits its handle. No `block` unless it verified."""

    block: Block | None = None
    verdict: Verdict | None = None
    unknown: bool = False
    duplicate: bool = False

    @property
    def new(self) -> bool:
        """The header, or a body that was missing, was not here before."""
        return self.verdict is not None and self.verdict.kept


class Logs:
    """The logbook with its quotas, its rows and the order of its changes."""

    def __init__(self, ctx: Context, rings: Rings) -> None:
        self._ctx = ctx
        self._rings = rings
        self.book = Logbook()
        self.history = History(ctx, self.book)
        self.shares = Shares(ctx, self.book)
        self.admission = Admission(ctx, rings)
        self.on_own_ahead: Callable[[Block], None] = _ignore
        self.on_pardoned: Callable[[], None] = _nothing
        self.on_split: Callable[[LogId], None] = _ignore_log  # a checkpoint contradicts its log
        self.on_wanted: Callable[[LogId], None] = _ignore_log  # bodies of a log are missing
        self.on_evicted: Callable[[LogId], None] = _ignore_log
        self._dirty: dict[LogId, None] = {}
        self._blocks: list[BlockRecord] = []  # to be written
        self._recent: OrderedDict[bytes, tuple[Compact, Block]] = OrderedDict()  # by signature
        self._own = ctx.keys.device + ctx.keys.incarnation
        rings.on_changed.append(self._rings_changed)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        self.admission.restore(snapshot)
        records = sorted((r for r in snapshot.records if isinstance(r, LogRecord)), key=lambda record: record.used_at)
        for record in records:
            log = self.book.open(record.log, record.ring)
            log.restore(record.floor, record.frozen_at, record.adopted)
            self.shares.restore(record)
            self.admission.opened(record.log, record.used_at)
            self.history.note(record.log, float("-inf"))
        for index in sorted(snapshot.blocks, key=lambda index: (index.log, index.seq)):
            held = Held(index.id, index.prev, index.kind, index.body_state, index.body_len, b"")
            self.book.open(index.log, STRANGERS).restore_block(index.seq, held)
        for proof in snapshot.records:
            if isinstance(proof, ForkProofRecord):
                self._restore_proof(proof)
        for record in records:
            log = self.book.logs[record.log]
            log.ring = self.admission.ring_of(log.id)
            if log.ring < STRANGERS:
                log.want_dropped()
        self.shares.count_strangers()
        self.shares.carried = sum(
            index.body_len
            for index in snapshot.blocks
            if index.kind not in KNOWN and index.body_state == BODY_HELD and self._is_near(index.log)
        )

    # what there is

    def digest(self) -> bytes:
        """The frontier digest, remembered: whoever tells it later lacks exactly what changed since."""
        return self.history.digest()

    def digest_of(self, elements: Iterable[Element]) -> bytes:
        """The digest of another list, sorted by log here."""
        return frontier_digest(self._ctx.mesh.digest, (element.encode() for element in sorted(elements)))

    def candidates(self, ref: bytes) -> list[Log]:
        """The logs a handle or full id means."""
        if len(ref) == LOG_ID_SIZE:
            log = self.book.get(LogId(ref))
            return [log] if log else []
        return self.book.candidates(ref)

    def ids(self, ref: bytes) -> list[LogId]:
        """The logs a handle may mean; a full id means itself, held or not."""
        if len(ref) == LOG_ID_SIZE:
            return [LogId(ref)]
        return [log.id for log in self.book.candidates(ref)]

    def is_own(self, log: LogId) -> bool:
        """True for the logs this incarnation of this device writes."""
        return log.startswith(self._own)

    # what comes in

    def take_untrusted(self, ref: bytes, compact: Compact, heard: Heard, prev_ref: bytes | None = None) -> Taken:
        """Verify a block and keep it. WireError when no log its handle means fits the signature."""
        known = self._recent.get(compact.signature)
        if known is not None and known[0] == compact:
            return Taken(known[1], duplicate=True)
        logs = self.ids(ref)
        if not logs:
            return Taken(unknown=True)
        wanted = [log for log in logs if not self.admission.refuses(log)]
        if not wanted or (self._ctx.store_refusing and not self.is_own(wanted[0])):
            self._ctx.count("block_refused")
            return Taken()
        block = self._verified_untrusted(wanted, compact, prev_ref)
        if block.log not in self.book.logs and not self.admission.admits(block.log, compact, _hop(heard)):
            return Taken()
        return self._keep(block, compact)

    def take_own(self, block: Block) -> None:
        """Our own next block: on disk before anyone hears of it."""
        self.book.open(block.log, 0)
        self._offer(block, promise=True)

    def convict_untrusted(
        self, log: LogId, content_a: bytes, signature_a: bytes, content_b: bytes, signature_b: bytes
    ) -> ForkProof | None:
        """Check a fork proof from the air; None when it is not news, or the log is none of ours."""
        held = self.book.get(log)
        if held is None:
            return None
        if held.proof is not None and held.proof.content_a == content_a and held.proof.content_b == content_b:
            return None
        proof = verify_fork_untrusted(log, content_a, signature_a, content_b, signature_b, self._ctx.sealer)
        return proof if self.convict(proof) else None

    def convict(self, proof: ForkProof) -> bool:
        """Keep a proof; False when the one we have stands."""
        if not self.book.convict(proof):
            return False
        self._ctx.persist(
            ForkProofRecord(
                proof.log,
                proof.seq,
                proof.content_a,
                proof.signature_a,
                proof.content_b,
                proof.signature_b,
                self.book.logs[proof.log].replaced,
            )
        )
        self._settle(proof.log)
        return True

    def adopt(self, adoption: Adoption) -> None:
        """The owner of a split log says which branch is right; identity verified that.

        A log not held yet is remembered for it if its writer is near: strangers could name logs without end.
        """
        known = adoption.log in self.book or self.admission.ring_of(adoption.log) < STRANGERS
        if known and self.book.adopt(adoption):
            self._settle(adoption.log)

    def branches(self, device: DeviceKey) -> list[Adoption]:
        """Of the logs of a device that split, the branch held here, to its end; those already adopted so far left out.

        What was held before the split is on either branch, so it takes a block past it to name one.
        """
        split = [log for log in self.book.logs.values() if log.forked and log_device(log.id) == device]
        return [
            Adoption(log.id, log.last, log.rows.id_at(log.last))
            for log in split
            if log.last >= log.frozen_at and log.last > log.adopted_seq
        ]

    def _settle(self, log: LogId) -> None:
        """A log split, or a branch was adopted: rows that may be of the other branch go."""
        gone = self.book.settle(log)
        if gone is not None:
            self._forget_recent(log)
            self._forget(*(RecordKey(BlockRecord, (log, seq)) for seq in range(gone[0], gone[1] + 1)))
        self.history.note(log, self._ctx.now)
        self._dirty[log] = None

    def bodies_dropped(self, blocks: Iterable[tuple[LogId, int]]) -> None:
        """The store made room: these bodies are gone, and not wanted again while their writer is no nearer."""
        for log_id, seq in blocks:
            log = self.book.get(log_id)
            size = log.drop_body(seq) if log is not None else 0
            if log is not None and size:
                self.shares.weigh(log, -size)
                self._dirty[log_id] = None

    def flush(self) -> None:
        """Write the blocks that came in this step, and the rows of logs that changed."""
        if not self._blocks and not self._dirty:
            return
        rows = [self._row(self.book.logs[log]) for log in self._dirty]
        self._ctx.persist(*self._blocks, *rows)
        self._blocks.clear()
        self._dirty.clear()

    # how

    def _verified_untrusted(self, logs: list[LogId], compact: Compact, prev_ref: bytes | None) -> Block:
        failed: WireError | None = None
        for log in logs:
            try:
                return verify_untrusted(log, compact, prev_ref or self._ref_before(log, compact), self._ctx.sealer)
            except WireError as error:
                failed = error
        raise failed or WireError("no log fits a block")

    def _ref_before(self, log: LogId, compact: Compact) -> bytes | None:
        held = self.book.get(log)
        return held.ref_before(compact.seq) if held else None

    def _keep(self, block: Block, compact: Compact) -> Taken:
        if self.is_own(block.log) and self._contradicts_us(block):
            self.on_own_ahead(block)
        verdict = self._offer(block, promise=False)
        duplicate = not verdict.kept and verdict is Verdict.DUPLICATE
        if verdict.kept or duplicate:
            self._recent[compact.signature] = (compact, block)
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return Taken(block, verdict, False, duplicate)

    def _contradicts_us(self, block: Block) -> bool:
        held = self.book.get(block.log)
        return held is None or block.seq > held.last or held.id_at(block.seq) != block.id

    def _offer(self, block: Block, *, promise: bool) -> Verdict:
        log = self.book.logs.get(block.log)
        fresh_log = log is None
        if log is None:
            log = self.book.open(block.log, self.admission.ring_of(block.log))
        head, frozen_at = log.head, log.frozen_at
        verdict = self.book.offer(block)
        if log.id not in self.shares.used or (verdict.kept and log.id not in self._dirty):
            self.shares.use(log)  # once a step: a run of blocks is one use
            self.admission.opened(log.id, self._ctx.now)
        if verdict.kept:
            self._wrote(log, block, promise)
        if log.head != head or log.frozen_at != frozen_at:
            self.history.note(log.id, self._ctx.now)
            if log.frozen_at and not frozen_at:
                self.on_split(log.id)
        if log.ring == STRANGERS and (fresh_log or self.shares.exceeded):
            self._make_room(log.id)
        return verdict

    def _wrote(self, log: Log, block: Block, promise: bool) -> None:
        body = block.body or b""
        if body and not acted_upon(block.version, block.kind) and not self._carries(log, len(body)):
            self._ctx.count("body_only_carried_dropped")
            log.drop_body(block.seq)
            body = b""
        self.shares.weigh(log, len(block.content) + len(block.signature) + len(body))
        row = BlockRecord(
            log.id,
            block.seq,
            block.id,
            block.content,
            block.signature,
            body,
            log.state_at(block.seq),
            block.kind,
            self._ctx.now,
        )
        if promise:
            self._ctx.persist(row, self._row(log), promise=True)
        else:
            self._blocks.append(row)
            self._dirty[log.id] = None

    def _carries(self, log: Log, size: int) -> bool:
        """What we do not act upon takes a stranger's space, whoever wrote it (rule 15.2)."""
        return log.ring == STRANGERS or self.is_own(log.id) or self.shares.carry(size)

    def _row(self, log: Log) -> LogRecord:
        size, used = self.shares.bytes.get(log.id, 0), self.shares.used.get(log.id, self._ctx.now)
        return LogRecord(log.id, 1, log.last, log.floor, log.frozen_at, log.adopted, log.ring, size, used)

    def _is_near(self, log: LogId) -> bool:
        return self.book.logs[log].ring < STRANGERS and not self.is_own(log)

    def _make_room(self, newcomer: LogId) -> None:
        """Beyond the strangers' places, or their share of the store, the least recently used go."""
        while (log := self.shares.next_to_go(newcomer)) is not None:
            self.evict(log)
        if self.shares.exceeded:
            self.admission.refuse(newcomer)  # it alone fills the share: what is held stays, no more is wanted

    def evict(self, log: LogId) -> None:
        """Forget a log and its rows, and do not want it for a day."""
        held = self.book.logs[log]
        rows = (*range(1, held.last + 1), *held.beyond)
        self._forget(*(RecordKey(BlockRecord, (log, seq)) for seq in rows), RecordKey(LogRecord, (log,)))
        if held.proof is not None:
            self._ctx.forget(RecordKey(ForkProofRecord, (log,)))
        self.book.drop(log)
        self._forget_recent(log)
        self._dirty.pop(log, None)
        self.shares.forget(log)
        self.history.forget(log)
        self.admission.closed(log)
        self.admission.refuse(log)
        self._ctx.count("log_evicted")
        self.on_evicted(log)

    def _forget(self, *keys: RecordKey) -> None:
        """Of what is to be written and is to go, the last word holds: it goes."""
        if self._blocks:
            self._ctx.persist(*self._blocks)
            self._blocks.clear()
        self._ctx.forget(*keys)

    def _forget_recent(self, log: LogId) -> None:
        """Blocks of this log are no longer held: their repetition is news again."""
        for signature in [signature for signature, (_, block) in self._recent.items() if block.log == log]:
            del self._recent[signature]

    def _restore_proof(self, record: ForkProofRecord) -> None:
        try:
            proof = verify_fork_untrusted(
                record.log, record.content_a, record.signature_a, record.content_b, record.signature_b, self._ctx.sealer
            )
        except WireError:
            self._ctx.count("stored_proof_damaged")
            return
        self.book.restore_proof(proof, record.replaced)

    def _rings_changed(self, persona: PersonaKey) -> None:
        """A writer came nearer or went farther: its logs move with it; those of a blocked contact go."""
        devices = self._rings.devices_of(persona)
        for log in [log for log in self.book.logs if log_device(log) in devices]:
            held = self.book.logs[log]
            if self._rings.blocked(log):
                self.evict(log)
                continue
            ring = self.admission.ring_of(log)
            if ring != held.ring:
                held.ring = ring
                self._dirty[log] = None
                if ring < STRANGERS:
                    held.want_dropped()
                    self._forget_recent(log)
                    self.on_wanted(log)
        self.shares.count_strangers()
        pardoned = [
            log for log in self.admission.refused() if log_device(log) in devices and not self._rings.blocked(log)
        ]
        for log in pardoned:
            self.admission.pardon(log)
        if pardoned or (self._rings.ring_of_persona(persona) < STRANGERS and self.admission.anybody_spent()):
            self.on_pardoned()


def change_of(log: Log) -> Change:
    """How a beacon or a delta tells this log."""
    return Change(log.handle, log.head, log.forked)


def _hop(heard: Heard) -> bytes:
    """Whose new logs are counted together: a bound neighbour's, a parcel's, those of all who are not bound."""
    if heard.carrier == "parcel":
        return PARCEL + b"%d" % (heard.session or 0)
    return heard.node if heard.bound else b""


def _ignore(block: Block) -> None:
    return None


def _ignore_log(log: LogId) -> None:
    return None


def _nothing() -> None:
    return None

"""Prekeys: our own, rotated weekly by powered-on time, and what the block of one says.

    body = X-Wing public key 1,216 | hint 1 | made 3 | open until 3 (minutes since 2026, 0 unknown) | certificate 138

Device and incarnation stand in the block's log. The certificate comes along, so that this one block is enough to write
to somebody: 1.36 kB.

    made --7 days--> a new one is made --49 days after made--> erased: what was sealed to it stays sealed for ever
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meshnode.core.chain.kinds import PREKEY
from meshnode.core.chat.ownlogs import OwnLogs
from meshnode.core.clock import Instant, created_minutes
from meshnode.core.context import Context
from meshnode.core.forwarding.strategies.spray_and_focus import bucket
from meshnode.core.identity.certificate import CERTIFICATE_SIZE, Certificate, read_certificate_untrusted
from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import PERSON_CHANNEL, BlockId, neighbour_id
from meshnode.core.ports import Sealer
from meshnode.core.records import PrekeyRecord, RecordKey, Snapshot
from meshnode.core.sealing.chainkey import ROOT_ID_SIZE
from meshnode.core.sealing.primitives import PREKEY_SIZE

DAY_S: Final = 86400.0
ROTATE_S: Final = 7 * DAY_S
KEEP_S: Final = 49 * DAY_S  # 21 of use by senders in far islands, 28 of longest lifetime (rule 8.1)
MIN_LEFT_S: Final = 2 * DAY_S
SPARE_S: Final = DAY_S  # an envelope ends that much before its prekey
MAX_ROOTS: Final = 4096
HINT_FROM_NODES: Final = 16  # with fewer, a bucket of 255 would all but name the node


@dataclass(frozen=True, slots=True)
class PrekeyBody:
    """What a PREKEY block says."""

    public: bytes
    hint: int
    made: int
    open_until: int
    certificate: bytes

    def encode(self) -> bytes:
        """The body of the block."""
        dates = self.made.to_bytes(3, "big") + self.open_until.to_bytes(3, "big")
        return self.public + bytes((self.hint,)) + dates + self.certificate


def decode_prekey_untrusted(body: bytes, sealer: Sealer) -> tuple[PrekeyBody, Certificate]:
    """A prekey, and the certificate of its device with its signature checked."""
    cursor = Cursor(body, "a prekey block")
    public, hint = cursor.take(PREKEY_SIZE), cursor.number(1)
    made, open_until, certificate = cursor.number(3), cursor.number(3), cursor.take(CERTIFICATE_SIZE)
    cursor.end()
    return PrekeyBody(public, hint, made, open_until, certificate), read_certificate_untrusted(certificate, sealer)


class Prekeys:
    """Our own prekeys."""

    def __init__(self, ctx: Context, logs: OwnLogs) -> None:
        self._ctx = ctx
        self._logs = logs
        self._held: dict[BlockId, PrekeyRecord] = {}
        self.known_nodes = 0  # how many nodes we know of: decides whether a hint is given

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, PrekeyRecord):
                self._held[record.block] = record

    def live(self) -> list[PrekeyRecord]:
        """Those that open, the newest first."""
        return sorted(self._held.values(), key=lambda record: record.made_at, reverse=True)

    def rotate(self) -> None:
        """Make the next one if it is time, erase those that are over. Only powered-on time counts (rule 8.2)."""
        now = self._ctx.now
        over = [record for record in self._held.values() if record.open_until <= now]
        for record in over:
            del self._held[record.block]
        if over:
            self._ctx.forget(*(RecordKey(PrekeyRecord, (record.block,)) for record in over))
        if now >= self._next_at():
            self._make()

    def wakeup(self) -> Instant:
        """When there is something to make or erase."""
        return min([self._next_at(), *(record.open_until for record in self._held.values())])

    def used(self, record: PrekeyRecord, root: bytes) -> PrekeyRecord:
        """Remember H(root), so that a replay is known; the row is for the caller's Persist (rule 8.6)."""
        roots = (record.roots + root)[-MAX_ROOTS * ROOT_ID_SIZE :]
        self._held[record.block] = replace(record, roots=roots)
        return self._held[record.block]

    def _next_at(self) -> Instant:
        return max((record.made_at + ROTATE_S for record in self._held.values()), default=self._ctx.now)

    def _make(self) -> None:
        secret, public = self._ctx.sealer.new_prekey()
        now, keys = self._ctx.now, self._ctx.keys
        made = created_minutes(self._ctx.clock, now)
        until = min(0xFFFFFF, made + int(KEEP_S // 60)) if made else 0
        hint = bucket(neighbour_id(keys.node, self._ctx.mesh.id)) if self.known_nodes >= HINT_FROM_NODES else 0
        body = PrekeyBody(public, hint, made, until, keys.certificate)
        block = self._logs.write(PERSON_CHANNEL, PREKEY, body.encode())
        record = PrekeyRecord(block.id, secret, public, now, now + KEEP_S, b"")
        self._held[block.id] = record
        self._ctx.persist(record, promise=True)


def seen_root(record: PrekeyRecord, root: bytes) -> bool:
    """A first message with this H(root) was opened before."""
    roots = record.roots
    return any(roots[at : at + ROOT_ID_SIZE] == root for at in range(0, len(roots), ROOT_ID_SIZE))

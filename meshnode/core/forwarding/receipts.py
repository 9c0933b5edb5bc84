"""Receipts: what the recipient reveals, and anyone can check against a tag. They purge copies on their way back.

    matched    opens a tag met here: purge, tombstone, on to whom the envelope came from and went to, class 0
    unmatched  opens nothing met here (yet): class 3, at most 256 per previous hop, 24 h, passed on at encounters only

Our own wait up to 9 s, so that four or more ride together (150 B a hop alone, 46 in company) and still come before the
custody proofs they replace; not if somebody waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.custody import Custody
from meshnode.core.forwarding.scope import Scope
from meshnode.core.forwarding.shelf import REMEMBER, Shelf
from meshnode.core.forwarding.timers import Timers
from meshnode.core.ids import NodeKey, Receipt, Tag
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.records import RecordKey, Snapshot, TombstoneRecord
from meshnode.core.sealing.envelope import LONGEST_S, receipt_tag
from meshnode.core.wire.frames import Receipts as ReceiptsFrame

BATCH_S: Final = 9.0
BATCH: Final = 8  # in one frame; so many do not wait for more, but for a burst they came with
FULL: Final = 4 * BATCH
BURST_S: Final = 0.25
LOOSE_S: Final = 86400.0
MAX_LOOSE: Final = 256  # per previous hop (rule 9.3)
_MAX_LOOSE_HOPS: Final = 64
_LOOSE_AT_ONCE: Final = 64
MATCHED_CLASS, LOOSE_CLASS = 0, 3
_AGAIN_S: Final = 1.0  # the same receipt to the same neighbour
_TWICE_AFTER_S: Final = 2.0  # nobody confirms a receipt: on a lossy link it is said once more

MAX_PASSING: Final = 100_000  # tombstones of others: a member can make envelopes and their receipts at will
MAX_UNTOLD: Final = 256  # of each node
_MAX_UNTOLD_NODES: Final = 64
_UNSURE_S: Final = 300.0  # what was told so shortly before it fell silent, it may not have heard
_STAYS_S: Final = 1024.0  # who has been here for so long beacons seldom, and stays
_MAX_TOLD: Final = 20_000
NEAR, MOST_HOPS = 1, 255  # hops of a receipt: of one that is sent where it was made; and beyond that it stays

Bundle = dict[Tag, Receipt]  # receipts under the tags they open: one is hashed when it comes, and not again
OnReceipt = Callable[[Tag, Receipt, int], bool]  # and how many hops it came, 0 unknown; true: of a message of ours


class Receipts:
    """Tombstones, and receipts on their way."""

    def __init__(self, ctx: Context, neighbours: Neighbours, shelf: Shelf, custody: Custody, scope: Scope) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._shelf = shelf
        self._custody = custody
        self._scope = scope
        self._tombstones: Bundle = {}
        self._until: Timers[Tag] = Timers(ctx.forwarding_due.sooner)
        self._passing: dict[Tag, None] = {}  # tombstones of what was not for us, the oldest first
        self._loose: dict[bytes, Bundle] = {}
        self._loose_until: Timers[tuple[bytes, Tag]] = Timers(ctx.forwarding_due.sooner)
        self._batch: Bundle = {}
        self._batch_due: Timers[None] = Timers(ctx.forwarding_due.sooner)
        self._twice: dict[NodeKey, Bundle] = {}
        self._twice_due: Timers[NodeKey] = Timers(ctx.forwarding_due.sooner)
        self.timers = (self._batch_due, self._until, self._loose_until, self._twice_due)
        self._told: dict[tuple[NodeKey, Tag], Instant] = {}
        self._untold: dict[NodeKey, dict[Tag, None]] = {}  # ways that were dark, or went dark just then
        self._unsure: dict[NodeKey, Instant] = {}  # neighbours on a link, and when they were told last
        self.on_receipt: OnReceipt = _unknown

    def restore(self, snapshot: Snapshot) -> None:
        """Tombstones stand on disk; what was on its way goes out again when an envelope is offered."""
        for record in snapshot.records:
            if isinstance(record, TombstoneRecord):
                self._bury(record)
                self._passing[record.tag] = None

    def tombstone(self, tag: Tag, receipt: Receipt, lifetime_s: float = LONGEST_S) -> TombstoneRecord:
        """The row that keeps a tag's envelopes away for longer than they can live."""
        return TombstoneRecord(tag, receipt, self._ctx.now + REMEMBER * lifetime_s)

    def known(self, tag: Tag) -> Receipt | None:
        """The receipt that opened this tag, also one that came before its envelope."""
        return self._tombstones.get(tag)

    def loose(self, tag: Tag) -> Receipt | None:
        """A receipt that came before any envelope of its tag."""
        return next((receipts[tag] for receipts in self._loose.values() if tag in receipts), None)

    def __iter__(self) -> Iterator[Receipt]:
        return iter(self._tombstones.values())

    def reveal(self, record: TombstoneRecord, *, prompt: bool) -> None:
        """A message of ours is committed (its row with it): tell, soon or at once, and purge what is held of it."""
        self._bury(record)
        self._purge(record.tag)
        self._batch[record.tag] = Receipt(record.receipt)
        wait_s = 0.0 if prompt or len(self._batch) >= FULL else BURST_S if len(self._batch) >= BATCH else BATCH_S
        self._batch_due.set_at_latest(None, self._ctx.now + wait_s)

    def arrived(self, receipts: Iterable[Receipt], heard: Heard, hops: int = 0) -> None:
        """Check each, purge, and pass on together what was new, one hop farther from where it was made."""
        fresh: Bundle = {}
        for receipt in receipts:
            tag = receipt_tag(receipt)
            if heard.neighbour is not None:
                self._note_told(heard.neighbour.node, tag)
                if heard.bound and heard.multicast:
                    self._note_covered(heard, tag)
            if tag in self._tombstones:
                continue
            for carried in self._shelf.with_tag(tag):
                self._custody.answered(carried.id, NodeKey(heard.node))
                self._scope.arrived(carried)
            if self._matches(tag, receipt, hops):
                fresh[tag] = receipt
            else:
                self._keep_loose(tag, receipt, heard.node)
        self._pass_on(fresh, heard, min(MOST_HOPS, hops + 1) if hops else 0)

    def match_loose(self, tag: Tag) -> bool:
        """An envelope came whose receipt was here before it: true, and its copies are purged wherever we tell."""
        receipt = self.loose(tag) if self._loose else None
        if receipt is None:
            return False
        self._matched(tag, receipt)
        return True

    def tell(self, neighbour: Neighbour, *tags: Tag) -> None:
        """A neighbour still has envelopes that are receipted."""
        recent = self._ctx.now - _AGAIN_S
        untold = [tag for tag in tags if self._told.get((neighbour.node, tag), recent) <= recent]
        known = {tag: self._tombstones[tag] for tag in untold if tag in self._tombstones}
        ours = {tag: receipt for tag, receipt in known.items() if tag not in self._passing}
        others = {tag: receipt for tag, receipt in known.items() if tag in self._passing}
        self._send(ours, [neighbour], MATCHED_CLASS, jitter=False, hops=NEAR)
        self._send(others, [neighbour], MATCHED_CLASS, jitter=False)

    def met(self, neighbour: Neighbour) -> None:
        """An encounter: tell what could not be told before, and pass on what matches nothing here, it may there."""
        node = neighbour.node
        owed = {tag: self._tombstones[tag] for tag in self._untold.pop(node, ()) if tag in self._tombstones}
        self._send(owed, [neighbour], MATCHED_CLASS, jitter=False)
        loose = (one for hop, receipts in self._loose.items() if hop != node for one in receipts.items())
        untold = (one for one in loose if (node, one[0]) not in self._told)
        self._send(dict(islice(untold, _LOOSE_AT_ONCE)), [neighbour], LOOSE_CLASS, jitter=False)

    def flush_to(self, neighbour: Neighbour) -> None:
        """Something else goes to this neighbour now: receipts that wait for company and concern it alone ride along."""
        if not self._batch:
            return
        riding = {tag: one for tag, one in self._batch.items() if self._ways(tag) == [neighbour]}
        for tag in riding:
            del self._batch[tag]
        self._send(riding, [neighbour], MATCHED_CLASS, jitter=False, hops=NEAR)
        if not self._batch:
            self._batch_due.cancel(None)

    def lost(self, node: NodeKey) -> None:
        """A neighbour went: when it comes back it may be told again."""
        self._twice.pop(node, None)
        self._twice_due.cancel(node)
        for other, tag in [key for key, at in self._told.items() if at > self._ctx.now - _UNSURE_S]:
            if other == node and tag in self._tombstones:
                self._owe(node, tag)
        self._told = {key: at for key, at in self._told.items() if key[0] != node}

    def tick(self) -> None:
        """Send what waited long enough; forget what is over."""
        for _ in self._batch_due.due(self._ctx.now):
            batch, self._batch = self._batch, {}
            self._pass_on(batch, None, NEAR)
        for node in self._twice_due.due(self._ctx.now):
            neighbour, again = self._neighbours.get(node), self._twice.pop(node)
            if neighbour is not None:
                self._transmit(again, [neighbour], MATCHED_CLASS, jitter=False)
        ended = list(self._until.due(self._ctx.now))
        for tag in ended:
            del self._tombstones[tag]
            self._passing.pop(tag, None)
        if ended:
            self._ctx.forget(*(RecordKey(TombstoneRecord, (tag,)) for tag in ended))
        for hop, tag in self._loose_until.due(self._ctx.now):
            self._drop_loose(hop, tag)

    def unsure(self) -> bool:
        """Somebody was told lately that has not been heard since: it may have gone before."""
        since = self._ctx.now - _UNSURE_S
        for node, at in list(self._unsure.items()):
            neighbour = self._neighbours.get(node)
            if neighbour is None or at < since or any(each.heard_at > at for each in neighbour.presences.values()):
                del self._unsure[node]
        return bool(self._unsure)

    def _matches(self, tag: Tag, receipt: Receipt, hops: int) -> bool:
        """It opens something met here, or something we wrote."""
        ours = self.on_receipt(tag, receipt, hops)
        if not ours and not self._shelf.trails.under(tag) and not self._shelf.with_tag(tag):
            return False
        self._matched(tag, receipt)
        return True

    def _matched(self, tag: Tag, receipt: Receipt) -> None:
        lifetimes = [carried.header.lifetime_s for carried in self._shelf.with_tag(tag)]
        record = self.tombstone(tag, receipt, max(lifetimes, default=LONGEST_S))
        self._ctx.persist(record)
        self._bury(record)
        self._passing[tag] = None
        if len(self._passing) > MAX_PASSING:
            self._unbury(next(iter(self._passing)))
        self._purge(tag)
        for hop in [hop for hop, receipts in self._loose.items() if tag in receipts]:
            self._drop_loose(hop, tag)

    def _bury(self, record: TombstoneRecord) -> None:
        self._tombstones[record.tag] = Receipt(record.receipt)
        self._until.set(record.tag, record.until)

    def _unbury(self, tag: Tag) -> None:
        del self._passing[tag], self._tombstones[tag]
        self._until.cancel(tag)
        self._ctx.forget(RecordKey(TombstoneRecord, (tag,)))
        self._ctx.count("tombstones_too_many")

    def _purge(self, tag: Tag) -> None:
        for carried in self._shelf.with_tag(tag):
            self._shelf.drop(carried)
            self._custody.forget(carried.id)

    def _keep_loose(self, tag: Tag, receipt: Receipt, hop: bytes) -> None:
        if hop not in self._loose and len(self._loose) >= _MAX_LOOSE_HOPS:
            self._ctx.count("receipts_unmatched_dropped")
            return
        kept = self._loose.setdefault(hop, {})
        if tag in kept:
            return
        if len(kept) >= MAX_LOOSE:
            self._ctx.count("receipts_unmatched_dropped")
            self._drop_loose(hop, next(iter(kept)))
            kept = self._loose.setdefault(hop, kept)
        kept[tag] = receipt
        self._loose_until.set((hop, tag), self._ctx.now + LOOSE_S)

    def _drop_loose(self, hop: bytes, tag: Tag) -> None:
        self._loose_until.cancel((hop, tag))
        del self._loose[hop][tag]
        if not self._loose[hop]:
            del self._loose[hop]

    def _pass_on(self, receipts: Bundle, heard: Heard | None, hops: int) -> None:
        """Together where they go the same way, to whom the envelope came from and went to, and who is in reach."""
        groups: dict[tuple[Neighbour, ...], Bundle] = {}
        aloud = heard if heard is not None and heard.multicast else None
        for tag, receipt in receipts.items():
            ways = tuple(n for n in self._ways(tag) if aloud is None or not self._covered(n, aloud))
            groups.setdefault(ways, {})[tag] = receipt
        for ways, together in groups.items():
            self._send(together, ways, MATCHED_CLASS, jitter=aloud is not None, hops=hops)

    def _ways(self, tag: Tag) -> list[Neighbour]:
        """Neighbours in reach that it goes to by the envelope's trail, and that have not told us themselves."""
        near = {n.node: n for n in self._neighbours.reachable()}
        trails = self._shelf.trails.under(tag)
        nodes = {node: None for trail in trails for node in (*trail.back(near), *trail.given_to)}
        for node in nodes:
            if node not in near:
                self._owe(node, tag)
        return [n for n in near.values() if n.node in nodes and (n.node, tag) not in self._told]

    def _owe(self, node: NodeKey, tag: Tag) -> None:
        """This way is dark now: tell it when it is back."""
        tags = self._untold.setdefault(node, {})
        tags[tag] = None
        if len(tags) > MAX_UNTOLD:
            del tags[next(iter(tags))]
        if len(self._untold) > _MAX_UNTOLD_NODES:
            del self._untold[next(iter(self._untold))]

    def _note_told(self, node: NodeKey, tag: Tag) -> None:
        self._told.pop((node, tag), None)
        self._told[node, tag] = self._ctx.now
        if len(self._told) > _MAX_TOLD:
            del self._told[next(iter(self._told))]

    def _note_covered(self, heard: Heard, tag: Tag) -> None:
        """Whoever heard the same multicast need not be told by each of us."""
        for neighbour in self._neighbours.bound(heard.link):
            if self._covered(neighbour, heard):
                self._note_told(neighbour.node, tag)

    def _covered(self, neighbour: Neighbour, aloud: Heard) -> bool:
        """It heard the same multicast."""
        presence = neighbour.presences.get(aloud.link)
        return presence is not None and aloud.sender[:2] in presence.echoes_heard

    def _send(self, receipts: Bundle, targets: Sequence[Neighbour], cls: int, *, jitter: bool, hops: int = 0) -> None:
        if not receipts or not targets:
            return
        for neighbour in targets:
            for tag in receipts:
                self._note_told(neighbour.node, tag)
                self._custody.receipt_goes_to(neighbour.node, tag)
            if cls == MATCHED_CLASS and self._custody.is_lossy(neighbour.node):
                self._twice.setdefault(neighbour.node, {}).update(receipts)
                self._twice_due.set_at_latest(neighbour.node, self._ctx.now + _TWICE_AFTER_S)
        self._transmit(receipts, targets, cls, jitter=jitter, hops=hops)

    def _transmit(
        self, receipts: Bundle, targets: Sequence[Neighbour], cls: int, *, jitter: bool, hops: int = 0
    ) -> None:
        by_link: dict[str, list[Neighbour]] = {}
        for neighbour in targets:
            link = neighbour.link(self._ctx.now)
            by_link.setdefault(link or "", []).append(neighbour)
            if link is not None and neighbour.presences[link].bound_since > self._ctx.now - _STAYS_S:
                self._unsure[neighbour.node] = self._ctx.now
        told = tuple(receipts.values())
        frames = [ReceiptsFrame(told[at : at + BATCH], hops) for at in range(0, len(told), BATCH)]
        for link, there in by_link.items():
            for frame in frames:
                if not link or len(there) == 1:
                    for neighbour in there:
                        self._neighbours.send(neighbour, frame, cls)
                else:
                    self._neighbours.send(None, frame, cls, link=link, jitter=jitter)


def _unknown(tag: Tag, receipt: Receipt, hops: int) -> bool:
    return False

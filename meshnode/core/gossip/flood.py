"""Eager sending: a new verified block goes on at once to those whom nobody was heard to tell, the cheapest way.

| whom nobody covers, on a link | how                                                        |
|-------------------------------|------------------------------------------------------------|
| nobody                        | not at all; what got lost is mended when beacons differ    |
| one neighbour                 | unicast; multicast if others may tell it too               |
| several                       | multicast                                                  |

| who else may tell them                | when                                                               |
|---------------------------------------|--------------------------------------------------------------------|
| nobody, for one of them at least      | after 0-3 ms                                                       |
| others who heard the same multicast   | in turn, who has more to tell first; a turn is 50 ms and the block |

A neighbour is *covered* by a bound sender whose multicast of the block verified here, if the beacons of both say that
they hear each other (rule 6.1): neither the sender's word alone silences us, nor the neighbour's. Copies heard while
ours waits cover more: when all are covered it is left out, when one is left it goes to that one alone. Emergencies want
two senders for each neighbour. What comes by session or parcel is not flooded: it goes lazily (rule 6.3).

A beacon names eight at most. Where more hear each other and met lately, who hears whom is not known yet, and everybody
would repeat everything: what is left only for that reason waits until beacons had time to say it. Who says itself that
it has the block needs it no more. And what one of a crowd asks for is told to all who lack it, once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final

from meshnode.core.airtime.estimate import airtime_s
from meshnode.core.airtime.outbox import SEAL_OVERHEAD, Outbox
from meshnode.core.bridge.held import Item
from meshnode.core.chain.block import Block, compact_of
from meshnode.core.chain.kinds import acted_upon
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.company import Company
from meshnode.core.gossip.emergency import EMERGENCY, Emergencies
from meshnode.core.ids import PERSON_CHANNEL, BlockId, NeighbourId, log_channel, log_handle
from meshnode.core.neighbours.echoes import MAX_ECHOES
from meshnode.core.neighbours.fragments import item_id
from meshnode.core.neighbours.hello import FEW
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.records import Snapshot
from meshnode.core.trust.rings import STRANGERS
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame

COVERED_BY: Final = 1
EMERGENCY_COVERED_BY: Final = 2  # not everything said is heard: where it counts, twice
MOMENT_S: Final = (0.0, 0.003)
TURN_S: Final = 0.05  # and the airtime of the block: who goes first was heard by then
YIELDS_S: Final = 2.0  # on a busy channel who goes first comes late: a turn is counted in quiet, for so long
RIPE_S: Final = 2.0  # for each beacon's worth of neighbours: who hears whom has been said by then
SAID_S: Final = 0.5  # who asks for what was just told to all may not have heard it to the end
REMEMBERED: Final = 512
UNANSWERED: Final = 32 * 1024  # bytes to one neighbour since it was last heard: more may go to one that has left
ASK_AFTER: Final = UNANSWERED // 2  # of them it is asked whether it is still there: its answer makes room for more
PILED_S: Final = 0.3  # the question overtakes what waits, which is to be less than may go to one that has left
NEAR_CLASS: Final = 2  # the best an author near us may claim; emergencies apart
PUBLIC_CLASS: Final = 3

_KEY: Final = b"block"


@dataclass(frozen=True, slots=True)
class Put:
    """How a block of ours waits for the air of one link."""

    frame: BlockFrame
    size: int  # of the frame, encoded, in bytes
    cls: int
    ring: int
    previous: bytes
    at: Instant
    targets: tuple[bytes, ...]  # node keys


@dataclass(slots=True)
class Copies:
    """Who was heard to send one block on one link, who of them to all, and what of ours waits there."""

    senders: dict[bytes, Neighbour] = field(default_factory=dict)
    covering: dict[bytes, Neighbour] = field(default_factory=dict)
    strangers: set[NeighbourId] = field(default_factory=set)  # who told all, and was not bound yet
    put: Put | None = None
    said_until: Instant = NEVER  # ours is on its way to all, or was a moment ago


@dataclass(slots=True)
class Unanswered:
    """What went to one neighbour alone since it was heard."""

    heard_at: Instant
    size: int = 0  # bytes
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """A block that is left for some who may have it: looked at again, once beacons said more."""

    block: Block
    put: Put
    skip: frozenset[bytes]


class Flood:
    """Blocks on their way on. Wire `holds`: does a neighbour say that it has a block?"""

    def __init__(self, ctx: Context, neighbours: Neighbours, outbox: Outbox) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._outbox = outbox
        self._copies: dict[tuple[bytes, str], Copies] = {}
        self._unanswered: dict[bytes, Unanswered] = {}  # by node
        self._items: dict[bytes, Block] = {}  # by item id: those that do not fit into a datagram
        self._doubts: dict[tuple[bytes, str], Doubt] = {}
        self._emergencies = Emergencies(ctx)
        self._company = Company(ctx, neighbours)
        self.holds: Callable[[Neighbour, Block], bool] = _holds_nothing

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        self._emergencies.restore(snapshot)

    def publish(self, block: Block, ring: int) -> bool:
        """Our own block: to everyone, at once. True if it went out by multicast, which nobody acknowledges."""
        return self._spread(block, None, ring)

    def forward(self, block: Block, heard: Heard, ring: int) -> bool:
        """A new block of another's: on to those who may lack it. True if it goes by multicast, or came by it."""
        self._count(block, heard)
        return self._spread(block, heard, ring) or heard.multicast

    def overheard(self, block: Block, heard: Heard) -> None:
        """Another verified copy of a block we know: ours goes to those still left, if any."""
        self._count(block, heard)
        copies = self._copies.get((block.id, heard.link))
        if copies is not None:
            self._leave_out(block, heard.link, copies)

    def _leave_out(self, block: Block, link: str, copies: Copies) -> None:
        """What waits of ours is for those alone whom nobody was heard to tell meanwhile."""
        if copies.put is None:
            return
        left = [n for n in self._left(block, copies, link, ()) if n.node in copies.put.targets]
        if len(left) == len(copies.put.targets):
            return
        waits = self._outbox.cancel(_key(block, link))
        put, copies.put = copies.put, None
        if waits and left:
            self._put(block, link, copies, put, left)
        elif waits:
            self._ctx.count("block_suppressed")

    def wanted_by_many(self, block: Block, link: str, asker: Neighbour) -> bool:
        """More than a few on a link lack it, as far as they said: it is better told to all than singly."""
        return len(self._lacking(block, link, asker)) > FEW

    def answer(self, block: Block, link: str, asker: Neighbour, ring: int, cls: int) -> None:
        """One of a crowd lacks it: told to all who do, unless that is being done."""
        copies = self._copies_of(block, link)
        if self._ctx.now < copies.said_until:
            return
        copies.covering.clear()  # it was not heard by all who were told
        self._doubts.pop((block.id, link), None)
        frame = self._frame(block)
        put = Put(frame, len(encode_frame(frame)), cls, ring, asker.node, self._ctx.now, ())
        self._put(block, link, copies, put, self._lacking(block, link, asker))

    def _lacking(self, block: Block, link: str, asker: Neighbour) -> list[Neighbour]:
        return [n for n in self._neighbours.bound(link) if n is asker or not self.holds(n, block)]

    def begun(self, item: bytes, sender: Neighbour, link: str) -> None:
        """A neighbour tells all an item that is whole here: ours is left out where that is enough, unless we began."""
        block = self._items.get(item)
        copies = self._copies.get((block.id, link)) if block else None
        if block is None or copies is None:
            return
        copies.senders[sender.node] = copies.covering[sender.node] = sender
        if not self._outbox.begun(_key(block, link)):
            self._leave_out(block, link, copies)

    def wakeup(self) -> Instant | None:
        """When what was in doubt is looked at again, or has waited for company."""
        doubts, company = (doubt.put.at for doubt in self._doubts.values()), self._company.wakeup()
        return min(doubts, default=None) if company is None else min((company, *doubts))

    def tick(self) -> None:
        """What is still left goes on."""
        self._company.tick()
        for key in [key for key, doubt in self._doubts.items() if doubt.put.at <= self._ctx.now]:
            doubt, (_, link) = self._doubts.pop(key), key
            if link not in self._ctx.links:
                continue
            copies = self._copies_of(doubt.block, link)
            self._met_since(copies, link)
            left = self._left(doubt.block, copies, link, doubt.skip)
            if left:
                at = self._ctx.now + self._delay(doubt.block, copies, link, left, doubt.put.size)
                self._put(doubt.block, link, copies, replace(doubt.put, at=at), left)

    def _spread(self, block: Block, heard: Heard | None, ring: int) -> bool:
        frame, source = self._frame(block), heard.node if heard else b""
        ring = ring if acted_upon(block.version, block.kind) else STRANGERS
        cls = EMERGENCY if self._emergencies.grants(block, ring, source, frame) else class_of(block, ring)
        skip, grouped, size = {source}, False, len(encode_frame(frame))
        for link in self._ctx.links:
            copies = self._copies_of(block, link)
            left = self._left(block, copies, link, skip, EMERGENCY_COVERED_BY if cls == EMERGENCY else COVERED_BY)
            at = self._ctx.now + (self._delay(block, copies, link, left, size) if heard else 0.0)
            put = Put(frame, size, cls, ring, source, at, ())
            if left and cls != EMERGENCY and self._in_doubt(left, copies, link):
                self._doubt(block, link, put, skip)
            elif left:
                self._put(block, link, copies, put, left)
            skip.update(neighbour.node for neighbour in self._neighbours.bound(link))
            grouped |= len(left) > 1
        self._to_sessions(block, frame, cls, skip)
        return grouped

    def _to_sessions(self, block: Block, frame: BlockFrame, cls: int, skip: set[bytes]) -> None:
        item = crossing(block, cls)
        passes = self._neighbours.gate.passes(item)
        far = [n for n in self._neighbours.session_peers() if self._neighbours.over_uplink(n)]
        self._neighbours.spread_sessions(frame, skip.union(n.node for n in far))
        for neighbour in far:
            if neighbour.node not in skip and self._neighbours.has_news_at_once(neighbour, passes):
                self._company.say(neighbour, block, urgent=cls == EMERGENCY)

    def _put(self, block: Block, link: str, copies: Copies, put: Put, left: list[Neighbour]) -> None:
        if len(left) == 1 and not self._answers(left[0], put, link):
            self._ctx.count("block_left_to_repair")
            return
        self._note_item(block, link, put)
        copies.put = replace(put, targets=tuple(n.node for n in left))
        if len(left) > 1:
            copies.said_until = max(put.at, self._ctx.now + self._outbox.backlog_s(link)) + SAID_S
        self._neighbours.spread(
            put.frame,
            put.cls,
            key=_key(block, link),
            ring=put.ring,
            author=block.log[:32],
            previous=put.previous,
            delay=max(0.0, put.at - self._ctx.now),
            yields=YIELDS_S if put.at > self._ctx.now + MOMENT_S[1] else 0.0,
            link=link,
            skip={n.node for n in self._neighbours.bound(link)}.difference(copies.put.targets),
            aloud=not self._alone(left, copies, link),
        )

    def _answers(self, neighbour: Neighbour, put: Put, link: str) -> bool:
        """It was heard not too many bytes ago: to one that has left each goes eight times, and holds the rest up."""
        heard_at = self._neighbours.heard_at(neighbour)
        spent = self._unanswered.pop(neighbour.node, None)
        if spent is None or spent.heard_at != heard_at:
            spent = Unanswered(heard_at)
        spent.size += put.size
        self._unanswered[neighbour.node] = spent
        while len(self._unanswered) > REMEMBERED:
            del self._unanswered[next(iter(self._unanswered))]
        if spent.size > ASK_AFTER and not spent.asked and self._outbox.backlog_s(link) < PILED_S:
            spent.asked = True
            self._neighbours.ask(neighbour, link)
        return spent.size <= UNANSWERED or put.cls == EMERGENCY

    def _count(self, block: Block, heard: Heard) -> None:
        if heard.bound and heard.neighbour is not None and heard.link:
            copies = self._copies_of(block, heard.link)
            copies.senders[heard.node] = heard.neighbour
            if heard.multicast:
                copies.covering[heard.node] = heard.neighbour
        elif heard.link and heard.multicast:
            self._copies_of(block, heard.link).strangers.add(heard.sender)

    def _copies_of(self, block: Block, link: str) -> Copies:
        copies = self._copies.setdefault((block.id, link), Copies())
        while len(self._copies) > REMEMBERED:
            del self._copies[next(iter(self._copies))]
        return copies

    def _left(
        self, block: Block, copies: Copies, link: str, skip: Collection[bytes], enough: int = COVERED_BY
    ) -> list[Neighbour]:
        """Bound neighbours on the link that were neither heard to have it nor to be told it."""
        if copies.put is not None and copies.put.cls == EMERGENCY:
            enough = EMERGENCY_COVERED_BY
        others = [n for n in self._neighbours.bound(link) if n.node not in skip and n.node not in copies.senders]
        if enough == COVERED_BY:
            others = [n for n in others if not self.holds(n, block)]
        senders = copies.covering.values()
        return [n for n in others if sum(_hear_each_other(sender, n, link) for sender in senders) < enough]

    def _in_doubt(self, left: list[Neighbour], copies: Copies, link: str) -> bool:
        """In a crowd: everyone who is left met us lately, or all who told it did; they may well hear each other."""
        senders = copies.covering.values()
        if not (senders or copies.strangers) or not self._neighbours.crowded(link):
            return False
        ripe = self._ctx.now - self._ripe_s(link)
        return all(_met_on(s, link) > ripe for s in senders) or all(_met_on(n, link) > ripe for n in left)

    def _met_since(self, copies: Copies, link: str) -> None:
        for neighbour in self._neighbours.bound(link):
            if neighbour.id in copies.strangers:
                copies.senders[neighbour.node] = copies.covering[neighbour.node] = neighbour

    def _ripe_s(self, link: str) -> float:
        return RIPE_S * (1 + self._neighbours.company(link) // MAX_ECHOES)

    def _note_item(self, block: Block, link: str, put: Put) -> None:
        if put.size + SEAL_OVERHEAD > self._ctx.links[link].multicast_payload:
            self._items[item_id(encode_frame(put.frame))] = block
            while len(self._items) > REMEMBERED:
                del self._items[next(iter(self._items))]

    def _doubt(self, block: Block, link: str, put: Put, skip: Collection[bytes]) -> None:
        later = replace(put, at=self._ctx.now + self._ripe_s(link))
        self._doubts[(block.id, link)] = Doubt(block, later, frozenset(skip))
        while len(self._doubts) > REMEMBERED:
            del self._doubts[next(iter(self._doubts))]

    def _alone(self, left: list[Neighbour], copies: Copies, link: str) -> bool:
        """Somebody is left whom nobody else can tell who heard the same multicast: as far as beacons say."""
        known = {self._neighbours.me[:2], *(sender.id[:2] for sender in copies.senders.values())}
        others = {name for sender in copies.covering.values() for name in _hears(sender, link)} - known
        return not others or any(others.isdisjoint(_hears(target, link)) for target in left)

    def _delay(self, block: Block, copies: Copies, link: str, left: list[Neighbour], size: int) -> float:
        """A moment for who alone can tell somebody, or is first of those who can; for the others a turn more each."""
        moment = self._ctx.entropy.between("flood", *MOMENT_S)
        if not copies.covering:
            return 0.0 if len(left) < 2 else moment
        if self._alone(left, copies, link):
            return moment
        turn = TURN_S + airtime_s(size, False, self._ctx.links[link])
        return moment + turn * self._rank(block, copies, link, left)

    def _rank(self, block: Block, copies: Copies, link: str, left: list[Neighbour]) -> int:
        """How many who heard the same multicast go before us: they have more to tell, or as much and the turn."""
        sender = next(iter(copies.covering.values()))
        names = {target.id[:2] for target in left}
        told = {sender.id[:2], *_hears(sender, link)} - names
        rivals = [n for n in self._neighbours.bound(link) if n.node not in copies.senders]
        rivals = [n for n in rivals if _hear_each_other(n, sender, link) and not names.isdisjoint(_hears(n, link))]
        ours = (-len(names), _turn(self._neighbours.me, block))
        return sum((-len(set(_hears(n, link)) - told), _turn(n.id, block)) < ours for n in rivals)

    def _frame(self, block: Block) -> BlockFrame:
        """With the full log id at seq 1, where nobody can know the log; else its handle."""
        ref = block.log if block.seq == 1 else log_handle(block.log)
        return BlockFrame(ref, compact_of(block, elide=False))


def class_of(block: Block, ring: int) -> int:
    """The class a block travels in, emergencies apart: what its author signed, within what the author's ring may claim.

    What this version does not act upon is carried like a stranger's (rule 15.2).
    """
    near = ring < STRANGERS and acted_upon(block.version, block.kind)
    if block.cls == 0:
        return PUBLIC_CLASS
    return max(block.cls, NEAR_CLASS if near else PUBLIC_CLASS)


def crossing(block: Block, cls: int) -> Item:
    """A block as a bridge looks at it; posts are messages, and go by the first 16 B of their id."""
    size = len(block.body) if block.body is not None else 0
    kind = "post" if log_channel(block.log) != PERSON_CHANNEL else "keys"
    return Item(kind, block.id, cls, size, log_channel(block.log), block.id[:16])


def block_named(key: bytes) -> BlockId | None:
    """The first 16 B of the id of the block that is queued under this key, if it is one."""
    return BlockId(key[len(_KEY) : len(_KEY) + 16]) if key.startswith(_KEY) else None


def _key(block: Block, link: str) -> bytes:
    return _KEY + block.id[:16] + link.encode()


def _hears(neighbour: Neighbour | None, link: str) -> tuple[bytes, ...]:
    presence = neighbour.presences.get(link) if neighbour else None
    return presence.echoes if presence else ()


def _hear_each_other(one: Neighbour, other: Neighbour, link: str) -> bool:
    return other.id[:2] in _hears(one, link) and one.id[:2] in _hears(other, link)


def _met_on(neighbour: Neighbour, link: str) -> Instant:
    presence = neighbour.presences.get(link)
    return presence.bound_since if presence else NEVER


def _holds_nothing(neighbour: Neighbour, block: Block) -> bool:
    return False


def _turn(name: NeighbourId, block: Block) -> bytes:
    """Who goes first among equals: another for each log, so that not one node tells everything."""
    return bytes(one ^ other for one, other in zip(name, log_handle(block.log), strict=False))

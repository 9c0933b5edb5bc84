"""A valley of boxes: forwarding and chat of each, in-memory pipes between them, a store that survives crashes.

Neighbours, outbox and gossip are played here, in the shape of the real ones. Every frame is encoded and decoded on its
way. Time is virtual, chance is seeded. A box can be told to lose power before any commit or any sending.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from random import Random
from typing import Any

from meshnode.core.airtime.queue import Outgoing
from meshnode.core.bridge.gate import Gate
from meshnode.core.chain.block import Block
from meshnode.core.chat.chat import Chat
from meshnode.core.clock import EPOCH_2026, WallClock
from meshnode.core.context import Context
from meshnode.core.effects import Effect, Forget, Notify, Persist, ReadStored
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.identity.keys import Keys, new_keys, with_new_incarnation
from meshnode.core.ids import ChannelId, MessageId, NeighbourId, neighbour_id
from meshnode.core.inputs import Compose, MarkRead, SetChannel, SetContact, Stored
from meshnode.core.neighbours.hello import FEW
from meshnode.core.neighbours.neighbour import Heard, Neighbour, Presence
from meshnode.core.notices import MessageFiled, Notice, StateChanged
from meshnode.core.records import (
    BODY_HELD,
    BlockIndex,
    BlockRecord,
    MessageRecord,
    Record,
    Snapshot,
    StateRecord,
)
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.pair import pair_key
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.trust.rings import Rings
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import EnvelopeFrame, Frame

LINK = "halow0"
HOP_S = 0.005
BEACONS_S = (0.1, 0.6, 1.6, 3.6, 7.6, 15.6, 31.6)
IMAX_S = 32.0


class PowerLossError(Exception):
    """The box went dark in the middle of a step."""


@dataclass(eq=False)
class Spoken:
    """A frame asked to be sent: what the real outbox would hold. `to` None: multicast."""

    frame: Frame
    cls: int
    to: NeighbourId | None
    key: bytes
    not_before: float
    session: bool = False
    cancelled: bool = False


@dataclass
class Rows:
    """A store: rows by table and key, and nothing else."""

    tables: dict[type, dict[tuple[Any, ...], Record]] = field(default_factory=dict)

    def commit(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Persist(records):
                    for record in records:
                        key = tuple(getattr(record, name) for name in record.KEY)
                        self.tables.setdefault(type(record), {})[key] = record
                case Forget(keys):
                    for key in keys:
                        self.tables.get(key.table, {}).pop(key.key, None)
                case _:
                    pass

    def every(self, table: type) -> list[Any]:
        return list(self.tables.get(table, {}).values())

    def snapshot(self, now: float) -> Snapshot:
        over = {state.message for state in self.every(StateRecord) if state.state in ("delivered", "read", "expired")}
        pending = [m for m in self.every(MessageRecord) if m.outgoing and not m.channel and m.id not in over]
        others = [
            row for table in self.tables if table not in (MessageRecord, BlockRecord) for row in self.every(table)
        ]
        blocks = [BlockIndex(b.log, b.seq, b.id, b.kind, b.body_state, len(b.body)) for b in self.every(BlockRecord)]
        return Snapshot(now, tuple(blocks), tuple(others), tuple(sorted(pending, key=lambda m: m.cursor)))


class PlayedNeighbours:
    """In the shape of neighbours.table.Neighbours, as far as forwarding and chat see it."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._known: dict[str, Neighbour] = {}
        self.me = neighbour_id(box.keys.node, box.ctx.mesh.id)
        self.purse = float("inf")  # bytes that askers may still have
        self.gate = Gate(box.ctx)  # that of a node that is no bridge

    def over_uplink(self, neighbour: Neighbour) -> bool:
        return False

    def has_news_at_once(self, neighbour: Neighbour, passes: bool) -> bool:
        return True

    def pays(self, neighbour: Neighbour, size: float) -> bool:
        self.purse -= size
        return self.purse >= 0

    def of(self, other: Box) -> Neighbour:
        if other.name not in self._known:
            ctx = self._box.ctx
            name = neighbour_id(other.keys.node, ctx.mesh.id)
            key = pair_key(
                ctx.sealer, ctx.mesh.link, self._box.keys.exchange_secret, other.keys.exchange, self.me, name
            )
            self._known[other.name] = Neighbour(name, other.keys.node, other.keys.exchange, key or b"")
        neighbour = self._known[other.name]
        valley = self._box.valley
        linked, session = valley.linked(self._box, other), valley.in_session(self._box, other)
        neighbour.session, neighbour.session_carrier = (7, "overlay") if session else (None, "")
        neighbour.presences = {}
        if linked:
            hears = {neighbour_id(n.keys.node, self._box.ctx.mesh.id)[:2]: 0.0 for n in valley.beside(other)}
            until = float("inf")
            now = self._box.ctx.now
            neighbour.presences[LINK] = Presence("fe80::", now, bound_until=until, bound_since=0.0, echoes_heard=hears)
        return neighbour

    def get(self, node: bytes) -> Neighbour | None:
        return next((self.of(box) for box in self._box.valley.boxes.values() if box.keys.node == node), None)

    def by_prefix(self, two: bytes) -> Neighbour | None:
        return next((n for n in self.bound() if n.id[:2] == two), None)

    def bound(self, link: str | None = None) -> list[Neighbour]:
        return [self.of(other) for other in self._box.valley.beside(self._box)]

    def crowded(self, link: str) -> bool:
        return len(self.bound(link)) > FEW

    def reachable(self) -> list[Neighbour]:
        peers = [self.of(other) for other in self._box.valley.peers(self._box)]
        return self.bound() + [peer for peer in peers if peer not in self.bound()]

    def send(
        self,
        to: Neighbour | None,
        frame: Frame,
        cls: int,
        *,
        link: str | None = None,
        jitter: bool = False,
        key: bytes = b"",
        ring: int = 1,
        previous: bytes = b"",
        asked: bool = False,
        small: bool = False,
    ) -> None:
        box = self._box
        wait = box.ctx.entropy.between("jitter", 0.02, 0.2) if jitter else 0.0
        if to is not None and LINK not in to.presences and to.session is None:
            return
        session = to is not None and LINK not in to.presences
        spoken = Spoken(frame, cls, to.id if to else None, key, box.ctx.now + wait, session)
        box.speaking.append(spoken)
        box.ctx.out.append(spoken)  # type: ignore[arg-type]


class PlayedOutbox:
    """In the shape of airtime.outbox.Outbox, as far as forwarding sees it."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def holds(self, key: bytes) -> bool:
        return any(spoken.key == key and not spoken.cancelled for spoken in self._box.speaking)

    def cancel(self, key: bytes) -> int:
        doomed = [spoken for spoken in self._box.speaking if spoken.key == key]
        for spoken in doomed:
            spoken.cancelled = True
        return len(doomed)


class Box:
    """One node: forwarding and chat, its store, and what it told."""

    def __init__(self, valley: Valley, name: str, settings: Settings) -> None:
        self.valley = valley
        self.name = name
        self.settings = settings
        self.sealer = SeededSealer(f"{valley.seed}/{name}")
        self.entropy = SeededEntropy(f"{valley.seed}/{name}")
        self.keys: Keys = new_keys(self.sealer, self.entropy)
        self.rows = Rows()
        self.notices: list[Notice] = []
        self.clock: WallClock | None = None
        self.on = True
        self.fuse: int | None = None
        self.boot()

    def boot(self) -> None:
        """Power on: everything but the disk is gone."""
        self.speaking: list[Spoken] = []
        self.ctx = Context(self.keys, open_mesh("valley"), self.settings, self.sealer, self.entropy)
        self.ctx.now = self.valley.now
        if self.clock is not None:
            self.ctx.clock = self.clock
        self.ctx.links[LINK] = LinkSettings()
        self.neighbours = PlayedNeighbours(self)
        self.rings = Rings(self.keys)
        self.forwarding = Forwarding(self.ctx, self.neighbours, PlayedOutbox(self))  # type: ignore[arg-type]
        self.chat = Chat(self.ctx, self.forwarding, self.rings, self.name)
        self.chat.publish = self._publish
        snapshot = self.rows.snapshot(self.valley.now)
        self.rings.restore(snapshot)
        self.forwarding.restore(snapshot)
        self.chat.restore(snapshot)
        self.on = True
        self.step(lambda: None)

    def restored(self) -> None:
        """As from a backup of now: contacts, messages and keys, but no chain keys and no prekeys (rule 11.6)."""
        keep = {"ContactRecord", "MessageRecord", "StateRecord", "ConversationRecord", "FactRecord"}
        self.rows.tables = {table: rows for table, rows in self.rows.tables.items() if table.__name__ in keep}
        self.keys = with_new_incarnation(self.keys, self.sealer, self.entropy)
        for other in self.valley.boxes.values():
            other.neighbours._known.pop(self.name, None)
        self.boot()

    def step(self, act: Callable[[], Any]) -> Any:
        """One step as the host runs it: act, commit, then speak. A blown fuse leaves what was done until then."""
        if not self.on:
            return None
        ctx = self.ctx
        ctx.now, ctx.out = self.valley.now, []
        result = act()
        self.forwarding.tick()
        self.chat.tick()
        try:
            self._perform(ctx.out)
        except PowerLossError:
            self.on = False
            self.fuse = None
        return result

    def wakeup(self) -> float | None:
        times = [t for t in (self.forwarding.wakeup(), self.chat.wakeup()) if t is not None]
        return min(times, default=None) if self.on else None

    def compose(self, told: Compose) -> MessageId | None:
        result: MessageId | None = self.step(lambda: self.chat.compose(told))
        return result

    def write(self, to: Box, text: str, **more: Any) -> MessageId:
        message = self.compose(Compose(text, to=to.keys.persona, **more))
        assert message is not None
        return message

    def post(self, channel: ChannelId, text: str, **more: Any) -> MessageId:
        message = self.compose(Compose(text, channel=channel, **more))
        assert message is not None
        return message

    def knows(self, other: Box, *, blocked: bool = False) -> None:
        told = SetContact(other.keys.persona, other.name, verified=False, blocked=blocked)
        self.step(lambda: self.chat.set_contact(told))

    def joins(self, channel: ChannelId, *, joined: bool = True) -> None:
        self.step(lambda: self.chat.set_channel(SetChannel(channel, "square", joined)))

    def reads(self, *messages: MessageId) -> None:
        self.step(lambda: self.chat.mark_read(MarkRead(messages)))

    def inbox(self) -> list[str]:
        """Texts that came, in the order they came."""
        came = [m for m in self.rows.every(MessageRecord) if not m.outgoing]
        return [m.text for m in sorted(came, key=lambda m: m.cursor)]

    def filed(self) -> list[MessageRecord]:
        return [notice.message for notice in self.notices if isinstance(notice, MessageFiled)]

    def state(self, message: MessageId) -> str:
        row = self.rows.tables.get(StateRecord, {}).get((message,))
        assert isinstance(row, StateRecord)
        return row.state

    def states_told(self, message: MessageId) -> list[str]:
        return [n.state for n in self.notices if isinstance(n, StateChanged) and n.message == message]

    def _perform(self, effects: list[Effect]) -> None:
        self._burn()
        self.rows.commit(effects)
        for effect in effects:
            match effect:
                case Spoken():
                    self._burn()
                    self.valley.speak(self, effect)
                case Notify(notice):
                    self._burn()
                    self.notices.append(notice)
                case ReadStored(token, blocks):
                    self.valley.at(0.0, lambda token=token, blocks=blocks: self._answer(token, blocks))
                case _:
                    pass

    def _answer(self, token: int, blocks: tuple[tuple[Any, int, int], ...]) -> None:
        held = sorted(self.rows.every(BlockRecord), key=lambda row: row.seq)
        rows = [r for log, first, n in blocks for r in held if r.log == log and first <= r.seq < first + n]
        self.step(lambda: self.chat.stored(Stored(token, tuple(rows))))

    def _burn(self) -> None:
        if self.fuse is not None:
            if self.fuse == 0:
                raise PowerLossError
            self.fuse -= 1

    def _publish(self, block: Block) -> None:
        self._store_block(block, promise=True)
        self.valley.blocks.append(block)

    def _store_block(self, block: Block, *, promise: bool = False) -> None:
        row = BlockRecord(
            block.log, block.seq, block.id, block.content, block.signature, block.body or b"", BODY_HELD, block.kind,
            self.valley.now,
        )  # fmt: skip
        self.ctx.persist(row, promise=promise)

    def hears_of(self, block: Block) -> None:
        """Gossip brought a block."""

        def take() -> None:
            self._store_block(block)
            self.chat.block_arrived(block)

        if (block.log, block.seq) not in self.rows.tables.get(BlockRecord, {}):
            self.step(take)


class Valley:
    """Boxes, who is beside whom, time and chance."""

    def __init__(self, seed: int = 1, loss: float = 0.0, imax_s: float = IMAX_S) -> None:
        self.seed = seed
        self.loss = loss
        self.imax_s = imax_s  # between beacons of settled neighbours; raise it for weeks
        self.beacons = True
        self.chance = Random(seed)
        self.now = 1000.0
        self.boxes: dict[str, Box] = {}
        self.blocks: list[Block] = []
        self.on_air: list[tuple[str, Frame]] = []
        self.dropped: Callable[[Box, Box, Frame], bool] = lambda sender, receiver, frame: False
        self._links: dict[frozenset[str], None] = {}
        self._sessions: dict[frozenset[str], None] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def box(self, name: str, **settings: Any) -> Box:
        box = self.boxes[name] = Box(self, name, replace(Settings(), **settings))
        return box

    def line(self, names: str, **settings: Any) -> list[Box]:
        """Boxes in a row, contacts of each other, each other's person logs known."""
        boxes = [self.box(name, **settings) for name in names]
        for left, right in pairwise(boxes):
            self.join(left, right)
        self.befriend(*boxes)
        return boxes

    def befriend(self, *boxes: Box) -> None:
        for one in boxes:
            for other in boxes:
                if one is not other:
                    one.knows(other)
        self.share()

    def share(self) -> None:
        """Gossip has run: every block is everywhere."""
        for block in list(self.blocks):
            for box in self.boxes.values():
                box.hears_of(block)

    def date(self, unix_s: float, *boxes: Box, uncertainty_s: float = 1.0) -> None:
        """These boxes learn the date."""
        for box in boxes:
            box.clock = box.ctx.clock = WallClock(unix_s, self.now, uncertainty_s, "gps")
            box.step(box.forwarding.clock_changed)

    def today(self, *boxes: Box) -> None:
        self.date(EPOCH_2026 + 300 * 86400.0, *boxes)

    # Who is beside whom

    def linked(self, one: Box, other: Box) -> bool:
        return frozenset((one.name, other.name)) in self._links and one.on and other.on

    def in_session(self, one: Box, other: Box) -> bool:
        return frozenset((one.name, other.name)) in self._sessions and one.on and other.on

    def beside(self, box: Box) -> list[Box]:
        return [other for other in self.boxes.values() if other is not box and self.linked(box, other)]

    def peers(self, box: Box) -> list[Box]:
        return [other for other in self.boxes.values() if other is not box and self.in_session(box, other)]

    def join(self, one: Box, other: Box) -> None:
        """They come into each other's reach, and beacons tell."""
        self._links[frozenset((one.name, other.name))] = None
        self._meet(one, other)

    def part(self, one: Box, other: Box) -> None:
        self._links.pop(frozenset((one.name, other.name)), None)
        self._sessions.pop(frozenset((one.name, other.name)), None)
        for box, gone in ((one, other), (other, one)):
            box.step(lambda box=box, gone=gone: box.forwarding.neighbour_lost(box.neighbours.of(gone)))

    def open_session(self, one: Box, other: Box) -> None:
        self._sessions[frozenset((one.name, other.name))] = None
        for box, peer in ((one, other), (other, one)):
            box.step(lambda box=box, peer=peer: box.forwarding.session_opened(box.neighbours.of(peer)))

    def reboot(self, box: Box) -> None:
        """Power off and on: neighbours meet it afresh."""
        box.boot()
        for other in self.beside(box):
            self._meet(box, other)

    def _meet(self, one: Box, other: Box) -> None:
        for box, met in ((one, other), (other, one)):
            box.step(lambda box=box, met=met: box.forwarding.neighbour_bound(box.neighbours.of(met)))
            for wait in BEACONS_S:
                self.at(wait, lambda box=box, met=met: self._beacon(box, met))
        for box, met in ((one, other), (other, one)):
            self.at(BEACONS_S[-1] + self.imax_s, lambda box=box, met=met: self._beacons(box, met, box.forwarding))

    def _beacon(self, hearer: Box, sender: Box) -> None:
        if self.beacons and self.linked(hearer, sender) and self.chance.random() >= self.loss:
            digest = sender.forwarding.envelope_digest()
            hearer.step(lambda: hearer.forwarding.digest_heard(hearer.neighbours.of(sender), digest))

    def _beacons(self, hearer: Box, sender: Box, life: Forwarding) -> None:
        if self.linked(hearer, sender) and hearer.forwarding is life:
            self._beacon(hearer, sender)
            self.at(self.imax_s, lambda: self._beacons(hearer, sender, life))

    # Time and air

    def at(self, wait: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + wait, next(self._order), act))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            wakeups = [(t, box) for box in self.boxes.values() if (t := box.wakeup()) is not None]
            next_wakeup = min((t for t, _ in wakeups), default=float("inf"))
            next_event = self._events[0][0] if self._events else float("inf")
            if min(next_wakeup, next_event) > end:
                self.now = end
                return
            if next_event <= next_wakeup:
                self.now = max(self.now, next_event)
                heapq.heappop(self._events)[2]()
                continue
            self.now = max(self.now, next_wakeup)
            box = next(box for t, box in wakeups if t == next_wakeup)
            box.step(lambda: None)

    def speak(self, sender: Box, spoken: Spoken) -> None:
        """A frame leaves, now or when its jitter is over."""
        if spoken.not_before > self.now:
            life = sender.forwarding
            self.at(spoken.not_before - self.now, lambda: self._speak_now(sender, spoken, life))
        else:
            self._speak_now(sender, spoken, sender.forwarding)

    def _speak_now(self, sender: Box, spoken: Spoken, life: Forwarding) -> None:
        if sender.forwarding is not life or not sender.on:
            return
        if spoken in sender.speaking:
            sender.speaking.remove(spoken)
        if spoken.cancelled:
            return
        self.on_air.append((sender.name, spoken.frame))
        hearers = self.peers(sender) if spoken.session else self.beside(sender)
        mesh = sender.ctx.mesh.id
        for hearer in hearers:
            if spoken.to is None or spoken.to == neighbour_id(hearer.keys.node, mesh):
                self._carry(sender, hearer, spoken)
        if not spoken.session:
            outgoing = Outgoing(spoken.frame, spoken.cls, LINK, spoken.to, key=spoken.key)
            self.at(0.0, lambda: sender.step(lambda: sender.forwarding.sent(outgoing)))

    def _carry(self, sender: Box, hearer: Box, spoken: Spoken) -> None:
        lost = not spoken.session and self.chance.random() < self.loss
        if lost or self.dropped(sender, hearer, spoken.frame):
            return
        (frame,) = decode_frames_untrusted(encode_frame(spoken.frame))
        assert frame == spoken.frame
        self.at(HOP_S, lambda: self.deliver(sender, hearer, frame, multicast=spoken.to is None, session=spoken.session))

    def deliver(
        self, sender: Box, hearer: Box, frame: Frame, *, multicast: bool = False, session: bool = False
    ) -> None:
        """A frame reaches a box, if it still can."""
        reach = self.in_session if session else self.linked
        if not reach(sender, hearer):
            return
        neighbour = hearer.neighbours.of(sender)
        heard = Heard(
            neighbour.id, neighbour, True, "" if session else LINK, "fe80::", multicast, (frame,),
            pairwise=not multicast, carrier="session" if session else "link",
        )  # fmt: skip
        hearer.step(lambda: hearer.forwarding.frame_arrived(frame, heard))

    def envelopes_on_air(self) -> Iterator[tuple[str, EnvelopeFrame]]:
        return ((name, frame) for name, frame in self.on_air if isinstance(frame, EnvelopeFrame))


__all__ = ["Box", "Valley"]

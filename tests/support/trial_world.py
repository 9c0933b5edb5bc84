"""Whole nodes in virtual time: boxes that can lose power at any effect, links that lose frames, people who write.

Each box counts its own powered-on seconds, which stand still while it is off. Everything follows from the seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count, pairwise
from math import ceil
from random import Random
from typing import Any

from meshnode.core.clock import WallClock
from meshnode.core.effects import Dial, Effect, Forget, Hangup, Notify, Persist, ReadStored, Send, SendRecord
from meshnode.core.identity.keys import Keys, new_keys, with_new_incarnation
from meshnode.core.ids import MessageId, NodeKey, channel_id
from meshnode.core.inputs import (
    BeginExport,
    ClockSet,
    Compose,
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    FrameReceived,
    Input,
    LinkChanged,
    MarkRead,
    RecordReceived,
    SessionWritable,
    SetChannel,
    SetContact,
    Stored,
    Tick,
)
from meshnode.core.node import RENEW_FACT, Node
from meshnode.core.notices import MessageFiled, StateChanged, Warned
from meshnode.core.records import (
    ROLE_OWN,
    EnvelopeRecord,
    FactRecord,
    MessageRecord,
    PrekeyRecord,
    RatchetRecord,
    RecordKey,
    StateRecord,
)
from meshnode.core.sealing.mesh import MeshKeys, closed_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from support.trial_disk import TrialDisk

LINK = "halow0"
MESH = closed_mesh("valley", bytes(range(32)))
SQUARE = channel_id("square")
AIR_FRAME = 86  # 38 B of a frame and 48 B of IPv6 and UDP around a payload
TRIES = 8


class PowerLossError(Exception):
    """The box went dark in the middle of a step."""


def address_of(name: str) -> str:
    return f"fe80::{name}"


class Box:
    """One home: keys, disk, and while it is on a node."""

    def __init__(self, world: TrialWorld, name: str, settings: Settings, mesh: MeshKeys, seed: object) -> None:
        self.world = world
        self.name = name
        self.settings = settings
        self.mesh = mesh
        self.seed = seed
        self.keys: Keys = new_keys(SeededSealer(f"{seed}/{name}"), SeededEntropy(f"{seed}/{name}"))
        self.disk = TrialDisk()
        self.clock: WallClock | None = None
        self.on = False
        self.node: Node
        self.epoch = 0
        self.fuse: int | None = None  # effects until the power goes
        self.notices: list[Any] = []
        self.sent_datagrams: list[Send] = []
        self.parcels: dict[int, list[bytes]] = {}
        self.effects_log: Callable[[str, Effect], None] | None = None
        self.began_at = 0.0  # world time minus our own
        self.wake_at: float | None = None

    # power

    def boot(self, *, reseed: bool = True) -> None:
        """Power on: go on from the disk, under a higher epoch."""
        self.epoch = self.disk.raise_epoch()
        self._renew_if_due()
        self.began_at = self.world.now - self.disk.now
        seed = f"{self.seed}/{self.name}/{self.epoch if reseed else 1}"
        sealer, entropy = SeededSealer(f"{seed}{self.world.sealing}"), SeededEntropy(seed)
        self.node = Node(self.keys, self.mesh, self.settings, sealer, entropy, self.disk.snapshot(), self.epoch)
        self.on = True
        self.wake_at = None
        self.fuse = None
        if self.clock is not None:
            self.feed(ClockSet(self.clock))
        self.feed(LinkChanged(LINK, self.world.link_of(self.name)))

    def _renew_if_due(self) -> None:
        """As the daemon does it (rules 2.6, 11.6)."""
        fact = self.disk.get(FactRecord, RENEW_FACT)
        if fact is None or not fact.value:
            return
        self.renew()

    def renew(self) -> None:
        """A new incarnation: nothing is kept that a double may use as well."""
        seed = f"{self.seed}/{self.name}/renewal {self.epoch}/{self.world.now}"
        self.keys = with_new_incarnation(self.keys, SeededSealer(seed), SeededEntropy(seed))
        gone = [RecordKey(FactRecord, (RENEW_FACT,))]
        gone += [RecordKey(RatchetRecord, (one.device, one.root_id)) for one in self.disk.every(RatchetRecord)]
        gone += [RecordKey(PrekeyRecord, (one.block,)) for one in self.disk.every(PrekeyRecord)]
        own = [one for one in self.disk.every(EnvelopeRecord) if one.role == ROLE_OWN]
        gone += [RecordKey(EnvelopeRecord, (one.id,)) for one in own]
        self.disk.commit([Forget(tuple(gone), promise=True)], self.disk.now)

    def off(self) -> None:
        """The process is killed; what was written is in the file."""
        self.on = False
        self.world.cut_sessions(self.name)

    def cut(self) -> None:
        """The power goes: what was not synced may be gone."""
        self.off()
        self.disk.lose_power(self.world.chance)

    def mute(self) -> None:
        """The interface goes away."""
        self.feed(LinkChanged(LINK, None))

    def unmute(self) -> None:
        """It is back."""
        self.feed(LinkChanged(LINK, self.world.link_of(self.name)))

    # steps

    @property
    def now(self) -> float:
        return self.world.now - self.began_at

    def feed(self, given: Input) -> list[Effect]:
        """One step, committed and performed; nothing while the box is off."""
        if not self.on:
            return []
        effects = self.node.step(given, self.now)
        try:
            self._perform(effects)
        except PowerLossError:
            self.cut()
            return effects
        self.world.rewake(self)
        return effects

    def _perform(self, effects: list[Effect]) -> None:
        self._burn()
        self.disk.commit(effects, self.now)
        self.disk.keep_now(self.now)
        for effect in effects:
            if self.effects_log is not None:
                self.effects_log(self.name, effect)
            if not isinstance(effect, Persist | Forget):
                self._burn()
                self.world.perform(self, effect)

    def _burn(self) -> None:
        if self.fuse is not None:
            if self.fuse <= 0:
                raise PowerLossError
            self.fuse -= 1

    # people

    def knows(self, *others: Box, blocked: bool = False) -> None:
        for other in others:
            self.feed(SetContact(other.keys.persona, other.name, False, blocked))

    def joins(self, name: str = "square") -> None:
        self.feed(SetChannel(channel_id(name), name, True))

    def write(self, to: Box, text: str, **more: Any) -> MessageId:
        """A direct message; its id."""
        return self._filed(self.feed(Compose(text, to=to.keys.persona, **more)))

    def post(self, text: str, channel: str = "square", **more: Any) -> MessageId:
        return self._filed(self.feed(Compose(text, channel=channel_id(channel), **more)))

    def read(self, *messages: MessageId) -> None:
        self.feed(MarkRead(messages))

    def set_clock(self, unix_s: float, uncertainty_s: float = 1.0, source: str = "gps") -> None:
        self.clock = WallClock(unix_s, self.now, uncertainty_s, source)
        self.feed(ClockSet(self.clock))

    def export(self, **more: Any) -> list[bytes]:
        """The records of a parcel, once the world has run a little."""
        session = self.world.next_session()
        self.parcels[session] = records = []
        self.feed(BeginExport(session, **more))
        return records

    def import_(self, records: Iterable[bytes]) -> None:
        session = self.world.next_session()
        self.feed(EncounterBegan(session, NodeKey(b""), "parcel", "", False))
        for record in records:
            self.feed(RecordReceived(session, record))
        self.feed(EncounterEnded(session))

    # what is there

    def inbox(self, peer: Box | None = None) -> list[str]:
        """Direct texts that came, in the order they came."""
        return [m.text for m in self._messages(outgoing=False) if not m.channel and _from(m, peer)]

    def posts(self, channel: str = "square") -> list[str]:
        """What others posted, in the order it came."""
        return [m.text for m in self._messages(outgoing=False) if m.channel == channel_id(channel)]

    def in_order(self, writer: Box, channel: str = "") -> list[str]:
        """What one writer said to us, or in a channel, in the order of its log or conversation."""
        where = channel_id(channel) if channel else b""
        rows = [m for m in self._messages(outgoing=False) if m.channel == where and m.peer == writer.keys.persona]
        return [row.text for row in sorted(rows, key=lambda row: row.seq)]

    def written(self, to: Box | None = None, channel: str = "") -> list[str]:
        """What we wrote to somebody, or in a channel, in order."""
        where, peer = (channel_id(channel), self) if to is None else (b"", to)
        rows = [m for m in self._messages(outgoing=True) if m.channel == where and m.peer == peer.keys.persona]
        return [row.text for row in sorted(rows, key=lambda row: row.seq)]

    def state(self, message: MessageId) -> str:
        row = self.disk.get(StateRecord, message)
        return row.state if row is not None else ""

    def told(self, kind: type) -> list[Any]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def warnings(self) -> list[str]:
        return [warned.code for warned in self.told(Warned)]

    def states_told(self, message: MessageId) -> list[str]:
        return [told.state for told in self.told(StateChanged) if told.message == message]

    @property
    def sent_bytes(self) -> int:
        return sum(len(send.data) + AIR_FRAME for send in self.sent_datagrams)

    def _messages(self, *, outgoing: bool) -> list[MessageRecord]:
        rows = [row for row in self.disk.every(MessageRecord) if row.outgoing is outgoing]
        return sorted(rows, key=lambda row: row.cursor)

    def _filed(self, effects: list[Effect]) -> MessageId:
        for effect in effects:
            if isinstance(effect, Notify) and isinstance(effect.notice, MessageFiled | StateChanged):
                notice = effect.notice
                return notice.message.id if isinstance(notice, MessageFiled) else notice.message
        raise AssertionError("nothing was filed")


class TrialWorld:
    """Boxes, who hears whom, time and chance."""

    def __init__(
        self,
        seed: int = 1,
        *,
        loss: float = 0.0,
        link: LinkSettings | None = None,
        sealing: str = "",
        grain: float = 0.0,
    ) -> None:
        self.seed = seed
        self.grain = grain  # of a host that looks at the clock so seldom: ticks come late by as much, inputs do not
        self.sealing = sealing  # another one gives other prekeys and other ciphertexts, and nothing else
        self.chance = Random(seed)
        self.loss = loss
        self.link = link or LinkSettings()
        self.now = 0.0
        self.boxes: dict[str, Box] = {}
        self.hears: dict[str, dict[str, None]] = {}
        self.sessions_work = True
        self.filter: Callable[[str, str, Send], bool] = lambda source, target, send: True
        self.captured: list[tuple[float, str, str, FrameReceived]] | None = None
        self._links: dict[str, LinkSettings] = {}
        self._events: list[tuple[float, int, Callable[[], Any]]] = []
        self._order = count()
        self._session_ids = count(1)
        self._sessions: dict[tuple[str, int], tuple[str, int]] = {}

    # building

    def add(
        self,
        name: str,
        *,
        mesh: MeshKeys = MESH,
        link: LinkSettings | None = None,
        seed: object = None,
        date: float = 0.0,
        **settings: Any,
    ) -> Box:
        """A box, switched on. `seed`: its own, not that of the world; `date`: in Unix seconds, if known."""
        box = Box(self, name, Settings(**{"name": name, **settings}), mesh, self.seed if seed is None else seed)
        if link is not None:
            self._links[name] = link
        if date:
            box.clock = WallClock(date, 0.0, 1.0, "gps")
        self.boxes[name] = box
        self.hears.setdefault(name, {})
        box.boot()
        return box

    def line(self, names: str, **settings: Any) -> list[Box]:
        """Boxes in a row, each other's contacts, all in the square."""
        boxes = [self.add(name, **settings) for name in names]
        for one, other in pairwise(names):
            self.join(one, other)
        for box in boxes:
            box.joins()
            box.knows(*(other for other in boxes if other is not box))
        return boxes

    def join(self, one: str, other: str) -> None:
        self.hears[one][other] = None
        self.hears[other][one] = None

    def part(self, one: str, other: str) -> None:
        self.hears[one].pop(other, None)
        self.hears[other].pop(one, None)
        for (name, session), (peer, _) in list(self._sessions.items()):
            if {name, peer} == {one, other}:
                self._hang_up(name, session)

    def link_of(self, name: str) -> LinkSettings:
        return self._links.get(name, self.link)

    def next_session(self) -> int:
        return next(self._session_ids)

    # time

    def at(self, wait: float, do: Callable[[], Any]) -> None:
        heapq.heappush(self._events, (self.now + wait, next(self._order), do))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass, or stop as soon as `until` holds; true if it did."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            when, _, do = heapq.heappop(self._events)
            self.now = max(self.now, when)
            do()
            if until is not None and until():
                return True
        self.now = end
        return until is not None and until()

    def rewake(self, box: Box) -> None:
        """Wake the box when its node wants a tick."""
        soonest = self._looks_at(self.now + 1e-6)
        if box.wake_at is not None and box.wake_at <= soonest:
            return
        due = box.node.next_wakeup()
        if due is None:
            return
        at = max(self._looks_at(due + box.began_at), soonest)
        if box.wake_at is None or at < box.wake_at:
            box.wake_at = at
            node = box.node
            self.at(at - self.now, lambda: self._tick(box, node, at))

    def _looks_at(self, moment: float) -> float:
        """When the host looks at the clock, from that moment on."""
        return ceil(moment / self.grain) * self.grain if self.grain else moment

    def _tick(self, box: Box, node: Node, at: float) -> None:
        if box.node is node and box.on and box.wake_at == at:
            box.wake_at = None
            box.feed(Tick())

    # effects

    def perform(self, box: Box, effect: Effect) -> None:
        match effect:
            case Send():
                box.sent_datagrams.append(effect)
                self._send(box, effect)
            case SendRecord():
                self._send_record(box, effect)
            case Dial():
                self._dial(box, effect)
            case Hangup(session):
                self.at(0.02, lambda: self._hang_up(box.name, session))
            case ReadStored():
                self.at(0.001, lambda node=box.node: self._answer(box, node, effect))
            case Notify(notice):
                box.notices.append(notice)
            case _:
                raise AssertionError(effect)

    def _send(self, box: Box, send: Send) -> None:
        settings = self.link_of(box.name)
        size = len(send.data) + AIR_FRAME
        if send.to is None:
            assert len(send.data) <= settings.multicast_payload
            delay = 0.001 + size * 8 / settings.multicast_bps
            for other in self.hears[box.name]:
                if self.chance.random() >= self.loss:
                    self._deliver(box, other, send, delay)
            return
        assert len(send.data) <= settings.unicast_payload
        delay = 0.0
        for _ in range(TRIES):
            delay += 0.001 + size * 8 / settings.unicast_bps
            if self.chance.random() >= self.loss:
                target = send.to.removeprefix("fe80::")
                if target in self.hears[box.name]:
                    self._deliver(box, target, send, delay)
                return

    def _deliver(self, box: Box, target: str, send: Send, delay: float) -> None:
        if not self.filter(box.name, target, send):
            return
        received = FrameReceived(LINK, address_of(box.name), send.to is None, send.data)
        if self.captured is not None:
            self.captured.append((self.now + delay, box.name, target, received))
        self.at(delay, lambda: self.inject(target, received))

    def inject(self, target: str, received: FrameReceived) -> None:
        """A datagram reaches a box, whoever sent it."""
        if target in self.boxes:
            self.boxes[target].feed(received)

    def _answer(self, box: Box, node: Node, asked: ReadStored) -> None:
        if box.node is node:
            disk = box.disk
            blocks = disk.blocks(asked.blocks)[: asked.most or None]
            box.feed(Stored(asked.token, blocks, disk.envelopes(asked.envelopes), disk.chunks(asked.chunks)))

    # sessions

    def _dial(self, box: Box, dial: Dial) -> None:
        target = dial.address.removeprefix("fe80::").removeprefix("200::")
        reachable = dial.carrier == "overlay" or target in self.hears[box.name]
        if not self.sessions_work or not reachable or target not in self.boxes or not self.boxes[target].on:
            self.at(1.0, lambda: box.feed(DialFailed(dial.address, "no answer")))
        else:
            self.at(0.05, lambda: self.connect(box.name, target, dial.carrier))

    def connect(self, one: str, other: str, carrier: str = "overlay") -> None:
        """A session between two boxes, as if the handshake had just ended."""
        first, second = self.boxes[one], self.boxes[other]
        if not (first.on and second.on) or any(k[0] == one and v[0] == other for k, v in self._sessions.items()):
            return
        mine, theirs = self.next_session(), self.next_session()
        prefix = "fe80::" if carrier == "link" else "200::"
        self._sessions[one, mine], self._sessions[other, theirs] = (other, theirs), (one, mine)
        first.feed(EncounterBegan(mine, second.keys.node, carrier, prefix + other, True))
        second.feed(EncounterBegan(theirs, first.keys.node, carrier, prefix + one, False))

    def cut_sessions(self, name: str) -> None:
        for owner, session in list(self._sessions):
            if owner == name:
                self._hang_up(owner, session)

    def disconnect(self, one: str, other: str) -> None:
        for (name, session), (peer, _) in list(self._sessions.items()):
            if (name, peer) == (one, other):
                self._hang_up(name, session)

    def _send_record(self, box: Box, record: SendRecord) -> None:
        if record.session in box.parcels:
            box.parcels[record.session].append(record.data)
            return
        far = self._sessions.get((box.name, record.session))
        if far is not None:
            delay = 0.004 + len(record.data) * 8 / 1_000_000
            self.at(delay, lambda: self._record_arrives(box, record, far))

    def _record_arrives(self, box: Box, record: SendRecord, far: tuple[str, int]) -> None:
        if (box.name, record.session) in self._sessions:
            self.boxes[far[0]].feed(RecordReceived(far[1], record.data))
            box.feed(SessionWritable(record.session, 0))

    def _hang_up(self, name: str, session: int) -> None:
        far = self._sessions.pop((name, session), None)
        if far is not None:
            self._sessions.pop(far, None)
            self.boxes[name].feed(EncounterEnded(session))
            self.boxes[far[0]].feed(EncounterEnded(far[1]))


def _from(message: MessageRecord, peer: Box | None) -> bool:
    return peer is None or message.peer == peer.keys.persona

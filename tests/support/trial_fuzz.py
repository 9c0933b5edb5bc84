"""Bad input by the thousand into one whole node: mutations outside the seal, and inside it with keys that fit.

Outside: captured datagrams, flipped, cut, grown, spliced, renamed. Inside: captured frames with other values, sealed
behind the mesh key or pairwise by a bound member, in a session or in a parcel; blocks signed anew, HELLOs of new nodes,
envelopes with receipts that fit, first messages sealed to the true prekey. Everything follows from the seed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

from meshnode.core.chain.block import ROOT, compact_of, write_block
from meshnode.core.chain.frontier import Element
from meshnode.core.clock import WallClock
from meshnode.core.effects import SendRecord
from meshnode.core.files.library import Held
from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.ids import (
    PERSON_CHANNEL,
    BlockId,
    ChannelId,
    DeviceKey,
    EnvelopeId,
    Incarnation,
    LogId,
    MessageId,
    NeighbourId,
    NodeKey,
    PersonaKey,
    Receipt,
    channel_id,
    log_handle,
    log_id,
    neighbour_id,
)
from meshnode.core.inputs import (
    AdoptBranches,
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
    PeerSeen,
    RecordReceived,
    RemoveContact,
    RevokeDevice,
    SessionWritable,
    SetChannel,
    SetContact,
    Stored,
    StoreState,
)
from meshnode.core.neighbours.hello import LABEL
from meshnode.core.records import PrekeyRecord
from meshnode.core.sealing.envelope import Terms, receipt_tag
from meshnode.core.sealing.first import Prekey, seal_first
from meshnode.core.sealing.inner import Inner
from meshnode.core.sealing.link import LinkSeal, peek_untrusted
from meshnode.core.sealing.pair import pair_key, sealed_echo
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    ChunkPiece,
    ChunkWant,
    Done,
    Echo,
    Elements,
    EnvelopeFrame,
    FileHave,
    FileSeek,
    ForkFrame,
    FragmentWant,
    Frame,
    Handover,
    Heads,
    Hello,
    Need,
    Offer,
    Proof,
    Proofs,
    Receipts,
    Refs,
    RefWant,
    Run,
    SessionBeacon,
    Took,
    Trace,
    Unknown,
    Want,
    Wish,
)
from meshnode.errors import UsageError, WireError
from support.trial_files import attach, sample, want
from support.trial_world import LINK, MESH, Box, TrialWorld, address_of

LISTED = 65_535  # the number under which the list of a file's hashes is asked for
WRITERS = 12
STEP_S = 0.25  # between inputs: buckets of the senders fill again
TOGETHER = 4  # inputs between two steps of the world
GRAIN_S = 1.0  # each input lets the node do what is due; between them its host looks at the clock so often
TIDY_EVERY = 200
ROOM = 1171


class Fuzz:
    """A node `b` that lived among others, and a bound member with many faces who now talks to it alone."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.sealer = SeededSealer(f"fuzz {seed}")
        self.world = TrialWorld(seed, grain=GRAIN_S)
        self.plain: list[Frame] = []
        self.datagrams: list[FrameReceived] = []
        self.target = self._live()
        self.writers = [new_keys(self.sealer, SeededEntropy(f"writer {seed} {n}")) for n in range(WRITERS)]
        self.heads: dict[LogId, tuple[int, BlockId]] = {}
        self.member = self.writers[0]
        self.me = neighbour_id(self.member.node, MESH.id)
        self.seal = LinkSeal(self.sealer, MESH, self.me, 1)
        them = self.target.node.neighbours.me
        self.pair = pair_key(
            self.sealer, MESH.link, self.member.exchange_secret, self.target.keys.exchange, self.me, them
        )
        self.sessions: list[int] = []
        self.receipts: list[Receipt] = []
        self.bodies = [f.block.body for f in self.plain if isinstance(f, BlockFrame) and f.block.body]
        self.bodies += [b"words", self.member.certificate, bytes(40)]
        self.prekeys = self.target.disk.every(PrekeyRecord)
        self.plain += self._rare()
        self.done = 0
        self._say(self._hello(self.member, 1))
        self._open_sessions()

    # a life before

    def _live(self) -> Box:
        """Some minutes among others, all of it recorded."""
        world = self.world
        world.captured = []
        a, b, c = world.line("abc")
        for box in (a, b, c):
            self._tap(box)
        world.run(60)
        for number in range(6):
            a.write(c, f"words {number}", probe=number == 3)
            c.write(b, f"more words {number}")
            b.post(f"a post {number}")
            world.run(5)
        b.read(*[row.id for row in b._messages(outgoing=False)][:2])
        world.connect("a", "b")
        world.run(30)
        for record in a.export():
            self.plain += decode_frames_untrusted(record)
        c.write(a, "after that")
        want(c, attach(a, sample(40_000)))
        world.run(8)
        want(b, attach(a, sample(1_000_000, 2)))
        world.run(2)
        self.datagrams = [received for _, _, target, received in world.captured if target == "b"]
        world.captured = None
        for box in (a, c):
            box.off()
        return b

    def _rare(self) -> list[Frame]:
        """Frames that a quiet valley does not send, about what the target holds."""
        node = self.target.node
        logs = list(node.gossip.logs.book.logs)
        envelopes = [carried.id for carried in node.forwarding.shelf] or [EnvelopeId(bytes(16))]
        return [
            Took(tuple(envelopes)),
            Need(tuple(envelope[:6] for envelope in envelopes)),
            Offer(tuple(envelope[:6] for envelope in envelopes)),
            Proofs(tuple(Proof(envelope[:4], bytes(8)) for envelope in envelopes)),
            FragmentWant(bytes(8), 0xFFFF),
            Heads(tuple(Element(log, 3, False) for log in logs)),
            Elements(bytes(4), (bytes(5),)),
            SessionBeacon(bytes(8), bytes(4)),
            Done(node.gossip.logs.digest()),
            Want(tuple(Wish(log, 1, 256) for log in logs)),
            Want(tuple(Wish(log[:4], 1, 3, True) for log in logs)),
            RefWant(tuple(log_handle(log) for log in logs)),
            Refs(tuple(logs)),
            Trace(bytes(8), 1, 0, bytes(6)),
            *(frame for held in node.files.library.files.values() for frame in _about_a_file(held)),
            Unknown(0x3F, bytes(20)),
        ]

    def _tap(self, box: Box) -> None:
        seal, perform = box.node.outbox.seal, self.world.perform

        def tapped(link: str, to: NeighbourId | None, plaintext: bytes) -> tuple[str | None, bytes] | None:
            self.plain += decode_frames_untrusted(plaintext)
            return seal(link, to, plaintext)

        def performed(by: Box, effect: Any) -> None:
            if isinstance(effect, SendRecord):
                self.plain += decode_frames_untrusted(effect.data)
            perform(by, effect)

        box.node.outbox.seal = tapped
        if box.name == "a":
            self.world.perform = performed  # type: ignore[method-assign]

    def _open_sessions(self) -> None:
        self.target.feed(EncounterBegan(9001, self.member.node, "overlay", "200::m", False))
        self.target.feed(EncounterBegan(9002, NodeKey(b""), "parcel", "", False))
        self.sessions = [9001, 9002]

    # inputs

    def run(self, inputs: int) -> None:
        """So many inputs; the node may raise nothing."""
        for _ in range(inputs):
            self._keep_bound()
            self.chance.choice(self._ways)(self)
            self.done += 1
            if self.done % TOGETHER == 0:
                self.world.run(STEP_S * TOGETHER)
            if self.done % TIDY_EVERY == 0:
                self._tidy()

    def outside(self) -> None:
        """A captured datagram, changed in its bytes."""
        received = self.chance.choice(self.datagrams)
        data = self._mangled(received.data)
        multicast = received.multicast if self.chance.random() < 0.8 else not received.multicast
        self.target.feed(FrameReceived(LINK, address_of(self.chance.choice("acxy")), multicast, data))

    def inside(self) -> None:
        """Frames with other values, or other bytes, behind a seal that fits."""
        number = self.chance.choice((1, 1, 1, 2, 3, 8))
        parts = [self._encoded(self._frame()) for _ in range(number)]
        plaintext = _joined(parts)
        if self.chance.random() < 0.3:
            plaintext = self._mangled(plaintext)
        self._deliver(plaintext)

    def person(self) -> None:
        """What a person, or the host, might say by mistake: a UsageError at most."""
        with suppress(UsageError):
            self.target.feed(self.chance.choice(self._said)(self))

    _ways: tuple[Callable[[Fuzz], None], ...] = (*(outside,) * 15, *(inside,) * 15, person)

    _said: tuple[Callable[[Fuzz], Input], ...] = (
        lambda self: Compose("x" * self.chance.choice((0, 5, 4000, 20_000)), to=self.target.keys.persona),
        lambda self: Compose("to nobody", to=PersonaKey(self.chance.randbytes(32)), probe=self.chance.random() < 0.5),
        lambda self: Compose("nowhere"),
        lambda self: Compose("a post", channel=ChannelId(self.chance.randbytes(16)), cls=self.chance.randrange(-1, 9)),
        lambda self: Compose("to a writer", to=self.chance.choice(self.writers).persona, cls=self.chance.randrange(6)),
        lambda self: MarkRead((MessageId(self.chance.randbytes(16)),)),
        lambda self: SetContact(self.chance.choice(self.writers).persona, "n", False, self.chance.random() < 0.5),
        lambda self: RemoveContact(self.chance.choice(self.writers).persona),
        lambda self: SetChannel(channel_id("fuzz"), "fuzz", self.chance.random() < 0.5),
        lambda self: RevokeDevice(self.chance.randbytes(100)),
        lambda self: AdoptBranches(self.chance.choice((self.target.keys.device, DeviceKey(self.chance.randbytes(32))))),
        lambda self: StoreState(1, 2, self.chance.random() < 0.2),
        lambda self: ClockSet(
            WallClock(self.chance.uniform(-1e9, 3e9), self.target.now, self.chance.choice((1.0, 1e9)), "gps")
        ),
        lambda self: PeerSeen(f"200::{self.chance.randrange(9)}", "overlay", self.chance.random() < 0.5),
        lambda self: DialFailed("200::5", "no"),
        lambda self: SessionWritable(self.chance.choice((1, 9001)), self.chance.randrange(1 << 20)),
        lambda self: LinkChanged(LINK, LinkSettings(unicast_payload=self.chance.choice((384, 1200)))),
        lambda self: BeginExport(self.chance.choice((77, 9002))),
    )

    def _deliver(self, plaintext: bytes) -> None:
        way = self.chance.randrange(8)
        if way <= 1:
            self.target.feed(RecordReceived(self.sessions[way], plaintext[:60_000]))
        elif way == 2:
            stranger = LinkSeal(
                self.sealer, MESH, NeighbourId(self.chance.randbytes(6)), self.chance.randrange(1 << 24)
            )
            self._feed(stranger.seal_multicast(plaintext[:ROOM]), multicast=True)
        elif way <= 4:
            self._feed(self.seal.seal_multicast(plaintext[:ROOM]), multicast=True)
        else:
            them = self.target.node.neighbours.me
            self._feed(self.seal.seal_unicast(plaintext[:ROOM], them, self.pair), multicast=False)

    def _feed(self, data: bytes, *, multicast: bool) -> None:
        self.target.feed(FrameReceived(LINK, address_of("m"), multicast, data))

    def _say(self, *frames: Frame) -> None:
        self._feed(self.seal.seal_multicast(_joined([encode_frame(frame) for frame in frames])), multicast=True)

    def _keep_bound(self) -> None:
        """Now and then the member echoes the target's newest beacon, so that it stays a neighbour."""
        if self.done % 25:
            return
        sent = [send for send in self.target.sent_datagrams[-40:] if send.to is None]
        if sent:
            nonce = sent[-1].data[1:13]
            echo = Echo(self.target.node.neighbours.me[:2], sealed_echo(self.pair, nonce, self.seal.next_nonce))
            self._say(Beacon(1, 2, 0, self.chance.randbytes(8), self.chance.randbytes(4), (echo,)))

    # frames

    def _frame(self) -> Frame:
        return self.chance.choice(self._kinds)(self)

    def _captured(self) -> Frame:
        return self.chance.choice(self.plain)

    def _altered(self) -> Frame:
        """A captured frame with one value drawn anew, wherever it stands."""
        frame: Frame = self._drawn_anew(self.chance.choice(self.plain))
        return frame

    def _block(self) -> Frame:
        """A block that is signed as it should be, whatever it says: chains, gaps, splits, every kind."""
        keys = self.chance.choice(self.writers)
        log = self._log(keys)
        seq, before = self.heads.get(log, (0, BlockId(b"")))
        match self.chance.randrange(6):
            case 0:
                seq, before = max(0, seq - 1), BlockId(self.chance.randbytes(32))
            case 1:
                seq, before = seq + self.chance.choice((1, 2, 300, 1 << 22)), BlockId(self.chance.randbytes(32))
            case _:
                pass
        block = write_block(
            log,
            min(seq + 1, (1 << 23) - 1),
            before[:20] if seq else ROOT,
            self.chance.choice((1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 200)),
            self._body(),
            time=self.chance.choice((0, 1, 1_795_000_000, 0xFFFFFFFF)),
            secret=keys.device_secret,
            sealer=self.sealer,
            cls=self.chance.randrange(5),
        )
        self.heads[log] = (block.seq, block.id)
        compact = compact_of(block, elide=self.chance.random() < 0.3)
        if self.chance.random() < 0.2:
            return Run(log, block.seq, (compact,))
        return BlockFrame(log if self.chance.random() < 0.7 else self.chance.randbytes(4), compact)

    def _log(self, keys: Keys) -> LogId:
        incarnation = keys.incarnation if self.chance.random() < 0.9 else Incarnation(self.chance.randbytes(4))
        channel = self.chance.choice((PERSON_CHANNEL, channel_id("square"), channel_id("fuzz")))
        return log_id(keys.device, incarnation, channel)

    def _body(self) -> bytes:
        body = self.chance.choice(self.bodies)
        return self._mangled(body)[:1500] if self.chance.random() < 0.6 else body

    def _new_hello(self) -> Frame:
        if self.chance.random() < 0.9:
            return self._altered()
        return self._hello(new_keys(self.sealer, SeededEntropy(f"hello {self.chance.random()}")), 1)

    def _hello(self, keys: Keys, epoch: int) -> Hello:
        me = neighbour_id(keys.node, MESH.id)
        signed = LABEL + MESH.id + me + keys.node + keys.exchange + epoch.to_bytes(3, "big")
        return Hello(keys.node, keys.exchange, epoch, self.sealer.sign(keys.node_secret, signed))

    def _envelope(self) -> Frame:
        """An envelope nobody can open, handed to the target; its receipt is kept for later."""
        receipt = Receipt(self.chance.randbytes(16))
        self.receipts = [*self.receipts[-50:], receipt]
        kind = self.chance.randrange(256) & 0x3F | 0x40
        head = bytes((kind, self.chance.randrange(32))) + self.chance.randbytes(4) + receipt_tag(receipt)
        taker = self.target.node.neighbours.me[:2]
        handovers = (Handover(taker, self.chance.randrange(32), self.chance.randrange(2)),)
        data = head + self.chance.randbytes(self.chance.choice((16, 48, 131)))
        return EnvelopeFrame(data, self.chance.choice((0, 5, 60_000)), 4, None, handovers * self.chance.randrange(2))

    def _receipt(self) -> Frame:
        known = [receipt for receipt in self.receipts if self.chance.random() < 0.3]
        return Receipts((*known[:8], Receipt(self.chance.randbytes(16))))

    def _first(self) -> Frame:
        """A first message to the true prekey, from a stranger or the member, that says anything."""
        keys = self.chance.choice(self.writers)
        prekey = self.chance.choice(self.prekeys)
        to = Prekey(self.target.keys.persona, self.target.keys.device, prekey.block, prekey.public)
        big = self.chance.choice((0, 1, 2, 3, 900, 1 << 31, 1 << 32, 1 << 40, (1 << 63) - 1))
        inner = Inner(
            self.chance.randrange(16),
            big,
            self.chance.randbytes(8),
            self.chance.randbytes(9),
            self.chance.randrange(16),
        )
        if self.chance.random() < 0.2:
            keys = replace(keys, incarnation=Incarnation(self.chance.randbytes(4)))
        sealed = seal_first(self.sealer, keys, to, self.chance.randbytes(32), Terms(2, 11, 0, 0), inner)
        return EnvelopeFrame(sealed.data, 0, 4)

    def _fork(self) -> Frame:
        """Two signed blocks at one place."""
        keys, seq = self.chance.choice(self.writers), self.chance.choice((1, 2, 3, 40))
        log = self._log(keys)
        pair = [
            write_block(
                log, seq, ROOT if seq == 1 else b"\1" * 20, 1, self.chance.randbytes(8), time=0,
                secret=keys.device_secret, sealer=self.sealer,
            )
            for _ in range(2)
        ]  # fmt: skip
        one, other = sorted(pair, key=lambda block: block.id)
        return ForkFrame(
            log, _without_place(one.content), one.signature, _without_place(other.content), other.signature
        )

    _kinds: tuple[Callable[[Fuzz], Frame], ...] = (
        _captured, _altered, _altered, _altered, _altered, _block, _block, _new_hello, _envelope, _receipt, _first,
        _fork,
    )  # fmt: skip

    # changing

    def _encoded(self, frame: Frame) -> bytes:
        try:
            return encode_frame(frame)
        except (UsageError, WireError, ValueError, OverflowError, IndexError, TypeError, struct.error):
            return self._mangled(encode_frame(self.chance.choice(self.plain)))  # values no honest sender could write

    def _drawn_anew(self, value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            name = self.chance.choice([field.name for field in fields(value)] or [""])
            return replace(value, **{name: self._drawn_anew(getattr(value, name))}) if name else value
        if hasattr(value, "_fields"):
            name = self.chance.choice(value._fields)
            return value._replace(**{name: self._drawn_anew(getattr(value, name))})
        if isinstance(value, tuple):
            return self._other_row(value)
        if isinstance(value, bytes):
            return self._mangled(value) if self.chance.random() < 0.3 else self.chance.randbytes(len(value))
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return self.chance.choice((0, 1, value + 1, max(0, value - 1), 255, 65_535, (1 << 23) - 1, 1 << 40))
        return value

    def _other_row(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        at = self.chance.randrange(len(row)) if row else 0
        match self.chance.randrange(4):
            case 0:
                return row[:at]
            case 1:
                return row * self.chance.choice((2, 3, 40))
            case 2:
                return row[::-1]
            case _:
                return (*row[:at], self._drawn_anew(row[at]), *row[at + 1 :]) if row else row

    def _mangled(self, data: bytes) -> bytes:
        out = bytearray(data)
        for _ in range(self.chance.choice((1, 1, 2, 5))):
            at = self.chance.randrange(len(out) + 1)
            match self.chance.randrange(6):
                case 0 if out:
                    out[at % len(out)] ^= 1 << self.chance.randrange(8)
                case 1:
                    del out[at:]
                case 2:
                    out[at:at] = self.chance.randbytes(self.chance.choice((1, 4, 30)))
                case 3:
                    del out[at : at + self.chance.randrange(1, 9)]
                case 4 if out:
                    out[at % len(out)] = self.chance.choice((0, 0x7F, 0x80, 0xFF))
                case _:
                    other = self.chance.choice(self.datagrams).data
                    out[at:] = other[min(at, len(other)) :]
        return bytes(out)

    # keeping house

    def _tidy(self) -> None:
        """What the trial itself would gather; a session that ended is opened again."""
        target = self.target
        del target.sent_datagrams[:-50]
        target.notices.clear()
        target.disk.sync()
        del self.plain[4000:]
        if self.chance.random() < 0.1:
            for session in self.sessions:
                target.feed(EncounterEnded(session))
            self._open_sessions()
        target.feed(Stored(self.chance.randrange(1 << 34)))
        self.prekeys = target.disk.every(PrekeyRecord)


def _without_place(content: bytes) -> bytes:
    """Version, and what follows the seq: what a fork proof carries of a signed content."""
    return content[:1] + content[57:]


def _joined(parts: list[bytes]) -> bytes:
    """Frames in a row, as the codec joins them, without its limit."""
    out = bytearray()
    parts = [part for part in parts if part] or [b"\x3f"]
    for part in parts[:-1]:
        out.append(part[0] | 0x80)
        size = len(part) - 1
        while size >= 0x80:
            out.append(size & 0x7F | 0x80)
            size >>= 7
        out.append(size)
        out += part[1:]
    return bytes(out + parts[-1])


def sizes(thing: object) -> dict[str, int]:
    """Every container within an object of ours, by the way to it, and how much it holds."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    pending: list[tuple[str, object]] = [("", thing)]
    while pending:
        way, value = pending.pop()
        if id(value) in seen or isinstance(value, bytes | str | int | float | type(None)):
            continue
        seen.add(id(value))
        if isinstance(value, dict | list | tuple | set | frozenset) or hasattr(value, "maxlen"):
            found[way] = max(found.get(way, 0), len(value))  # type: ignore[arg-type]
            inner = [*value, *value.values()] if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
            pending += [(way + "[]", one) for one in inner]
        elif type(value).__module__.startswith("meshnode.core"):
            names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
            names += list(getattr(value, "__dict__", {}))
            pending += [(f"{way}.{name}", getattr(value, name)) for name in names if hasattr(value, name)]
    return found


def opened_by(fuzz: Fuzz) -> bool:
    """The member is bound: what it says gets past the gate."""
    return any(neighbour.id == fuzz.me for neighbour in fuzz.target.node.neighbours.bound())


def looks_sealed(data: bytes) -> bool:
    """True for what has the clear part of a datagram."""
    try:
        peek_untrusted(data)
    except WireError:
        return False
    return True


def _about_a_file(held: Held) -> list[Frame]:
    """What a member can say of a file that the target holds, or is fetching."""
    numbers = (LISTED, 0, held.count - 1, held.count)
    wants = [ChunkWant(held.file, number, 0, ((0, 100), (500, 40_000))) for number in numbers]
    pieces = [ChunkPiece(held.file[:4], number, 0, 0, bytes(500)) for number in numbers]
    haves = [FileHave(held.file, distance, held.size) for distance in (0, 3, 255)]
    return [
        FileSeek(held.file, 3),
        FileHave(held.file, 0, held.size, bytes(-(-held.count // 8))),
        *haves,
        *wants,
        *pieces,
    ]

"""The neighbours of one node, and the two directions: what comes from them, and the way to each.

Who there is stands in `roster.py`, what comes in goes through `receive.py`. What goes out: `send` (to one, or to all on
a link) and `spread` (to each neighbour that may lack it, the cheapest way). A session peer is a neighbour too.

epochs    our own epoch     greetings  addresses that are no neighbours yet
doubts    is it still there  mending    fragments of ours that somebody lacks
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from meshnode.core.airtime.estimate import airtime_s
from meshnode.core.airtime.outbox import Outbox, Outgoing
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import Hangup, SendRecord
from meshnode.core.ids import NeighbourId
from meshnode.core.inputs import EncounterEnded, LinkChanged, PeerSeen, RecordReceived
from meshnode.core.neighbours.buckets import WRONG_FACTOR, Bucket
from meshnode.core.neighbours.doubts import Doubts
from meshnode.core.neighbours.echoes import BOUND_FOR_S, OwnBeacons, choose_echoes, seal_echoes
from meshnode.core.neighbours.epochs import Epochs
from meshnode.core.neighbours.greetings import Greetings
from meshnode.core.neighbours.hello import START_WITHIN_S, HelloPacing, make_hello
from meshnode.core.neighbours.mending import Mending
from meshnode.core.neighbours.neighbour import Heard, Neighbour, Presence
from meshnode.core.neighbours.receive import NOBODY, Receiver
from meshnode.core.neighbours.roster import Roster
from meshnode.core.sealing.link import LinkSeal
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame, encode_frames, holds_beacon
from meshnode.core.wire.frames import (
    Beacon,
    ChunkPiece,
    ChunkWant,
    Echo,
    FileHave,
    FileSeek,
    FragmentWant,
    Frame,
    Hello,
    Refs,
    RefWant,
)
from meshnode.errors import WireError

__all__ = ["Heard", "Neighbour", "Neighbours", "Presence"]

GROUP_FRESH_GAPS: Final = 2.4  # a multicast heard within two gaps between beacons: group frames come through
JITTER_S: Final = (0.02, 0.2)  # neighbours that heard the same frame must not answer at once
YIELDS_S: Final = 2.0  # others' datagrams put a turn off for so long
_OF_FILES: Final = (FileSeek, FileHave, ChunkWant, ChunkPiece)
_OF_DOUBTS: Final = (RefWant, Refs)


class Neighbours(Roster):
    """The table with its ways in and out. It wires itself into the outbox as its seal and its fragment keeper."""

    def __init__(self, ctx: Context, outbox: Outbox, epoch: int) -> None:
        super().__init__(ctx, outbox)
        self._seal = LinkSeal(ctx.sealer, ctx.mesh, self.me, epoch)
        self._hellos = HelloPacing(ctx.neighbours_due.sooner)
        self._receiver = Receiver(ctx, self, self._seal, self._hellos)
        self.receive_untrusted = self._receiver.receive_untrusted  # one datagram; None for what is refused
        self._epochs = Epochs(ctx, self, self._seal, self._announce)
        self._receiver.on_spoken_for = self._epochs.spoken_for
        self._receiver.on_unechoed = self._epochs.unechoed
        self._doubts = Doubts(ctx, self, self._say)
        self._receiver.on_doubt = self._doubts.doubt
        self._receiver.on_shut_out = self._doubts.shut_out
        self._receiver.on_between_us = self._between_us
        self.on_bound.append(self._met)
        self._beacons = self._receiver.beacons
        self._mending = Mending(ctx, self)
        self.on_double: Callable[[Neighbour, str, bytes], None] = _ignore_double  # it tells all an item we hold
        self._receiver.on_double = lambda neighbour, link, item: self.on_double(neighbour, link, item)
        self._greetings = Greetings(ctx, outbox)
        self.beside_hello: list[Callable[[str], Frame | None]] = []  # what else to say to one who is met on a link
        self._cut_off: set[int] = set()  # sessions that were hung up on, and are not closed yet
        outbox.seal = self.seal
        outbox.on_fragmented = self._mending.keep

    # what happens on the links

    def link_changed(self, change: LinkChanged) -> None:
        """A link came, changed or went; the context holds its settings already."""
        if change.settings is None:
            self.lose_all(change.link)
            for neighbour in self.table.values():
                neighbour.presences.pop(change.link, None)
            self._hellos.forget(change.link)
            self._outbox.forget_link(change.link)
            self._beacons.pop(change.link, None)
        elif change.link in self._beacons:
            self._outbox.refit(change.link)
        else:
            self._beacons[change.link] = OwnBeacons()
            self._hellos.ask(change.link, self._ctx.now + self._draw("hello", (0.0, START_WITHIN_S)))

    def peer_seen(self, peer: PeerSeen) -> None:
        """A person named a link address: HELLO and beacons go there by unicast too."""
        self.gate.peer_seen(peer)
        if peer.carrier == "link" and self._greetings.peer_seen(peer):
            for link in self._beacons:
                self._hellos.ask(link, self._ctx.now)

    def session_closed(self, ended: EncounterEnded) -> None:
        """The session is over."""
        self._cut_off.discard(ended.session)
        super().session_closed(ended)

    def record_untrusted(self, received: RecordReceived) -> Heard | None:
        """Decode one record of a session or parcel; None for what is refused, which is counted."""
        far = self.session_with(received.session)
        if far is None:
            return None
        neighbour, _, address = far
        self.gate.heard(received.session, len(received.data))
        if neighbour is not None and not self._may_say(neighbour, received):
            return None
        try:
            frames = decode_frames_untrusted(received.data)
        except WireError:
            self._ctx.count("record_refused")
            return None
        if neighbour is not None:
            self.heard(neighbour)
        return Heard(
            sender=neighbour.id if neighbour else NOBODY,
            neighbour=neighbour,
            bound=neighbour is not None,
            link="",
            address=address,
            multicast=False,
            frames=tuple(frames),
            pairwise=neighbour is not None,
            carrier="session" if neighbour else "parcel",
            size=len(received.data),
            session=received.session,
        )

    def fine(self, heard: Heard, size: int) -> None:
        """Something in it failed verification: its previous hop pays ten times its size (rule 6.2)."""
        bucket = self._bucket_of(heard)
        if bucket is not None:
            bucket.fine(size * WRONG_FACTOR, self._ctx.now)

    def answer_costs(self, heard: Heard, size: int) -> bool:
        """Who makes us speak pays for the answer out of what it may say that way; False when nothing is left."""
        bucket = self._bucket_of(heard)
        return bucket is None or bucket.spend(size, self._ctx.now)

    def _bucket_of(self, heard: Heard) -> Bucket | None:
        settings = self._ctx.links.get(heard.link)
        if settings is not None:
            return self._receiver.bucket(heard.link, heard.sender, heard.bound, heard.pairwise, settings, heard.size)
        return self.buckets.session(heard.sender, self._ctx.now) if heard.carrier == "session" else None

    def pay(self, neighbour: Neighbour, link: str, size: float) -> bool:
        """It asked, and pays for the answer; False when it has nothing left."""
        settings = self._ctx.links.get(link)
        if settings is None or not neighbour.bound_on(link, self._ctx.now):
            return False
        return self.buckets.bound(neighbour.id, True, settings, self._ctx.now).spend(size, self._ctx.now)

    def pays(self, neighbour: Neighbour, size: float) -> bool:
        """It asked, and pays where the answer goes: on its link, else in its session. False: it has nothing left."""
        link = neighbour.link(self._ctx.now)
        if link is not None:
            return self.pay(neighbour, link, size)
        if self.may_have_in_s(neighbour):
            return False
        self.pay_in_session(neighbour, size)
        return True

    def pay_in_session(self, neighbour: Neighbour, size: float) -> None:
        """It gets blocks or envelopes in a session, and pays for them; `may_have_in_s` says when it may have more."""
        self.buckets.served(neighbour.id, self._ctx.now).fine(size, self._ctx.now)

    def may_have_in_s(self, neighbour: Neighbour) -> float:
        """Seconds until a peer may have more in its sessions; 0: now."""
        return self.buckets.served(neighbour.id, self._ctx.now).wait_s(self._ctx.now)

    # out

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
        author: bytes = b"",
        previous: bytes = b"",
        delay: float = 0.0,
        rides: bool = False,
        asked: bool = False,
        small: bool = False,
    ) -> None:
        """To one neighbour: on its link, else in its session. To None: to all on `link`, or where somebody is bound.

        `asked`: the neighbour `previous` asked for it. `small`: in small pieces.
        """
        not_before = self._ctx.now + delay + (self._draw("jitter", JITTER_S) if jitter else 0.0)

        def put(where: str, name: NeighbourId | None) -> None:
            at, yields = self._turn(frame, where, not_before) if jitter and name is None else (not_before, 0.0)
            turn = (key, ring, author, previous, rides, yields, asked, small)
            self._outbox.put(Outgoing(frame, cls, where, name, at, *turn))

        if to is not None:
            where = link or to.link(self._ctx.now)
            if where is not None:
                put(where, to.id)
            elif to.session is not None and not (isinstance(frame, _OF_FILES) and self.gate.keeps_files(to.session)):
                self.speak(to.session, frame)
            return
        for where in [link] if link else [name for name in self._beacons if self.has_bound(name)]:
            for name in self._everyone(where, isinstance(frame, Hello | Beacon)):
                put(where, name)

    def spread(
        self,
        frame: Frame,
        cls: int,
        *,
        except_node: bytes = b"",
        key: bytes = b"",
        jitter: bool = False,
        ring: int = 1,
        author: bytes = b"",
        previous: bytes = b"",
        delay: float = 0.0,
        link: str | None = None,
        skip: Collection[bytes] = (),
        aloud: bool = False,
        yields: float = 0.0,
    ) -> list[Neighbour]:
        """To every neighbour but one: unicast where a link has one target, multicast where it has more, and sessions.

        With `link`, on that link alone; `skip` names more who need it not; `aloud`: multicast to one, too, so that
        others hear that it was said. Jitter is kept for multicast: what is sent to a single neighbour is repeated by
        nobody else. Answers whom it goes to.
        """
        reached: list[Neighbour] = []
        for where in [link] if link else list(self._beacons):
            others = [n for n in self.bound(where) if n.node != except_node]
            targets = [n for n in others if n not in reached and n.node not in skip]
            reached += targets
            alone = len(targets) == 1 and not aloud
            wait = delay + (self._draw("jitter", JITTER_S) if jitter and not alone else 0.0)
            for name in [n.id for n in targets] if alone else self._group(where, targets):
                at = self._ctx.now + wait
                self._outbox.put(Outgoing(frame, cls, where, name, at, key, ring, author, previous, yields=yields))
        if link is None:
            skip = {*skip, except_node, *(neighbour.node for neighbour in reached)}
            reached += self.spread_sessions(frame, skip)
        return reached

    def spread_sessions(self, frame: Frame, skip: Collection[bytes]) -> list[Neighbour]:
        """To every session peer whose node key is not among those to skip."""
        peers = [n for n in self.session_peers() if n.node not in skip]
        for neighbour in peers:
            if neighbour.session is not None:
                self.speak(neighbour.session, frame)
        return peers

    def speak(self, session: int, frame: Frame) -> int:
        """One frame as a record of a session; its size in bytes."""
        data = encode_frame(frame)
        self.gate.said(session, len(data))
        self._ctx.emit(SendRecord(session, data))
        return len(data)

    def choose_echoes(self, link: str) -> tuple[Echo, ...]:
        """What our next beacon on this link says about whom we hear."""
        return choose_echoes(self.table.values(), link, self._ctx.now)

    def seal(self, link: str, to: NeighbourId | None, plaintext: bytes) -> tuple[str | None, bytes] | None:
        """Seal frames for a neighbour's last authenticated address, or for all; None if it has none on that link."""
        if self._seal.spent:
            self._epochs.go_on()
        if to is None:
            address, sealed = None, self._seal.seal_multicast(self._echoing(link, plaintext))
        elif (way := self._way(link, to)) is not None:
            address, name, key = way
            sealed = self._seal.seal_unicast(self._echoing(link, plaintext), name, key)
        else:
            return None
        self._receiver.own_counter = int.from_bytes(sealed[10:13], "big")
        return address, sealed

    def _way(self, link: str, to: NeighbourId) -> tuple[str, NeighbourId | None, bytes | None] | None:
        """Address, link id and key of one neighbour; None where there is none yet."""
        met = self._greetings.address(to)
        if met is not None:
            return met, None, None
        neighbour = self.table.get(to)
        if neighbour is None or link not in neighbour.presences:
            return None
        key = neighbour.key if neighbour.bound_on(link, self._ctx.now) else None  # else it may not know ours yet
        return neighbour.presences[link].address, to, key

    def _echoing(self, link: str, plaintext: bytes) -> bytes:
        """Frames about to be sealed: if there is a beacon among them, its echoes are closed, and others may echo it."""
        if link not in self._beacons or not holds_beacon(plaintext):
            return plaintext
        nonce = self._seal.next_nonce
        self._beacons[link].sent(nonce, self._ctx.now)
        frames, known = decode_frames_untrusted(plaintext), self.table.values()
        closed = [seal_echoes(each, nonce, known, link) if isinstance(each, Beacon) else each for each in frames]
        return encode_frames(closed, len(plaintext))

    # time

    def wakeup(self) -> Instant | None:
        """When something here is due."""
        times = [self._hellos.wakeup(), self._receiver.reassembly.wakeup(), self.next_loss(), self._mending.wakeup()]
        return min((at for at in times if at is not None), default=None)

    def tick(self) -> None:
        """Say HELLO, ask for fragments, and give up those that fell silent."""
        now = self._ctx.now
        for link in self._hellos.due(now):
            self._say_hello(link)
        for link, hop, want in self._receiver.reassembly.asks(now):
            neighbour = self.table.get(hop)
            if neighbour is not None and neighbour.bound_on(link, now):
                self.send(neighbour, want, 0, link=link)
        self._mending.tick()
        self._doubts.tick()
        self.give_up_silent()

    def greet(self, link: str, address: str, *frames: Frame) -> bool:
        """Introduce us to one that is not bound here yet; False after a few."""
        return self._greetings.greet(link, address, *frames)

    def ask(self, neighbour: Neighbour, link: str) -> None:
        """Have a bound neighbour say that it is there; what comes of it, `heard_at` tells."""
        self._doubts.ask(neighbour, link)

    # helpers

    def _turn(self, frame: Frame, link: str, at: Instant) -> tuple[Instant, float]:
        """When one of several who may repeat a frame does so. In a crowd one of many turns, counted in quiet."""
        if not self.crowded(link):
            return at, 0.0
        turn = JITTER_S[0] + airtime_s(len(encode_frame(frame)), False, self._ctx.links[link])
        return at + turn * self._draw("turn", (0.0, float(self.company(link)))), YIELDS_S

    def _say_hello(self, link: str) -> None:
        """To the few that asked, with a beacon beside it, so that the answer can bind; else to all."""
        hello, few = make_hello(self._ctx, self._seal.epoch), self._hellos.addressees(link)
        crowded = self.gathering(link)
        beside = [frame for frame in (say(link) for say in self.beside_hello) if frame is not None]
        greeted = [self.greet(link, address, hello, *beside) for address in few or () if not crowded]
        if few is None or crowded or not all(greeted):
            self.send(None, hello, 0, link=link)
            for frame in beside if crowded else ():
                self.send(None, frame, 0, link=link, key=b"beacon", ring=0)

    def _met(self, neighbour: Neighbour) -> None:
        self._epochs.met()
        for link, presence in neighbour.presences.items():
            if presence.is_bound(self._ctx.now):
                self._hellos.met(link, presence.address)

    def _may_say(self, peer: Neighbour, received: RecordReceived) -> bool:
        """Who spent what a session may bring is hung up on; its next session goes on with what is left."""
        if received.session in self._cut_off:
            return False
        if self.buckets.session(peer.id, self._ctx.now).spend(len(received.data), self._ctx.now):
            return True
        self._ctx.count("session_over_budget")
        self._cut_off.add(received.session)
        self._ctx.emit(Hangup(received.session))
        return False

    def _everyone(self, link: str, introducing: bool) -> list[NeighbourId | None]:
        """To whom a frame for all on a link goes. What introduces us goes to those not bound and not met, too."""
        if not introducing:
            return self._group(link, self.bound(link))
        settings, now = self._ctx.links.get(link), self._ctx.now
        if not self._greetings.configured and (settings is None or settings.multicast):
            return [None]
        present = [n for n in self.table.values() if link in n.presences]
        present = [n for n in present if n.presences[link].heard_at > now - BOUND_FOR_S]
        addresses = {n.presences[link].address: n for n in present}
        names: list[NeighbourId | None] = []
        if settings is None or settings.multicast:
            names.append(None)
            present = [n for n in present if n.presences[link].address in self._greetings.configured.values()]
            present = [n for n in present if _is_deaf(n.presences[link], now)]
        names += [n.id for n in present]
        return names + [name for name, address in self._greetings.configured.items() if address not in addresses]

    def _group(self, link: str, targets: list[Neighbour]) -> list[NeighbourId | None]:
        """Multicast, and unicast to those whom group frames do not reach; unicast alone where there are none."""
        if not targets:
            return []
        settings = self._ctx.links.get(link)
        if settings is not None and not settings.multicast:
            return [n.id for n in targets]
        configured = set(self._greetings.configured.values())
        deaf = [n for n in targets if n.presences[link].address in configured]
        deaf = [n for n in deaf if _is_deaf(n.presences[link], self._ctx.now)]
        return [*([None] if len(deaf) < len(targets) else []), *(n.id for n in deaf)]

    def _between_us(self, neighbour: Neighbour, link: str, frame: Frame) -> None:
        """What a bound neighbour says to us alone, about the two of us."""
        if isinstance(frame, FragmentWant):
            self._mending.asked(neighbour, link, frame)
        elif isinstance(frame, _OF_DOUBTS):
            self._doubts.between_us(neighbour, link, frame)

    def _say(self, neighbour: Neighbour, link: str, frame: Frame, key: bytes) -> None:
        self.send(neighbour, frame, 0, link=link, key=key, ring=0)

    def lose(self, neighbour: Neighbour, link: str) -> None:
        """It is within reach no longer."""
        self._epochs.lost(neighbour, link)
        super().lose(neighbour, link)

    def bind(self, neighbour: Neighbour, presence: Presence, link: str) -> None:
        """Two-way hearing is proven."""
        self._epochs.bound(neighbour, link)
        super().bind(neighbour, presence, link)

    def _announce(self) -> None:
        """A new epoch has begun: its counters begin anew, and everyone who hears us is to know."""
        self._receiver.own_counter = -1
        for link in self._beacons:
            self._hellos.ask(link, self._ctx.now)

    def beacon_sent_at(self, link: str, nonce_hash: bytes) -> Instant | None:
        """When our recent beacon of that echo hash left on a link; None if there is none."""
        return self._beacons[link].sent_at(nonce_hash) if link in self._beacons else None

    def _draw(self, purpose: str, limits: tuple[float, float]) -> float:
        return self._ctx.entropy.between(purpose, *limits)


def _is_deaf(presence: Presence, now: Instant) -> bool:
    """True where group frames do not come through, as far as its own show it."""
    return presence.group_heard_at < now - GROUP_FRESH_GAPS * presence.gap_s


def _ignore_double(neighbour: Neighbour, link: str, item: bytes) -> None:
    return None

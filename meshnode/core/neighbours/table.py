"""The neighbours of one node: learnt by HELLO, bound by echo, lost by silence; and the way to each of them.

    stranger -- HELLO --> known -- fresh echo --> bound
    bound -- 10 min without an echo, or silence, or its lonely beacon --> known
    known or bound -- session opened / closed --> reachable by its session / not

What comes in goes through `receive_untrusted`; what goes out through `send` (to one, or to all on a link) and `spread`
(to each neighbour that may lack it, the cheapest way). A session peer is a neighbour too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from meshnode.core.airtime.outbox import Outbox, Outgoing
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import SendRecord
from meshnode.core.ids import NeighbourId, NodeKey, hashed, neighbour_id
from meshnode.core.inputs import EncounterBegan, EncounterEnded, FrameReceived, LinkChanged, PeerSeen, RecordReceived
from meshnode.core.neighbours.buckets import WRONG_FACTOR, Buckets
from meshnode.core.neighbours.echoes import BOUND_FOR_S, OwnBeacons, choose_echoes, echoes_us, note_echoes
from meshnode.core.neighbours.fragments import LIFE_S, Cut, CutItems, Reassembly
from meshnode.core.neighbours.hello import JITTER, START_WITHIN_S, HelloPacing, check_hello_untrusted, make_hello
from meshnode.core.neighbours.neighbour import NEVER, Heard, Neighbour, Presence
from meshnode.core.neighbours.windows import Windows
from meshnode.core.notices import NeighbourChanged, PeerChanged
from meshnode.core.records import FactRecord, NeighbourRecord, RecordKey, Snapshot
from meshnode.core.sealing.link import LinkHeader, LinkSeal, peek_untrusted
from meshnode.core.sealing.pair import pair_key
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import (
    Beacon,
    Delta,
    Done,
    Echo,
    Elements,
    Fragment,
    FragmentWant,
    Frame,
    Heads,
    Hello,
    Need,
    Offer,
    Proofs,
    Ranges,
    Refs,
    RefWant,
    SessionBeacon,
    Took,
    Want,
)
from meshnode.errors import WireError

__all__ = ["Heard", "Neighbour", "Neighbours", "Presence"]

MAX_BOUND: Final = 64
MAX_KNOWN: Final = 1024
SILENT_S: Final = 260.0  # four times the longest a settled neighbour stays silent (2 x Imax)
GROUP_FRESH_S: Final = 150.0
JITTER_S: Final = (0.02, 0.2)  # neighbours that heard the same frame must not answer at once
EPOCH_FACT: Final = "boot_epoch"  # 3 B, big-endian

_LONELY: Final = 4  # beacon flag
_IN_SESSIONS_ONLY: Final = (Ranges, Elements, Heads, Done, Took, SessionBeacon)
_FROM_BOUND_ONLY: Final = (Delta, Refs, Offer)
_PAIRWISE_ONLY: Final = (Want, RefWant, FragmentWant, Proofs, Need)

Callback = Callable[[Neighbour], None]


class Neighbours:
    """The table, and the two directions. It wires itself into the outbox as its seal and its fragment keeper."""

    def __init__(self, ctx: Context, outbox: Outbox, epoch: int) -> None:
        self._ctx = ctx
        self._outbox = outbox
        self.me = neighbour_id(ctx.keys.node, ctx.mesh.id)
        self._seal = LinkSeal(ctx.sealer, ctx.mesh, self.me, epoch)
        self._table: dict[NeighbourId, Neighbour] = {}
        self._heard_at: dict[NeighbourId, Instant] = {}
        self._sessions: dict[int, tuple[Neighbour | None, str, str]] = {}
        self._windows = Windows()
        self._buckets = Buckets()
        self._beacons: dict[str, OwnBeacons] = {}
        self._hellos = HelloPacing()
        self._reassembly = Reassembly()
        self._cut = CutItems()
        self._configured: dict[NeighbourId, str] = {}  # stand-in id -> address a person gave
        self.on_bound: list[Callback] = []
        self.on_lost: list[Callback] = []
        self.on_unknown: list[Callable[[str, NeighbourId], None]] = []  # a new or returning id was heard on a link
        outbox.seal = self.seal
        outbox.on_fragmented = self._fragmented

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk: known, none of them bound."""
        for record in snapshot.records:
            if isinstance(record, NeighbourRecord):
                self._windows.restore(record)
                self._know(Neighbour(record.id, record.node, record.exchange), record.heard_at)

    # who there is

    def get(self, node: bytes) -> Neighbour | None:
        """The neighbour with that node key."""
        return self._table.get(neighbour_id(NodeKey(node), self._ctx.mesh.id))

    def by_id(self, name: NeighbourId) -> Neighbour | None:
        """The neighbour with that id."""
        return self._table.get(name)

    def by_prefix(self, two: bytes) -> Neighbour | None:
        """The bound neighbour whose id begins with these 2 B, as handovers and echoes name it."""
        return next((neighbour for neighbour in self.bound() if neighbour.id[:2] == two), None)

    def bound(self, link: str | None = None) -> list[Neighbour]:
        """Neighbours with two-way hearing proven, on that link or on any; those bound longest first."""
        now = self._ctx.now
        if link is None:
            found = [(n.bound_since(now), n.id, n) for n in self._table.values() if n.presences and n.link(now)]
        else:
            found = [(n.presences[link].bound_since, n.id, n) for n in self._table.values() if n.bound_on(link, now)]
        return [neighbour for *_, neighbour in sorted(found, key=lambda entry: entry[:2])]

    def reachable(self) -> list[Neighbour]:
        """Bound on a link, or with an open session."""
        bound = self.bound()
        return bound + [n for n in self.session_peers() if n not in bound]

    def session_peers(self) -> list[Neighbour]:
        """Neighbours with an open session, in the order of its opening."""
        return [neighbour for neighbour, _, _ in self._sessions.values() if neighbour is not None]

    def carrier_of(self, session: int) -> str:
        """ "overlay", "link", "parcel", or "" for a session that is not open."""
        return self._sessions[session][1] if session in self._sessions else ""

    def heard_at(self, neighbour: Neighbour) -> Instant:
        """When anything was heard of it last."""
        return self._heard_at.get(neighbour.id, NEVER)

    # what happens on the links

    def link_changed(self, change: LinkChanged) -> None:
        """A link came, changed or went; the context holds its settings already."""
        if change.settings is None:
            self.lose_all(change.link)
            for neighbour in self._table.values():
                neighbour.presences.pop(change.link, None)
            self._hellos.forget(change.link)
            self._outbox.forget_link(change.link)
            self._beacons.pop(change.link, None)
        elif change.link not in self._beacons:
            self._beacons[change.link] = OwnBeacons()
            self._hellos.ask(change.link, self._ctx.now + self._draw("hello", (0.0, START_WITHIN_S)))

    def peer_seen(self, peer: PeerSeen) -> None:
        """A person named a link address: HELLO and beacons go there by unicast too."""
        if peer.carrier != "link":
            return
        stand_in = NeighbourId(hashed(b"mn-configured", peer.address.encode(), 6))
        if not peer.present:
            self._configured.pop(stand_in, None)
        elif stand_in not in self._configured:
            self._configured[stand_in] = peer.address
            for link in self._beacons:
                self._hellos.ask(link, self._ctx.now)

    def lose_all(self, link: str) -> None:
        """Nobody on this link answers any more, or it is gone: nobody is bound, nor echoed until heard anew."""
        for neighbour in self.bound(link):
            self._lose(neighbour, link)
        for neighbour in self._table.values():
            if link in neighbour.presences:
                neighbour.presences[link].last_beacon_at = NEVER

    def receive_untrusted(self, received: FrameReceived) -> Heard | None:
        """Open and decode one datagram by rule 2.5; None for what is refused, which is counted."""
        try:
            return self._receive_untrusted(received)
        except WireError:
            self._ctx.count("datagram_refused")
            return None

    def fine(self, heard: Heard, size: int) -> None:
        """Something in it failed verification: its previous hop pays ten times its size (rule 6.2)."""
        settings = self._ctx.links.get(heard.link)
        if settings is not None:
            now = self._ctx.now
            bucket = (
                self._buckets.bound(heard.sender, heard.pairwise, settings, now)
                if heard.bound
                else self._buckets.unbound(heard.link, settings, now)
            )
            bucket.fine(size * WRONG_FACTOR)

    # sessions

    def session_opened(self, began: EncounterBegan) -> None:
        """A peer proved its node key in a session's handshake. A parcel has nobody at its far end."""
        neighbour: Neighbour | None = None
        if began.carrier != "parcel":
            name = neighbour_id(began.node, self._ctx.mesh.id)
            neighbour = self._table.get(name) or self._know(Neighbour(name, began.node), self._ctx.now)
            was_reachable = self._is_reachable(neighbour)
            neighbour.session, neighbour.session_carrier = began.session, began.carrier
            neighbour.session_address = began.address
            self._heard_at[name] = self._ctx.now
            self._ctx.notify(PeerChanged(neighbour.short, began.address, began.carrier, "open"))
        self._sessions[began.session] = (neighbour, began.carrier, began.address)
        if neighbour is not None and not was_reachable:
            self._tell(self.on_bound, neighbour)

    def session_closed(self, ended: EncounterEnded) -> None:
        """The session is over."""
        neighbour, carrier, address = self._sessions.pop(ended.session, (None, "", ""))
        if neighbour is None:
            return
        self._ctx.notify(PeerChanged(neighbour.short, address, carrier, "closed"))
        if neighbour.session == ended.session:
            neighbour.session, neighbour.session_carrier, neighbour.session_address = None, "", ""
            if not self._is_reachable(neighbour):
                self._tell(self.on_lost, neighbour)

    def record_untrusted(self, received: RecordReceived) -> Heard | None:
        """Decode one record of a session or parcel; None for what is refused, which is counted."""
        if received.session not in self._sessions:
            return None
        neighbour, _, address = self._sessions[received.session]
        try:
            frames = decode_frames_untrusted(received.data)
        except WireError:
            self._ctx.count("record_refused")
            return None
        name = neighbour.id if neighbour else NeighbourId(bytes(6))
        if neighbour is not None:
            self._heard_at[name] = self._ctx.now
        return Heard(
            sender=name,
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
    ) -> None:
        """To one neighbour: on its link, else in its session. To None: to all on `link`, or where somebody is bound."""
        not_before = self._ctx.now + delay + (self._draw("jitter", JITTER_S) if jitter else 0.0)

        def put(where: str, name: NeighbourId | None) -> None:
            self._outbox.put(Outgoing(frame, cls, where, name, not_before, key, ring, author, previous, rides))

        if to is not None:
            where = link or to.link(self._ctx.now)
            if where is not None:
                put(where, to.id)
            elif to.session is not None:
                self._ctx.emit(SendRecord(to.session, encode_frame(frame)))
            return
        for where in [link] if link else [name for name in self._beacons if self.bound(name)]:
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
    ) -> list[Neighbour]:
        """To every neighbour but one: unicast where a link has one target, multicast where it has more, and sessions.

        With `link`, on that link alone; `skip` names more who need it not. Jitter is kept for multicast: what is sent
        to a single neighbour is repeated by nobody else. Answers whom it goes to.
        """
        reached: list[Neighbour] = []
        for where in [link] if link else list(self._beacons):
            others = [n for n in self.bound(where) if n.node != except_node]
            targets = [n for n in others if n not in reached and n.node not in skip]
            reached += targets
            alone = len(targets) == 1
            wait = delay + (self._draw("jitter", JITTER_S) if jitter and not alone else 0.0)
            for name in [n.id for n in targets] if alone else self._group(where, targets):
                at = self._ctx.now + wait
                self._outbox.put(Outgoing(frame, cls, where, name, at, key, ring, author, previous))
        if link is None:
            skip = {*skip, except_node, *(neighbour.node for neighbour in reached)}
            reached += self.spread_sessions(frame, skip)
        return reached

    def spread_sessions(self, frame: Frame, skip: Collection[bytes]) -> list[Neighbour]:
        """To every session peer whose node key is not among those to skip."""
        peers = [n for n in self.session_peers() if n.node not in skip]
        for neighbour in peers:
            if neighbour.session is not None:
                self._ctx.emit(SendRecord(neighbour.session, encode_frame(frame)))
        return peers

    def choose_echoes(self, link: str) -> tuple[Echo, ...]:
        """What our next beacon on this link says about whom we hear."""
        return choose_echoes(self._table.values(), link, self._ctx.now)

    def seal(self, link: str, to: NeighbourId | None, plaintext: bytes) -> tuple[str | None, bytes] | None:
        """Seal frames for a neighbour's last authenticated address, or for all; None if it has none on that link."""
        if self._seal.spent:
            self._seal.raise_epoch(self._seal.epoch + 1)
            self._ctx.persist(FactRecord(EPOCH_FACT, self._seal.epoch.to_bytes(3, "big")), promise=True)
        if to is None:
            return None, self._note_beacon(link, plaintext, self._seal.seal_multicast(plaintext))
        if to in self._configured:
            sealed = self._seal.seal_unicast(plaintext, None, None)
            return self._configured[to], self._note_beacon(link, plaintext, sealed)
        neighbour = self._table.get(to)
        if neighbour is None or link not in neighbour.presences:
            return None
        sealed = self._seal.seal_unicast(plaintext, to, neighbour.key or None)
        return neighbour.presences[link].address, self._note_beacon(link, plaintext, sealed)

    # time

    def wakeup(self) -> Instant | None:
        """When something here is due."""
        times = [self._hellos.wakeup(), self._reassembly.wakeup(), self._next_loss()]
        return min((at for at in times if at is not None), default=None)

    def tick(self) -> None:
        """Say HELLO, ask for fragments, and give up those that fell silent."""
        now = self._ctx.now
        for link in self._hellos.due(now):
            self.send(None, make_hello(self._ctx, self._seal.epoch), 0, link=link)
        for link, hop, want in self._reassembly.asks(now):
            neighbour = self._table.get(hop)
            if neighbour is not None and neighbour.bound_on(link, now):
                self.send(neighbour, want, 0, link=link)
        for neighbour in self._table.values():
            for link, presence in neighbour.presences.items():
                if presence.bound_until > NEVER and now >= _lost_at(presence):
                    self._lose(neighbour, link)

    # in: the steps of rule 2.5

    def _receive_untrusted(self, received: FrameReceived) -> Heard | None:
        settings = self._ctx.links.get(received.link)
        if settings is None:
            self._ctx.count("datagram_no_link")
            return None
        header = peek_untrusted(received.data)
        if header.sender == self.me:
            self._own_id(header)
            return None
        neighbour = self._table.get(header.sender)
        key = self._pair_key(neighbour, header.number) if neighbour and header.pairwise else None
        plaintext = self._seal.open_untrusted(received.data, header, received.multicast, self.me, key)
        if not self._windows.accept(header):
            self._ctx.count("datagram_replayed")
            return None
        bound = neighbour is not None and neighbour.bound_on(received.link, self._ctx.now)
        bucket = (
            self._buckets.bound(header.sender, header.pairwise, settings, self._ctx.now)
            if bound
            else self._buckets.unbound(received.link, settings, self._ctx.now)
        )
        if not bucket.spend(len(received.data), self._ctx.now):
            self._ctx.count("datagram_over_budget")
            return None
        return self._opened_untrusted(received, header, decode_frames_untrusted(plaintext))

    def _opened_untrusted(self, received: FrameReceived, header: LinkHeader, frames: Iterable[Frame]) -> Heard:
        frames = list(frames)
        for frame in frames:
            if isinstance(frame, Hello):
                self._hello_untrusted(received, header, frame)
        neighbour = self._table.get(header.sender)
        if neighbour is None:
            self._stranger(received.link, header, frames)
        else:
            self._present(neighbour, received, header, frames)
        bound = neighbour is not None and neighbour.bound_on(received.link, self._ctx.now)
        if bound and neighbour is not None:
            self._repair(neighbour, received.link, frames, header.pairwise)
        whole = self._whole_untrusted(received.link, header.sender if bound else NeighbourId(bytes(6)), frames)
        return Heard(
            sender=header.sender,
            neighbour=neighbour,
            bound=bound,
            link=received.link,
            address=received.source,
            multicast=received.multicast,
            frames=tuple(frame for frame in whole if _allowed(frame, bound, header.pairwise)),
            nonce=received.data[1:13],
            pairwise=header.pairwise,
            size=len(received.data),
        )

    def _own_id(self, header: LinkHeader) -> None:
        self._ctx.count("own_link_id")
        if header.epoch > self._seal.epoch:
            text = "Somebody sends under this node's own link id: a copy of this home, or a liar."
            self._ctx.warn("own_id_heard", text)

    def _hello_untrusted(self, received: FrameReceived, header: LinkHeader, hello: Hello) -> None:
        known = self._table.get(header.sender)
        if known is None or not known.exchange:
            check_hello_untrusted(self._ctx, hello, header.sender)
            key = self._agree(hello.exchange, header.sender, self._ctx.mesh.link)
            if key is None:
                raise WireError("a HELLO carries a key of small order")
            known = known or self._know(Neighbour(header.sender, hello.node), self._ctx.now)
            known.exchange, known.key = hello.exchange, key
            self._meet(known, received)
        elif (known.node, known.exchange) != (hello.node, hello.exchange):
            self._ctx.count("hello_second_key")  # the first keeps the id
            return
        if not known.bound_on(received.link, self._ctx.now):
            self._ask_hello(received.link)

    def _meet(self, neighbour: Neighbour, received: FrameReceived) -> None:
        stranger = self._windows.meet(neighbour.id)
        presence = Presence(received.source, self._ctx.now)
        presence.last_beacon_nonce, presence.last_beacon_at = stranger.beacon_nonce, stranger.beacon_at
        neighbour.presences[received.link] = presence
        self._write(neighbour)
        self._ctx.notify(NeighbourChanged(neighbour.short, received.link, received.source, "heard"))

    def _stranger(self, link: str, header: LinkHeader, frames: list[Frame]) -> None:
        stranger = self._windows.stranger(header.sender)
        if any(isinstance(frame, Beacon) for frame in frames):
            stranger.beacon_nonce, stranger.beacon_at = _nonce(header), self._ctx.now
        self._ask_hello(link)
        self._unknown(link, header.sender)

    def _present(self, neighbour: Neighbour, received: FrameReceived, header: LinkHeader, frames: list[Frame]) -> None:
        now, link = self._ctx.now, received.link
        presence = neighbour.presences.get(link)
        if presence is None:
            presence = neighbour.presences[link] = Presence(received.source, now)
            self._ctx.notify(NeighbourChanged(neighbour.short, link, received.source, "heard"))
            self._unknown(link, neighbour.id)
        presence.heard_at = self._heard_at[neighbour.id] = now
        if received.multicast:
            presence.group_heard_at = now
        if header.pairwise or not presence.proven_address:
            presence.address, presence.proven_address = received.source, header.pairwise
        for frame in frames:
            if isinstance(frame, Beacon):
                self._beacon(neighbour, presence, link, _nonce(header), frame)
        if self._windows.lags(neighbour.id):
            self._write(neighbour)

    def _beacon(self, neighbour: Neighbour, presence: Presence, link: str, nonce: bytes, beacon: Beacon) -> None:
        now = self._ctx.now
        presence.last_beacon_nonce, presence.last_beacon_at = nonce, now
        if beacon.flags & _LONELY and not beacon.echoes and presence.is_bound(now):
            self._lose(neighbour, link)  # it hears nobody: it was away, and what we sent meanwhile is lost
        note_echoes(presence, beacon.echoes, now)
        beacons = self._beacons.get(link)
        if beacons is None or not echoes_us(beacon.echoes, self.me, beacons):
            if not presence.is_bound(now):
                self._unknown(link, neighbour.id)
            return
        if presence.is_bound(now):
            presence.bound_until = now + BOUND_FOR_S
        elif len(self.bound(link)) >= MAX_BOUND:
            self._ctx.count("neighbours_full")
        else:
            self._bind(neighbour, presence, link)

    def _bind(self, neighbour: Neighbour, presence: Presence, link: str) -> None:
        now = self._ctx.now
        presence.bound_since, presence.bound_until = now, now + BOUND_FOR_S
        self._windows.prove(neighbour.id)
        self._write(neighbour)
        self._ctx.notify(NeighbourChanged(neighbour.short, link, presence.address, "bound"))
        self._tell(self.on_bound, neighbour)

    def _lose(self, neighbour: Neighbour, link: str) -> None:
        presence = neighbour.presences[link]
        presence.bound_since = presence.bound_until = NEVER
        presence.proven_address = False
        presence.echoes_heard.clear()
        self._outbox.forget_neighbour(neighbour.id)
        self._buckets.forget(neighbour.id)
        self._ctx.notify(NeighbourChanged(neighbour.short, link, presence.address, "lost"))
        if not self._is_reachable(neighbour):
            self._tell(self.on_lost, neighbour)

    def _whole_untrusted(self, link: str, hop: NeighbourId, frames: list[Frame]) -> list[Frame]:
        """The frames, with completed items in the place of their last fragment."""
        whole: list[Frame] = []
        for frame in frames:
            if not isinstance(frame, Fragment):
                whole.append(frame)
                continue
            item = self._reassembly.take_untrusted(link, hop, frame, self._ctx.now)
            if item is not None:
                inner = decode_frames_untrusted(item)
                whole += [one for one in inner if not isinstance(one, Fragment | Hello | Beacon)]
        return whole

    def _repair(self, neighbour: Neighbour, link: str, frames: list[Frame], pairwise: bool) -> None:
        for want in frames:
            if isinstance(want, FragmentWant) and pairwise:
                for cut, fragment in self._cut.answer(want, self._ctx.now):
                    name = want.item + bytes([fragment.index])
                    self.send(neighbour, fragment, cut.cls, link=link, key=name, ring=cut.ring)

    # helpers

    def _know(self, neighbour: Neighbour, heard_at: Instant) -> Neighbour:
        if neighbour.exchange:
            neighbour.key = self._agree(neighbour.exchange, neighbour.id, self._ctx.mesh.link) or b""
        self._table[neighbour.id] = neighbour
        self._heard_at[neighbour.id] = heard_at
        if len(self._table) > MAX_KNOWN:
            self._forget_one()
        return neighbour

    def _forget_one(self) -> None:
        idle = [name for name, neighbour in self._table.items() if not self._is_reachable(neighbour)]
        oldest = min(idle[:-1] or idle, key=lambda name: self._heard_at[name])
        del self._table[oldest], self._heard_at[oldest]
        self._windows.forget(oldest)
        self._ctx.forget(RecordKey(NeighbourRecord, (oldest,)))

    def _write(self, neighbour: Neighbour) -> None:
        window = self._windows.written(neighbour.id)
        self._ctx.persist(
            NeighbourRecord(
                neighbour.id,
                neighbour.node,
                neighbour.exchange,
                window.epoch,
                window.counter,
                window.bits,
                self._heard_at[neighbour.id],
            )
        )

    def _agree(self, exchange: bytes, other: NeighbourId, link_key: bytes) -> bytes | None:
        return pair_key(self._ctx.sealer, link_key, self._ctx.keys.exchange_secret, exchange, self.me, other)

    def _pair_key(self, neighbour: Neighbour, number: int) -> bytes | None:
        """The pairwise key under the mesh secret of that number: during an overlap the other may still use the old."""
        secret = self._ctx.mesh.numbered(number)
        if secret is None or not neighbour.exchange:
            return None
        if number == self._ctx.mesh.current.number:
            return neighbour.key
        return self._agree(neighbour.exchange, neighbour.id, secret.link)

    def _is_reachable(self, neighbour: Neighbour) -> bool:
        return neighbour.session is not None or neighbour.link(self._ctx.now) is not None

    def _ask_hello(self, link: str) -> None:
        self._hellos.ask(link, self._ctx.now + self._draw("hello", JITTER))

    def _unknown(self, link: str, name: NeighbourId) -> None:
        for heard in self.on_unknown:
            heard(link, name)

    def _tell(self, callbacks: list[Callback], neighbour: Neighbour) -> None:
        for callback in callbacks:
            callback(neighbour)

    def _everyone(self, link: str, introducing: bool) -> list[NeighbourId | None]:
        """To whom a frame for all on a link goes. What introduces us goes to those not bound and not met, too."""
        now = self._ctx.now
        if not introducing:
            return self._group(link, self.bound(link))
        settings = self._ctx.links.get(link)
        present = [n for n in self._table.values() if link in n.presences]
        present = [n for n in present if n.presences[link].heard_at > now - BOUND_FOR_S]
        addresses = {n.presences[link].address: n for n in present}
        names: list[NeighbourId | None] = []
        if settings is None or settings.multicast:
            names.append(None)
            present = [n for n in present if n.presences[link].address in self._configured.values()]
            present = [n for n in present if n.presences[link].group_heard_at < now - GROUP_FRESH_S]
        names += [n.id for n in present]
        return names + [name for name, address in self._configured.items() if address not in addresses]

    def _group(self, link: str, targets: list[Neighbour]) -> list[NeighbourId | None]:
        """Multicast, and unicast to those whom group frames do not reach; unicast alone where there are none."""
        if not targets:
            return []
        settings = self._ctx.links.get(link)
        if settings is not None and not settings.multicast:
            return [n.id for n in targets]
        configured = set(self._configured.values())
        deaf = [n for n in targets if n.presences[link].address in configured]
        deaf = [n for n in deaf if n.presences[link].group_heard_at < self._ctx.now - GROUP_FRESH_S]
        return [*([None] if len(deaf) < len(targets) else []), *(n.id for n in deaf)]

    def _fragmented(self, item: bytes, encoded: bytes, outgoing: Outgoing) -> None:
        settings = self._ctx.links[outgoing.link]
        limit = settings.multicast_payload if outgoing.to is None else settings.unicast_payload
        until = self._ctx.now + LIFE_S
        self._cut.keep(item, Cut(encoded, outgoing.cls, outgoing.ring, step_of(limit), until))

    def _note_beacon(self, link: str, plaintext: bytes, sealed: bytes) -> bytes:
        if link in self._beacons and _holds_beacon(plaintext):
            self._beacons[link].sent(sealed[1:13], self._ctx.now)
        return sealed

    def _next_loss(self) -> Instant | None:
        losses = [
            _lost_at(presence)
            for neighbour in self._table.values()
            for presence in neighbour.presences.values()
            if presence.bound_until > NEVER
        ]
        return min(losses, default=None)

    def _draw(self, purpose: str, limits: tuple[float, float]) -> float:
        return self._ctx.entropy.between(purpose, *limits)


def step_of(limit: int) -> int:
    """Bytes of an item in each fragment, as the outbox cuts it: payload limit, less seal and fragment header."""
    return limit - 29 - 11


def _lost_at(presence: Presence) -> Instant:
    return min(presence.bound_until, presence.heard_at + SILENT_S)


def _allowed(frame: Frame, bound: bool, pairwise: bool) -> bool:
    if isinstance(frame, _IN_SESSIONS_ONLY):
        return False
    if isinstance(frame, _PAIRWISE_ONLY):
        return bound and pairwise
    return bound or not isinstance(frame, _FROM_BOUND_ONLY)


def _nonce(header: LinkHeader) -> bytes:
    return header.sender + header.epoch.to_bytes(3, "big") + header.counter.to_bytes(3, "big")


def _holds_beacon(plaintext: bytes) -> bool:
    """True if one of our own frames in a row is a beacon."""
    return any(isinstance(frame, Beacon) for frame in decode_frames_untrusted(plaintext))

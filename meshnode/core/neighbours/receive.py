"""What comes in on a link, in the order of protocol rule 2.5: size and key number, own id, open, replay window, budget,
decode; then HELLO, echoes, fragments.

Frames that only a bound neighbour may send, or only under the pairwise key, are dropped here from all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.context import Context
from meshnode.core.ids import NeighbourId
from meshnode.core.inputs import FrameReceived
from meshnode.core.neighbours.buckets import INTRODUCTION, WRONG_FACTOR, Bucket
from meshnode.core.neighbours.echoes import BOUND_FOR_S, MAX_ECHOES, OwnBeacons, echoes_to, echoes_us, note_echoes
from meshnode.core.neighbours.fragments import Reassembly
from meshnode.core.neighbours.hello import JITTER, HelloPacing, check_hello_untrusted
from meshnode.core.neighbours.neighbour import FOREVER, GAP_S, Heard, Neighbour, Presence
from meshnode.core.neighbours.roster import MAX_BOUND, Roster
from meshnode.core.neighbours.windows import Stranger
from meshnode.core.notices import NeighbourChanged, SessionMet
from meshnode.core.sealing.link import LinkHeader, LinkSeal, nonce_of, peek_untrusted
from meshnode.core.sealing.primitives import TAG_SIZE
from meshnode.core.settings import LinkSettings
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.core.wire.frames import (
    OLDEST_VERSION,
    VERSION,
    Beacon,
    BridgeNews,
    ChunkPiece,
    ChunkWant,
    Date,
    Delta,
    Done,
    Elements,
    FileHave,
    FileSeek,
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
from meshnode.core.wire.versions import speaks
from meshnode.errors import SignatureError, WireError

NOBODY: Final = NeighbourId(bytes(6))  # the hop of all who are not bound: they share what may be open
PATIENCE_S: Final = 0.03  # for each neighbour of a crowd, before one asks for fragments
CROWD_HELLO_S: Final = 0.15  # for each neighbour: one HELLO answers several
RETURNED_GAPS: Final = 3.2  # three beacons of a dense place in a row: who was silent for so long may have lost us
_RETURNED_S: Final = RETURNED_GAPS * GAP_S  # and nobody returns sooner

_IN_SESSIONS_ONLY: Final = (Ranges, Elements, Heads, Done, Took, SessionBeacon)
_FROM_BOUND_ONLY: Final = (Delta, Refs, Offer, FileSeek, BridgeNews)
_PAIRWISE_ONLY: Final = (Want, RefWant, FragmentWant, Proofs, Need, FileHave, ChunkWant, ChunkPiece, Date)
_RESTRICTED: Final = frozenset((*_IN_SESSIONS_ONLY, *_FROM_BOUND_ONLY, *_PAIRWISE_ONLY))


class Receiver:
    """Datagrams in, `Heard` out. `beacons` are our own, by link, to know an echo by."""

    def __init__(self, ctx: Context, roster: Roster, seal: LinkSeal, hellos: HelloPacing) -> None:
        self._ctx = ctx
        self._roster = roster
        self._seal = seal
        self._hellos = hellos
        self.beacons: dict[str, OwnBeacons] = {}
        self.reassembly = Reassembly(ctx.neighbours_due.sooner)
        self.on_spoken_for: Callable[[], None] = _nothing
        self.on_unechoed: Callable[[Neighbour, str], None] = _ignore_unechoed  # one we hear does not hear us
        self.on_doubt: Callable[[Neighbour, str], None] = _ignore_unechoed  # it may have lost us
        self.on_shut_out: Callable[[Neighbour, str], None] = _ignore_unechoed  # is it so far ahead of this?
        self.on_between_us: Callable[[Neighbour, str, Frame], None] = _ignore_frame  # it says something to us alone
        self.on_double: Callable[[Neighbour, str, bytes], None] = _ignore_double
        self.own_counter = -1  # of our last datagram
        self._own_id_told = False

    def receive_untrusted(self, received: FrameReceived) -> Heard | None:
        """Open and decode one datagram by rule 2.5; None for what is refused, which is counted."""
        try:
            return self._receive_untrusted(received)
        except WireError:
            self._ctx.count("datagram_refused")
            return None

    def _receive_untrusted(self, received: FrameReceived) -> Heard | None:
        settings = self._ctx.links.get(received.link)
        if settings is None:
            self._ctx.count("datagram_no_link")
            return None
        header = peek_untrusted(received.data)
        if header.sender == self._roster.me:
            self._own_id_untrusted(received, header)
            return None
        neighbour = self._roster.table.get(header.sender)
        key = self._roster.pair_key(neighbour, header.number) if neighbour and header.pairwise else None
        plaintext = self._seal.open_untrusted(received.data, header, received.multicast, self._roster.me, key)
        if header.pairwise:
            self._begins(header.sender, header.epoch)
        elif not self._roster.windows.knows(header):
            neighbour = None  # perhaps it started anew, perhaps somebody else speaks: its HELLO will tell
        if not self._roster.windows.accept(header, received.data[-TAG_SIZE:]):
            self._ctx.count("datagram_replayed")
            if neighbour is not None and self._roster.windows.shut_out(header):
                self.on_shut_out(neighbour, received.link)
            return None
        presence = neighbour.presences.get(received.link) if neighbour is not None else None
        bound = presence is not None and self._ctx.now < presence.bound_until
        size = len(received.data)
        bucket = self.bucket(received.link, header.sender, bound, header.pairwise, settings, size)
        if not bucket.spend(size, self._ctx.now):
            self._ctx.count("datagram_over_budget")
            return None
        return self._opened_untrusted(received, header, decode_frames_untrusted(plaintext))

    def bucket(
        self, link: str, sender: NeighbourId, bound: bool, pairwise: bool, settings: LinkSettings, size: int
    ) -> Bucket:
        """Who pays for a datagram of that size."""
        if bound:
            return self._roster.buckets.bound(sender, pairwise, settings, self._ctx.now)
        if size <= INTRODUCTION:
            return self._roster.buckets.introductions(link, settings, self._ctx.now)
        return self._roster.buckets.unbound(link, settings, self._ctx.now)

    def _opened_untrusted(self, received: FrameReceived, header: LinkHeader, frames: tuple[Frame, ...]) -> Heard:
        kinds = frozenset(map(type, frames))
        if Hello in kinds:
            self._hellos_untrusted(received, header, frames)
        neighbour = self._roster.table.get(header.sender)
        if Beacon in kinds:
            frames = self._understood(neighbour, frames)
        bound = False
        if neighbour is None or not self._roster.windows.knows(header):
            neighbour = None
            self._stranger(received, header, frames)
        else:
            bound = self._ctx.now < self._present(neighbour, received, header, frames).bound_until
        if bound and neighbour is not None and header.pairwise:
            for frame in frames:
                self.on_between_us(neighbour, received.link, frame)
        if Fragment in kinds:
            frames = self._whole_untrusted(received, header, bound, frames)
            kinds = frozenset(map(type, frames))
        if not _RESTRICTED.isdisjoint(kinds):
            frames = tuple(frame for frame in frames if _allowed(frame, bound, header.pairwise))
        return Heard(
            sender=header.sender,
            neighbour=neighbour,
            bound=bound,
            link=received.link,
            address=received.source,
            multicast=received.multicast,
            frames=frames,
            nonce=nonce_of(received.data),
            pairwise=header.pairwise,
            size=len(received.data),
        )

    def _understood(self, neighbour: Neighbour | None, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        """Without the beacons of those who speak no version of ours: they bind nobody, and are shown once.

        They end no binding either: any member can seal a beacon in another's name.
        """
        foreign = [frame for frame in frames if isinstance(frame, Beacon) and not speaks(frame)]
        if not foreign:
            return frames
        self._ctx.count("beacon_of_other_version")
        if neighbour is not None and not neighbour.foreign:
            neighbour.foreign = True
            self._ctx.notify(SessionMet(neighbour.node, _versions(foreign[0])))
        return tuple(frame for frame in frames if frame not in foreign)

    def _own_id_untrusted(self, received: FrameReceived, header: LinkHeader) -> None:
        """Dropped and counted. What a member sealed under a later start than ours is worth one warning (rule 2.6).

        One sealed ahead of us in our own epoch would make others take our next words for old ones: we begin a new one.
        """
        self._ctx.count("own_link_id")
        if header.epoch == self._seal.epoch and header.counter > self.own_counter and not header.pairwise:
            self._seal.open_untrusted(received.data, header, received.multicast, self._roster.me, None)
            self.on_spoken_for()
        if header.epoch > self._seal.epoch and not self._own_id_told:
            self._seal.open_untrusted(received.data, header, received.multicast, self._roster.me, None)
            self._own_id_told = True
            text = "Somebody sends under this node's own link id: a copy of this home, or a liar."
            self._ctx.warn("own_id_heard", text)

    def _hellos_untrusted(self, received: FrameReceived, header: LinkHeader, frames: tuple[Frame, ...]) -> None:
        for frame in frames:
            if isinstance(frame, Hello):
                self._hello_untrusted(received, header, frame)

    def _hello_untrusted(self, received: FrameReceived, header: LinkHeader, hello: Hello) -> None:
        known = self._roster.table.get(header.sender)
        if known is None or not known.exchange:
            check_hello_untrusted(self._ctx, hello, header.sender)
            key = self._roster.agree(hello.exchange, header.sender, self._ctx.mesh.link)
            if key is None:
                raise WireError("a HELLO carries a key of small order")
            known = known or self._roster.know(Neighbour(header.sender, hello.node), self._ctx.now)
            known.exchange, known.key = hello.exchange, key
            known.other_keys = self._roster.other_keys(known)
            self._meet(known, received, hello.epoch)
        elif (known.node, known.exchange) != (hello.node, hello.exchange):
            self._ctx.count("hello_second_key")  # the first keeps the id
            return
        elif not self._roster.windows.knows(header) and header.epoch <= hello.epoch:
            check_hello_untrusted(self._ctx, hello, header.sender)
            self._meet(known, received, hello.epoch)
        if not known.foreign and not known.bound_on(received.link, self._ctx.now):
            self._ask_hello(received)

    def _meet(self, neighbour: Neighbour, received: FrameReceived, epoch: int) -> None:
        """It signed that it exists, in this epoch; a beacon heard before may be echoed now."""
        stranger = self._begins(neighbour.id, epoch)
        presence = neighbour.presences.get(received.link)
        if presence is None:
            presence = neighbour.presences[received.link] = Presence(received.source, self._ctx.now)
            self._ctx.notify(NeighbourChanged(neighbour.short, received.link, received.source, "heard"))
        if stranger is not None and stranger.beacon_nonce:
            presence.last_beacon_nonce, presence.last_beacon_at = stranger.beacon_nonce, stranger.beacon_at
            neighbour.newest = stranger.newest
        self._roster.write(neighbour)

    def _begins(self, sender: NeighbourId, epoch: int) -> Stranger | None:
        """It vouched for an epoch. If that is news, another release may run there: how it echoes is open again."""
        stranger, neighbour = self._roster.windows.sign(sender, epoch), self._roster.table.get(sender)
        if stranger is not None and neighbour is not None:
            neighbour.seals_echoes = False
        return stranger

    def _stranger(self, received: FrameReceived, header: LinkHeader, frames: tuple[Frame, ...]) -> None:
        stranger = self._roster.windows.stranger(header.sender)
        for beacon in (frame for frame in frames if isinstance(frame, Beacon)):
            stranger.beacon_nonce, stranger.beacon_at = nonce_of(received.data), self._ctx.now
            stranger.newest = beacon.newest
        self._ask_hello(received)
        self._roster.unknown(received.link, header.sender)

    def _present(
        self, neighbour: Neighbour, received: FrameReceived, header: LinkHeader, frames: tuple[Frame, ...]
    ) -> Presence:
        now, link, vouches = self._ctx.now, received.link, header.pairwise
        presence = neighbour.presences.get(link)
        if presence is None:
            presence = neighbour.presences[link] = Presence(received.source, now)
            self._ctx.notify(NeighbourChanged(neighbour.short, link, received.source, "heard"))
            self._roster.unknown(link, neighbour.id)
        elif now - presence.heard_at > _RETURNED_S and now - presence.heard_at > RETURNED_GAPS * presence.gap_s:
            self._roster.unknown(link, neighbour.id)
        presence.heard_at = now
        self._roster.heard(neighbour)
        if received.multicast:
            presence.group_heard_at = now
        if header.pairwise or not (presence.proven_address or now < presence.bound_until):
            presence.address, presence.proven_address = received.source, header.pairwise
        for frame in frames:
            if isinstance(frame, Beacon):
                self._beacon(neighbour, presence, received, header, frame)
                vouches = True
        if vouches and self._roster.windows.lags(neighbour.id):
            self._roster.write(neighbour)
        return presence

    def _beacon(
        self, neighbour: Neighbour, presence: Presence, received: FrameReceived, header: LinkHeader, beacon: Beacon
    ) -> None:
        now, link, nonce = self._ctx.now, received.link, nonce_of(received.data)
        if nonce <= presence.sure_nonce <= self._roster.windows.sure_nonce(neighbour.id):
            return  # late, or kept back by somebody: what it says was true once
        presence.last_beacon_nonce, presence.last_beacon_at = nonce, now
        neighbour.newest = beacon.newest
        told = echoes_to(beacon, self._roster.me)
        if not told and len(beacon.echoes) < MAX_ECHOES and now < presence.bound_until:  # it named all whom it hears
            self.on_doubt(neighbour, link)  # was it away, did it start anew? Or does somebody else speak in its name?
        note_echoes(presence, beacon.echoes, now)
        beacons = self.beacons.get(link)
        echoed = beacons is not None and echoes_us(beacon, told, nonce, neighbour, beacons)
        if header.pairwise or (echoed and neighbour.seals_echoes):
            presence.sure_nonce = nonce
        if echoed:
            if neighbour.seals_echoes:
                self._roster.windows.vouch(header)
            self._hears_us(neighbour, presence, link)
        elif not presence.is_bound(now):
            self._roster.unknown(link, neighbour.id)
            self.on_unechoed(neighbour, link)

    def _hears_us(self, neighbour: Neighbour, presence: Presence, link: str) -> None:
        """Its beacon echoes a recent one of ours."""
        now = self._ctx.now
        if now < presence.bound_until:
            presence.bound_until = now + BOUND_FOR_S
            presence.echoed_in_doubt = presence.doubt_until < FOREVER
        elif len(self._roster.bound(link)) >= MAX_BOUND:
            self._ctx.count("neighbours_full")
        else:
            self._roster.bind(neighbour, presence, link)

    def _whole_untrusted(
        self, received: FrameReceived, header: LinkHeader, bound: bool, frames: tuple[Frame, ...]
    ) -> tuple[Frame, ...]:
        """The frames, with completed items in the place of their last fragment. Its sender pays for a wrong one."""
        whole: list[Frame] = []
        hop = header.sender if bound else NOBODY
        for frame in frames:
            if not isinstance(frame, Fragment):
                whole.append(frame)
                continue
            self._note_double(received, header, bound, frame)
            try:
                item = self.reassembly.take_untrusted(
                    received.link,
                    hop,
                    frame,
                    self._ctx.now,
                    pairwise=bound and header.pairwise,
                    patience_s=self._patience_s(received.link),
                )
            except SignatureError:
                self._fine(received, header, bound, pairwise=False)  # a piece may be of who spoke in its name
                self._begin_again(received.link, header, frame.item)
                continue
            whole += self._inner_untrusted(received, header, bound, item) if item is not None else []
        return tuple(whole)

    def _note_double(self, received: FrameReceived, header: LinkHeader, bound: bool, fragment: Fragment) -> None:
        """A neighbour begins to tell all what is whole here."""
        neighbour = self._roster.table.get(header.sender)
        if neighbour is None or not (bound and received.multicast):
            return
        if self.reassembly.is_whole(fragment.item, self._ctx.now):
            self.on_double(neighbour, received.link, fragment.item)

    def _patience_s(self, link: str) -> float:
        if not self._roster.crowded(link):
            return 0.0
        return self._ctx.entropy.between("fragments", 0.0, PATIENCE_S * self._roster.company(link))

    def _inner_untrusted(self, received: FrameReceived, header: LinkHeader, bound: bool, item: bytes) -> list[Frame]:
        """What a whole holds. One that cannot be read is what its id says: nobody has a better one."""
        try:
            inner = decode_frames_untrusted(item)
        except WireError:
            self._fine(received, header, bound, pairwise=header.pairwise)
            return []
        return [one for one in inner if not isinstance(one, Fragment | Hello | Beacon)]

    def _fine(self, received: FrameReceived, header: LinkHeader, bound: bool, *, pairwise: bool) -> None:
        self._ctx.count("item_refused")
        settings = self._ctx.links[received.link]
        bucket = self.bucket(received.link, header.sender, bound, pairwise, settings, len(received.data))
        bucket.fine(len(received.data) * WRONG_FACTOR, self._ctx.now)

    def _begin_again(self, link: str, header: LinkHeader, item: bytes) -> None:
        """Ask the sender itself, for somebody may have spoken in its name; if it is not bound, one that is."""
        near = sorted(self._roster.bound(link), key=lambda one: one.id != header.sender)
        for neighbour in near[:1]:
            self.reassembly.begin_again(link, neighbour.id, item, self._ctx.now)

    def _ask_hello(self, received: FrameReceived) -> None:
        soon, late = JITTER
        if self._roster.gathering(received.link):
            late = CROWD_HELLO_S * self._roster.company(received.link)
        at = self._ctx.now + self._ctx.entropy.between("hello", soon, late)
        self._hellos.ask(received.link, at, received.source)


def _versions(beacon: Beacon) -> str:
    return (
        f"it speaks versions {beacon.oldest} to {beacon.newest} of the protocol,"
        f" this node {OLDEST_VERSION} to {VERSION}"
    )


def _allowed(frame: Frame, bound: bool, pairwise: bool) -> bool:
    if isinstance(frame, _IN_SESSIONS_ONLY):
        return False
    if isinstance(frame, _PAIRWISE_ONLY):
        return bound and pairwise
    return bound or not isinstance(frame, _FROM_BOUND_ONLY)


def _nothing() -> None:
    return None


def _ignore_double(neighbour: Neighbour, link: str, item: bytes) -> None:
    return None


def _ignore_unechoed(neighbour: Neighbour, link: str) -> None:
    return None


def _ignore_frame(neighbour: Neighbour, link: str, frame: Frame) -> None:
    return None

"""Who there is: the neighbours of one node, what became of them, and the sessions with them.

stranger -- HELLO --> known -- fresh echo --> bound
bound -- 10 min without an echo, or silence, or a doubt it does not answer --> known
known or bound -- session opened / closed --> reachable by its session / not
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.bridge.gate import Gate
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import NeighbourId, neighbour_id
from meshnode.core.inputs import EncounterBegan, EncounterEnded
from meshnode.core.neighbours.buckets import Buckets
from meshnode.core.neighbours.echoes import BOUND_FOR_S
from meshnode.core.neighbours.hello import FEW
from meshnode.core.neighbours.neighbour import FOREVER, NEVER, Neighbour, Presence
from meshnode.core.neighbours.windows import Windows
from meshnode.core.notices import NeighbourChanged, PeerChanged
from meshnode.core.records import NeighbourRecord, RecordKey, Snapshot
from meshnode.core.sealing.pair import pair_key as derive_pair_key

MAX_BOUND: Final = 64
MAX_KNOWN: Final = 1024
MOMENT_S: Final = 10.0
SILENT_S: Final = 260.0  # four gaps between two beacons of a neighbour, two at rest; it is asked before it is lost
LAST_CALL_S: Final = 15.0  # before that: three questions, for at 30 % loss one may go unanswered
CALL_AGAIN_S: Final = 5.0

Callback = Callable[[Neighbour], None]


class Roster:
    """The table. `on_bound` and `on_lost` hear of everyone who comes within reach, and who leaves it."""

    def __init__(self, ctx: Context, outbox: Outbox) -> None:
        self._ctx = ctx
        self._outbox = outbox
        self.me = neighbour_id(ctx.keys.node, ctx.mesh.id)
        self.table: dict[NeighbourId, Neighbour] = {}
        self._by_node: dict[bytes, Neighbour] = {}
        self._heard_at: dict[NeighbourId, Instant] = {}
        self._bound_last: dict[str, Presence] = {}  # by link: one that was bound there, and mostly still is
        self._bound: dict[str | None, tuple[Instant, list[Neighbour]]] = {}  # by link: who, and until when that holds
        self._sessions: dict[int, tuple[Neighbour | None, str, str]] = {}
        self.windows = Windows()
        self.buckets = Buckets()
        self.gate = Gate(ctx)
        self.on_bound: list[Callback] = []
        self.on_lost: list[Callback] = []
        self.on_unlinked: list[Callback] = []  # lost on its last link, while a session with it is open
        self.on_unknown: list[Callable[[str, NeighbourId], None]] = []  # a new or returning id was heard on a link

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk: known, none of them bound."""
        self.gate.restore(snapshot)
        for record in snapshot.records:
            if isinstance(record, NeighbourRecord):
                self.windows.restore(record)
                self.know(Neighbour(record.id, record.node, record.exchange), record.heard_at)

    def get(self, node: bytes) -> Neighbour | None:
        """The neighbour with that node key."""
        return self._by_node.get(node)

    def by_id(self, name: NeighbourId) -> Neighbour | None:
        """The neighbour with that id."""
        return self.table.get(name)

    def by_prefix(self, two: bytes) -> Neighbour | None:
        """The bound neighbour whose id begins with these 2 B, as handovers and echoes name it."""
        return next((neighbour for neighbour in self.bound() if neighbour.id[:2] == two), None)

    def bound(self, link: str | None = None) -> list[Neighbour]:
        """Neighbours with two-way hearing proven, on that link or on any; those bound longest first."""
        until, found = self._bound.get(link, (NEVER, []))
        if until <= self._ctx.now:
            until, found = self._bound[link] = self._find_bound(link)
        return found.copy()

    def _find_bound(self, link: str | None) -> tuple[Instant, list[Neighbour]]:
        """The same, found anew, and until when it holds unless somebody is bound or lost."""
        now, until = self._ctx.now, FOREVER
        found: dict[NeighbourId, Instant] = {}
        for neighbour in self.table.values():
            for where, presence in neighbour.presences.items():
                if now < presence.bound_until and link in (None, where):
                    until = min(until, presence.bound_until)
                    found[neighbour.id] = min(found.get(neighbour.id, FOREVER), presence.bound_since)
        ranked = sorted((since, name) for name, since in found.items())
        return until, [self.table[name] for _, name in ranked]

    def has_bound(self, link: str) -> bool:
        """True while anybody is bound on that link; who was when it was asked last is looked at first."""
        now, last = self._ctx.now, self._bound_last.get(link)
        if last is not None and now < last.bound_until:
            return True
        for neighbour in self.table.values():
            presence = neighbour.presences.get(link)
            if presence is not None and now < presence.bound_until:
                self._bound_last[link] = presence
                return True
        return False

    def unbound(self, link: str, since: Instant) -> int:
        """How many on a link were heard since then and are not bound."""
        present = [n.presences[link] for n in self.table.values() if link in n.presences]
        return sum(one.heard_at > since and not one.is_bound(self._ctx.now) for one in present)

    def company(self, link: str) -> int:
        """How many on a link are bound, or were heard a moment ago."""
        return len(self.bound(link)) + self.unbound(link, self._ctx.now - MOMENT_S)

    def crowded(self, link: str) -> bool:
        """True where so many hear each other that what one is told is best said to all."""
        return self.company(link) > FEW

    def gathering(self, link: str) -> bool:
        """True while more than a few on a link met us a moment ago, or are about to."""
        since = self._ctx.now - MOMENT_S
        return self.unbound(link, since) + sum(n.presences[link].bound_since > since for n in self.bound(link)) > FEW

    def reachable(self) -> list[Neighbour]:
        """Bound on a link, or with an open session."""
        bound = self.bound()
        return bound + [n for n in self.session_peers() if n not in bound] if self._sessions else bound

    def anyone_but(self, node: bytes) -> bool:
        """True if another than that node is within reach."""
        now = self._ctx.now
        others = (n for n in self.table.values() if n.node != node)
        return any(n.session is not None or (n.presences and n.link(now)) for n in others)

    def session_peers(self) -> list[Neighbour]:
        """Neighbours with an open session, in the order of its opening."""
        return [neighbour for neighbour, _, _ in self._sessions.values() if neighbour is not None]

    def over_uplink(self, neighbour: Neighbour) -> bool:
        """True if what goes to it crosses an uplink."""
        return self.gate.is_uplink(neighbour.session) and neighbour.link(self._ctx.now) is None

    def has_news_at_once(self, neighbour: Neighbour, passes: bool) -> bool:
        """True for who gets a new item now; `passes`: what the gate says of that item."""
        return not self.over_uplink(neighbour) or (passes and self.gate.at_once(neighbour.session))

    def session_with(self, session: int) -> tuple[Neighbour | None, str, str] | None:
        """Who is at the far end of an open session (nobody, of a parcel), its carrier and address."""
        return self._sessions.get(session)

    def heard_at(self, neighbour: Neighbour) -> Instant:
        """When anything was heard of it last."""
        return self._heard_at.get(neighbour.id, NEVER)

    def heard(self, neighbour: Neighbour) -> None:
        """Something authentic came from it."""
        self._heard_at[neighbour.id] = self._ctx.now

    # coming and going

    def know(self, neighbour: Neighbour, heard_at: Instant) -> Neighbour:
        if neighbour.exchange:
            neighbour.key = self.agree(neighbour.exchange, neighbour.id, self._ctx.mesh.link) or b""
            neighbour.other_keys = self.other_keys(neighbour)
        self.table[neighbour.id] = self._by_node[neighbour.node] = neighbour
        self._heard_at[neighbour.id] = heard_at
        if len(self.table) > MAX_KNOWN:
            self._forget_one()
        return neighbour

    def lose_all(self, link: str) -> None:
        """Nobody on this link answers any more, or it is gone: nobody is bound, nor echoed until heard anew."""
        for neighbour in self.bound(link):
            self.lose(neighbour, link)
        for neighbour in self.table.values():
            if link in neighbour.presences:
                neighbour.presences[link].last_beacon_at = NEVER

    def session_opened(self, began: EncounterBegan) -> None:
        """A peer proved its node key in a session's handshake. A parcel has nobody at its far end."""
        neighbour: Neighbour | None = None
        self.gate.opened(began)
        if began.carrier != "parcel":
            name = neighbour_id(began.node, self._ctx.mesh.id)
            neighbour = self.table.get(name) or self.know(Neighbour(name, began.node), self._ctx.now)
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
        self.gate.closed(ended)
        neighbour, carrier, address = self._sessions.pop(ended.session, (None, "", ""))
        if neighbour is None:
            return
        self._ctx.notify(PeerChanged(neighbour.short, address, carrier, "closed"))
        if neighbour.session == ended.session:
            neighbour.session, neighbour.session_carrier, neighbour.session_address = None, "", ""
            if not self._is_reachable(neighbour):
                self._tell(self.on_lost, neighbour)

    def bind(self, neighbour: Neighbour, presence: Presence, link: str) -> None:
        now = self._ctx.now
        presence.bound_since, presence.bound_until = now, now + BOUND_FOR_S
        self._bound.clear()
        self._ctx.neighbours_due.sooner(call_at(presence))
        self.write(neighbour)
        self._ctx.notify(NeighbourChanged(neighbour.short, link, presence.address, "bound"))
        self._tell(self.on_bound, neighbour)

    def lose(self, neighbour: Neighbour, link: str) -> None:
        presence = neighbour.presences[link]
        presence.bound_since = presence.bound_until = NEVER
        self._bound.clear()
        presence.doubt_until, presence.echoed_in_doubt = FOREVER, False
        presence.proven_address = False
        presence.echoes_heard.clear()
        self._outbox.forget_neighbour(neighbour.id)
        self.buckets.forget(neighbour.id)
        self._ctx.notify(NeighbourChanged(neighbour.short, link, presence.address, "lost"))
        if neighbour.link(self._ctx.now) is None:
            self._tell(self.on_lost if neighbour.session is None else self.on_unlinked, neighbour)

    def give_up_silent(self) -> None:
        """Those that were not heard, or did not echo us, for too long are lost.

        Who had lost us and found us again meanwhile is lost and bound: what we sent it in between is to be said anew.
        """
        now = self._ctx.now
        for neighbour in self.table.values():
            for link, presence in neighbour.presences.items():
                if presence.bound_until > NEVER and now >= _lost_at(presence):
                    is_back = presence.echoed_in_doubt and now < runs_out_at(presence)
                    self.lose(neighbour, link)
                    if is_back:
                        self.bind(neighbour, presence, link)

    def next_loss(self) -> Instant | None:
        """When somebody is lost, or to be asked once more before that."""
        losses = [
            min(_lost_at(presence), call_at(presence))
            for neighbour in self.table.values()
            for presence in neighbour.presences.values()
            if presence.bound_until > NEVER
        ]
        return min(losses, default=None)

    def unknown(self, link: str, name: NeighbourId) -> None:
        for heard in self.on_unknown:
            heard(link, name)

    def write(self, neighbour: Neighbour) -> None:
        window = self.windows.written(neighbour.id)
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

    def agree(self, exchange: bytes, other: NeighbourId, link_key: bytes) -> bytes | None:
        return derive_pair_key(self._ctx.sealer, link_key, self._ctx.keys.exchange_secret, exchange, self.me, other)

    def pair_key(self, neighbour: Neighbour, number: int) -> bytes | None:
        """The pairwise key under the mesh secret of that number: during an overlap the other may still use the old."""
        secret = self._ctx.mesh.numbered(number)
        if secret is None or not neighbour.exchange:
            return None
        if number == self._ctx.mesh.current.number:
            return neighbour.key
        return self.agree(neighbour.exchange, neighbour.id, secret.link)

    def other_keys(self, neighbour: Neighbour) -> tuple[bytes, ...]:
        """The pairwise keys under the other secrets held: which one is current may differ between the two."""
        keys = [self.pair_key(neighbour, secret.number) for secret in self._ctx.mesh.secrets[1:]]
        return tuple(key for key in keys if key)

    def _is_reachable(self, neighbour: Neighbour) -> bool:
        return neighbour.session is not None or neighbour.link(self._ctx.now) is not None

    def _forget_one(self) -> None:
        idle = [name for name, neighbour in self.table.items() if not self._is_reachable(neighbour)]
        oldest = min(idle[:-1] or idle, key=lambda name: self._heard_at[name])
        del self._by_node[self.table[oldest].node], self.table[oldest], self._heard_at[oldest]
        self.windows.forget(oldest)
        self.buckets.forget_peer(oldest)
        self._ctx.forget(RecordKey(NeighbourRecord, (oldest,)))

    def _tell(self, callbacks: list[Callback], neighbour: Neighbour) -> None:
        for callback in callbacks:
            callback(neighbour)


def runs_out_at(presence: Presence) -> Instant:
    """When a binding ends unless something is heard: an echo, or at least anything."""
    return min(presence.bound_until, presence.heard_at + SILENT_S)


def call_at(presence: Presence) -> Instant:
    """When it is asked next whether we are bound there; after it is lost, if the last question before that is out."""
    return max(runs_out_at(presence) - LAST_CALL_S, presence.asked_at + CALL_AGAIN_S)


def _lost_at(presence: Presence) -> Instant:
    return min(runs_out_at(presence), presence.doubt_until)

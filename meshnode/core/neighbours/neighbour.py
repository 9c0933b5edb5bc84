"""What is known of one neighbour, and of one datagram or record that came from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from meshnode.core.clock import Instant
from meshnode.core.ids import NeighbourId, NodeKey
from meshnode.core.wire.frames import Frame

NEVER = float("-inf")
FOREVER = float("inf")
GAP_S: Final = 64.0  # between two beacons of one neighbour: 2 x Imax
GAP_SHARE: Final = 8.0  # at rest: this part of the time it is here (gossip/beacon.py)
REST_GAP_S: Final = 128.0  # and no longer


@dataclass(slots=True)
class Presence:
    """A neighbour on one link. It is bound there while `bound_until` lies ahead: it echoed a fresh beacon of ours."""

    address: str
    heard_at: Instant
    proven_address: bool = False  # the address stood on a pairwise sealed datagram: group frames do not move it
    bound_since: Instant = NEVER
    bound_until: Instant = NEVER
    group_heard_at: Instant = NEVER  # a multicast datagram of its came through
    last_beacon_nonce: bytes = b""
    last_beacon_at: Instant = NEVER
    sure_nonce: bytes = b""  # of the last beacon that is its own for certain: what lies below is late
    echoed_at: Instant = NEVER  # when we last told it that we hear it
    echoes_heard: dict[bytes, Instant] = field(default_factory=dict)  # 2 B of the ids it hears, and when it said so
    doubt_until: Instant = FOREVER  # a beacon in its name did not name us: lost then, unless it says otherwise itself
    sure_until: Instant = NEVER  # it said otherwise: not asked again before
    sure_for_s: float = 0.0  # how long that held when it said so last
    echoed_in_doubt: bool = False
    asked_at: Instant = NEVER  # before it is given up, it is asked whether we are bound there

    @property
    def gap_s(self) -> float:
        """The longest time between two of its beacons: who has been bound for long beacons seldom."""
        here_s = self.heard_at - self.bound_since if self.bound_since > NEVER else 0.0
        return min(REST_GAP_S, max(GAP_S, here_s / GAP_SHARE))

    @property
    def echoes(self) -> tuple[bytes, ...]:
        """2 B of each id this neighbour hears on the link."""
        return tuple(self.echoes_heard)

    def is_bound(self, now: Instant) -> bool:
        """True while two-way hearing is proven (protocol rule 3.3)."""
        return now < self.bound_until


@dataclass(slots=True, eq=False)
class Neighbour:
    """A node one hop away, or at the far end of a session. `exchange` and `key` are empty until its HELLO is known."""

    id: NeighbourId
    node: NodeKey
    exchange: bytes = b""
    key: bytes = field(default=b"", repr=False)
    other_keys: tuple[bytes, ...] = field(default=(), repr=False)  # under secrets that are not current here
    presences: dict[str, Presence] = field(default_factory=dict)
    session: int | None = None
    session_carrier: str = ""
    session_address: str = ""
    refusing: bool = False  # its beacon said that its store takes nothing: no copies for it
    busy_until: Instant = NEVER  # its beacon said that much waits to be sent: not asked before
    foreign: bool = False  # it was shown that it speaks no version of ours
    newest: int = 0  # version of the frames that its last beacon names
    seals_echoes: bool = False  # in this epoch: it echoed us under the pairwise key, and no other echo counts

    @property
    def short(self) -> str:
        """How the neighbour is called before a person: 8 hex digits of its id."""
        return self.id[:4].hex()

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The pairwise keys, that under our current secret first; none while its HELLO is not known."""
        return (self.key, *self.other_keys) if self.key else ()

    def bound_on(self, link: str, now: Instant) -> bool:
        """True while bound on that link."""
        presence = self.presences.get(link)
        return presence is not None and now < presence.bound_until

    def link(self, now: Instant) -> str | None:
        """The link on which it is bound and was heard last, if any."""
        last: tuple[Instant, str] | None = None
        for link, presence in self.presences.items():
            if now < presence.bound_until and (last is None or (presence.heard_at, link) > last):
                last = presence.heard_at, link
        return None if last is None else last[1]


class Heard(NamedTuple):
    """Frames from one sender, opened and decoded. `pairwise`: nobody but the neighbour can have sent them.

    `multicast` says how it was sealed: for all, or for us alone. In a session `link` is empty and `nonce` too; in a
    parcel `neighbour` is None. A tuple, because one is made for each datagram, and a frozen dataclass takes longer.
    """

    sender: NeighbourId
    neighbour: Neighbour | None
    bound: bool
    link: str
    address: str
    multicast: bool
    frames: tuple[Frame, ...]
    nonce: bytes = b""
    pairwise: bool = False
    carrier: str = "link"  # "link" "session" "parcel"
    size: int = 0
    session: int | None = None

    @property
    def node(self) -> bytes:
        """Node key of the sender, empty while unknown: the previous hop that pays."""
        return self.neighbour.node if self.neighbour else b""

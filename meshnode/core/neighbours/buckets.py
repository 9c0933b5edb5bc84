"""Token buckets of bytes: what a sender may make us open, verify and answer.

All unbound senders of a link share a tenth of the link (rule 3.4): made-up ids gain nothing. A fifth of that is for
datagrams so small that they may be a HELLO with a beacon: else in a dense place data would keep newcomers out. A bound
neighbour has two of its own: one for datagrams that only it can have sealed, one for those that any member could have
sealed in its name, so that a liar spends no budget but that of the groups' share (rule 1.2). The first one also pays
for what we serve it there (rule 5.5). A peer has two for all its sessions, which outlive them: one for what it brings
and asks (rule 13.3), one for the blocks and envelopes it is given. The second only makes it wait, for who catches up
is no enemy.
"""

from __future__ import annotations

from meshnode.core.clock import Instant
from meshnode.core.settings import LinkSettings

UNBOUND_SHARE = 0.1
INTRODUCTIONS_SHARE = 0.02  # of all, and of those kept free for what introduces a node, so that data crowd it not out
INTRODUCTION = 300  # bytes of a datagram with HELLO and a full beacon: 275
INTRODUCTIONS = 24_576  # at once: two of each where fifty start together
BURST_S = 4.0  # what may come at once, in seconds of the bucket's rate
FLOOR = 8_192  # and never less than that: a HELLO and a few fragments
WRONG_FACTOR = 10  # what fails verification costs ten times its size (rule 6.2)
SESSION_RATE = 2_000_000.0  # bytes a second: more than a small board verifies, and than most ways carry
SESSION_BURST = 32_000_000.0
SERVED_RATE = 2_000_000.0  # bytes a second read, packed and sent for one peer, and as much saved up as it may bring
SERVED_BURST = 32_000_000.0
_A_MOMENT_S = 0.01


class Bucket:
    """Bytes that may be spent: `rate` a second, at most `size` saved up. It may go into debt, and then refuses."""

    __slots__ = ("_at", "_left", "_rate", "_size")

    def __init__(self, rate: float, size: float, now: Instant) -> None:
        self._rate = rate
        self._size = size
        self._left = size
        self._at = now

    def spend(self, cost: float, now: Instant) -> bool:
        """Take `cost` if anything is left; False when the bucket is dry."""
        left = self._left + (now - self._at) * self._rate  # as `_fill`, without the call
        self._left, self._at = left if left < self._size else self._size, now
        if self._left <= 0:
            return False
        self._left -= cost
        return True

    def fine(self, cost: float, now: Instant) -> None:
        """Take `cost`, into debt if need be, but never more than a full bucket's worth of it."""
        self._fill(now)
        self._left = max(-self._size, self._left - cost)

    def wait_s(self, now: Instant) -> float:
        """Seconds until something is left to spend; 0 while there is."""
        self._fill(now)
        return max(0.0, -self._left / self._rate + _A_MOMENT_S) if self._left <= 0 else 0.0

    def _fill(self, now: Instant) -> None:
        left = self._left + (now - self._at) * self._rate
        self._left = left if left < self._size else self._size
        self._at = now


class Buckets:
    """The buckets of one node: one for the unbound of each link, two for each bound neighbour, one for each peer."""

    def __init__(self) -> None:
        self._unbound: dict[str, Bucket] = {}
        self._introductions: dict[str, Bucket] = {}
        self._bound: dict[tuple[bytes, bool], Bucket] = {}
        self._sessions: dict[bytes, Bucket] = {}
        self._served: dict[bytes, Bucket] = {}

    def unbound(self, link: str, settings: LinkSettings, now: Instant) -> Bucket:
        """What all senders on a link that are not bound share."""
        if link not in self._unbound:
            self._unbound[link] = _bucket(settings.multicast_bps / 8 * (UNBOUND_SHARE - INTRODUCTIONS_SHARE), now)
        return self._unbound[link]

    def introductions(self, link: str, settings: LinkSettings, now: Instant) -> Bucket:
        """The same for datagrams of at most `INTRODUCTION` bytes."""
        if link not in self._introductions:
            rate = settings.multicast_bps / 8 * INTRODUCTIONS_SHARE
            self._introductions[link] = Bucket(rate, INTRODUCTIONS, now)
        return self._introductions[link]

    def bound(self, neighbour: bytes, pairwise: bool, settings: LinkSettings, now: Instant) -> Bucket:
        """What a bound neighbour may send: sealed for us alone, or with the mesh key."""
        key = (neighbour, pairwise)
        bucket = self._bound.get(key)
        if bucket is None:
            rate = (settings.unicast_bps if pairwise else settings.multicast_bps) / 8
            bucket = self._bound[key] = _bucket(rate, now)
        return bucket

    def session(self, peer: bytes, now: Instant) -> Bucket:
        """What a peer may send in its sessions."""
        if peer not in self._sessions:
            self._sessions[peer] = Bucket(SESSION_RATE, SESSION_BURST, now)
        return self._sessions[peer]

    def served(self, peer: bytes, now: Instant) -> Bucket:
        """What a peer may have from us in its sessions."""
        if peer not in self._served:
            self._served[peer] = Bucket(SERVED_RATE, SERVED_BURST, now)
        return self._served[peer]

    def forget_peer(self, peer: bytes) -> None:
        """Nothing is known of it any more."""
        self.forget(peer)
        self._sessions.pop(peer, None)
        self._served.pop(peer, None)

    def forget(self, neighbour: bytes) -> None:
        """The neighbour is gone from its link."""
        self._bound.pop((neighbour, True), None)
        self._bound.pop((neighbour, False), None)


def _bucket(rate: float, now: Instant) -> Bucket:
    return Bucket(rate, max(FLOOR, rate * BURST_S), now)

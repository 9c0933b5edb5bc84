"""Echoes: who hears whom. A beacon repeats 2 B of each heard id and 2 B of the hash of its last beacon's nonce.

Hearing a fresh hash of our own binds the neighbour: it hears us, now (rule 3.3). A recorded beacon of yesterday, or of
before our reboot, holds no fresh hash: our nonces begin with the boot epoch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.ids import NeighbourId, hashed
from meshnode.core.neighbours.neighbour import Neighbour, Presence
from meshnode.core.wire.frames import Echo

BOUND_FOR_S: Final = 600.0
MAX_ECHOES: Final = 8
MAX_HEARD: Final = 128  # ids remembered from one neighbour's echoes: more than may be bound
_KEPT_S: Final = 150.0  # a neighbour answers within two longest Trickle intervals
_KEPT: Final = 64
_KEPT_ALWAYS: Final = 4


def echo_hash(nonce: bytes) -> bytes:
    """2 B of a beacon's nonce, as its hearers repeat it."""
    return hashed(b"mn-echo", nonce, 2)


class OwnBeacons:
    """The hashes of our last beacons on one link."""

    def __init__(self) -> None:
        self._sent: deque[tuple[Instant, bytes]] = deque(maxlen=_KEPT)

    def sent(self, nonce: bytes, now: Instant) -> None:
        """A beacon of ours left under this nonce."""
        self._sent.append((now, echo_hash(nonce)))
        while len(self._sent) > _KEPT_ALWAYS and self._sent[0][0] < now - _KEPT_S:
            self._sent.popleft()

    def holds(self, nonce_hash: bytes) -> bool:
        """True for the hash of a recent beacon of ours."""
        return any(known == nonce_hash for _, known in self._sent)

    def sent_at(self, nonce_hash: bytes) -> Instant | None:
        """When the beacon of that hash left; the first of several, None for one that is not recent or not ours."""
        return next((at for at, known in self._sent if known == nonce_hash), None)


def note_echoes(presence: Presence, echoes: Iterable[Echo], now: Instant) -> None:
    """Remember whom this neighbour says to hear, for as long as a binding lasts."""
    for echo in echoes:
        presence.echoes_heard[echo.neighbour] = now
    for name in [name for name, at in presence.echoes_heard.items() if at < now - BOUND_FOR_S]:
        del presence.echoes_heard[name]
    while len(presence.echoes_heard) > MAX_HEARD:
        presence.echoes_heard.pop(next(iter(presence.echoes_heard)))


def echoes_us(echoes: Iterable[Echo], me: NeighbourId, beacons: OwnBeacons) -> bool:
    """True when one of them repeats a recent beacon of ours."""
    return any(echo.neighbour == me[:2] and beacons.holds(echo.nonce) for echo in echoes)


def choose_echoes(neighbours: Iterable[Neighbour], link: str, now: Instant) -> tuple[Echo, ...]:
    """At most eight, those that waited longest first; only of those whose HELLO we hold, heard not too long ago."""
    heard = [
        (neighbour.presences[link].echoed_at, neighbour.id)
        for neighbour in neighbours
        if neighbour.key
        and link in neighbour.presences
        and neighbour.presences[link].last_beacon_at > now - BOUND_FOR_S
    ]
    chosen = {name for _, name in sorted(heard)[:MAX_ECHOES]}
    echoes = []
    for neighbour in neighbours:
        if neighbour.id in chosen:
            presence = neighbour.presences[link]
            presence.echoed_at = now
            echoes.append(Echo(neighbour.id[:2], echo_hash(presence.last_beacon_nonce)))
    return tuple(echoes)

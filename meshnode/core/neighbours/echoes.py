"""Echoes: who hears whom. A beacon repeats 2 B of each heard id and 2 B that follow from the nonce of its last beacon.

Hearing one of a fresh beacon of ours binds the neighbour: it hears us, now (rule 3.3). A recorded beacon of yesterday,
or of before our reboot, holds none: our nonces begin with the boot epoch.

Any member can seal a beacon in another's name, so an echo stands under the pairwise key of the two, over both nonces:
that of the beacon that was heard, and that of the datagram which says so. Whoever finds one there knows that the
neighbour itself made this datagram, under this number. Version 1 echoes by a hash that everyone can make; it is taken
from a neighbour until that one's first sealed echo, or for as long as its epoch knows no better.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.ids import NeighbourId, hashed
from meshnode.core.neighbours.neighbour import Neighbour, Presence
from meshnode.core.sealing.pair import sealed_echo
from meshnode.core.wire.frames import Beacon, Echo

BOUND_FOR_S: Final = 600.0
SEALED_SINCE: Final = 2  # version of the frames; before it an echo is a mere hash
MAX_ECHOES: Final = 8
MAX_HEARD: Final = 128  # ids remembered from one neighbour's echoes: more than may be bound
_KEPT_S: Final = 150.0  # a neighbour answers within two longest Trickle intervals
_KEPT: Final = 16  # who hears us at all heard one of these; of more an old echo of 2 B would match one by chance
_KEPT_ALWAYS: Final = 4
_TO_BE_SEALED: Final = bytes(2)
_MEANT: Final = 2  # echoes in one beacon that can be for us: of 64 ids hardly three begin with the same 2 B


def echo_hash(nonce: bytes) -> bytes:
    """2 B of a beacon's nonce: how a Date names the beacon it answers, and an echo of version 1 the one it heard."""
    return hashed(b"mn-echo", nonce, 2)


class OwnBeacons:
    """The nonces of our last beacons on one link."""

    def __init__(self) -> None:
        self._sent: deque[tuple[Instant, bytes]] = deque(maxlen=_KEPT)

    def sent(self, nonce: bytes, now: Instant) -> None:
        """A beacon of ours left under this nonce."""
        self._sent.append((now, nonce))
        while len(self._sent) > _KEPT_ALWAYS and self._sent[0][0] < now - _KEPT_S:
            self._sent.popleft()

    def holds(self, nonce_hash: bytes) -> bool:
        """True for the hash of a recent beacon of ours."""
        return self.sent_at(nonce_hash) is not None

    def sent_at(self, nonce_hash: bytes) -> Instant | None:
        """When the beacon of that hash left; the first of several, None for one that is not recent or not ours."""
        return next((at for at, nonce in self._sent if echo_hash(nonce) == nonce_hash), None)

    def sealed_in(self, said: bytes, key: bytes, said_in: bytes) -> bool:
        """True when `said` echoes a recent beacon of ours, under that pairwise key, in the datagram of that nonce."""
        for _, nonce in reversed(self._sent):  # noqa: SIM110 - mostly it is the last one: a generator costs more
            if sealed_echo(key, nonce, said_in) == said:
                return True
        return False


def note_echoes(presence: Presence, echoes: Iterable[Echo], now: Instant) -> None:
    """Remember whom this neighbour says to hear, for as long as a binding lasts."""
    for echo in echoes:
        presence.echoes_heard[echo.neighbour] = now
    if min(presence.echoes_heard.values(), default=now) < now - BOUND_FOR_S:
        for name in [name for name, at in presence.echoes_heard.items() if at < now - BOUND_FOR_S]:
            del presence.echoes_heard[name]
    while len(presence.echoes_heard) > MAX_HEARD:
        presence.echoes_heard.pop(next(iter(presence.echoes_heard)))


def echoes_to(beacon: Beacon, me: NeighbourId) -> list[bytes]:
    """The echoes in a beacon that may be for us."""
    short = me[:2]
    return [echo.nonce for echo in beacon.echoes if echo.neighbour == short]


def echoes_us(beacon: Beacon, told: list[bytes], said_in: bytes, sender: Neighbour, beacons: OwnBeacons) -> bool:
    """True when what a beacon told us, in the datagram of that nonce, echoes a recent one of ours, by its own word.

    Takes note that the sender seals its echoes: from then on no other counts, until it begins a new epoch. Two bytes
    can be guessed; who guesses may do so no more often than it speaks.
    """
    told = told[:_MEANT]
    for one in told:
        for key in sender.keys:
            if beacons.sealed_in(one, key, said_in):
                sender.seals_echoes = True
                return True
    plain = beacon.newest < SEALED_SINCE and not sender.seals_echoes
    return plain and any(beacons.holds(one) for one in told)


def choose_echoes(neighbours: Iterable[Neighbour], link: str, now: Instant) -> tuple[Echo, ...]:
    """At most eight, those that waited longest first; only of those whose HELLO we hold, heard not too long ago.

    As version 1 says them, or to be sealed: `seal_echoes` puts them under the keys once the datagram has its nonce.
    """
    heard = []
    for neighbour in neighbours:
        presence = neighbour.presences.get(link) if neighbour.key else None
        if presence is not None and presence.last_beacon_at > now - BOUND_FOR_S:
            heard.append((presence, neighbour))
    if len(heard) > MAX_ECHOES:
        longest = sorted((presence.echoed_at, neighbour.id) for presence, neighbour in heard)[:MAX_ECHOES]
        chosen = {name for _, name in longest}
        heard = [entry for entry in heard if entry[1].id in chosen]
    echoes = []
    for presence, neighbour in heard:
        presence.echoed_at = now
        said = _TO_BE_SEALED if _reads_sealed(neighbour) else echo_hash(presence.last_beacon_nonce)
        echoes.append(Echo(neighbour.id[:2], said))
    return tuple(echoes)


def seal_echoes(beacon: Beacon, said_in: bytes, neighbours: Iterable[Neighbour], link: str) -> Beacon:
    """The beacon, for the datagram of that nonce: each echo under the key of the one that it is for."""
    alike: dict[bytes, list[Neighbour]] = {echo.neighbour: [] for echo in beacon.echoes}
    for neighbour in neighbours:
        heard = alike.get(neighbour.id[:2])
        if heard is not None and neighbour.key and link in neighbour.presences:
            heard.append(neighbour)
    echoes = []
    for echo in beacon.echoes:
        heard = alike[echo.neighbour]
        if len(heard) > 1:  # the one just chosen
            heard.sort(key=lambda neighbour: -neighbour.presences[link].echoed_at)
        echoes.append(_sealed(echo, heard.pop(0), said_in, link) if heard else echo)
    return Beacon(
        beacon.oldest, beacon.newest, beacon.flags, beacon.frontier, beacon.envelopes, tuple(echoes), beacon.changes
    )


def _reads_sealed(neighbour: Neighbour) -> bool:
    """True unless it reads version 1 alone, as far as we know."""
    return neighbour.seals_echoes or neighbour.newest >= SEALED_SINCE


def _sealed(echo: Echo, neighbour: Neighbour, said_in: bytes, link: str) -> Echo:
    """An echo under the key of the one that it is for, unless that one reads version 1 alone."""
    if not _reads_sealed(neighbour):
        return echo
    return Echo(echo.neighbour, sealed_echo(neighbour.key, neighbour.presences[link].last_beacon_nonce, said_in))

"""Which key an address stands for, learned from answers and from traffic, and the packet that waits to know it."""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.overlay.embedded.wire.keys import address_bytes, subnet_bytes

KNOWN_FOR_S = 120.0
MOST_WAITING = 256
UNREACHABLE_AFTER_S = 3.0

Place = bytes  # 16 bytes of an address in 200::/8, or the first 8 of one in 300::/8


def place_of(address: bytes) -> Place | None:
    """What an address is looked up by; None outside of 200::/7."""
    if address[0] == 0x02:
        return address
    return address[:8] if address[0] == 0x03 else None


@dataclass(slots=True)
class _Known:
    key: bytes
    until: float


@dataclass(slots=True)
class _Waiting:
    packet: bytes
    since: float
    until: float
    told: bool = False


class Hosts:
    """Keys by address and /64."""

    def __init__(self) -> None:
        self._known: dict[Place, _Known] = {}
        self._waiting: dict[Place, _Waiting] = {}

    def key_of(self, place: Place, now: float) -> bytes | None:
        """The key, if it is known; known a while longer for being asked."""
        known = self._known.get(place)
        if known is None:
            return None
        known.until = now + KNOWN_FOR_S
        return known.key

    def learn(self, key: bytes, now: float) -> list[bytes]:
        """A key is real: the packets that waited for it."""
        waited = []
        for place in (address_bytes(key), subnet_bytes(key)):
            known = self._known.get(place)
            if known is None or known.key != key:
                self._known[place] = _Known(key, now + KNOWN_FOR_S)
            else:
                known.until = now + KNOWN_FOR_S
            if (waiting := self._waiting.pop(place, None)) is not None:
                waited.append(waiting.packet)
        return waited

    def wait(self, place: Place, packet: bytes, now: float) -> bool:
        """The last packet for an unknown address waits; False if there is no room for one more."""
        waiting = self._waiting.get(place)
        if waiting is None and len(self._waiting) >= MOST_WAITING:
            return False
        since = waiting.since if waiting else now
        self._waiting[place] = _Waiting(packet, since, now + KNOWN_FOR_S, bool(waiting and waiting.told))
        return True

    def unanswered(self, now: float) -> list[bytes]:
        """Packets whose address nobody answered for, each told once."""
        late = [w for w in self._waiting.values() if not w.told and now - w.since >= UNREACHABLE_AFTER_S]
        for waiting in late:
            waiting.told = True
        return [waiting.packet for waiting in late]

    def expire(self, now: float) -> None:
        """Forget what was not used."""
        for place in [place for place, known in self._known.items() if known.until <= now]:
            del self._known[place]
        for place in [place for place, waiting in self._waiting.items() if waiting.until <= now]:
            del self._waiting[place]

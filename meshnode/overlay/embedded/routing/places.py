"""Where nodes hang in the tree, as far as this one knows: itself, its neighbours, and the ancestors of both.

Of two places of one key the newer counts, the same everywhere: higher seq, then lower parent, then lower nonce. A place
that is not renewed for 300 s is forgotten. A place is checked before it comes here.
"""

from __future__ import annotations

from functools import lru_cache

from meshnode.overlay.embedded.wire.keys import signed_by
from meshnode.overlay.embedded.wire.packets import Announce, place_signed
from meshnode.overlay.embedded.wire.varint import Path

FORGOTTEN_AFTER_S = 300.0


class Places:
    """The newest place of each key."""

    def __init__(self, own: bytes) -> None:
        self.own = own
        self._by_key: dict[bytes, Announce] = {}
        self._until: dict[bytes, float] = {}
        self._coords: dict[bytes, tuple[bytes, Path]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: bytes) -> bool:
        return key in self._by_key

    def get(self, key: bytes) -> Announce | None:
        """The place of a key."""
        return self._by_key.get(key)

    def all(self) -> list[Announce]:
        """Every place, ordered by key."""
        return [self._by_key[key] for key in sorted(self._by_key)]

    def take(self, place: Announce, now: float) -> bool:
        """Keep a place if it is newer than the one known; True if it was."""
        known = self._by_key.get(place.key)
        if known is not None and not _newer(place, known):
            return False
        self._by_key[place.key] = place
        self._until[place.key] = now + FORGOTTEN_AFTER_S
        self.changed()
        return True

    def renewed_at(self, key: bytes) -> float | None:
        """When the place of a key was taken; None where there is none."""
        until = self._until.get(key)
        return None if until is None else until - FORGOTTEN_AFTER_S

    def expire(self, now: float) -> list[bytes]:
        """Forget what was not renewed, our own place excepted; the keys."""
        gone = [key for key, until in self._until.items() if until <= now and key != self.own]
        for key in gone:
            del self._by_key[key], self._until[key]
        if gone:
            self.changed()
        return gone

    def changed(self) -> None:
        """Coordinates have to be worked out anew."""
        self._coords.clear()

    def chain(self, key: bytes) -> list[bytes]:
        """The key, its parent, and so on, until a place is missing or comes again. The last counts as the root."""
        found: dict[bytes, None] = {}
        while key not in found and (place := self._by_key.get(key)) is not None:
            found[key] = None
            key = place.parent
        return list(found)

    def coords(self, key: bytes) -> tuple[bytes, Path]:
        """The root, and the ports from it down to the key; the key itself and no ports where the chain is broken."""
        known = self._coords.get(key)
        if known is None:
            known = self._coords[key] = self._worked_out(key)
        return known

    def _worked_out(self, key: bytes) -> tuple[bytes, Path]:
        chain = self.chain(key)
        if not chain or self._by_key[chain[-1]].parent != chain[-1]:
            return key, ()
        return chain[-1], tuple(self._by_key[one].port for one in reversed(chain[:-1]))


def _newer(place: Announce, known: Announce) -> bool:
    if place.seq != known.seq:
        return place.seq > known.seq
    return (place.parent, place.nonce) < (known.parent, known.nonce)


@lru_cache(maxsize=4096)
def is_signed(place: Announce) -> bool:
    """True if parent and child signed it, and only a root sits at port 0.

    Remembered, because common ancestors come from every neighbour.
    """
    if place.port == 0 and place.key != place.parent:
        return False
    signed = place_signed(place.key, place.parent, place.seq, place.nonce, place.port)
    return signed_by(place.parent, signed, place.psig) and signed_by(place.key, signed, place.sig)


def distance(one: Path, other: Path) -> int:
    """Steps over the tree between two places."""
    common = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        common += 1
    return len(one) + len(other) - 2 * common

"""Where others sit: looked up over the filters of the tree, told in answers that they sign.

A lookup follows the filters to everybody who may be meant; who is meant answers with its coordinates. A path is known
for 60 s after the last packet from there, a search goes on for 60 s. The last packet waits for the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from meshnode.overlay.embedded.routing.sequence import Sequence
from meshnode.overlay.embedded.wire.keys import Identity, lookup_key, signed_by
from meshnode.overlay.embedded.wire.packets import START, PathBroken, PathLookup, PathNotify, notify_signed
from meshnode.overlay.embedded.wire.varint import Path

KNOWN_FOR_S = 60.0
SEARCH_FOR_S = 60.0
ASK_AGAIN_AFTER_S = 1.0
BROKEN_AGAIN_AFTER_S = 0.25  # a path breaks because the tree moves, and then the first answer may be old already
MOST_SEARCHES = 1024


@dataclass(slots=True)
class Known:
    """A path: where a key sits."""

    coords: Path
    seq: int
    until: float
    asked_at: float
    broken: bool = False
    last: bytes = b""  # the payload sent last, for it may have been lost with the old path


@dataclass(slots=True)
class _Search:
    asked_at: float
    until: float
    waiting: tuple[bytes, bytes] | None = None  # destination and payload


class Paths:
    """Paths and searches. `lookup` and `send` are the router's."""

    def __init__(
        self,
        identity: Identity,
        sequence: Sequence,
        lookup: Callable[[PathLookup], None],
        send: Callable[[bytes, bytes, float], None],
    ) -> None:
        self._identity = identity
        self._sequence = sequence
        self._lookup = lookup
        self._send = send
        self._known: dict[bytes, Known] = {}
        self._searches: dict[bytes, _Search] = {}
        self._answer: tuple[int, PathNotify] | None = None

    def known(self, key: bytes) -> Known | None:
        """The path to a key."""
        return self._known.get(key)

    def all(self) -> dict[bytes, Known]:
        """Every path, by key."""
        return dict(self._known)

    def heard_from(self, key: bytes, now: float) -> None:
        """Traffic came from there: the path is good."""
        path = self._known.get(key)
        if path is not None and not path.broken:
            path.until = now + KNOWN_FOR_S

    def search(self, key: bytes, origin: Path, now: float, payload: bytes = b"") -> None:
        """Look for a key, or for a part of one; a payload waits for the answer."""
        element = lookup_key(key)
        search = self._searches.get(element)
        if search is None and len(self._searches) >= MOST_SEARCHES:
            return
        if search is None or now - search.asked_at >= ASK_AGAIN_AFTER_S:
            search = search or self._searches.setdefault(element, _Search(now, 0.0))
            search.asked_at, search.until = now, now + SEARCH_FOR_S
            self._lookup(PathLookup(self._identity.public, key, origin))
        if payload:
            search.waiting = (key, payload)

    def answer(self, lookup: PathLookup, coords: Path, now: float) -> PathNotify:
        """We are meant: where we are, signed, at most once a second anew."""
        if self._answer is None or self._answer[0] != int(now) or self._answer[1].coords != coords:
            moved = self._answer is not None and self._answer[1].coords != coords
            seq = self._sequence.next(now) if moved else self._sequence.at(now)
            sig = self._identity.sign(notify_signed(seq, coords))
            self._answer = (int(now), PathNotify((), START, self._identity.public, b"", seq, coords, sig))
        return replace(self._answer[1], path=lookup.origin, dest=lookup.source)

    def take_notify_untrusted(self, notify: PathNotify, now: float) -> bool:
        """Somebody tells where it is; False if it was not asked, is old, or did not sign."""
        path, search = self._known.get(notify.source), self._searches.get(lookup_key(notify.source))
        if (path is None and search is None) or (path is not None and notify.seq <= path.seq):
            return False
        if not signed_by(notify.source, notify_signed(notify.seq, notify.coords), notify.sig):
            return False
        if path is None:
            path = self._known[notify.source] = Known((), 0, 0.0, now)
            if search is not None and search.waiting and search.waiting[0] == notify.source:
                path.last, search.waiting = search.waiting[1], None
        moved = path.coords != notify.coords or path.broken or not path.seq
        path.coords, path.seq, path.until, path.broken = notify.coords, notify.seq, now + KNOWN_FOR_S, False
        if moved and path.last:
            payload, path.last = path.last, b""
            self._send(notify.source, payload, now)
        return True

    def take_broken(self, broken: PathBroken, origin: Path, now: float) -> None:
        """A packet of ours found no way: look again, a few times a second at most."""
        path = self._known.get(broken.dest)
        if path is None:
            return
        path.broken = True
        if now - path.asked_at >= BROKEN_AGAIN_AFTER_S:
            path.asked_at = now
            self._lookup(PathLookup(self._identity.public, broken.dest, origin))

    def expire(self, now: float) -> None:
        """Forget what is over."""
        for key in [key for key, path in self._known.items() if path.until <= now]:
            del self._known[key]
        for key in [key for key, search in self._searches.items() if search.until <= now]:
            del self._searches[key]

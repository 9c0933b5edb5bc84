"""The spanning tree: every node hangs below one neighbour, and the lowest key of the network is the root.

A node asks each neighbour to sign it as its child (sig_req, sig_res), chooses one of those that did, and announces the
place that both have signed. In each round it looks whether another parent is better:

    a lower root                     at once
    the same root at half the cost   at the refresh every 240 s (refresh.py)
    the same root, parent gone       at once
    no parent to be had              root of its own, a second after the first doubt
"""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.ports import Entropy
from meshnode.errors import WireError
from meshnode.overlay.embedded.routing.neighbours import Link, Neighbour, Neighbours
from meshnode.overlay.embedded.routing.places import Places, is_signed
from meshnode.overlay.embedded.routing.refresh import due_at
from meshnode.overlay.embedded.wire.keys import Identity, signed_by
from meshnode.overlay.embedded.wire.packets import Announce, SigReq, SigRes, place_signed

MOST_BROUGHT = 1024  # places one neighbour may have us keep: a tree that deep does not work anyway

DOUBT_S = 1.0

_NO_COST = float("inf")
_LONG_AGO = float("-inf")


@dataclass(slots=True)
class _Best:
    root: bytes
    parent: bytes
    cost: float


class Tree:
    """Our place, and what is needed to choose it."""

    def __init__(self, identity: Identity, entropy: Entropy, neighbours: Neighbours) -> None:
        self._identity = identity
        self._entropy = entropy
        self._neighbours = neighbours
        self.places = Places(identity.public)
        self._refresh = False
        self._doubt_since: float | None = _LONG_AGO  # no parent is to be had
        self.refused = 0  # places a neighbour brought beyond what we keep

    # ---- links

    def link_up(self, link: Link, now: float) -> None:
        """Tell a new link what its neighbour knows of us already, and ask it to sign us."""
        neighbour = link.neighbour
        if len(neighbour.links) > 1:
            for key in neighbour.told:
                if (place := self.places.get(key)) is not None:
                    link.put(place)
        if neighbour.request is None:
            neighbour.request = self._request()
        link.ask(neighbour.request, now)

    # ---- what neighbours say

    def answer(self, link: Link, request: SigReq) -> None:
        """Sign a neighbour as our child, always."""
        neighbour = link.neighbour
        signed = place_signed(neighbour.key, self._identity.public, request.seq, request.nonce, neighbour.port)
        link.put(SigRes(request.seq, request.nonce, neighbour.port, self._identity.sign(signed)))

    def take_response_untrusted(self, link: Link, response: SigRes, now: float) -> None:
        """A neighbour signed us; WireError if it did not."""
        neighbour = link.neighbour
        signed = place_signed(self._identity.public, neighbour.key, response.seq, response.nonce, response.port)
        if not signed_by(neighbour.key, signed, response.psig):
            raise WireError("a neighbour's signature does not verify")
        if neighbour.request == SigReq(response.seq, response.nonce):
            link.measure(now)
            neighbour.response = neighbour.response or response

    def take_announce_untrusted(self, link: Link, place: Announce, now: float) -> None:
        """A place, signed; WireError if it is not."""
        neighbour = link.neighbour
        known = self.places.get(place.key)
        if place == known:
            neighbour.told.add(place.key)
            return
        if not is_signed(place):
            raise WireError("an announcement is not signed as it should be")
        if known is None and not self._has_room(neighbour, place.key):
            return
        if self._take(place, now):
            neighbour.told.add(place.key)
            neighbour.brought.add(place.key)
            self._refresh |= place.key == self._identity.public  # we had a higher seq once: go above it
        elif known is not None:
            link.put(known)
            neighbour.told.add(place.key)

    def _has_room(self, neighbour: Neighbour, key: bytes) -> bool:
        neighbour.brought &= {key for key in neighbour.brought if key in self.places}
        if len(neighbour.brought) < MOST_BROUGHT or key == neighbour.key:
            return True
        self.refused += 1
        return False

    # ---- each round

    def maintain(self, now: float) -> None:
        """Forget, choose, announce."""
        self._forget(now)
        self.places.changed()
        self._choose(now)
        for neighbour in self._neighbours:
            self._announce(neighbour)

    def _forget(self, now: float) -> None:
        for key in self.places.expire(now):
            for neighbour in self._neighbours:
                neighbour.told.discard(key)
        self._refresh |= self._is_due(now)

    def _is_due(self, now: float) -> bool:
        own = self.places.get(self._identity.public)
        renewed_at = self.places.renewed_at(self._identity.public)
        if own is None or renewed_at is None:
            return False
        above = None if own.parent == own.key else self.places.renewed_at(own.parent)
        return now >= due_at(renewed_at, above)

    def _choose(self, now: float) -> None:
        own = self.places.get(self._identity.public)
        parent = own.parent if own else self._identity.public
        best = self._best(parent)
        if not (self._refresh or self._doubt_since is not None or best.parent != parent):
            return
        if best.root != self._identity.public and self._hang_below(best.parent, now):
            return
        if self._doubt_since is None:
            self._doubt_since = now
        elif now >= self._doubt_since + DOUBT_S:
            self._become_root(now)

    def _best(self, parent: bytes) -> _Best:
        """The best parent there is; ourselves where there is none."""
        own = self._identity.public
        best = _Best(own, own, _NO_COST)
        if (above := self._neighbours.get(parent)) is not None:
            chain = self.places.chain(own)
            if chain[-1] < own:
                best = _Best(chain[-1], parent, (len(chain) - 1) * above.cost)
        for neighbour in self._neighbours:
            chain = self.places.chain(neighbour.key)
            if neighbour.response is None or not chain or own in chain:
                continue
            root, cost = chain[-1], (len(chain) - 1) * neighbour.cost
            if root < best.root or (root == best.root and self._is_better(cost, best, parent)):
                best = _Best(root, neighbour.key, cost)
        return best

    def _is_better(self, cost: float, best: _Best, parent: bytes) -> bool:
        return (self._refresh and 2 * cost < best.cost) or (best.parent != parent and cost < best.cost)

    def _hang_below(self, parent: bytes, now: float) -> bool:
        neighbour = self._neighbours.get(parent)
        if neighbour is None or neighbour.response is None:
            return False
        response, own = neighbour.response, self._identity.public
        signed = place_signed(own, parent, response.seq, response.nonce, response.port)
        return self._move(
            Announce(own, parent, response.seq, response.nonce, response.port, response.psig,
                     self._identity.sign(signed)), now)  # fmt: skip

    def _become_root(self, now: float) -> None:
        own, request = self._identity.public, self._request()
        sig = self._identity.sign(place_signed(own, own, request.seq, request.nonce, 0))
        self._move(Announce(own, own, request.seq, request.nonce, 0, sig, sig), now)

    def _move(self, place: Announce, now: float) -> bool:
        """Take a new place of our own, and ask everybody to sign the next one."""
        if not self._take(place, now):
            return False
        self._refresh, self._doubt_since = False, None
        for neighbour in self._neighbours:
            neighbour.request, neighbour.response = self._request(), None
            for link in neighbour.links:
                link.ask(neighbour.request, now)
        return True

    def _take(self, place: Announce, now: float) -> bool:
        if not self.places.take(place, now):
            return False
        for neighbour in self._neighbours:
            neighbour.told.discard(place.key)
        return True

    def _request(self) -> SigReq:
        own = self.places.get(self._identity.public)
        nonce = int.from_bytes(self._entropy.take("overlay-nonce", 8), "big")
        return SigReq(own.seq + 1 if own else 1, nonce)

    def _announce(self, neighbour: Neighbour) -> None:
        """What a neighbour needs to know where we are, and where it is: from the root down."""
        for of in (self._identity.public, neighbour.key):
            for key in reversed(self.places.chain(of)):
                place = self.places.get(key)
                if key not in neighbour.told and place is not None:
                    neighbour.told.add(key)
                    neighbour.put(place)

"""Encounters: what two neighbours tell each other of what they carry, when their digests of envelope ids differ.

    digest differs --> Offer (6 B of each id) --> Need (what the other lacks) --> envelopes, with copies handed over
                                              \\-> the receipt, where the other knows that it arrived
               \\-> nothing to offer, and it lasts: our beacon, to it alone, so that the other one offers

What goes only so far (`scope.py`) is not compared; what of it is kept here is offered when an encounter begins.

Compared when an encounter begins, soon again while it is young (an offer may be lost, a ferry leaves), then every 32 s.
A pair of digests for which an exchange changed nothing is left alone for longer and longer, and so is an id that was
offered in vain: two nodes may well want to hold different things. But never for good: an answer may have been lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.forwarding.custody import Custody
from meshnode.core.forwarding.receipts import Receipts
from meshnode.core.forwarding.shelf import Carried, Shelf
from meshnode.core.forwarding.trails import SHORT_SIZE
from meshnode.core.ids import EnvelopeId, NodeKey, Tag
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.wire.frames import Need, Offer

COMPARE_S: Final = 32.0  # Imax of the beacons
_YOUNG_S: Final = 1.0
_FRESH_S: Final = 2.0  # and nothing older is lacking there
_LASTING_S: Final = 12.0  # a message on its way, and its receipt in a batch, make digests differ for less
_LONGEST_S: Final = 600.0
_PER_FRAME: Final = 50  # ids: an offer fits the smallest link
_MAX_OFFERED: Final = 1000
_SERVED_BYTES: Final = 32 * 1024  # for one Need: the rest at the next comparison
_SERVED_TIMES: Final = 4  # one envelope to one neighbour within ten minutes (rule 5.5)
_SERVED_S: Final = 600.0
_ASKED_S: Final = 4.0  # while one neighbour was asked for an envelope, others are not


class Encounters:
    """Offers made and answered by one node."""

    def __init__(
        self,
        ctx: Context,
        neighbours: Neighbours,
        shelf: Shelf,
        receipts: Receipts,
        custody: Custody,
        on_needed: Callable[[Carried, Neighbour], None],
        on_has: Callable[[Carried, Neighbour], None],
    ) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._shelf = shelf
        self._receipts = receipts
        self._custody = custody
        self._pairs: dict[NodeKey, tuple[bytes, Instant, float]] = {}  # digests compared, when next, and the wait after
        self._said: dict[NodeKey, tuple[bytes, Instant]] = {}  # their digest, and since when
        self._offered: dict[NodeKey, dict[EnvelopeId, tuple[Instant, float]]] = {}  # when again, and the wait after
        self._asked: dict[bytes, Instant] = {}
        self._served: Counter[tuple[NodeKey, EnvelopeId]] = Counter()
        self._served_until: Instant = 0.0
        self._on_needed = on_needed
        self._on_has = on_has
        self.say_digest: Callable[[Neighbour, str], None] = _unheard  # on that link

    def began(self, neighbour: Neighbour) -> None:
        """A neighbour is bound, is back, or has a session with us: compare afresh."""
        self.lost(neighbour.node)

    def session_began(self, neighbour: Neighbour) -> None:
        """A session has no beacon at its start: offer at once."""
        self.began(neighbour)
        self._offer_all(neighbour)
        self._offer_quiet(neighbour)
        self._receipts.met(neighbour)

    def digest_heard(self, neighbour: Neighbour, theirs: bytes) -> None:
        """A beacon says what it holds, in four bytes."""
        if neighbour.node not in self._pairs:
            self._pairs[neighbour.node] = (b"", self._ctx.now, _YOUNG_S / 2)
            self._receipts.met(neighbour)
            self._offer_quiet(neighbour)
        said_at = self._said_since(neighbour.node, theirs)
        pair, next_at, wait_s = self._pairs[neighbour.node]
        ours = self._shelf.digest()
        if theirs == ours or self._ctx.now < next_at or self._on_its_way(neighbour):
            return
        wait_s = min(_LONGEST_S if pair == theirs + ours else COMPARE_S, wait_s * 2)
        self._pairs[neighbour.node] = (theirs + ours, self._ctx.now + wait_s, wait_s)
        if not self._offer_all(neighbour) and said_at <= self._ctx.now - _LASTING_S:
            self._ask_for_theirs(neighbour)

    def _said_since(self, node: NodeKey, theirs: bytes) -> Instant:
        """Since when its beacons have said the same."""
        before, at = self._said.get(node, (b"", self._ctx.now))
        if before == theirs:
            return at
        self._said[node] = theirs, self._ctx.now
        return self._ctx.now

    def _ask_for_theirs(self, neighbour: Neighbour) -> None:
        """It holds what we lack, or what has arrived, and offers it once it knows our digest. Our next beacon may come
        when it is out of hearing: who has nothing to offer may be silent for a minute, and a ferry stays for seconds.

        In a crowd somebody beacons soon, and on a session each side offers at its start.
        """
        link = neighbour.link(self._ctx.now)
        if link is not None and not self._neighbours.crowded(link):
            self.say_digest(neighbour, link)

    def _on_its_way(self, neighbour: Neighbour) -> bool:
        """In a crowd what came a moment ago comes to the others, too: else each of them offers it to each."""
        link, fresh = neighbour.link(self._ctx.now), self._ctx.now - _FRESH_S
        if link is None or not self._neighbours.crowded(link):
            return False
        return all(carried.first_seen > fresh or neighbour.node in carried.has for carried in self._shelf.offered())

    def offer_arrived(self, shorts: Iterable[bytes], neighbour: Neighbour) -> None:
        """Ask for what is not here, tell what has arrived, and note that the neighbour has the rest."""
        arrived: list[Tag] = []
        needed = [short for short in shorts if self._lacks(short, neighbour, arrived)]
        self._receipts.tell(neighbour, *arrived)
        self._asked = {short: until for short, until in self._asked.items() if until > self._ctx.now}
        for short in needed:
            self._asked[short] = self._ctx.now + _ASKED_S
        for at in range(0, len(needed), _PER_FRAME):
            self._neighbours.send(neighbour, Need(tuple(needed[at : at + _PER_FRAME])), 2)

    def asked(self, envelope: EnvelopeId) -> bool:
        """A neighbour was asked for it lately."""
        return envelope[:SHORT_SIZE] in self._asked

    def need_arrived(self, shorts: Iterable[bytes], neighbour: Neighbour) -> None:
        """Send what was asked for, as far as it is held."""
        room = _SERVED_BYTES
        for short in shorts:
            carried = self._shelf.by_short(short)
            if carried is None:
                self._ctx.count("need_not_held")
            elif room > 0 and self._may_serve(carried, neighbour) and self._pays(carried, neighbour):
                room -= len(carried.record.data)
                carried.has.pop(neighbour.node, None)
                self._on_needed(carried, neighbour)

    def lost(self, node: NodeKey) -> None:
        """The encounter is over."""
        self._pairs.pop(node, None)
        self._said.pop(node, None)
        self._offered.pop(node, None)

    def offer_late(self, neighbour: Neighbour, settled_s: float) -> None:
        """Offer what has been here for so long: what another bridge took across is known there by now."""
        self._offer_all(neighbour, settled_s)

    def _crosses(self, envelope: EnvelopeId, settled_s: float) -> bool:
        carried = self._shelf.get(envelope)
        settled = carried is not None and carried.first_seen + settled_s <= self._ctx.now
        return settled and carried is not None and self._neighbours.gate.passes(carried.crossing)

    def _offer_all(self, neighbour: Neighbour, settled_s: float = 0.0) -> bool:
        """Everything that neighbours compare; false where none is due."""
        return self._offer([carried.id for carried in self._shelf.offered()], neighbour, settled_s)

    def _offer_quiet(self, neighbour: Neighbour) -> None:
        """What goes only so far, and is kept here: it waits for whoever comes."""
        self._offer([carried.id for carried in self._shelf if carried.kept and carried.reach is not None], neighbour)

    def _offer(self, envelopes: list[EnvelopeId], neighbour: Neighbour, settled_s: float = 0.0) -> bool:
        """Those of them that are due; false where that is none."""
        offered = self._offered.setdefault(neighbour.node, {})
        due = [envelope for envelope in envelopes if offered.get(envelope, (0.0, 0.0))[0] <= self._ctx.now]
        due = [envelope for envelope in due if not self._custody.awaits(envelope, neighbour.node)]
        if self._neighbours.over_uplink(neighbour):
            due = [envelope for envelope in due if self._crosses(envelope, settled_s)]
        for envelope in due[:_MAX_OFFERED]:
            wait_s = offered.get(envelope, (0.0, _YOUNG_S))[1]
            offered[envelope] = (self._ctx.now + wait_s, min(_LONGEST_S, wait_s * 2))
        shorts = [envelope[:SHORT_SIZE] for envelope in due[:_MAX_OFFERED]]
        for at in range(0, len(shorts), _PER_FRAME):
            self._neighbours.send(neighbour, Offer(tuple(shorts[at : at + _PER_FRAME])), 2)
        return bool(shorts)

    def _may_serve(self, carried: Carried, neighbour: Neighbour) -> bool:
        if self._ctx.now >= self._served_until:
            self._served.clear()
            self._served_until = self._ctx.now + _SERVED_S
        self._served[neighbour.node, carried.id] += 1
        if self._served[neighbour.node, carried.id] > _SERVED_TIMES:
            self._ctx.count("need_too_often")
            return False
        return True

    def _pays(self, carried: Carried, neighbour: Neighbour) -> bool:
        """The asker's budget has room for it (rule 5.5), and so has an uplink; if not, it is offered again later."""
        if self._neighbours.over_uplink(neighbour) and not self._neighbours.gate.passes(carried.crossing):
            return False
        if self._neighbours.pays(neighbour, len(carried.record.data)):
            return True
        self._ctx.count("need_over_budget")
        return False

    def _lacks(self, short: bytes, neighbour: Neighbour, arrived: list[Tag]) -> bool:
        carried = self._shelf.by_short(short)
        if carried is not None:
            self._on_has(carried, neighbour)
            return False
        known = self._shelf.trails.by_short(short)
        trail = self._shelf.trails.known(known) if known is not None else None
        if trail is not None and self._receipts.known(trail.tag) is not None:
            arrived.append(trail.tag)
            return False
        if known is not None and self._shelf.passed(known):
            return False
        return self._asked.get(short, 0.0) <= self._ctx.now


def _unheard(neighbour: Neighbour, link: str) -> None:
    return

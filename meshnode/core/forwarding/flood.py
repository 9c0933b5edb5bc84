"""How an envelope crosses an island: every node that sees it new sends it on once, the cheapest way.

One neighbour on a link that needs it: unicast, at once. Two or more: one multicast, with up to two of them named as
next custodians. Never back to whom it came from, nor to whom the frame it came in named: its sender sees to them.
Who is not named and not alone in covering a neighbour waits 20-200 ms and is silenced by two copies overheard from
different bound neighbours, unless somebody hears neither of them (rules 6.1, 6.4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.context import Context
from meshnode.core.forwarding.custody import Custody
from meshnode.core.forwarding.shelf import Carried
from meshnode.core.forwarding.strategies.spray_and_focus import SprayAndFocus
from meshnode.core.ids import NodeKey
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.wire.frames import EnvelopeFrame, Handover, TookProof

SUPPRESSED_BY: Final = 2  # overheard copies
MAX_NAMED: Final = 2  # next custodians in one frame
NO_LIMIT: Final = 0  # of hops
OWN_RING, NEAR_RING, FAR_RING = 0, 2, 3


class Flood:
    """Sends envelopes: to all who need them, or to one."""

    def __init__(
        self,
        ctx: Context,
        neighbours: Neighbours,
        outbox: Outbox,
        custody: Custody,
        strategy: SprayAndFocus,
        before_unicast: Callable[[Neighbour], None],
        on_session_sent: Callable[[Carried], None],
    ) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._outbox = outbox
        self._custody = custody
        self._strategy = strategy
        self._before_unicast = before_unicast  # what waits for this neighbour may ride along
        self._on_session_sent = on_session_sent

    def spread(self, carried: Carried, *, named: bool, jitter: bool = True, giver: Neighbour | None = None) -> bool:
        """Send to everyone in reach who needs it; true if the giver's proof went with a multicast."""
        proved = False
        for link, targets in self._by_link(carried).items():
            if not link or len(targets) == 1 or not self._ctx.links[link].multicast:
                wait = jitter and not named and not self._alone(targets, giver)
                for target in targets:
                    self.to_one(carried, target, jitter=wait)
            else:
                proved |= self._to_several(carried, link, targets, jitter and not named, giver)
        return proved

    def to_one(
        self,
        carried: Carried,
        to: Neighbour,
        *,
        jitter: bool = False,
        copies: int | None = None,
        asked: bool = False,
        small: bool = False,
    ) -> None:
        """Send to one neighbour, handing over what the strategy says, or so many copies. `asked`: it wants it.

        `small`: in small pieces, as it did not come in large ones.
        """
        if copies is None:
            copies = self._worth(carried, to)
        link = to.link(self._ctx.now)
        handover = self._custody.hand_over(carried, to, copies)
        _note_given(carried, [to], (handover,), asked=asked)
        self._before_unicast(to)
        frame = self._frame(carried, (handover,))
        self._send(carried, to, frame, jitter, link, asker=to.node if asked else b"", small=small)
        if link is None:
            self._on_session_sent(carried)

    def overheard(self, carried: Carried) -> None:
        """Another sent it: be silent if nobody is left who needs it, or if two copies covered everyone."""
        if carried.committed or not self._outbox.holds(carried.id):
            return
        waiting = self._in_need(carried)
        if not waiting or (len(carried.heard) >= SUPPRESSED_BY and self._are_covered(carried, waiting)):
            self._outbox.cancel(carried.id)
            self._ctx.count("envelope_suppressed")

    def _by_link(self, carried: Carried) -> dict[str, list[Neighbour]]:
        """Who needs it, by link; sessions under an empty name."""
        found: dict[str, list[Neighbour]] = {}
        for neighbour in self._in_need(carried):
            found.setdefault(neighbour.link(self._ctx.now) or "", []).append(neighbour)
        return found

    def _in_need(self, carried: Carried) -> list[Neighbour]:
        """Who is in reach and is to have it now. Nobody, at the edge of its scope."""
        if carried.reach == 0:
            return []
        lacking = [neighbour for neighbour in self._neighbours.reachable() if neighbour.node not in carried.has]
        gate = self._neighbours.gate
        if not gate.is_bridge:
            return lacking
        passes = gate.passes(carried.crossing)
        return [neighbour for neighbour in lacking if self._neighbours.has_news_at_once(neighbour, passes)]

    def _to_several(
        self, carried: Carried, link: str, targets: list[Neighbour], jitter: bool, giver: Neighbour | None
    ) -> bool:
        proof = self._custody.proof_for(giver, carried.id) if giver and giver.bound_on(link, self._ctx.now) else None
        handovers = self._shared_out(carried, targets)
        _note_given(carried, targets, handovers)
        frame = self._frame(carried, handovers, proof)
        carried.committed = proof is not None
        self._send(carried, None, frame, jitter, link)
        return carried.committed

    def _shared_out(self, carried: Carried, targets: list[Neighbour]) -> tuple[Handover, ...]:
        """Half of the copies, between the two best carriers."""
        available = self._custody.available(carried)
        willing = [target for target in targets if not target.refusing]
        ranked = sorted(willing, key=lambda n: self._strategy.rank(carried.header.hint, n.node), reverse=True)
        if available < 2 or not ranked:
            return ()
        if available < 4 or len(ranked) == 1:
            return (self._custody.hand_over(carried, ranked[0], available // 2),)
        first = available // 2 - available // 4
        shares = zip(ranked[:MAX_NAMED], (first, available // 4), strict=True)
        return tuple(self._custody.hand_over(carried, target, copies) for target, copies in shares)

    def _worth(self, carried: Carried, to: Neighbour) -> int:
        if not carried.kept or to.refusing or to.node in carried.proved:
            return 0
        return self._strategy.copies_for(self._custody.available(carried), carried.header.hint, to.node)

    def _frame(
        self, carried: Carried, handovers: tuple[Handover, ...], proof: TookProof | None = None
    ) -> EnvelopeFrame:
        spread = NO_LIMIT if carried.reach is None else max(1, carried.reach)  # who asks at the edge gets it, and alone
        return EnvelopeFrame(carried.record.data, carried.age_at(self._ctx.now), spread, proof, handovers)

    def _send(
        self,
        carried: Carried,
        to: Neighbour | None,
        frame: EnvelopeFrame,
        jitter: bool,
        link: str | None = None,
        asker: bytes = b"",
        small: bool = False,
    ) -> None:
        hop = next(iter(carried.trail.came_from), NodeKey(b""))
        self._neighbours.send(
            to,
            frame,
            carried.cls,
            link=link,
            jitter=jitter,
            key=carried.id,
            ring=OWN_RING if carried.own else NEAR_RING if hop else FAR_RING,
            previous=asker or (b"" if carried.own else hop),
            asked=bool(asker),
            small=small,
        )

    def _alone(self, targets: list[Neighbour], giver: Neighbour | None) -> bool:
        """Nobody else who may have it is heard by these: nobody else will repeat it to them."""
        others = [n for n in self._neighbours.bound() if n not in targets and n is not giver]
        return not any(_hears(target, other) for target in targets for other in others)

    def _are_covered(self, carried: Carried, targets: list[Neighbour]) -> bool:
        """Each of them was in hearing of somebody who sent it."""
        senders = [n for n in map(self._neighbours.get, carried.heard) if n is not None]
        return all(any(_hears(target, one) or _hears(one, target) for one in senders) for target in targets)


def _note_given(
    carried: Carried, targets: list[Neighbour], handovers: tuple[Handover, ...], *, asked: bool = False
) -> None:
    """Whom its receipt goes to as well."""
    keep = {handover.taker for handover in handovers if handover.copies}
    for target in targets:
        if not carried.trail.quiet or asked or target.id[:2] in keep:
            carried.trail.given_to[target.node] = None


def _hears(hearer: Neighbour, sender: Neighbour) -> bool:
    name = sender.id[:2]
    return any(name in presence.echoes_heard for presence in hearer.presences.values())

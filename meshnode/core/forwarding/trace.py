"""The way a probe takes: each node that meets one says so to whom it came from, and the word is passed back.

    A --probe--> B --probe--> C          B to A: hop 1, B          C to B: hop 1, C; B to A: hop 2, C

A node may decline (`answer_traces`). Nothing rests on the answers: they are for a person to look at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshnode.core.context import Context
from meshnode.core.forwarding.trails import Trail
from meshnode.core.ids import EnvelopeId, MessageId, NeighbourId
from meshnode.core.neighbours.neighbour import Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.notices import ProbeHop
from meshnode.core.wire.frames import Trace

LINK, OVERLAY, PARCEL = range(3)
_NAMES: Final = ("link", "overlay", "parcel")
_NAME_SIZE: Final = 8
_MAX_PROBES: Final = 256
_MAX_HOPS: Final = 64


class Traces:
    """Probes met here, and answers on their way back."""

    def __init__(self, ctx: Context, neighbours: Neighbours) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._probes: dict[bytes, Trail] = {}

    def sent(self, envelope: EnvelopeId, trail: Trail) -> None:
        """A probe of our own leaves."""
        self._remember(envelope, trail)

    def met(self, envelope: EnvelopeId, trail: Trail, heard: Heard) -> None:
        """A probe came by: tell the node before us."""
        self._remember(envelope, trail)
        if self._ctx.settings.answer_traces and heard.neighbour is not None:
            answer = Trace(envelope[:_NAME_SIZE], 1, carrier_of(heard), self._neighbours.me)
            self._neighbours.send(heard.neighbour, answer, 2)

    def arrived(self, answer: Trace) -> None:
        """An answer: for us, or for whoever is nearer to the start."""
        trail = self._probes.get(answer.envelope)
        if trail is None or answer.hop >= _MAX_HOPS or answer.carrier > PARCEL:
            self._ctx.count("trace_unasked")
        elif trail.message:
            rtt_s = self._ctx.now - trail.sent_at
            name = NeighbourId(answer.neighbour)[:4].hex()
            self._ctx.notify(ProbeHop(MessageId(trail.message), answer.hop, name, _NAMES[answer.carrier], rtt_s))
        else:
            self._back(trail, replace(answer, hop=answer.hop + 1))

    def _back(self, trail: Trail, answer: Trace) -> None:
        before: list[Neighbour | None] = [self._neighbours.get(node) for node in trail.came_from]
        if before and before[0] is not None:
            self._neighbours.send(before[0], answer, 2)

    def _remember(self, envelope: EnvelopeId, trail: Trail) -> None:
        self._probes[envelope[:_NAME_SIZE]] = trail
        if len(self._probes) > _MAX_PROBES:
            del self._probes[next(iter(self._probes))]


def carrier_of(heard: Heard) -> int:
    """How something came to us."""
    if heard.carrier == "parcel":
        return PARCEL
    return LINK if heard.carrier == "link" or heard.neighbour is None else _carrier_of_session(heard.neighbour)


def _carrier_of_session(neighbour: Neighbour) -> int:
    return LINK if neighbour.session_carrier == "link" else OVERLAY

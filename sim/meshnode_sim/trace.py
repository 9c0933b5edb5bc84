"""A run as lines of JSON, one for each thing that happened to a message: written, kept, shown, known to its author.

{"at_s": 2.0, "what": "written", "message": 0, "node": "A", "to": ["E"]}
{"at_s": 2.02, "what": "kept", "message": 0, "node": "B", "from": "A"}
{"at_s": 2.09, "what": "shown", "message": 0, "node": "E", "hops": 4}
{"at_s": 2.4, "what": "receipt", "message": 0, "node": "A"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.probe import Probe, Written


def trace(probe: Probe, names: Sequence[str]) -> str:
    """All lines, in the order of their times. The probe must have kept its `moves`."""
    events = sorted(_events(probe, names), key=lambda event: event["at_s"])
    return "\n".join(json.dumps(event) for event in events)


def _events(probe: Probe, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    of = {name: one.number for message, one in probe.written.items() for name in probe.names_of(message)}
    for one in probe.written.values():
        yield from _of_message(one, names)
    for move in probe.moves or ():
        if move.name in of and move.src >= 0:
            yield _event(move.at_ns, "kept", of[move.name], names[move.dst], **{"from": names[move.src]})


def _of_message(one: Written, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    to = [] if one.post else [names[node] for node in one.to]
    yield _event(one.at_ns, "written", one.number, names[one.author], to=to)
    for node, (at_ns, hops) in one.arrivals.items():
        yield _event(at_ns, "shown", one.number, names[node], hops=hops)
    if one.receipt_ns >= 0:
        yield _event(one.receipt_ns, "receipt", one.number, names[one.author])


def _event(at_ns: int, what: str, message: int, node: str, **more: Any) -> dict[str, Any]:
    return {"at_s": round(at_ns / SECOND_NS, 6), "what": what, "message": message, "node": node, **more}

"""A world whose people have met before: each store holds the logs and keys of the nearest, as after days of running.

Each home starts once by itself, out of everybody's hearing, and writes what a new home writes; a parcel of that (the
core's own export) is read by one reader, a node of the same mesh that verifies it as any node does; and the rows the
reader writes go into the stores of those who know the home. So every row is one the core wrote, and its objects are the
same in all stores. Two who know each other and write to each other in the run have done so before: each holds the
session (`core/chat/sessions.py`) as the first message and its receipt left it, with how many hops the receipt came, so
that no message of the run is the large one that begins a session, or goes farther than to where its reader was.

Who holds other logs than its neighbours would go on taking 64 strangers' logs a day from each. That day's share counts
as brought, by everybody who may be heard at the beginning (`core/gossip/admission.py`): what neighbours hold differs,
they tell each other so once, and leave it at that until the next day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from meshnode.core.chat.distance import Distance
from meshnode.core.chat.sessions import Session
from meshnode.core.effects import Persist, ReadStored, SendRecord
from meshnode.core.gossip.admission import SPENT
from meshnode.core.gossip.lately import fact
from meshnode.core.ids import NodeKey, hashed
from meshnode.core.inputs import BeginExport, EncounterBegan, Input, RecordReceived
from meshnode.core.records import BlockRecord, DeviceRecord, FactRecord, LogRecord, PeerPrekeyRecord
from meshnode.core.sealing.ratchet import Ratchet
from meshnode_sim.agents.contract import Agent
from meshnode_sim.host import Host
from meshnode_sim.memory import Memory, Rows
from meshnode_sim.traffic import Nearest

PARCEL: Final = 1  # the number of a session that is a parcel
PASSED: Final = (BlockRecord, LogRecord, DeviceRecord, PeerPrekeyRecord)  # what the reader writes of others


def acquaint(
    hosts: Sequence[Host],
    reader: Host,
    most: int,
    *,
    told: Callable[[Host], Sequence[Input]],
    nearest: Nearest,
    hearing: Iterable[tuple[int, int]],
    joined: Iterable[tuple[int, int]],
    writing: Iterable[tuple[int, int]],
) -> None:
    """Before the first moment: every host knows `most` others, its `nearest`.

    `reader` is a home of the same mesh that nobody else meets; `told`: what the person at a host tells a new home;
    `hearing`: pairs of nodes that may hear each other at the beginning; `joined`: those that hear each other well;
    `writing`: who writes to whom in the run.
    """
    reading = reader.begin_early()
    known = []
    for number, host in enumerate(hosts):
        node = host.begin_early(*told(host))
        reading.step(EncounterBegan(number, NodeKey(b""), "parcel", "", initiator=False), 0.0)
        letter = Memory(host.memory.pool)
        for record in _parcel(node, host.memory):
            letter.commit(reading.step(RecordReceived(number, record), 0.0), 0.0)
        known.append(letter.rows(*PASSED))
    circles = [dict.fromkeys(nearest(host.index, most)) for host in hosts]
    near = _near(len(hosts), joined)
    for one, other in sorted({(min(pair), max(pair)) for pair in writing}):
        if other in circles[one] or one in circles[other]:
            circles[one][other] = circles[other][one] = None  # whom one knows, and wrote to, knows it since
            _correspond(hosts[one], hosts[other], hops(near, one, other))
    for host, circle in zip(hosts, circles, strict=True):
        for other in circle:
            host.memory.share(known[other])
    brought = [_brought(host) for host in hosts]
    for one, other in hearing:
        hosts[one].memory.share(brought[other])
        hosts[other].memory.share(brought[one])


def _parcel(node: Agent, memory: Memory) -> Iterator[bytes]:
    """All a node has, as it would write it for somebody to carry."""
    effects = node.step(BeginExport(PARCEL), 0.0)
    while effects:
        read = [effect for effect in effects if isinstance(effect, ReadStored)]
        yield from (effect.data for effect in effects if isinstance(effect, SendRecord))
        effects = [found for asked in read for found in node.step(memory.answer(asked), 0.0)]


def _near(nodes: int, joined: Iterable[tuple[int, int]]) -> list[list[int]]:
    near: list[list[int]] = [[] for _ in range(nodes)]
    for one, other in joined:
        near[one].append(other)
        near[other].append(one)
    return near


def hops(near: Sequence[Sequence[int]], start: int, end: int) -> int:
    """The fewest hops between two nodes, from who is near to each; 0 where no way leads."""
    found, edge, count = {start}, [start], 0
    while edge and end not in found:
        edge = list(dict.fromkeys(other for node in edge for other in near[node] if other not in found))
        found.update(edge)
        count += 1
    return count if end in found else 0


def _correspond(one: Host, other: Host, apart: int) -> None:
    """One wrote to the other, whose receipt came back."""
    root = hashed(b"mn-sim-root", one.keys.device + other.keys.device)
    first, second = Ratchet.begin(root, initiator=True), Ratchet.begin(root, initiator=False)
    first.proved(0)
    for host, ratchet, peer in ((one, first, other.keys), (other, second, one.keys)):
        distance = Distance()
        distance.came(apart, 0.0)
        session = Session(peer.device, peer.persona, peer.incarnation, 0.0, ratchet, distance=distance)
        host.memory.commit([Persist((session.row(),), promise=True)], 0.0)


def _brought(host: Host) -> Rows:
    """That a node has brought all the strangers' logs that a day allows it."""
    record = fact(SPENT, host.keys.node, 0.0)
    return {FactRecord: {(record.name,): record}}

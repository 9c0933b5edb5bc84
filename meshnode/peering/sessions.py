"""All sessions of this node: who may try, who is let in, one per node key. `tcp.py` and `memory.py` carry them.

Before it proves itself a stranger costs one of 32 places, two per address, for five seconds and 512 bytes
(protocol rule 13.3). Both ends may dial each other in the same moment: they keep the one that the lower node key
opened. Else the newer one wins: who dials again knows that the older is dead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import trio

from meshnode.core.identity.keys import Keys
from meshnode.core.ids import NodeKey, neighbour_id
from meshnode.core.inputs import DialFailed, EncounterBegan, EncounterEnded, Input
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.sealing.stream import DIALLER, LISTENER, Handshake, Proven
from meshnode.errors import LinkError, WireError
from meshnode.peering.session import Session, prove

HALF_OPEN, HALF_OPEN_PER_ADDRESS = 32, 2
MAX_OPEN = 128  # more of those who called are not let in: a member makes node keys at will, a process has 1,024 files
CROSSING_S = 10.0  # two sessions that began so close together are dials that crossed
CLOSE_WITHIN_S = 1.0

Inputs = trio.MemorySendChannel[Input]


@dataclass(frozen=True, slots=True)
class Way:
    """A connection as seen from here. Packed addresses go under the signature; both empty on a link-local one."""

    carrier: str
    address: str
    own_packed: bytes = b""
    far_packed: bytes = b""


class Sessions:
    """The table, and what is the same for every carrier."""

    def __init__(self, keys: Keys, mesh: MeshKeys, sealer: Sealer, entropy: Entropy) -> None:
        self.counters: Counter[str] = Counter()
        self._keys = keys
        self._mesh = mesh
        self._sealer = sealer
        self._entropy = entropy
        self._numbered: dict[int, Session] = {}
        self._by_node: dict[NodeKey, Session] = {}
        self._half_open: Counter[str] = Counter()
        self._begun: set[int] = set()
        self._last = 0
        self._off: frozenset[str] = frozenset()

    # ---- what the daemon calls

    def send(self, session: int, data: bytes) -> None:
        """Queue one record; unknown sessions are ignored."""
        if found := self._numbered.get(session):
            found.send(data)

    def hangup(self, session: int) -> None:
        """Close after what is queued has been written."""
        if found := self._numbered.get(session):
            found.hangup()

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """End the sessions over these interfaces, and open none there until told otherwise."""
        self._off = interfaces

    async def close_all(self) -> None:
        """Write what is queued and the final records, for at most a second, and close everything."""
        sessions = list(self._numbered.values())
        for session in sessions:
            session.hangup()
        with trio.move_on_after(CLOSE_WITHIN_S):
            for session in sessions:
                await session.over.wait()
        for session in sessions:
            session.abort("this node stops")

    def status(self) -> list[Mapping[str, object]]:
        """For `peers`: one row per session."""
        now = trio.current_time()
        return [
            {
                "node": neighbour_id(session.node, self._mesh.id).hex()[:8],
                "address": session.address,
                "carrier": session.carrier,
                "initiator": session.initiator,
                "open_s": round(now - session.opened_at, 3),
                "bytes_sent": session.bytes_sent,
                "bytes_received": session.bytes_received,
            }
            for session in self._numbered.values()
        ]

    # ---- what the carriers call

    async def accept(self, stream: trio.abc.HalfCloseableStream, way: Way, inputs: Inputs) -> None:
        """Serve somebody who called, if they prove themselves."""
        async with stream:
            if sum(self._half_open.values()) >= HALF_OPEN or self._half_open[way.address] >= HALF_OPEN_PER_ADDRESS:
                self.counters["sessions_too_many"] += 1
                return
            self._half_open[way.address] += 1
            try:
                proven = await self._proved(stream, way, LISTENER)
            except LinkError:
                self.counters["sessions_refused"] += 1
                return
            finally:
                self._half_open[way.address] -= 1
                self._half_open += Counter()  # drops addresses that are at zero
            await self._serve(stream, way, proven, inputs, initiator=False)

    async def call(self, stream: trio.abc.HalfCloseableStream, way: Way, inputs: Inputs) -> None:
        """Prove ourselves to somebody we called, and serve."""
        async with stream:
            try:
                proven = await self._proved(stream, way, DIALLER)
            except LinkError as error:
                self.counters["sessions_not_let_in"] += 1
                await inputs.send(DialFailed(way.address, str(error)))
                return
            if not await self._serve(stream, way, proven, inputs, initiator=True):
                await inputs.send(DialFailed(way.address, "a session with this node is open already"))

    async def _proved(self, stream: trio.abc.Stream, way: Way, role: int) -> Proven:
        """LinkError, in words, when it did not work."""
        handshake = Handshake(role, self._keys, self._mesh, way.own_packed, way.far_packed, self._entropy, self._sealer)
        try:
            return await prove(handshake, stream)
        except WireError as error:
            raise LinkError(str(error)) from error
        except trio.TooSlowError as error:
            raise LinkError("the far end did not prove itself in time") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LinkError("the connection broke before the far end proved itself") from error

    async def _serve(
        self, stream: trio.abc.HalfCloseableStream, way: Way, proven: Proven, inputs: Inputs, *, initiator: bool
    ) -> bool:
        """Serve until it is over; False when another session with this node is kept instead, or there are too many."""
        while (old := self._by_node.get(proven.node)) is not None:
            if not self._newer_wins(old, initiator):
                self.counters["sessions_doubled"] += 1
                return False
            old.abort("the node opened another session")
            await old.over.wait()
        if not initiator and len(self._numbered) >= MAX_OPEN:
            self.counters["sessions_too_many"] += 1
            return False
        self._last += 1
        session = Session(self._last, proven, stream, carrier=way.carrier, address=way.address, initiator=initiator)
        self._numbered[session.number] = self._by_node[session.node] = session
        await self._tell(session, inputs)
        return True

    async def _tell(self, session: Session, inputs: Inputs) -> None:
        """The core hears of its end before it can hear of another session with that node."""
        number = session.number
        began = EncounterBegan(number, session.node, session.carrier, session.address, session.initiator)
        self._begun.add(number)
        try:
            await inputs.send(began)
            await session.serve(inputs)
            self.counters["sessions_failed"] += bool(session.failure)
            await self._tell_end(number, inputs)
        finally:
            del self._numbered[number]
            del self._by_node[session.node]
            session.over.set()

    async def _tell_end(self, number: int, inputs: Inputs) -> None:
        await inputs.send(EncounterEnded(number))
        self._begun.discard(number)

    async def _tell_leftovers(self, inputs: Inputs) -> None:
        """After a restart of this part: sessions whose end the core was not told."""
        for number in sorted(self._begun):
            await self._tell_end(number, inputs)

    def _newer_wins(self, old: Session, initiator: bool) -> bool:
        crossed = trio.current_time() - old.opened_at < CROSSING_S
        if old.initiator == initiator or not crossed:
            return True
        return initiator == (self._keys.node < old.node)

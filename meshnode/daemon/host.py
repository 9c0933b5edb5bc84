"""A running node as the control server sees it: what can be asked of it, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

import meshnode
from meshnode.core.ids import ChannelId, FileId, MessageId, NodeKey, PersonaKey, neighbour_id
from meshnode.core.inputs import BeginExport, Compose, EncounterBegan, EncounterEnded, Input, RecordReceived
from meshnode.core.notices import MessageFiled, Notice, Waiting
from meshnode.core.records import ChannelRecord, ChunkRecord, ContactRecord, Record
from meshnode.daemon.adapters import Filed, FileHere, HealthWarning, LinkAdapter, Overlay, Sessions
from meshnode.daemon.clock import PoweredClock
from meshnode.daemon.disk import Disk
from meshnode.daemon.health import Health
from meshnode.daemon.home import Home
from meshnode.daemon.loop import Loop
from meshnode.daemon.peerings import tried
from meshnode.daemon.perform import Performer
from meshnode.daemon.shown import with_files
from meshnode.daemon.walltime import WallTime
from meshnode.daemon.wording import moment
from meshnode.errors import MeshnodeError, UsageError
from meshnode.halow.radio import RadioWatch
from meshnode.halow.state import RadioState
from meshnode.store.reads import Reads

R = TypeVar("R", bound=Record)
T = TypeVar("T")

EXPORT_PATIENCE_S = 60.0
REFUSALS = ("_refused", "_no_room", "_over_hop_quota", "_full")  # how counters of what was not taken end


class Host:
    """Implements `adapters.ControlHandlers` for a daemon."""

    def __init__(
        self,
        home: Home,
        loop: Loop,
        disk: Disk,
        performer: Performer,
        clock: PoweredClock,
        wall: WallTime,
        health: Health,
        links: Sequence[LinkAdapter],
        sessions: Sessions,
        overlay: Overlay,
        stop: trio.Event,
        radio: RadioWatch | None = None,
    ) -> None:
        self._home = home
        self._radio = radio
        self._loop = loop
        self._disk = disk
        self._performer = performer
        self._clock = clock
        self._wall = wall
        self._health = health
        self._links = links
        self._sessions = sessions
        self._overlay = overlay
        self._stop = stop
        self._began = clock.now()

    @property
    def now(self) -> float:
        """The powered-on second it is for the node."""
        return self._clock.now()

    async def submit(self, given: Input) -> tuple[Notice, ...]:
        """Have the node take one input. A request made before gives the message it made then."""
        if isinstance(given, Compose) and given.request:
            request = given.request
            if made := await self._disk.read(lambda reads: reads.requested(request)):
                return (MessageFiled(made[0]),)
        return await self._loop.submit(given)

    async def submit_all(self, given: Sequence[Input]) -> list[tuple[Notice, ...] | MeshnodeError]:
        """Have the node take inputs in a row, which share turns; none of them may carry a request id."""
        return await self._loop.submit_all(given)

    async def inbox(
        self, since: int = 0, contact: PersonaKey | None = None, channel: ChannelId | None = None, limit: int = 100
    ) -> list[Filed]:
        """Messages with a cursor above `since`, oldest first."""
        return await self._disk.read(lambda reads: with_files(reads, reads.inbox(since, contact, channel, limit)))

    async def before_last(self, contact: PersonaKey | None, channel: ChannelId | None, limit: int) -> int:
        """The cursor after which the newest `limit` messages stand."""
        return await self._disk.read(lambda reads: reads.before_last(contact, channel, limit))

    async def read(self, question: Callable[[Reads], T]) -> T:
        """Anything else of the store."""
        return await self._disk.read(question)

    async def copy_store(self, target: Path) -> None:
        """A copy of the store."""
        await self._disk.copy_to(target)

    async def message(self, prefix: bytes) -> Filed | None:
        """The one message whose id begins so."""
        found = await self._disk.read(lambda reads: with_files(reads, filter(None, [reads.message(prefix)])))
        return found[0] if found else None

    async def attached(self) -> list[Filed]:
        """The messages that announce a file, oldest first."""
        return await self._disk.read(lambda reads: with_files(reads, [(one, None) for one in reads.attached()]))

    async def files(self) -> list[FileHere]:
        """The files that are here, or partly."""
        return await self._disk.read(lambda reads: [FileHere(*one) for one in reads.files()])

    async def chunks(self, wanted: Sequence[tuple[FileId, int]]) -> tuple[ChunkRecord, ...]:
        """The chunks that are here, in the order asked."""
        return await self._disk.read(lambda reads: reads.chunks(wanted))

    def waiting_for(self, message: MessageId) -> str:
        """What an own message still needs of the mesh; empty if nothing, or if it is not known."""
        why = self._loop.node.why(message)
        return why.waiting_for if why is not None else ""

    def queue(self) -> list[Waiting]:
        """What waits for air, for a carrier, or for a key, most urgent first."""
        return self._loop.node.queue()

    async def contacts(self) -> list[ContactRecord]:
        """The address book, by name."""
        return await self._disk.read(lambda reads: reads.contacts())

    async def channels(self) -> list[tuple[ChannelRecord, int]]:
        """The channels known here by name, each with how many messages wait unread."""
        return await self._disk.read(lambda reads: reads.channels())

    async def every(self, kind: type[R]) -> list[R]:
        """All records of one class."""
        return await self._disk.read(lambda reads: list(reads.every(kind)))

    async def export(self, to: PersonaKey | None = None, since: float = 0.0) -> list[bytes]:
        """The records of a parcel, once the node has hung up on it."""
        session, parcel = self._performer.parcels.begin()
        try:
            await self._loop.submit(BeginExport(session, to, since))
            with trio.move_on_after(EXPORT_PATIENCE_S):
                await parcel.whole.wait()
        finally:
            self._performer.parcels.end(session)
        if not parcel.whole.is_set():
            raise UsageError("The parcel did not get whole in a minute; the node is busy, try again later.")
        return parcel.records

    async def import_records(self, records: Sequence[bytes]) -> Mapping[str, int]:
        """Take the opened records of a parcel: what is new in the store because of it, and what was refused."""
        before, refused = await self._held(), self._refused()
        session, _ = self._performer.parcels.begin()
        await self._loop.submit(EncounterBegan(session, NodeKey(b""), "parcel", "", initiator=False))
        for record in records:
            await self._loop.submit(RecordReceived(session, record))
        await self._loop.submit(EncounterEnded(session))
        self._performer.parcels.end(session)
        after = await self._held()
        taken = {name: max(0, after[name] - before[name]) for name in after}
        return {**taken, "chunks": 0, "refused": self._refused() - refused}

    async def _held(self) -> dict[str, int]:
        counts, direct = await self._disk.read(lambda reads: (reads.counts(), reads.direct()))
        return {"blocks": counts["block"], "envelopes": counts["envelope"] + direct}

    def _refused(self) -> int:
        return sum(count for name, count in self._loop.node.counters.items() if name.endswith(REFUSALS))

    def status(self) -> dict[str, object]:
        """All that `meshnode status --json` prints, and `sessions`."""
        told = {**self._defaults(), **self._loop.node.status(), **self._surroundings()}
        return {**told, "counters": {**self._loop.node.counters, **self._sessions.counters}}

    def _defaults(self) -> dict[str, object]:
        counts = dict.fromkeys(("logs", "blocks", "envelopes", "chunks"), 0)
        return {"neighbours": [], "counts": counts, "airtime": {}}

    def _surroundings(self) -> dict[str, object]:
        keys, mesh = self._home.keys, self._home.mesh
        links = [dict(link.status()) for link in self._links]
        return {
            "version": meshnode.__version__,
            "persona": keys.persona.hex(),
            "name": self._home.name,
            "node": keys.node.hex(),
            "node_short": neighbour_id(keys.node, mesh.id).hex()[:8],
            "mesh": mesh.name,
            "open_mesh": mesh.open,
            "uptime_s": round(self._clock.now() - self._began, 3),
            "interface": links[0] if links else {"name": "", "driver": "", "state": "missing"},
            "radio": radio_status(self._radio),
            "overlay": dict(self._overlay.status()),
            "sessions": [dict(session) for session in self._sessions.status()],
            "store": {"bytes": self._loop.store.used, "limit": self._loop.store.limit},
            "clock": self._clock_status(),
            "warnings": [{"code": w.code, "text": w.text, "at": moment(w.at)} for w in self.warnings()],
        }

    def _clock_status(self) -> dict[str, object]:
        clock, now = self._wall.best, self._clock.now()
        if not clock.known:
            return {"offset_s": None, "uncertainty_s": None, "source": clock.source}
        ahead = self._wall.system() - clock.at(now)
        return {
            "offset_s": round(ahead, 3),
            "uncertainty_s": round(clock.uncertainty_at(now), 3),
            "source": clock.source,
        }

    def warnings(self) -> tuple[HealthWarning, ...]:
        """What was found and still holds."""
        if not self._loop.store.refusing:
            self._health.clear("store_full")
        return self._health.held()

    async def add_peer(self, uri: str) -> str:
        """Peer on the overlay, and see at once whether it works; the answer in a sentence."""
        await self._overlay.add_peer(uri)
        return await tried(uri, self._overlay)

    async def remove_peer(self, uri: str) -> None:
        """Forget an overlay peer."""
        await self._overlay.remove_peer(uri)

    def stop(self) -> None:
        """End the daemon cleanly."""
        self._stop.set()


def radio_status(radio: RadioWatch | None) -> dict[str, object] | None:
    """What is known of the radio, None where the interface is none that can be asked."""
    if radio is None or radio.state == RadioState(radio.name, radio.state.source):
        return None
    state: dict[str, object] = msgspec.to_builtins(radio.state)
    return state

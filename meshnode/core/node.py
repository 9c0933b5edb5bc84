"""The switchboard of one node: each input goes to the part it concerns, effects come back joined.

    FrameReceived -> neighbours (open, decode) -> gossip (blocks), forwarding (envelopes) -> chat (what people see)
    Compose       -> chat -> forwarding or gossip -> outbox -> Send
    Tick          -> whatever is due

`step(input, now)` returns what the host shall do, in order, and `next_wakeup()` when it wants a Tick; nothing else
moves a node. What a peer sends never raises out of `step`; what a person asks for may raise UsageError, before
anything moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from meshnode.core.airtime.laws import lawful
from meshnode.core.airtime.outbox import Outbox, Outgoing
from meshnode.core.bridge.gate import STATES
from meshnode.core.chat.chat import Chat, Why
from meshnode.core.clock import Instant
from meshnode.core.context import NEVER_ASKED, Context, Due
from meshnode.core.effects import Effect, SendRecord
from meshnode.core.files.files import Files
from meshnode.core.forwarding.forwarder import Forwarding
from meshnode.core.gossip.bridges import NO_LIMIT, Known
from meshnode.core.gossip.export import Export
from meshnode.core.gossip.flood import block_named
from meshnode.core.gossip.gossip import Gossip
from meshnode.core.identity.keys import Keys
from meshnode.core.ids import DeviceKey, MessageId
from meshnode.core.inputs import (
    AdoptBranches,
    BeginExport,
    BodiesDropped,
    ClockSet,
    Compose,
    DialFailed,
    DropFile,
    EncounterBegan,
    EncounterEnded,
    FetchFile,
    FrameReceived,
    Input,
    KeepChunks,
    KeepFile,
    LinkChanged,
    LinkUsed,
    MarkRead,
    PeerSeen,
    RecordReceived,
    RemoveContact,
    RevokeDevice,
    SessionWritable,
    SetChannel,
    SetContact,
    StationSeen,
    Stored,
    StoreState,
    Tick,
)
from meshnode.core.neighbours.meshtime import MeshTime
from meshnode.core.neighbours.neighbour import FOREVER, Heard, Neighbour
from meshnode.core.neighbours.table import Neighbours
from meshnode.core.notices import Waiting
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.records import FactRecord, Snapshot
from meshnode.core.sealing.envelope import read_envelope_untrusted
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.settings import Settings
from meshnode.core.trust.rings import Rings
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import Beacon, BlockFrame, EnvelopeFrame, SessionBeacon
from meshnode.errors import UsageError

RENEW_FACT = "renew_identity"  # set when a second copy of this home was met: the host starts a new incarnation
Part = Neighbours | Gossip | Forwarding | Files | Chat
_ROUNDS = 8  # a timer that is due again at once is a fault; the rest waits for the next tick


class Node:
    """One node. The host raised `boot_epoch` and synced it to disk before making it."""

    def __init__(
        self,
        keys: Keys,
        mesh: MeshKeys,
        settings: Settings,
        sealer: Sealer,
        entropy: Entropy,
        snapshot: Snapshot,
        boot_epoch: int,
    ) -> None:
        self.ctx = Context(keys, mesh, settings, sealer, entropy)
        self.ctx.now = snapshot.now
        self.rings = Rings(keys)
        self.outbox = Outbox(self.ctx)
        self.neighbours = Neighbours(self.ctx, self.outbox, boot_epoch)
        self.meshtime = MeshTime(self.ctx, self.neighbours)
        self.gossip = Gossip(self.ctx, self.neighbours, self.outbox, self.rings)
        self.forwarding = Forwarding(self.ctx, self.neighbours, self.outbox)
        self.files = Files(self.ctx, self.neighbours, self.outbox)
        self.chat = Chat(self.ctx, self.forwarding, self.rings, settings.name)
        self._export = Export(self.ctx, self.gossip.logs)
        self._renewing = False
        self._wire()
        self._restore(snapshot)
        self._parts_due()
        self._begun = self.ctx.out  # what restoring wants done goes out with the first step

    @property
    def counters(self) -> Counter[str]:
        """What was dropped, refused or done, by name."""
        return self.ctx.counters

    def step(self, given: Input, now: Instant) -> list[Effect]:
        """Take one input at `now` (powered-on seconds, never falling); what the host shall do, in order."""
        self.ctx.now = max(now, self.ctx.now)
        self.ctx.out, self._begun = self._begun, []
        try:
            self._take(given)
        except UsageError:
            self._begun = self.ctx.out  # nothing moved, but what restoring wanted is still to be done
            raise
        self._tick()
        self.outbox.flush()
        out, self.ctx.out = self.ctx.out, []
        return out

    def status(self) -> dict[str, object]:
        """What `meshnode status --json` says of the core; `sessions` are told by the host's own parts."""
        logs = self.gossip.logs.book.logs
        return {
            "neighbours": [self._neighbour_status(neighbour) for neighbour in self.neighbours.reachable()],
            "counts": {
                "logs": len(logs),
                "blocks": sum(log.last for log in logs.values()),
                "envelopes": len(self.forwarding.shelf),
                "chunks": self.files.library.chunks,
            },
            "airtime": {
                **{f"backlog_s_{link}": round(self.outbox.backlog_s(link), 3) for link in self.ctx.links},
                **self.outbox.laws.status(),
            },
            "bridge": self._bridge_status(),
            "bridges": [_bridge_status(one, self.ctx.now) for one in self.gossip.bridges.known()],
            "counters": dict(self.ctx.counters),
        }

    def _bridge_status(self) -> dict[str, object] | None:
        """What a bridge says of itself; None on other nodes. Bytes of the last 24 hours; a limit of 0 is none."""
        gate, now = self.neighbours.gate, self.ctx.now
        if not gate.is_bridge:
            return None
        opens = gate.opens_at()
        return {
            "state": STATES[gate.state()],
            "opens_in_s": None if opens is None else round(opens - now),
            "uplinks": len(gate.uplinks),
            "sent": gate.sent.used(now),
            "sent_per_day": gate.sent.per_day,
            "received": gate.received.used(now),
            "received_per_day": gate.received.per_day,
            "held_back": len(gate.held),
        }

    def queue(self) -> list[Waiting]:
        """What waits for air, for a carrier, or for a key, most urgent first."""
        parts = (self.outbox, self.forwarding, self.chat, self.neighbours.gate)
        found = (waiting for part in parts for waiting in part.waiting())
        return sorted(found, key=lambda waiting: waiting.cls)

    def why(self, message: MessageId) -> Why | None:
        """Where an own message is, who says so, and what it waits for."""
        why, held = self.chat.why(message), self.neighbours.gate.why(message)
        if why is None or not held or not why.waiting_for:
            return why
        return replace(why, waiting_for=f"{why.waiting_for}; to cross it waits for {held}")

    def _neighbour_status(self, neighbour: Neighbour) -> dict[str, object]:
        link = neighbour.link(self.ctx.now)
        return {
            "node": neighbour.short,
            "address": neighbour.presences[link].address if link else neighbour.session_address,
            "carrier": "link" if link else neighbour.session_carrier,
            "last_heard_s": round(self.ctx.now - self.neighbours.heard_at(neighbour), 3),
            "link": link or "",
            "bound": link is not None,
            "session": neighbour.session is not None,
        }

    def next_wakeup(self) -> Instant | None:
        """When something is due; None: nothing before the next input."""
        outbox = self.outbox.wakeup()
        first = FOREVER if outbox is None else outbox
        for due in self._asked:
            if due.at < first:
                first = due.at
        for part, due in self._dues:
            if due.at < first and (at := _ask(part, due)) < first:
                first = at
        return None if first == FOREVER else first

    # wiring

    def _wire(self) -> None:
        self.gossip.wire(
            on_block=self.chat.block_arrived,
            on_covered=lambda neighbour, log, seq: self.chat.covered(log, seq, neighbour),
            on_own_block_ahead=lambda block: self._second_copy(),
            envelope_digest=self.forwarding.envelope_digest,
            carrying=self.forwarding.carrying,
            unsure=self.forwarding.unsure,
        )
        self.gossip.beacons.dateless = self.meshtime.dateless
        self.gossip.forks.on_own = self._second_copy
        self.gossip.logs.on_evicted = self.chat.log_gone
        self.gossip.bridges.on_late = self.forwarding.offer_late
        self.forwarding.say_digest = self.gossip.beacons.say_to
        self.chat.publish = self.gossip.publish
        self.chat.logs.checkpoint_due = self.gossip.checkpoint_due
        self.chat.adoptions.adopt = self.gossip.adopt
        self.chat.adoptions.branches = self.gossip.logs.branches
        self.outbox.on_sent = self._sent
        self.neighbours.on_bound.append(self.forwarding.neighbour_bound)
        self.neighbours.on_lost.append(self.forwarding.neighbour_lost)
        self.neighbours.on_unlinked.append(self.forwarding.session_opened)
        self.neighbours.on_bound.append(self.files.neighbour_came)
        self.neighbours.on_lost.append(self.files.neighbour_lost)
        self.chat.file_whole = self.files.whole
        self._asked = (Due(), Due())  # of gossip and the files: who are asked after each input, and hold until the next
        self._dues: Sequence[tuple[Part, Due]] = (
            (self.neighbours, self.ctx.neighbours_due),
            (self.gossip, self._asked[0]),
            (self.forwarding, self.ctx.forwarding_due),
            (self.files, self._asked[1]),
            (self.chat, self.ctx.chat_due),
        )

    def _restore(self, snapshot: Snapshot) -> None:
        self.outbox.laws.restore(snapshot)
        self.rings.restore(snapshot)
        self.neighbours.restore(snapshot)
        self.meshtime.restore(snapshot)
        self.gossip.restore(snapshot)
        self.forwarding.restore(snapshot)
        self.files.restore(snapshot)
        self.chat.restore(snapshot)

    # inputs

    def _take(self, given: Input) -> None:
        match given:
            case Tick():
                return
            case FrameReceived(link, _, multicast, data):
                self.outbox.heard(link, len(data), unicast=not multicast)
                self._heard(self.neighbours.receive_untrusted(given))
            case RecordReceived():
                self._heard(self.neighbours.record_untrusted(given))
            case Stored():
                self._stored(given)
            case Compose():
                self.chat.compose(given)
            case MarkRead():
                self.chat.mark_read(given)
            case LinkChanged():
                self._link_changed(given)
            case StationSeen(link):
                self.gossip.station_seen(link)
            case LinkUsed():
                self.outbox.laws.used(given)
            case EncounterBegan() | EncounterEnded() | SessionWritable() | DialFailed() | PeerSeen():
                self._encounter(given)
            case StoreState(refusing=refusing):
                self.ctx.store_refusing = refusing
            case BodiesDropped():
                self.gossip.bodies_dropped(given)
            case ClockSet(clock):
                self.ctx.clock = clock
                self.meshtime.clock_set()
                self.forwarding.clock_changed()
            case BeginExport():
                self._begin_export(given)
            case KeepFile() | KeepChunks() | FetchFile() | DropFile():
                self._file(given)
            case SetContact() | RemoveContact() | SetChannel() | RevokeDevice() | AdoptBranches():
                self._person_decided(given)

    def _heard(self, heard: Heard | None) -> None:
        if heard is None:
            return
        self.gossip.heard(heard)
        for frame in heard.frames:
            if isinstance(frame, (Beacon, SessionBeacon)):
                if heard.bound and heard.neighbour is not None:
                    self.meshtime.heard(frame, heard)
                    self.forwarding.digest_heard(heard.neighbour, frame.envelopes)
            elif not self.forwarding.frame_arrived(frame, heard):
                self.meshtime.heard(frame, heard)
                self.files.frame_arrived(frame, heard)

    def _stored(self, stored: Stored) -> None:
        if not (self.files.stored(stored) or self.gossip.stored(stored) or self._export.stored(stored)):
            self.chat.stored(stored)

    def _link_changed(self, change: LinkChanged) -> None:
        if change.settings is None:
            self.ctx.links.pop(change.link, None)
        else:
            self.ctx.links[change.link] = lawful(change.settings)
            self.outbox.laws.link_changed(change.link, self.ctx.links[change.link])
        self.neighbours.link_changed(change)
        self.gossip.link_changed(change)

    def _encounter(self, given: EncounterBegan | EncounterEnded | SessionWritable | DialFailed | PeerSeen) -> None:
        match given:
            case EncounterBegan(session=session):
                self.neighbours.session_opened(given)
                self.gossip.session_opened(given)
                self._session_open(session)
            case EncounterEnded():
                self.neighbours.session_closed(given)
                self.gossip.session_closed(given)
                self.files.session_closed(given)
            case SessionWritable():
                self.gossip.session_writable(given)
                self.files.session_writable(given)
            case DialFailed():
                self.gossip.dial_failed(given)
            case PeerSeen():
                self.neighbours.peer_seen(given)
                self.gossip.peer_seen(given)

    def _session_open(self, session: int) -> None:
        for neighbour in self.neighbours.session_peers():
            if neighbour.session == session:
                self.forwarding.session_opened(neighbour)

    def _begin_export(self, given: BeginExport) -> None:
        theirs = frozenset[DeviceKey]() if given.to is None else self.rings.devices_of(given.to)
        hints = None if given.to is None else self.chat.people.hints(theirs)
        for frame in self.forwarding.parcel_frames(given.since):
            if hints is None or not isinstance(frame, EnvelopeFrame) or _hint(frame) in hints:
                self.ctx.emit(SendRecord(given.session, encode_frame(frame)))
        self._export.begin(given.session, given.since, theirs)

    def _file(self, given: KeepFile | KeepChunks | FetchFile | DropFile) -> None:
        match given:
            case KeepFile():
                self.files.keep_file(given)
            case KeepChunks():
                self.files.keep_chunks(given)
            case FetchFile():
                self.files.fetch(given)
            case DropFile():
                self.files.drop(given)

    def _person_decided(self, given: SetContact | RemoveContact | SetChannel | RevokeDevice | AdoptBranches) -> None:
        match given:
            case SetContact():
                self.chat.set_contact(given)
            case RemoveContact(persona):
                self.chat.remove_contact(persona)
            case SetChannel():
                self.chat.set_channel(given)
            case RevokeDevice(statement):
                self.chat.revoke(statement)
            case AdoptBranches(device):
                self.chat.adoptions.adopt_held(device)

    # what the parts tell each other

    def _sent(self, outgoing: Outgoing) -> None:
        self.forwarding.sent(outgoing)
        if isinstance(outgoing.frame, BlockFrame) and not outgoing.previous:
            block = block_named(outgoing.key)
            if block:
                self.chat.block_on_air(block)

    def _second_copy(self) -> None:
        """A verified block of our own that we never wrote: another copy of this home, or a lost store (rule 2.6)."""
        if self._renewing:
            return
        self._renewing = True
        self.ctx.persist(FactRecord(RENEW_FACT, b"\x01"), promise=True)
        self.ctx.warn(
            "second_copy",
            "A second copy of this home writes in its name, or the store was put back from an older state; "
            "this one goes on as a new incarnation.",
        )

    def _tick(self) -> None:
        for _ in range(_ROUNDS):
            if not (due := self._parts_due()):
                return
            for part in due:
                part.tick()
        self._parts_due()

    def _parts_due(self) -> list[Part]:
        """The parts that are due now."""
        now, found = self.ctx.now, []
        for due in self._asked:
            due.at = NEVER_ASKED
        for part, due in self._dues:
            if due.at <= now and _ask(part, due) <= now:
                found.append(part)
        return found


def _ask(part: Part, due: Due) -> Instant:
    """When a part has something to do; it is not asked again before, unless it sets a timer."""
    at = part.wakeup()
    due.at = FOREVER if at is None else at
    return due.at


def _bridge_status(known: Known, now: Instant) -> dict[str, object]:
    """Another bridge of our mesh, as it told us; a number of bytes left is None where it has no limit."""
    news = known.news
    left = [None if kilobytes == NO_LIMIT else 1000 * kilobytes for kilobytes in (news.sent_left, news.received_left)]
    return {
        "node": news.bridge[:4].hex(),
        "state": STATES[news.state] if news.state < len(STATES) else "unknown",
        "opens_in_s": 60 * news.minutes or None,
        "sent_left": left[0],
        "received_left": left[1],
        "hops": news.hops + 1,
        "heard_s": round(now - known.heard_at),
    }


def _hint(frame: EnvelopeFrame) -> int:
    return read_envelope_untrusted(frame.data).hint

"""Which logs may be opened here: quotas for strangers, and the refused list (protocol rules 4.5, 5.2, 12.2).

Writers are free to make up; hops and shares are not. A stranger's log needs a small first block, and a place among
those there is room for (shares.py); a previous hop brings at most 64 new ones a day, restarts or not.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from meshnode.core.chain.compact import Compact
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.gossip.lately import Lately
from meshnode.core.ids import PERSON_CHANNEL, DeviceKey, LogId, log_channel, log_device, log_handle
from meshnode.core.records import RecordKey, RefusedRecord, Snapshot
from meshnode.core.trust.rings import STRANGERS, Rings

NEW_PER_HOP: Final = 64
MAX_HOPS: Final = 1024  # remembered, those who brought something last
DAY_S: Final = 86_400.0
SPENT: Final = "strangers/hop/"  # facts: hops that brought all a day allows, and when the last of it
PARCEL: Final = b"parcel "  # hops that are parcels begin so: their numbers count from each start anew
FIRST_BLOCK: Final = 1024
DEVICE_LOGS: Final = 16
STRANGER_DEVICE_LOGS: Final = 2
STRANGER_WINDOW_S: Final = 30 * DAY_S
REFUSED_S: Final = DAY_S
MAX_REFUSED: Final = 4096
FIRST_BODY: Final = FIRST_BLOCK - 100  # less head, time, backlink, signature


class Admission:
    """Counts the logs of each device and the new logs of each hop, and remembers whom it refused."""

    def __init__(self, ctx: Context, rings: Rings) -> None:
        self._ctx = ctx
        self._rings = rings
        self._refused: dict[LogId, Instant] = {}
        self._named: dict[bytes, dict[LogId, None]] = {}  # those of the refused by handle
        self._of_device: dict[DeviceKey, dict[LogId, Instant]] = {}
        self._new: dict[bytes, deque[Instant]] = {}
        self._spent = Lately(ctx, SPENT, DAY_S)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, RefusedRecord):
                self._note(record.log, record.until)
        for hop, at in self._spent.restore(snapshot).items():
            self._new[hop] = deque([at] * NEW_PER_HOP, maxlen=NEW_PER_HOP)

    def opened(self, log: LogId, at: Instant) -> None:
        """A log is held."""
        self._of_device.setdefault(log_device(log), {})[log] = at

    def closed(self, log: LogId) -> None:
        """A log is held no longer."""
        device = log_device(log)
        logs = self._of_device.get(device, {})
        logs.pop(log, None)
        if not logs:
            self._of_device.pop(device, None)

    def refuses(self, log: LogId) -> bool:
        """True while a log is not wanted: refused, evicted, or of a blocked contact."""
        return self._rings.blocked(log) or self._refused.get(log, 0.0) > self._ctx.now

    def refused(self) -> list[LogId]:
        """The logs on the refused list."""
        return [log for log, until in self._refused.items() if until > self._ctx.now]

    def refused_as(self, handle: bytes) -> LogId | None:
        """The log on the refused list that a handle may mean."""
        return next((log for log in self._named.get(handle, ()) if self._refused[log] > self._ctx.now), None)

    def refuse(self, log: LogId) -> None:
        """Do not want this log for a day."""
        until = self._ctx.now + REFUSED_S
        self._refused.pop(log, None)
        self._note(log, until)
        self._ctx.persist(RefusedRecord(log, until))
        while len(self._refused) > MAX_REFUSED:
            self.pardon(next(iter(self._refused)))

    def pardon(self, log: LogId) -> None:
        """Its writer came nearer, or others are refused since: want it again."""
        if self._refused.pop(log, None) is None:
            return
        handle = log_handle(log)
        del self._named[handle][log]
        if not self._named[handle]:
            del self._named[handle]
        self._ctx.forget(RecordKey(RefusedRecord, (log,)))

    def ring_of(self, log: LogId) -> int:
        """The ring a log counts in: its writer's, or the strangers' once the device has too many."""
        ring = self._rings.ring_of(log)
        others = [one for one in self._of_device.get(log_device(log), ()) if one != log]
        return STRANGERS if 0 < ring < STRANGERS and len(others) >= DEVICE_LOGS else ring

    def admits(self, log: LogId, first: Compact, hop: bytes) -> bool:
        """True when this log may be opened with that block; what is refused for itself goes on the list."""
        if self.refuses(log):
            return False
        if self.ring_of(log) < STRANGERS:
            return True
        large = first.body is not None and first.body_len > FIRST_BODY
        if large and first.seq > 1:
            return False  # a later block that came first, a prekey say, is no fault of its log: asked for in order
        if large or self._crowded(log):
            self._ctx.count("log_refused")
            self.refuse(log)
            return False
        return self._hop_may(hop)

    def spent(self, hop: bytes) -> bool:
        """True while a hop has brought all the new logs of strangers that a day allows it."""
        new = self._new.get(hop)
        return new is not None and len(new) == NEW_PER_HOP and new[0] > self._ctx.now - DAY_S

    def waits(self, log: LogId, hop: bytes) -> bool:
        """True while this log, which is not held, would be one too many of that hop: another may bring it."""
        return self.spent(hop) and self.ring_of(log) >= STRANGERS

    def anybody_spent(self) -> bool:
        """True while some hop may bring no stranger's log; what it has of others is asked of it all the same."""
        return any(map(self.spent, self._new))

    def _note(self, log: LogId, until: Instant) -> None:
        self._refused[log] = until
        self._named.setdefault(log_handle(log), {})[log] = None

    def _crowded(self, log: LogId) -> bool:
        """A stranger's person log has a place beside the two, once: it alone can bring its device nearer."""
        opened = self._of_device.get(log_device(log), {})
        recent = [one for one, at in opened.items() if at > self._ctx.now - STRANGER_WINDOW_S]
        personal = [one for one in recent if log_channel(one) == PERSON_CHANNEL]
        if log_channel(log) == PERSON_CHANNEL and not personal:
            return False
        return len(recent) - len(personal[:1]) >= STRANGER_DEVICE_LOGS

    def _hop_may(self, hop: bytes) -> bool:
        new = self._new.pop(hop, None) or deque(maxlen=NEW_PER_HOP)
        self._new[hop] = new
        while len(self._new) > MAX_HOPS:
            del self._new[next(iter(self._new))]
        if self.spent(hop):
            self._ctx.count("log_over_hop_quota")
            return False
        new.append(self._ctx.now)
        if len(new) == NEW_PER_HOP and not hop.startswith(PARCEL):
            self._spent.note(hop)
        return True

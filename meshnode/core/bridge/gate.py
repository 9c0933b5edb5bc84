"""The gate of a bridge: which sessions are uplinks, what may cross them, and whether they may be open now.

    open --hours end, date lost, a day's bytes spent--> shut --all of these are over--> open

An uplink is a session over the overlay that did not come about on the link: with a peering a person added, or with a
far bridge. Sessions with the overlay's neighbours on the bound interface are the mesh itself and pass untouched, and
so does everything on a node that is no bridge. The rules hold for what this node sends, and it does not ask for what
they keep out.

Counted is what sessions carry and, by estimate, what lies around it: seal, TCP, Yggdrasil (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshnode.core.bridge.budget import Budget
from meshnode.core.bridge.held import Held, Item
from meshnode.core.bridge.hours import next_edge_s, within
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import PERSON_CHANNEL, LogId, log_channel
from meshnode.core.inputs import EncounterBegan, EncounterEnded, PeerSeen
from meshnode.core.notices import Waiting
from meshnode.core.records import FactRecord, Snapshot
from meshnode.core.settings import BridgeRules

SENT_FACT: Final = "bridge sent"
RECEIVED_FACT: Final = "bridge received"
AROUND: Final = 240  # bytes around a record in a packet of its own: seal 19, inner TCP 72, Yggdrasil 85, outer TCP 62
SEGMENT: Final = 1_000  # bytes of ours in a packet, at the overlay's smallest MTU
FILES, POSTS, MESSAGES = 4, 3, 2  # classes, as budgets know them

OPEN, STANDBY, SPENT, OUT_OF_HOURS, NO_DATE, APART = range(6)
STATES: Final = ("open", "standby", "spent", "hours", "no-date", "apart")  # for those who read JSON
WORDS: Final = (
    "open", "open, but another bridge goes first", "the day's bytes are spent", "outside its hours",
    "the date is not known, so neither are its hours", "no far bridge answers",
)  # fmt: skip


class Gate:
    """One for each node; one that is no bridge lets everything pass."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.rules = ctx.settings.bridge or BridgeRules()
        self.is_bridge = ctx.settings.bridge is not None
        self.sent = Budget(self.rules.sent_per_day)
        self.received = Budget(self.rules.received_per_day)
        self.held = Held()
        self.standby = False  # another bridge of our mesh goes first
        self._local: set[str] = set()  # overlay neighbours on the link
        self._uplinks: dict[int, str] = {}  # session, address
        self._lazy: set[int] = set()  # uplinks whose far end wants no news at once
        self._left: set[int] = set()  # hung up on, and not closed yet
        self._is_spent = False

    def restore(self, snapshot: Snapshot) -> None:
        """What was used before a restart counts on."""
        kept = {one.name: one.value for one in snapshot.records if isinstance(one, FactRecord)}
        self.sent = Budget(self.rules.sent_per_day, kept.get(SENT_FACT, b""))
        self.received = Budget(self.rules.received_per_day, kept.get(RECEIVED_FACT, b""))

    # which sessions are uplinks

    def peer_seen(self, peer: PeerSeen) -> None:
        """An overlay peer came or went."""
        if peer.carrier == "overlay" and peer.present and not peer.uplink:
            self._local.add(peer.address)
        else:
            self._local.discard(peer.address)

    def may_call(self, peer: PeerSeen) -> bool:
        """True for who is to be called: of peers on an uplink, far bridges where the rules name them."""
        far = self.rules.far
        return not (self.is_bridge and peer.uplink and far and peer.address not in far)

    def opened(self, began: EncounterBegan) -> None:
        """A session began."""
        if self.is_bridge and began.carrier == "overlay" and began.address not in self._local:
            self._uplinks[began.session] = began.address

    def closed(self, ended: EncounterEnded) -> None:
        """A session is over."""
        self._uplinks.pop(ended.session, None)
        self._lazy.discard(ended.session)
        self._left.discard(ended.session)

    def leave(self, session: int) -> None:
        """We hung up on it; what still comes is not taken."""
        self._uplinks.pop(session, None)
        self._left.add(session)

    def is_uplink(self, session: int | None) -> bool:
        """True for a session over an uplink, also one that we hung up on."""
        return session in self._uplinks or session in self._left

    @property
    def uplinks(self) -> tuple[int, ...]:
        """Those that are open."""
        return tuple(self._uplinks)

    def far_end_waits(self, session: int, *, lazy: bool) -> None:
        """The far end says whether news shall come at once, or only where it turns out to be missing."""
        (self._lazy.add if lazy else self._lazy.discard)(session)

    # what may cross

    def shut(self) -> int:
        """Why no uplink may be open now; OPEN if it may."""
        if self.rules.hours and not self._ctx.clock.known:
            return NO_DATE
        if self.rules.hours and not within(self.rules.hours, self._ctx.clock.at(self._ctx.now)):
            return OUT_OF_HOURS
        return SPENT if self._spent() else OPEN

    def state(self) -> int:
        """How it stands with the uplinks, for those who are told."""
        return self.shut() or (APART if not self._uplinks else STANDBY if self.standby else OPEN)

    def affords(self, cls: int) -> bool:
        """True while the day's bytes allow this class, both ways: who compares both asks and answers."""
        now = self._ctx.now
        return self.sent.may(cls, now) and self.received.may(cls, now)

    def carries(self, log: LogId) -> bool:
        """True for logs that may cross: those of the channels named, and what says who is who."""
        channel = log_channel(log)
        return not self.rules.channels or channel in self.rules.channels or channel == PERSON_CHANNEL

    def refuses(self, item: Item) -> str:
        """Why the rules keep an item here, in the words of `queue`; empty if they do not."""
        if item.channel == PERSON_CHANNEL:
            return ""
        if item.channel is not None and self.rules.channels and item.channel not in self.rules.channels:
            return "nothing: its channel does not cross"
        if self.rules.classes and item.cls not in self.rules.classes:
            return f"nothing: class {item.cls} does not cross"
        if self.rules.largest and item.size > self.rules.largest:
            return f"nothing: it is larger than the {self.rules.largest:,} bytes that cross"
        return ""

    def passes(self, item: Item) -> bool:
        """True if an item may cross now; what may not is noted."""
        if not self.is_bridge:
            return True
        rule = self.refuses(item)
        if rule or self._waits(item):
            self.held.note(item, rule)
            return False
        self.held.forget(item.id)
        return True

    def keeps_files(self, session: int) -> bool:
        """True for an uplink that files may not use: they go in class 4, and are larger than any limit of size."""
        if not self.is_uplink(session):
            return False
        kept = self.rules.largest or (self.rules.classes and FILES not in self.rules.classes)
        return bool(kept) or bool(self.shut()) or not self.affords(FILES)

    def at_once(self, session: int | None) -> bool:
        """True if news goes to a session as it comes: neither end leaves that to another bridge."""
        return not (self.is_uplink(session) and (self.standby or session in self._lazy or session in self._left))

    def _waits(self, item: Item) -> str:
        if shut := self.shut():
            return f"the uplink: {WORDS[shut]}"
        return "" if self.sent.may(item.cls, self._ctx.now) else f"the uplink: {WORDS[SPENT]} for class {item.cls}"

    # what crossed

    def said(self, session: int, size: int) -> None:
        """A record leaves."""
        if session in self._uplinks and self.sent.spend(cost(size), self._ctx.now):
            self._ctx.persist(FactRecord(SENT_FACT, self.sent.record()), promise=True)

    def heard(self, session: int, size: int) -> None:
        """A record came."""
        if session in self._uplinks and self.received.spend(cost(size), self._ctx.now):
            self._ctx.persist(FactRecord(RECEIVED_FACT, self.received.record()), promise=True)

    # for people, and for timers

    def waiting(self) -> Iterator[Waiting]:
        """What is held back, as `queue` shows it."""
        for item, rule in self.held:
            why = rule or self._waits(item) or "the next comparison"
            yield Waiting(item.kind, item.cls, item.size, why, "the uplink", item.id[:16].hex())

    def why(self, message: bytes) -> str:
        """What an own message waits for to cross; empty if it is not held back."""
        found = ((item, rule) for item, rule in self.held if item.message == message)
        return next((rule or self._waits(item) for item, rule in found), "")

    def opens_at(self) -> Instant | None:
        """When it may open at the earliest; None where that is not known."""
        match self.shut():
            case state if state == OUT_OF_HOURS:
                return self.next_edge()
            case state if state == SPENT:
                return max(self.sent.when(MESSAGES, self._ctx.now), self.received.when(MESSAGES, self._ctx.now))
        return None

    def next_edge(self) -> Instant | None:
        """When hours begin or end; None without hours, or without a date."""
        if not self.rules.hours or not self._ctx.clock.known:
            return None
        return self._ctx.now + next_edge_s(self.rules.hours, self._ctx.clock.at(self._ctx.now))

    def next_change(self) -> Instant | None:
        """When hours or budgets may allow more or less than now."""
        now, times = self._ctx.now, [self.next_edge()]
        for budget in (self.sent, self.received):
            times += [at for cls in (POSTS, MESSAGES) if (at := budget.when(cls, now)) > now]
        return min((at for at in times if at is not None), default=None)

    def _spent(self) -> bool:
        """Spent to the last byte; then shut until messages may cross again, so that it does not flutter."""
        self._is_spent = not self.affords(MESSAGES if self._is_spent else 1)
        return self._is_spent


def cost(size: int) -> int:
    """Bytes on the uplink for a record of that many."""
    return size + AROUND * (1 + size // SEGMENT)

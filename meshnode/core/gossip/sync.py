"""What is known of one open session: how far the comparing is, what was asked for, what is to be sent."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.bridge.gate import POSTS, Gate
from meshnode.core.chain.frontier import Round
from meshnode.core.chain.reconcile import Reconciler
from meshnode.core.clock import Instant
from meshnode.core.ids import LogId
from meshnode.core.neighbours.table import Neighbour

BATCH: Final = 32 * 1024  # bytes of ranges, ids or blocks in one record


@dataclass(slots=True)
class Sync:
    """One open session."""

    id: int
    neighbour: Neighbour
    carrier: str
    initiator: bool
    moved_at: Instant
    rounds: dict[bytes, tuple[Round, Reconciler]] = field(default_factory=dict)
    comparing: bool = True  # there may be more to compare
    wanted: dict[LogId, int] = field(default_factory=dict)  # asked for, up to this head
    splits: dict[LogId, int] = field(default_factory=dict)  # logs whose proof of a split is wanted: where to ask
    asked: set[LogId] = field(default_factory=set)  # those of them a WANT has named
    looked: dict[LogId, tuple[int, int]] = field(default_factory=dict)  # where we asked for a split further down
    serving: deque[tuple[LogId, int, int]] = field(default_factory=deque)
    reading: int = 0  # token of the page that is being read
    serve_at: Instant | None = None  # it had its share: when the next page is due
    queued: int = 0
    shown: bytes = b""  # our digest as the comparing began: all of that was laid open
    untold: set[LogId] = field(default_factory=set)  # caught up with in other sessions, and not laid open here yet
    grew: bool = False  # something came from elsewhere since, which was not
    said: bytes = b""  # our digest as they heard it last
    said_at: Instant = 0.0
    said_changes: int = -1  # how many changes of our logs there were as we looked whether they are to hear it
    news_at: Instant | None = None  # when the first change since came
    done: bool = False
    heard_done: bytes = b""
    differs_at: Instant | None = None
    ended: bool = False
    uplink: bool = False
    bodies_only: set[LogId] = field(default_factory=set)  # logs it asks for the bodies of: a header is no answer

    @property
    def settled(self) -> bool:
        """Both said that they want nothing more, and all asked for is sent."""
        return self.done and bool(self.heard_done) and not self.serving and not self.reading

    def rests(self, gate: Gate) -> bool:
        """An uplink whose day has no bytes left for catching up: nothing is compared, asked for or served there."""
        return self.uplink and not gate.affords(POSTS)

"""Listens to a run and changes nothing: who wrote what, who got it when and over how many hops, what was copied.

A hop count is followed through the stores: who keeps a block or an envelope has it from somebody who had it after so
many hops. Two invariants are checked as messages are filed: nothing is shown twice to one person, and nothing is shown
that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.effects import Effect, Notify, Persist
from meshnode.core.ids import MessageId
from meshnode.core.notices import MessageFiled, StateChanged
from meshnode.core.records import BlockRecord, EnvelopeRecord, MessageRecord

_CARRIED: Final = (BlockRecord, EnvelopeRecord)
NAME = 16  # octets of an id that are told apart: the message id of a post is the head of its block's


@dataclass(slots=True)
class Written:
    """One message or post: by whom, to whom, when; arrivals by node: when, after how many hops (-1: not known)."""

    number: int
    at_ns: int
    author: int
    to: tuple[int, ...]
    post: bool
    cls: int
    arrivals: dict[int, tuple[int, int]] = field(default_factory=dict)
    receipt_ns: int = -1  # when the author knew


@dataclass(frozen=True, slots=True)
class Move:
    """A block or envelope that a node keeps from now on, and from whom it has it (-1: from nobody)."""

    at_ns: int
    name: bytes
    src: int
    dst: int


class Probe:
    """What happened to messages."""

    def __init__(self, personas: dict[bytes, int], liars: Set[int] = frozenset(), *, again: bool = False) -> None:
        self.written: dict[MessageId, Written] = {}
        self.transfers = 0  # blocks and envelopes that a node took from another one for the first time
        self.violations: list[str] = []
        self.moves: list[Move] | None = None  # set to a list, it takes every hand-over
        self._shown: set[tuple[int, MessageId]] = set()
        self._again = again  # what was given up and comes again counts anew
        self._personas = personas
        self._liars = liars
        self._everyone = tuple(sorted(set(personas.values()) - liars))
        self._hops: dict[bytes, dict[int, int]] = {}  # block or envelope: hops by node
        self._carrying: dict[MessageId, list[bytes]] = {}

    def committed(self, node: int, now_ns: int, effects: Iterable[Effect], source: int) -> None:
        """One step of a node, caused by what `source` sent (-1: nobody)."""
        for effect in effects:
            if isinstance(effect, Persist):
                for record in effect.records:
                    if isinstance(record, _CARRIED):
                        self._kept(node, now_ns, record, source)
            elif isinstance(effect, Notify):
                notice = effect.notice
                if isinstance(notice, MessageFiled):
                    self._filed(node, now_ns, notice.message, source)
                elif isinstance(notice, StateChanged) and notice.state == "delivered":
                    self._receipt(notice.message, now_ns)

    def remembers(self, node: int, kept: Set[MessageId]) -> None:
        """The power went, and the store holds these messages still. What it forgot may be shown again, as posts are;
        but it has receipted a direct message only once that was safe."""
        gone = {message for shown, message in self._shown if shown == node and message not in kept}
        for message in gone:
            known = self.written[message]
            if not known.post and known.receipt_ns >= 0:
                self.violations.append(f"node {node} receipted message {known.number} and lost it with its power")
        self._shown -= {(node, message) for message in gone}

    def forgot(self, node: int) -> None:
        """The node's store is gone, receipts or not: what it is shown again is no repetition to it."""
        self._shown = {(shown, message) for shown, message in self._shown if shown != node}

    def names_of(self, message: MessageId) -> list[bytes]:
        """The blocks or envelopes that carried a message, as in `moves`."""
        return self._carrying.get(message) or [message]

    def _kept(self, node: int, now_ns: int, record: BlockRecord | EnvelopeRecord, source: int) -> None:
        hops = self._hops.setdefault(record.id[:NAME], {})
        if isinstance(record, EnvelopeRecord) and record.message:
            names = self._carrying.setdefault(MessageId(record.message), [])
            if record.id[:NAME] not in names:
                names.append(record.id[:NAME])
        if node in hops and not self._again:
            return
        if source < 0:
            hops.setdefault(node, 0)
        elif source in hops:
            hops[node] = hops[source] + 1
        if source >= 0:
            self.transfers += 1
        if self.moves is not None:
            self.moves.append(Move(now_ns, record.id[:NAME], source, node))

    def _filed(self, node: int, now_ns: int, message: MessageRecord, source: int) -> None:
        if node in self._liars or self._personas.get(message.peer) in self._liars:
            return
        if message.outgoing:
            self._wrote(node, now_ns, message)
            return
        known = self.written.get(message.id)
        if known is None:
            self.violations.append(f"node {node} was shown a message that nobody wrote: {message.id.hex()}")
        elif (node, message.id) in self._shown:
            self.violations.append(f"node {node} was shown message {known.number} twice")
        else:
            self._shown.add((node, message.id))
            if (
                source >= 0
                and not known.post
                and not any(node in self._hops.get(name, {}) for name in self.names_of(message.id))
            ):
                self.transfers += 1  # a recipient opens an envelope and keeps none of it
            if self.moves is not None:
                self.moves.append(Move(now_ns, self.names_of(message.id)[0], source, node))
            known.arrivals.setdefault(node, (now_ns, self._way(node, message, source)))

    def _wrote(self, node: int, now_ns: int, message: MessageRecord) -> None:
        post = bool(message.channel)
        to = tuple(n for n in self._everyone if n != node) if post else (self._personas[message.peer],)
        self.written[message.id] = Written(len(self.written), now_ns, node, to, post, message.cls)

    def _way(self, node: int, message: MessageRecord, source: int) -> int:
        names = self.names_of(message.id)
        known = [hops[source] + 1 for name in names if source in (hops := self._hops.get(name, {}))]
        here = [hops[node] for name in names if node in (hops := self._hops.get(name, {}))]
        return min(known + here, default=-1)

    def _receipt(self, message: MessageId, now_ns: int) -> None:
        known = self.written.get(message)
        if known is None or known.receipt_ns >= 0:
            return
        known.receipt_ns = now_ns
        if not known.post and known.to[0] not in known.arrivals:
            self.violations.append(f"message {known.number} is called delivered, and its recipient does not have it")

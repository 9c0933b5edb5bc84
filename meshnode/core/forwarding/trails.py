"""Trails: whom an envelope came from and went to. They outlive it, so that receipts and traces find back."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from meshnode.core.clock import Instant
from meshnode.core.ids import EnvelopeId, NodeKey, Tag

SHORT_SIZE: Final = 6  # of an id in offers
_MAX_TRAILS: Final = 20_000

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Trail:
    """One envelope's. Ordered dicts serve as sets: the order of sending must not hang on hashes of keys.

    `quiet`: it goes only so far (`scope.py`), and its receipt to the first it came from and to whom copies were given.
    Who held it in passing forgets it in ten minutes, and compares it with nobody until then.
    """

    tag: Tag
    came_from: dict[NodeKey, None] = field(default_factory=dict)
    given_to: dict[NodeKey, None] = field(default_factory=dict)
    sent_at: Instant = 0.0
    message: bytes = b""
    quiet: bool = False

    def back(self, near: Container[NodeKey]) -> list[NodeKey]:
        """Whom its receipt goes to of those it came from; `near` are those in reach."""
        came_from = list(self.came_from)
        if not self.quiet:
            return came_from
        return [node for node in came_from if node in near][:1] or came_from[:1]


class Trails:
    """Those of the last twenty thousand envelopes met."""

    def __init__(self) -> None:
        self._trails: dict[EnvelopeId, Trail] = {}
        self._tags: dict[Tag, dict[EnvelopeId, None]] = {}
        self._short: dict[bytes, EnvelopeId] = {}

    def of(self, envelope: EnvelopeId, tag: Tag) -> Trail:
        """The trail of an envelope, new if it was never met."""
        found = self._trails.get(envelope)
        if found is None:
            found = self._trails[envelope] = Trail(tag)
            self._tags.setdefault(tag, {})[envelope] = None
            self._short[envelope[:SHORT_SIZE]] = envelope
            for oldest in beyond(self._trails, _MAX_TRAILS):
                self._forget(oldest)
        return found

    def known(self, envelope: EnvelopeId) -> Trail | None:
        """The trail of an envelope that was met, if it is remembered."""
        return self._trails.get(envelope)

    def under(self, tag: Tag) -> list[Trail]:
        """The trails of all envelopes met under a tag."""
        return [self._trails[envelope] for envelope in self._tags.get(tag, ())]

    def by_short(self, short: bytes) -> EnvelopeId | None:
        """The id that begins like this, of an envelope that was met."""
        return self._short.get(short)

    def _forget(self, envelope: EnvelopeId) -> None:
        tag = self._trails.pop(envelope).tag
        siblings = self._tags[tag]
        del siblings[envelope]
        if not siblings:
            del self._tags[tag]
        self._short.pop(envelope[:SHORT_SIZE], None)


def beyond(remembered: dict[K, V], limit: int) -> Iterable[K]:
    """The oldest keys above the limit."""
    if len(remembered) <= limit:
        return ()
    return [key for key, _ in zip(remembered, range(len(remembered) - limit), strict=False)]

"""A node under observation: what it writes to its disk tells the story of a message, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshnode.core.chat.chat import Why
from meshnode.core.effects import Effect, Persist
from meshnode.core.ids import MessageId
from meshnode.core.inputs import Input
from meshnode.core.notices import Waiting
from meshnode.core.records import Record
from meshnode.daemon.loop import NodeLike

See = Callable[[int, Record], None]


class Observed:
    """The core of one daemon; each row it wants written is shown to `see` first."""

    def __init__(self, node: NodeLike, number: int, see: See) -> None:
        self._node = node
        self._number = number
        self._see = see

    @property
    def counters(self) -> Mapping[str, int]:
        """Those of the node."""
        return self._node.counters

    def step(self, given: Input, now: float, /) -> list[Effect]:
        """One step of the node."""
        effects = self._node.step(given, now)
        for effect in effects:
            if isinstance(effect, Persist):
                for record in effect.records:
                    self._see(self._number, record)
        return effects

    def next_wakeup(self) -> float | None:
        """That of the node."""
        return self._node.next_wakeup()

    def status(self) -> dict[str, object]:
        """That of the node."""
        return self._node.status()

    def queue(self) -> list[Waiting]:
        """That of the node."""
        return self._node.queue()

    def why(self, message: MessageId, /) -> Why | None:
        """That of the node."""
        return self._node.why(message)

"""What the simulator asks of a radio model, whatever its depth; `meshnode.air.channel.Channel` is that of graphs."""

from __future__ import annotations

from typing import Protocol

from meshnode.air.counters import Counters
from meshnode.air.events import Delivery


class Medium(Protocol):
    """All radios of one world. Nodes are numbers, times integer nanoseconds that never fall."""

    def offer(
        self, node: int, frame: bytes, dst: int | None, now_ns: int, *, payload: int | None = None, kind: str = ""
    ) -> bool:
        """Queues a frame for one receiver, or for all in hearing (None); False: the queue is full, or the node off."""
        ...

    def next_event_ns(self) -> int | None:
        """When `advance` has something to do next."""
        ...

    def advance(self, now_ns: int) -> list[Delivery]:
        """Everything that arrives until now, in order."""
        ...

    def set_power(self, node: int, on: bool) -> None:
        """Switches a radio: off, it forgets its queue, hears nothing and answers nothing."""
        ...

    def set_link(self, src: int, dst: int, *, up: bool) -> None:
        """Whether anything passes in one direction."""
        ...

    def disturb(self, src: int, dst: int, loss: int) -> None:
        """A loss of one direction beside what it has (air/draws.py: a chance)."""
        ...

    def knows(self, src: int, dst: int) -> bool:
        """Whether `set_link` may be asked about this direction."""
        ...

    def waiting(self, node: int) -> int:
        """Frames in the node's queue, the one on the air included."""
        ...

    def counters(self, node: int) -> Counters:
        """A snapshot of the node's counters."""
        ...

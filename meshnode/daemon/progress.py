"""Who waits for a message to get somewhere, and is woken when it does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from meshnode.core.ids import MessageId
from meshnode.core.notices import Notice, ProbeHop, StateChanged

Step = StateChanged | ProbeHop

BUFFER = 256  # steps of one message: seven states, and a hop for each node of a long way


class Progress:
    """Steps of single messages, to those who follow them."""

    def __init__(self) -> None:
        self._followers: defaultdict[MessageId, list[trio.MemorySendChannel[Step]]] = defaultdict(list)

    def publish(self, notice: Notice) -> None:
        """Wake whoever follows that message. Never waits."""
        if isinstance(notice, StateChanged | ProbeHop):
            for follower in self._followers.get(notice.message, ()):
                try:
                    follower.send_nowait(notice)
                except trio.WouldBlock:
                    continue  # it looks at the newest state anyway

    @contextmanager
    def follow(self, message: MessageId) -> Iterator[trio.MemoryReceiveChannel[Step]]:
        """Steps of one message from now on; begin before its state is looked at."""
        followers = self._followers[message]
        inlet, outlet = trio.open_memory_channel[Step](BUFFER)
        followers.append(inlet)
        try:
            yield outlet
        finally:
            followers.remove(inlet)
            if not followers:
                self._followers.pop(message, None)
            outlet.close()

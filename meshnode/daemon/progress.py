"""Who waits for a message or a file to get somewhere, and is woken when it does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from meshnode.core.ids import FileId, MessageId
from meshnode.core.notices import FileMoved, Notice, ProbeHop, StateChanged

Step = StateChanged | ProbeHop | FileMoved
Followed = MessageId | FileId

BUFFER = 256  # steps of one message: seven states, and a hop for each node of a long way


class Progress:
    """Steps of single messages and files, to those who follow them."""

    def __init__(self) -> None:
        self._followers: defaultdict[Followed, list[trio.MemorySendChannel[Step]]] = defaultdict(list)

    def publish(self, notice: Notice) -> None:
        """Wake whoever follows that message or file. Never waits."""
        if isinstance(notice, StateChanged | ProbeHop | FileMoved):
            followed = notice.file if isinstance(notice, FileMoved) else notice.message
            for follower in self._followers.get(followed, ()):
                try:
                    follower.send_nowait(notice)
                except trio.WouldBlock:
                    continue  # it looks at the newest state anyway

    @contextmanager
    def follow(self, followed: Followed) -> Iterator[trio.MemoryReceiveChannel[Step]]:
        """Steps of one message or file from now on; begin before its state is looked at."""
        followers = self._followers[followed]
        inlet, outlet = trio.open_memory_channel[Step](BUFFER)
        followers.append(inlet)
        try:
            yield outlet
        finally:
            followers.remove(inlet)
            if not followers:
                self._followers.pop(followed, None)
            outlet.close()

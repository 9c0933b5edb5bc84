"""Who was near in the last hour: a sample a minute, bounded, in memory alone; for the playback on the keeper's page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from meshnode.control.client import connect
from meshnode.control.replies import StatusReply
from meshnode.control.requests import StatusRequest
from meshnode.errors import MeshnodeError
from meshnode.web.shapes import HourReply, Moment, Station

EVERY_S: Final = 60.0
SAMPLES: Final = 60
NEIGHBOURS: Final = 64  # in one sample: with a busy place all of it stays below 2 MB


class Past:
    """Samples of one node, asked at its control socket."""

    def __init__(self, socket: Path, clock: Callable[[], float]) -> None:
        self._socket = socket
        self._clock = clock
        self._taken: deque[tuple[float, Moment]] = deque(maxlen=SAMPLES)

    async def run(self) -> None:
        """Look again and again until cancelled. A node that does not answer leaves a gap."""
        while True:
            try:
                async with connect(self._socket) as client:
                    self.take(await client.ask(StatusRequest(), StatusReply))
            except MeshnodeError:
                pass
            await trio.sleep(EVERY_S)

    def take(self, status: StatusReply) -> None:
        """What the node says now."""
        stations = status.radio.neighbours if status.radio else []
        heard = [Station(mac=one.mac, signal_dbm=one.signal_dbm) for one in stations[:NEIGHBOURS]]
        moment = Moment(ago_s=0.0, neighbours=status.neighbours[:NEIGHBOURS], stations=heard)
        self._taken.append((self._clock(), moment))

    def hour(self) -> HourReply:
        """All samples, the oldest first."""
        now = self._clock()
        return HourReply(
            moments=[
                Moment(ago_s=now - at, neighbours=one.neighbours, stations=one.stations) for at, one in self._taken
            ]
        )

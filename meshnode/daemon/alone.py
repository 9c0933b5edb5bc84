"""A node that nobody can meet: for a command that only opens its home. Apart from carriers.py, to start quickly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import trio

from meshnode.daemon.adapters import Inputs, Started
from meshnode.daemon.main import Carriers
from meshnode.overlay.none import NoOverlay


class NoSessions:
    """`adapters.Sessions` where nobody can be met."""

    counters: Mapping[str, int] = MappingProxyType({})

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Nothing happens."""
        task_status.started()
        await trio.sleep_forever()

    def dial(self, address: str, carrier: str, link: str) -> None:
        """Nobody is called."""

    def send(self, session: int, data: bytes) -> None:
        """There is no session."""

    def hangup(self, session: int) -> None:
        """There is no session."""

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """There is no session."""

    async def close_all(self) -> None:
        """There is no session."""
        await trio.lowlevel.checkpoint()

    def status(self) -> Sequence[Mapping[str, object]]:
        """There is no session."""
        return ()


def no_carriers() -> Carriers:
    """For a command that works on a home: the node hears nobody and reaches nobody."""
    return Carriers((), NoSessions(), NoOverlay())

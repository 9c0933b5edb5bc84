"""Sessions of a profile: it calls the box it lives on, over a pipe in the same process, and nobody else.

The handshake and the record seal are those of every session; only the radio is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio

from meshnode.core.identity.keys import Keys
from meshnode.core.inputs import Input, PeerSeen
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.errors import OverlayError
from meshnode.peering.memory import Pipe, pipes
from meshnode.peering.sessions import Inputs, Sessions, Way

BOX = "box"  # the address of the one that can be called
CARRIER = "overlay"  # such sessions stay open, and say at once what is new

Ring = Callable[[Pipe, Way], Awaitable[None]]  # at the box: somebody calls


class IndoorSessions(Sessions):
    """The one session of a profile."""

    def __init__(
        self, keys: Keys, mesh: MeshKeys, sealer: Sealer, entropy: Entropy, *, address: str, ring: Ring
    ) -> None:
        super().__init__(keys, mesh, sealer, entropy)
        self._address = address
        self._ring = ring
        self._asked, self._to_dial = trio.open_memory_channel[str](16)

    async def run(self, inputs: Inputs, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Call when asked, until cancelled."""
        await self._tell_leftovers(inputs)
        async with trio.open_nursery() as nursery:
            task_status.started()
            async for _ in self._to_dial:
                nursery.start_soon(self._call, inputs)

    def dial(self, address: str, carrier: str, link: str) -> None:
        """Call the box; `EncounterBegan` or `DialFailed` follows."""
        self._asked.send_nowait(address)

    async def _call(self, inputs: Inputs) -> None:
        near, far = pipes(self._address, BOX)
        await self._ring(far, Way(CARRIER, self._address))
        await self.call(near, Way(CARRIER, BOX), inputs)


class TheBox:
    """What a profile has for an overlay: a box that can be called."""

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Say that it is there, until cancelled."""
        await inputs.send(PeerSeen(BOX, CARRIER, calls=False))
        task_status.started()
        await trio.sleep_forever()

    def status(self) -> Mapping[str, object]:
        """For `status`."""
        detail = "This is a profile: it reaches the mesh through its box."
        return {"backend": "none", "state": "box", "address": "", "public_key": "", "detail": detail, "peers": []}

    async def add_peer(self, uri: str) -> None:
        """The box peers."""
        raise OverlayError("This is a profile of a box; peerings are the box's own.")

    async def remove_peer(self, uri: str) -> None:
        """The box peers."""
        raise OverlayError("This is a profile of a box; peerings are the box's own.")

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """The box peers."""

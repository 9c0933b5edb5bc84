"""A link and sessions without sockets, for the demo and for tests: the same seams, the same handshake.

`AirLink` hands each datagram to `transmit`, whoever that is, and takes what `deliver` brings. `MemorySessions` of one
`Switchboard` dial each other by address over pipes; `carry` may hold each piece back for as long as a channel would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

import trio

from meshnode.core.identity.keys import Keys
from meshnode.core.inputs import DialFailed, FrameReceived, Input, LinkChanged
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.settings import LinkSettings
from meshnode.peering.sessions import Inputs, Sessions, Way

Transmit = Callable[[str, str | None, bytes], None]  # source address, destination or None for all, datagram
Carry = Callable[[str, str, int], Awaitable[bool]]  # from, to, bytes; False when it did not come through

HEARD_AT_ONCE = 256  # datagrams waiting for a busy node; more are lost, as in a kernel
PIPE_PIECES = 16
PIECE = 1200


class AirLink:
    """A link whose other side is a function."""

    def __init__(self, name: str, address: str, transmit: Transmit, settings: LinkSettings | None = None) -> None:
        self.name = name
        self.address = address
        self.counters: Counter[str] = Counter()
        self._transmit = transmit
        self._settings = settings or LinkSettings()
        self._ears, self._heard = trio.open_memory_channel[FrameReceived | LinkChanged](HEARD_AT_ONCE)
        self._up = False

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; the link is up at once."""
        self._up = True
        try:
            await inputs.send(LinkChanged(self.name, self._settings))
            task_status.started()
            while True:
                await inputs.send(await self._heard.receive())
        finally:
            self._up = False

    def send(self, to: str | None, data: bytes) -> None:
        """Give one datagram to whoever carries it."""
        if self._up:
            self.counters["sent"] += 1
            self._transmit(self.address, to, data)
        else:
            self.counters["link_down"] += 1

    def deliver(self, source: str, multicast: bool, data: bytes) -> None:
        """A datagram has come through the air."""
        try:
            if not self._up:
                self.counters["link_down"] += 1
                return
            self._ears.send_nowait(FrameReceived(self.name, source, multicast, data))
            self.counters["received"] += 1
        except trio.WouldBlock:
            self.counters["received_overflow"] += 1

    def where(self) -> tuple[str, str]:
        """Name and address while it is up."""
        return (self.name, self.address) if self._up else ("", "")

    def status(self) -> Mapping[str, object]:
        """For `status`."""
        state = "up" if self._up else "down"
        return {
            "name": self.name,
            "driver": "air",
            "state": state,
            "address": self.address,
            **asdict(self._settings),
            "counters": dict(self.counters),
        }


class Switchboard:
    """Who can be dialled, by address."""

    def __init__(self, carry: Carry | None = None) -> None:
        self.members: dict[str, MemorySessions] = {}
        self.carry = carry


class MemorySessions(Sessions):
    """Sessions over pipes. Addresses stand for link-local ones."""

    def __init__(
        self, keys: Keys, mesh: MeshKeys, sealer: Sealer, entropy: Entropy, *, address: str, board: Switchboard
    ) -> None:
        super().__init__(keys, mesh, sealer, entropy)
        self._address = address
        self._board = board
        self._asked, self._to_dial = trio.open_memory_channel[str](1000)
        self._callers, self._to_accept = trio.open_memory_channel[tuple[Pipe, str]](16)

    async def run(self, inputs: Inputs, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer and dial until cancelled."""
        await self._tell_leftovers(inputs)
        self._board.members[self._address] = self
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                nursery.start_soon(self._answer_all, inputs, nursery)
                async for address in self._to_dial:
                    nursery.start_soon(self._dial, address, inputs)
        finally:
            del self._board.members[self._address]

    def dial(self, address: str, carrier: str, link: str) -> None:
        """Open a session; `EncounterBegan` or `DialFailed` follows."""
        self._asked.send_nowait(address)

    async def _answer_all(self, inputs: Inputs, nursery: trio.Nursery) -> None:
        async for pipe, far in self._to_accept:
            nursery.start_soon(self.accept, pipe, Way("link", far), inputs)

    async def _dial(self, address: str, inputs: Inputs) -> None:
        other = self._board.members.get(address)
        carry = self._board.carry
        if other is None or other is self or (carry and not await carry(self._address, address, 0)):
            await inputs.send(DialFailed(address, f"{address} does not answer"))
            return
        near, far = pipes(self._address, address, carry)
        await other._callers.send((far, self._address))
        await self.call(near, Way("link", address), inputs)


class Pipe(trio.abc.HalfCloseableStream):
    """One end of a two-way stream in memory, with as much room as a small socket buffer."""

    def __init__(
        self,
        outlet: trio.MemorySendChannel[bytes],
        inlet: trio.MemoryReceiveChannel[bytes],
        ends: tuple[str, str],
        carry: Carry | None,
    ) -> None:
        self._outlet = outlet
        self._inlet = inlet
        self._ends = ends
        self._carry = carry
        self._rest = b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, in pieces of a datagram's size."""
        for start in range(0, len(data), PIECE):
            piece = bytes(data[start : start + PIECE])
            if self._carry and not await self._carry(*self._ends, len(piece)):
                raise trio.BrokenResourceError("the far end is out of reach")
            await self._outlet.send(piece)

    async def wait_send_all_might_not_block(self) -> None:
        """Nothing to wait for: `send_all` waits."""
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        """Nothing follows."""
        await self._outlet.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Some bytes, or none at the end."""
        if not self._rest:
            try:
                self._rest = await self._inlet.receive()
            except trio.EndOfChannel:
                return b""
        data, self._rest = self._rest[:max_bytes], self._rest[max_bytes:] if max_bytes else b""
        return data

    async def aclose(self) -> None:
        """Close both ways."""
        self._outlet.close()
        self._inlet.close()
        await trio.lowlevel.checkpoint()


def pipes(near: str, far: str, carry: Carry | None = None) -> tuple[Pipe, Pipe]:
    """Both ends of a stream between two addresses."""
    there = trio.open_memory_channel[bytes](PIPE_PIECES)
    back = trio.open_memory_channel[bytes](PIPE_PIECES)
    return Pipe(there[0], back[1], (near, far), carry), Pipe(back[0], there[1], (far, near), carry)

"""Datagrams over a Newracom modem: a link like any other, with a modem's socket in place of an interface.

no port, no answer       the core is told None; tried again after a while, with the reason in `status`
joined, sockets open     the core is told the settings; datagrams go out one after the other, and come in as they arrive
unplugged                as at the beginning
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import trio

from meshnode.board.dialect import dialect
from meshnode.core.inputs import FrameReceived, Input, LinkChanged
from meshnode.core.settings import LinkSettings
from meshnode.errors import LinkError, WireError
from meshnode.halow.modem.conversation import Conversation, Event
from meshnode.halow.modem.newracom import Network, Newracom, heard_untrusted
from meshnode.halow.modem.port import Port
from meshnode.halow.modem.reader import Packet
from meshnode.halow.state import NARROW_PAYLOAD

RETRY_S = 5.0
QUEUE = 32  # datagrams; the core paces, more would only be late
LARGEST = 1200

Opener = Callable[[], Port]


class ModemLink:
    """The link through one modem. `open_port` makes the port anew after each loss."""

    def __init__(
        self, name: str, open_port: Opener, network: Network, settings: LinkSettings | None = None, *, port: int = 21026
    ) -> None:
        self.name = name
        self.counters: Counter[str] = Counter()
        self._open_port = open_port
        self._network = network
        base = settings or LinkSettings()
        # The modem does not tell its width; a larger group frame would not fit one transmission at 1 MHz.
        self._settings = replace(base, multicast=True, multicast_payload=min(base.multicast_payload, NARROW_PAYLOAD))
        self._port = port
        self._queue: deque[tuple[str | None, bytes]] = deque()
        self._queued = trio.Event()
        self._address = ""
        self._trouble = ""

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; a modem that is missing or vanishes is waited for."""
        task_status.started()
        while True:
            try:
                await self._serve(inputs)
            except* LinkError as trouble:
                self._trouble = _words(trouble)
            was_up, self._address = self._address, ""
            if was_up:
                await inputs.send(LinkChanged(self.name, None))
            await trio.sleep(RETRY_S)

    def send(self, to: str | None, data: bytes) -> None:
        """Queue one datagram, or count why it cannot go."""
        if not self._address:
            self.counters["link_down"] += 1
        elif len(data) > LARGEST:
            self.counters["sent_too_long"] += 1
        elif len(self._queue) >= QUEUE:
            self.counters["send_queue_full"] += 1
        else:
            self._queue.append((to, data))
            self._queued.set()

    def where(self) -> tuple[str, str]:
        """Sessions need TCP over IPv6, which the modem does not have."""
        return ("", "")

    def status(self) -> Mapping[str, object]:
        """For `status`: the state, and why it is not up."""
        return {
            "name": self.name,
            "driver": "newracom AT modem",
            "state": "up" if self._address else "down",
            "address": self._address,
            "detail": "" if self._address else self._trouble,
            **asdict(self._settings),
            "counters": dict(self.counters),
        }

    async def _serve(self, inputs: trio.MemorySendChannel[Input]) -> None:
        """One life of the modem: from opening the port until it is lost."""
        opened = self._open_port()
        try:
            heard, arrived = trio.open_memory_channel[Packet](64)
            talk = Conversation(opened, dialect("newracom"), lambda event: self._sort(event, heard))
            modem = Newracom(talk)
            async with trio.open_nursery() as nursery:
                await nursery.start(talk.run)
                await modem.bring_up()
                self._address = await modem.join(self._network)
                group, alone = await modem.open_sockets(self._port)
                await inputs.send(LinkChanged(self.name, self._settings))
                nursery.start_soon(self._receive, arrived, group, inputs)
                await self._transmit(modem, group, alone)
        finally:
            self._queue.clear()
            opened.close()

    def _sort(self, event: Event, heard: trio.MemorySendChannel[Packet]) -> None:
        if isinstance(event, Packet):
            try:
                heard.send_nowait(event)
            except trio.WouldBlock:
                self.counters["receive_queue_full"] += 1
        elif event.text.startswith(('+SEVENT:"SEND_DROP"', '+SEVENT:"SEND_ERROR"')):
            self.counters["send_failed"] += 1
        elif event.text.startswith('+WEVENT:"DISCONNECT"'):
            raise LinkError("the modem lost its network")

    async def _receive(
        self, arrived: trio.MemoryReceiveChannel[Packet], group: int, inputs: trio.MemorySendChannel[Input]
    ) -> None:
        async for packet in arrived:
            try:
                one = heard_untrusted(packet)
            except WireError:
                self.counters["received_malformed"] += 1
                continue
            if one.source == self._address or len(one.payload) > LARGEST:
                self.counters["received_own_echo" if one.source == self._address else "received_too_long"] += 1
                continue
            self.counters["received"] += 1
            await inputs.send(FrameReceived(self.name, one.source, one.socket == group, one.payload))

    async def _transmit(self, modem: Newracom, group: int, alone: int) -> None:
        while True:
            await self._queued.wait()
            self._queued = trio.Event()
            while self._queue:
                to, data = self._queue.popleft()
                await modem.send(group if to is None else alone, to, self._port, data)
                self.counters["sent"] += 1


def _words(trouble: BaseException) -> str:
    while isinstance(trouble, BaseExceptionGroup):
        trouble = trouble.exceptions[0]
    return str(trouble)

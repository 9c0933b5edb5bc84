"""The air of the demo: the modelled HaLow channel in real time, between the link adapters of daemons in one process."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from meshnode.air.airtime import S1gRate
from meshnode.air.channel import Channel
from meshnode.air.draws import chance
from meshnode.air.topology import Topology, both_ways, line
from meshnode.core.settings import LinkSettings
from meshnode.peering.memory import AirLink

RATE = S1gRate(1, 2)  # 1 MHz, 0.9 Mbit/s to one neighbour
BASIC = S1gRate(1, 0)  # 0.3 Mbit/s to all
HEADERS = 48  # IPv6 and UDP, which the model counts and the adapters leave out
TCP_HEADERS = 72
SETTINGS = LinkSettings(multicast_payload=384, unicast_bps=RATE.bps, multicast_bps=BASIC.bps)

_UNICAST, _MULTICAST, _STREAM = b"\0", b"\1", b"\2"


@dataclass(slots=True)
class _Piece:
    """A piece of a stream that is on its way."""

    arrived: trio.Event = field(default_factory=trio.Event)


class Sky:
    """A line of radios, each hearing the one before and the one after."""

    def __init__(self, nodes: int, seed: int, loss: float) -> None:
        self.addresses = [f"fe80::{node + 1:x}" for node in range(nodes)]
        self._number = {address: node for node, address in enumerate(self.addresses)}
        links = both_ways(line(nodes), chance(loss))
        self._channel = Channel(Topology(nodes, links, RATE, BASIC), seed)
        self._ears: dict[int, AirLink] = {}
        self._pieces: dict[int, _Piece] = {}
        self._serial = 0
        self._news = trio.Event()
        self._began = trio.current_time()
        self._muted: dict[int, trio.Event] = {}

    def link(self, node: int) -> AirLink:
        """The link adapter of a node that is switched on."""
        self._channel.set_power(node, True)
        self._muted.pop(node, None)
        adapter = AirLink("halow0", self.addresses[node], self._transmit, SETTINGS)
        self._ears[node] = adapter
        return adapter

    def switch_off(self, node: int) -> None:
        """The radio is dead: nothing more leaves it or reaches it."""
        self._channel.set_power(node, False)
        self._ears.pop(node, None)

    def mute(self, node: int) -> trio.Event:
        """Nothing more leaves this radio; the event says that something would have."""
        self._channel.set_power(node, False)
        return self._muted.setdefault(node, trio.Event())

    def bytes_on_air(self) -> int:
        """All attempts so far, with 802.11 headers."""
        return sum(self._channel.counters(node).total.bytes for node in range(len(self.addresses)))

    async def run(self) -> None:
        """Let time pass on the channel until cancelled."""
        while True:
            self._news = trio.Event()
            self._advance()
            due = self._channel.next_event_ns()
            wait_s = float("inf") if due is None else max(0.0, due / 1e9 - (trio.current_time() - self._began))
            with trio.move_on_after(wait_s):
                await self._news.wait()

    def _now_ns(self) -> int:
        return int((trio.current_time() - self._began) * 1e9)

    def _transmit(self, source: str, to: str | None, data: bytes) -> None:
        node = self._number[source]
        if (muted := self._muted.get(node)) is not None:
            muted.set()
        target = None if to is None else self._number.get(to, -1)
        if target == -1:
            return
        mark = _MULTICAST if to is None else _UNICAST
        kind = "group" if to is None else "unicast"
        self._offer(node, mark + data, target, len(data) + HEADERS, kind)

    def _offer(self, node: int, frame: bytes, target: int | None, payload: int, kind: str) -> bool:
        self._advance()
        taken = self._channel.offer(node, frame, target, self._now_ns(), payload=payload, kind=kind)
        self._news.set()
        return taken

    def _advance(self) -> None:
        for delivery in self._channel.advance(self._now_ns()):
            mark, data = delivery.frame[:1], delivery.frame[1:]
            if mark == _STREAM:
                if piece := self._pieces.get(int.from_bytes(data, "big")):
                    piece.arrived.set()
            elif ear := self._ears.get(delivery.node):
                ear.deliver(self.addresses[delivery.src], mark == _MULTICAST, data)

    async def carry(self, source: str, to: str, size: int) -> bool:
        """A piece of a stream between neighbours takes its time on the channel; False when it cannot come through."""
        node, target = self._number[source], self._number[to]
        self._serial += 1
        piece = self._pieces[self._serial] = _Piece()
        frame = _STREAM + self._serial.to_bytes(8, "big")
        try:
            if abs(node - target) != 1 or not self._offer(node, frame, target, size + TCP_HEADERS, "stream"):
                return False
            with trio.move_on_after(5.0):
                await piece.arrived.wait()
            return piece.arrived.is_set()
        finally:
            self._pieces.pop(self._serial, None)

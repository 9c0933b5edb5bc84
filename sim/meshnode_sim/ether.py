"""Carries Ethernet frames between TAPs through the modelled channel, in real time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

import trio

from meshnode.air.events import Delivery
from meshnode_sim.lab_radio import LabRadio
from meshnode_sim.macs import mac_of
from meshnode_sim.namespace import Namespace
from meshnode_sim.scenario import Scenario
from meshnode_sim.timer import Timer

ETHERNET_HEADER = 14
LARGEST = 1 << 16
MOVE_S = 5.0  # as in virtual time (sky.py)
BATCH = 32  # frames read from one TAP before the others get their turn
IPV6 = b"\x86\xdd"
SOLICITED_NODE = b"\x33\x33\xff"


def kind_of(frame: bytes) -> str:
    """What sort of traffic a frame is, for the counters."""
    if frame[12:14] != IPV6 or len(frame) < 55:
        return "other"
    group = frame[0] & 1
    match frame[20]:
        case socket.IPPROTO_UDP:
            return "udp-group" if group else "udp"
        case socket.IPPROTO_TCP:
            return "tcp"
        case socket.IPPROTO_ICMPV6:
            return "nd" if 133 <= frame[54] <= 137 else "icmp"
        case socket.IPPROTO_HOPOPTS:
            return "mld"
    return "other"


class Ether:
    """The air of one lab. Its clock starts at zero when it is made."""

    def __init__(self, scenario: Scenario, radio: LabRadio, nodes: Sequence[Namespace]) -> None:
        self.radio = radio
        self.channel = radio.medium
        self.late_ns = 0  # how far the busiest moment fell behind the model
        self.undelivered = 0  # frames for an interface that was down or gone
        self._nodes = nodes
        self._number = {mac_of(index): index for index in range(len(nodes))}
        self._multicast = scenario.radio.multicast
        self._epoch_ns = time.monotonic_ns()
        self._timer = Timer()

    def now_ns(self) -> int:
        """Time since the start."""
        return time.monotonic_ns() - self._epoch_ns

    async def run(self) -> None:
        """Carries frames until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pace)
                nursery.start_soon(self._move)
                for index in range(len(self._nodes)):
                    nursery.start_soon(self._listen, index)
        finally:
            self._timer.close()

    def catch_up(self) -> None:
        """Lets happen what is due, and sets the clock for what comes next."""
        now = self.now_ns()
        for delivery in self.channel.advance(now):
            self._deliver(delivery)
        upcoming = self.channel.next_event_ns()
        if upcoming is not None:
            self._timer.arm(upcoming + self._epoch_ns)

    async def _pace(self) -> None:
        while True:
            woken = await self._timer.wait()
            due = self.channel.next_event_ns()
            if due is not None:
                self.late_ns = max(self.late_ns, woken - self._epoch_ns - due)
            self.catch_up()

    async def _move(self) -> None:
        move = self.radio.move
        while move is not None:
            move(self.now_ns() / 1e9)
            await trio.sleep(MOVE_S)

    async def _listen(self, index: int) -> None:
        namespace = self._nodes[index]
        while True:
            while namespace.tap < 0:
                await namespace.tap_back.wait()
            try:
                await trio.lowlevel.wait_readable(namespace.tap)
            except trio.ClosedResourceError:
                continue
            if namespace.tap >= 0:  # it may have gone after it was readable and before this task ran
                self._read(index, namespace.tap)

    def _read(self, index: int, tap: int) -> None:
        for _ in range(BATCH):
            try:
                frame = os.read(tap, LARGEST)
            except BlockingIOError:
                break
            self._offer(index, frame)
        self.catch_up()

    def _offer(self, index: int, frame: bytes) -> None:
        group = frame[0] & 1
        kind = kind_of(frame)
        if group and not self._multicast and not frame.startswith(SOLICITED_NODE):
            return
        dst = None if group else self._number.get(frame[:6], index)  # a stranger's address: nobody answers
        self.catch_up()
        payload = max(len(frame) - ETHERNET_HEADER, 1)
        self.channel.offer(index, frame, dst, self.now_ns(), payload=payload, kind=kind)

    def _deliver(self, delivery: Delivery) -> None:
        tap = self._nodes[delivery.node].tap
        if tap < 0:
            self.undelivered += 1
            return
        try:
            os.write(tap, delivery.frame)
        except OSError:  # EIO: the interface is down; EAGAIN: its queue is full
            self.undelivered += 1

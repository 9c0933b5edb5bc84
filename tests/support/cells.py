"""Cells of radios that always have something to send, and the closed forms they are held against."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshnode.air.airtime import AIFS_NS, FLIGHT_NS, OVERHEAD, SLOT_NS, S1gRate, ack_ns, ack_timeout_ns, psdu_octets
from meshnode.air.events import Delivery
from meshnode_sim.places import row_of
from meshnode_sim.radio import RadioMedium, RadioSettings

NEAR = -60_000  # mdBm: far above any sensitivity
OCTETS = 1000


def medium(
    levels: dict[tuple[int, int], int],
    nodes: int,
    *,
    seed: int = 1,
    kind: type[RadioMedium] = RadioMedium,
    **settings: object,
) -> RadioMedium:
    """Radios with a level for each pair that hears each other, at 2 MHz and MCS 2 unless told otherwise."""
    both = {**levels, **{(b, a): level for (a, b), level in levels.items()}}
    found = [{b: level for (a, b), level in sorted(both.items()) if a == node} for node in range(nodes)]
    return kind([row_of(row) for row in found], RadioSettings(**{"width_mhz": 2, "mcs": 2, **settings}), seed)


def cell(nodes: int, **settings: object) -> RadioMedium:
    """Everybody hears everybody well."""
    return medium({(a, b): NEAR for a in range(nodes) for b in range(a)}, nodes, **settings)


@dataclass
class Load:
    """Keeps queues of some senders full and counts what arrives."""

    radios: RadioMedium
    pairs: list[tuple[int, int]]
    arrived: list[Delivery] = field(default_factory=list)

    def mbps(self, seconds: float) -> float:
        """Runs that long; payload that arrived in Mbit/s."""
        self._fill(0)
        while (at := self.radios.next_event_ns()) is not None and at <= seconds * 1e9:
            self.arrived += self.radios.advance(at)
            self._fill(at)
        return len(self.arrived) * OCTETS * 8 / seconds / 1e6

    def _fill(self, now_ns: int) -> None:
        for src, dst in self.pairs:
            while self.radios.waiting(src) < 2:
                self.radios.offer(src, b"x", dst, now_ns, payload=OCTETS)


@dataclass
class Relay:
    """Node 0 sends to the last one by way of all others; the next packet sets out when the last one has arrived."""

    radios: RadioMedium
    hops: int

    def mbps(self, seconds: float) -> float:
        """Runs that long; payload that arrived at the end, in Mbit/s."""
        whole = 0
        self._send(0, 0)
        while (at := self.radios.next_event_ns()) is not None and at <= seconds * 1e9:
            for one in self.radios.advance(at):
                whole += one.node == self.hops
                self._send(one.node % self.hops, at)
        return whole * OCTETS * 8 / seconds / 1e6

    def _send(self, node: int, now_ns: int) -> None:
        self.radios.offer(node, b"x", node + 1, now_ns, payload=OCTETS)


def bianchi_mbps(nodes: int, rate: S1gRate, window: int = 16, doublings: int = 6) -> float:
    """Saturation throughput of DCF (Bianchi 2000): retries without end, everybody hears everybody."""
    low, high = 0.0, 1.0
    for _ in range(100):
        p = (low + high) / 2
        series = sum((2 * p) ** step for step in range(doublings))
        tau = 2 / (1 + window + p * window * series)
        low, high = (p, high) if 1 - (1 - tau) ** (nodes - 1) > p else (low, p)
    busy = 1 - (1 - tau) ** nodes
    alone = nodes * tau * (1 - tau) ** (nodes - 1)
    held = rate.ppdu_ns(psdu_octets(OCTETS + OVERHEAD)) + FLIGHT_NS + ack_ns(rate) + AIFS_NS  # EIFS after a collision
    return alone * OCTETS * 8000 / ((1 - busy) * SLOT_NS + busy * held)


def relay_mbps(hops: int, rate: S1gRate) -> float:
    """One packet at a time over a half-duplex line in which everybody hears everybody: each hop takes its own turn."""
    frame = rate.ppdu_ns(psdu_octets(OCTETS + OVERHEAD)) + FLIGHT_NS
    return OCTETS * 8000 / (hops * (AIFS_NS + 15 * SLOT_NS / 2 + frame + ack_ns(rate)))


def arq_mbps(loss: float, rate: S1gRate, retries: int) -> float:
    """Goodput of one sender whose frames are lost independently: attempts, growing windows, timeouts."""
    frame = AIFS_NS + rate.ppdu_ns(psdu_octets(OCTETS + OVERHEAD)) + FLIGHT_NS
    answer = (1 - loss) * ack_ns(rate) + loss * ack_timeout_ns(rate)
    windows = (min(1023, (16 << step) - 1) for step in range(retries + 1))
    spent = sum(loss**step * (frame + answer + window * SLOT_NS / 2) for step, window in enumerate(windows))
    return OCTETS * 8000 * (1 - loss ** (retries + 1)) / spent

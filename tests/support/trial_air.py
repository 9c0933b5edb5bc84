"""The trial world on the modelled channel: half duplex, carrier sense, one talker within hearing, bytes counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from meshnode.air.airtime import PlainRate
from meshnode.air.channel import Attempt, Channel
from meshnode.air.draws import chance
from meshnode.air.topology import Topology, both_ways
from meshnode.core.effects import Send
from meshnode.core.inputs import FrameReceived
from meshnode.core.settings import LinkSettings
from support.trial_world import LINK, Box, TrialWorld, address_of

IP_AND_UDP = 48
_GROUP, _ONE = b"\x01", b"\x00"


class AirWorld(TrialWorld):
    """Boxes on one channel: unicast 1 Mbit/s, groups 0.3. `on_air`: bytes, every attempt with its headers."""

    def __init__(self, names: Sequence[str], pairs: Iterable[tuple[int, int]], seed: int = 1, *, loss: float = 0.0):
        super().__init__(seed, link=LinkSettings(multicast_payload=384))
        self.names = list(names)
        links = both_ways(pairs, chance(loss))
        topology = Topology(len(self.names), links, PlainRate(1_000_000), PlainRate(300_000))
        self.channel = Channel(topology, seed, on_attempt=self._count)
        self.on_air: Counter[str] = Counter()
        self._due: int | None = None

    def populate(self, **settings: Any) -> list[Box]:
        """All boxes, each other's strangers, all in the square."""
        boxes = [self.add(name, **settings) for name in self.names]
        for link in self.channel.topology.links:
            self.hears[self.names[link.src]][self.names[link.dst]] = None
        for box in boxes:
            box.joins()
        return boxes

    @property
    def bytes_on_air(self) -> int:
        """Of all nodes since the beginning."""
        return sum(self.on_air.values())

    def _count(self, attempt: Attempt) -> None:
        self.on_air["group" if attempt.dst is None else "one"] += attempt.octets

    def _send(self, box: Box, send: Send) -> None:
        self._advance()
        source = self.names.index(box.name)
        target = None if send.to is None else self.names.index(send.to.removeprefix("fe80::"))
        frame = (_GROUP if target is None else _ONE) + send.data
        self.channel.offer(source, frame, target, self._ns(), payload=len(send.data) + IP_AND_UDP)
        self._arm()

    def _count(self, attempt: Attempt) -> None:
        self.on_air["group" if attempt.dst is None else "one"] += attempt.octets

    def _ns(self) -> int:
        return round(self.now * 1e9)

    def _advance(self) -> None:
        for delivery in self.channel.advance(self._ns()):
            source, target = self.names[delivery.src], self.names[delivery.node]
            multicast, data = delivery.frame[:1] == _GROUP, delivery.frame[1:]
            self.at(0.0, partial(self.inject, target, FrameReceived(LINK, address_of(source), multicast, data)))

    def _arm(self) -> None:
        due = self.channel.next_event_ns()
        if due is not None and (self._due is None or due < self._due):
            self._due = due
            self.at(max(0.0, due / 1e9 - self.now), self._woken)

    def _woken(self) -> None:
        self._due = None
        self._advance()
        self._arm()

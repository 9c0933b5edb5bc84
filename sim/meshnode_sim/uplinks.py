"""Bridges over the overlay: who may call whom, and the sessions that run over its paths.

As the daemon has it (meshnode/overlay/system.py): a far bridge is there to be called while the node has any peering at
all, and that is looked at every three seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from meshnode.air.draws import chance
from meshnode.core.ids import NodeKey
from meshnode.core.inputs import (
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    PeerSeen,
    RecordReceived,
    SessionWritable,
)
from meshnode_sim.agenda import AIR, SECOND_NS, Agenda, nanoseconds
from meshnode_sim.host import Host
from meshnode_sim.overlay import Overlay, Peering
from meshnode_sim.scenario import Scenario, schedule_of
from meshnode_sim.streams import OVERLAY, Lines, Streams

FIRST: Final = 2 * OVERLAY.first  # sessions from this number on are ours
LOOK_NS: Final = 3 * SECOND_NS
_PREFIX: Final = "200::"


class Uplinks:
    """The overlay of one world, and its sessions."""

    def __init__(self, scenario: Scenario, agenda: Agenda, hosts: Sequence[Host]) -> None:
        self._agenda = agenda
        self._hosts = hosts
        self._names = scenario.names + scenario.overlay.relays
        self.overlay = Overlay(agenda, _peerings(scenario, self._names), scenario.seed, self._is_on)
        self.streams = Streams(agenda, self._lines(), OVERLAY)
        number = {name: index for index, name in enumerate(scenario.names)}
        pairs = sorted({(number[a], number[b]) for one in scenario.overlay.sessions for a, b in (one, one[::-1])})
        self._seen: dict[tuple[int, int], int] = dict.fromkeys(pairs, 0)  # at which boot of a node it saw the other
        agenda.at(LOOK_NS, AIR, -1, self._look)

    def dial(self, node: int, address: str) -> None:
        """A node calls a far one."""
        self.streams.dial(node, int(address.removeprefix(_PREFIX), 16) - 1)

    def power_off(self, node: int) -> None:
        """A node's sessions end for it, and unannounced for the others."""
        self.streams.power_off(node)

    def report(self) -> dict[str, Any]:
        """What went over the peerings (overlay.py)."""
        return self.overlay.report(self._names)

    def _is_on(self, node: int) -> bool:
        return node >= len(self._hosts) or self._hosts[node].on  # relays always are

    def _look(self) -> None:
        for (node, other), seen in self._seen.items():
            host = self._hosts[node]
            sees = host.on and self.overlay.has_peering(node)
            boots = host.boots if sees else 0
            if boots != seen:
                self._seen[node, other] = boots
                host.give(PeerSeen(_address(other), "overlay", present=sees, uplink=True))
        self._agenda.at(self._agenda.now_ns + LOOK_NS, AIR, -1, self._look)

    def _send(self, src: int, dst: int, packet: bytes, octets: int) -> bool:
        self.overlay.send(src, dst, octets, partial(self.streams.arrived, dst, packet))
        return True

    def _lines(self) -> Lines:
        hosts = self._hosts

        def opened(node: int, session: int, other: int, called: bool) -> None:
            far = NodeKey(hosts[other].keys.node)
            hosts[node].give(EncounterBegan(session, far, "overlay", _address(other), called), other)

        return Lines(
            send=self._send,
            opened=opened,
            failed=lambda node, other: hosts[node].give(DialFailed(_address(other), "no answer")),
            arrived=lambda node, session, data, other: hosts[node].give(RecordReceived(session, data), other),
            writable=lambda node, session, queued: hosts[node].give(SessionWritable(session, queued)),
            ended=lambda node, session: hosts[node].give(EncounterEnded(session)),
        )


def _address(node: int) -> str:
    """The overlay address of a node."""
    return f"{_PREFIX}{node + 1:x}"


def _peerings(scenario: Scenario, names: tuple[str, ...]) -> list[Peering]:
    number = {name: index for index, name in enumerate(names)}
    return [
        Peering(
            number[row.a], number[row.b], row.rate_bps, nanoseconds(row.delay_s), chance(row.loss), schedule_of(row)
        )
        for row in scenario.overlay.links
    ]

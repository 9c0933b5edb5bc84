"""The medium of level `slots`: access to the channel slot by slot, as the standard words it, for up to 300 nodes.

Level `radio` reckons when a countdown will end and corrects itself when somebody talks meanwhile. Here each contender
lives through its slots: at the end of an idle AIFS, and of each idle slot after it, it looks whether it senses anybody,
counts one down, and talks at the boundary where nothing is left to count. A slot in which somebody is sensed is not
counted, and AIFS begins anew when the channel is idle. That costs an event for every slot of every contender, and is
what `radio` is held against in five reference cells (tests/sim/test_slots.py). All else, levels, errors, capture,
acknowledgements, is that of level `radio`.
"""

from __future__ import annotations

from functools import partial

from meshnode.air.airtime import AIFS_NS, SLOT_NS
from meshnode.air.events import Delivery
from meshnode_sim.radio import SENSE_NS, RadioMedium


class SlotMedium(RadioMedium):
    """All radios of one world, on one channel; `access_ns` of a contender is its next slot boundary."""

    def _count_down(self, node: int) -> None:
        radio = self._radios[node]
        self._next_boundary(node, radio.idle_ns + AIFS_NS)

    def _next_boundary(self, node: int, at_ns: int) -> None:
        radio = self._radios[node]
        radio.access_ns = at_ns
        radio.turn += 1
        self.at(at_ns, partial(self._boundary, node, radio.turn))

    def _boundary(self, node: int, turn: int, now_ns: int) -> list[Delivery]:
        """An idle slot has ended, or AIFS; or somebody began so shortly before that it could not be sensed yet."""
        radio = self._radios[node]
        if radio.turn != turn or radio.access_ns != now_ns or not radio.queue:
            return []
        if radio.slots == 0:
            radio.access_ns = -1
            self._talk(node, now_ns)
            return []
        radio.slots -= 1
        if radio.idle_ns > now_ns:
            self._count_down(node)
        else:
            self._next_boundary(node, now_ns + SLOT_NS)
        return []

    def _freeze(self, node: int, now_ns: int, until_ns: int) -> None:
        """The node hears something until then; the slot it is in counts only if it ends before that is sensed."""
        radio = self._radios[node]
        radio.counters.busy_ns += max(0, until_ns - max(now_ns, radio.idle_ns))
        radio.idle_ns = max(radio.idle_ns, until_ns)
        if radio.access_ns > now_ns + SENSE_NS:
            self._count_down(node)

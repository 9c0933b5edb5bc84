"""Three strategies everybody knows, to compare others with. Each is what `gives` and `handed` say; carrier.py does the
rest."""

from __future__ import annotations

from meshnode_sim.agents.buffer import Carried
from meshnode_sim.agents.carrier import Carrier, Peer


class Epidemic(Carrier):
    """Everything to everybody (Vahdat and Becker, 2000): the most that can be delivered, at the highest price."""

    def gives(self, message: Carried, peer: Peer) -> int:
        """Always."""
        return 1


class Direct(Carrier):
    """The writer waits until it meets the reader: one transmission for each message, and the longest wait."""

    def gives(self, message: Carried, peer: Peer) -> int:
        """Only to whom it is for."""
        return int(message.to == peer.persona or (not any(message.to) and message.origin == self.persona))


class SprayAndWait(Carrier):
    """Binary spray and wait (Spyropoulos, Psounis, Raghavendra, 2005): `copies` in all, halved at each meeting."""

    def gives(self, message: Carried, peer: Peer) -> int:
        """Half of what there is; the last copy only to whom it is for."""
        if message.to == peer.persona:
            return 1
        return message.copies // 2

    def handed(self, message: Carried, peer: Peer, copies: int) -> None:
        """Half of the copies are the other's now, the larger half stays; who it is for took no less."""
        message.copies -= message.copies // 2

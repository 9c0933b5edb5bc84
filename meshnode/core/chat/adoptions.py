"""The owner of a log that split says which branch is right (rule 4.9): an ADOPTION block in a person log.

Believed from another device of the same persona that is in use; the split one may be in a thief's hands. And from the
persona root, whose signed statement stands in any person log: who has one device only has no other voice. Whose the
devices are may be known only later, so a few statements wait for the certificates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.fork import ADOPTION_SIZE, Adoption, decode_adoption_untrusted
from meshnode.core.chain.kinds import ADOPTION, acted_upon
from meshnode.core.chat.people import People
from meshnode.core.context import Context
from meshnode.core.identity.adoption import read_adoption_untrusted
from meshnode.core.ids import PERSON_CHANNEL, DeviceKey, PersonaKey, log_channel, log_device
from meshnode.core.trust.rings import Rings
from meshnode.errors import WireError

MAX_WAITING: Final = 64


@dataclass(frozen=True, slots=True)
class Said:
    """A statement and who made it: a device, or the root of `root`."""

    adoption: Adoption
    device: DeviceKey
    root: PersonaKey | None = None


class Adoptions:
    """Statements about logs that split. The node wires `adopt`."""

    def __init__(self, ctx: Context, people: People, rings: Rings) -> None:
        self._ctx = ctx
        self._people = people
        self._rings = rings
        self._waiting: dict[Said, None] = {}
        self.adopt: Callable[[Adoption], None] = _unheard
        rings.on_changed.append(self._person_changed)

    def block_arrived(self, block: Block) -> None:
        """A verified block with its body."""
        if block.kind != ADOPTION or log_channel(block.log) != PERSON_CHANNEL or block.body is None:
            return
        if not acted_upon(block.version, block.kind):
            return
        try:
            said = self._said_untrusted(log_device(block.log), block.body)
        except WireError:
            self._ctx.count("adoption_refused")
            return
        self._judge(said)

    def _said_untrusted(self, writer: DeviceKey, body: bytes) -> Said:
        """What the writer of the log says by the signature of its block, or somebody else by that of a statement."""
        if len(body) == ADOPTION_SIZE:
            return Said(decode_adoption_untrusted(body), writer)
        stated = read_adoption_untrusted(body, self._ctx.sealer)
        adoption = decode_adoption_untrusted(Adoption(stated.log, stated.seq, stated.block).encode())
        return Said(adoption, DeviceKey(stated.signer), stated.persona if stated.by_root else None)

    def _judge(self, said: Said) -> None:
        split = log_device(said.adoption.log)
        whose, speaker = self._rings.persona_of(split), said.root or self._rings.persona_of(said.device)
        if split != said.device and None in (whose, speaker):
            self._waiting[said] = None
            while len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
        elif split == said.device or not speaker or whose != speaker or self._people.is_revoked(said.device, speaker):
            self._ctx.count("adoption_refused")
        else:
            self.adopt(said.adoption)

    def _person_changed(self, persona: PersonaKey) -> None:
        waiting, self._waiting = self._waiting, {}
        for said in waiting:
            self._judge(said)


def _unheard(adoption: Adoption) -> None:
    return None

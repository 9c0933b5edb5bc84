"""The owner of a log that split says which branch is right (rule 4.9): an ADOPTION block in a person log.

Believed from another device of the same persona that is in use; the split one may be in a thief's hands. Whose the two
devices are may be known only later, so a few statements wait for the certificates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.fork import Adoption, decode_adoption_untrusted
from meshnode.core.chain.kinds import ADOPTION, acted_upon
from meshnode.core.chat.people import People
from meshnode.core.context import Context
from meshnode.core.ids import PERSON_CHANNEL, DeviceKey, PersonaKey, log_channel, log_device
from meshnode.core.trust.rings import Rings
from meshnode.errors import WireError

MAX_WAITING: Final = 64


class Adoptions:
    """Statements about logs that split. The node wires `adopt`."""

    def __init__(self, ctx: Context, people: People, rings: Rings) -> None:
        self._ctx = ctx
        self._people = people
        self._rings = rings
        self._waiting: dict[tuple[DeviceKey, Adoption], None] = {}
        self.adopt: Callable[[Adoption], None] = _unheard
        rings.on_changed.append(self._person_changed)

    def block_arrived(self, block: Block) -> None:
        """A verified block with its body."""
        if block.kind != ADOPTION or log_channel(block.log) != PERSON_CHANNEL or block.body is None:
            return
        if not acted_upon(block.version, block.kind):
            return
        try:
            adoption = decode_adoption_untrusted(block.body)
        except WireError:
            self._ctx.count("adoption_refused")
            return
        self._judge(log_device(block.log), adoption)

    def _judge(self, says: DeviceKey, adoption: Adoption) -> None:
        split = log_device(adoption.log)
        whose, speaker = self._rings.persona_of(split), self._rings.persona_of(says)
        if split != says and None in (whose, speaker):
            self._waiting[(says, adoption)] = None
            while len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
        elif split == says or whose != speaker or self._people.is_revoked(says):
            self._ctx.count("adoption_refused")
        else:
            self.adopt(adoption)

    def _person_changed(self, persona: PersonaKey) -> None:
        waiting, self._waiting = self._waiting, {}
        for says, adoption in waiting:
            self._judge(says, adoption)


def _unheard(adoption: Adoption) -> None:
    return None

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
from meshnode.core.chat.ownlogs import OwnLogs
from meshnode.core.chat.people import People
from meshnode.core.clock import created_minutes
from meshnode.core.context import Context
from meshnode.core.identity.adoption import adopt_branch, read_adoption_untrusted
from meshnode.core.ids import PERSON_CHANNEL, DeviceKey, PersonaKey, log_channel, log_device
from meshnode.core.notices import BranchAdopted
from meshnode.core.trust.rings import Rings
from meshnode.errors import UsageError, WireError

MAX_WAITING: Final = 64


@dataclass(frozen=True, slots=True)
class Said:
    """A statement and who made it: a device, or the root of `root`."""

    adoption: Adoption
    device: DeviceKey
    root: PersonaKey | None = None


class Adoptions:
    """Statements about logs that split. The node wires `branches` (what is held past splits of a device's logs) and
    `adopt` (take a statement; where its log split, 0 if that is not known).
    """

    def __init__(self, ctx: Context, logs: OwnLogs, people: People, rings: Rings) -> None:
        self._ctx = ctx
        self._logs = logs
        self._people = people
        self._rings = rings
        self._waiting: dict[Said, None] = {}
        self.branches: Callable[[DeviceKey], list[Adoption]] = _nothing
        self.adopt: Callable[[Adoption], int] = _unheard
        rings.on_changed.append(self._person_changed)

    def adopt_held(self, device: DeviceKey) -> None:
        """The person says: of the logs of this device, what is held here is right. Told to all in our person log."""
        keys = self._ctx.keys
        if self._rings.persona_of(device) != keys.persona:
            raise UsageError("this is no device of your persona; its owner adopts a branch of its history")
        if device == keys.device and not keys.persona_secret:
            raise UsageError("the root key of your persona is not on this device; adopt it where that is")
        branches = self.branches(device)
        if not branches:
            raise UsageError("no history of this device split, as far as this node holds and knows it")
        for adoption in branches:
            self._logs.write(PERSON_CHANNEL, ADOPTION, self._statement(adoption))
            self._accept(adoption)

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
            self._accept(said.adoption)

    def _accept(self, adoption: Adoption) -> None:
        split = self.adopt(adoption)
        if split:
            persona = self._rings.persona_of(log_device(adoption.log))
            self._ctx.notify(BranchAdopted(adoption.log, split, adoption.seq, adoption.id, persona))

    def _statement(self, adoption: Adoption) -> bytes:
        """By the root where we have it: that counts for every device. Else by the block of this device alone."""
        keys = self._ctx.keys
        if not keys.persona_secret:
            return adoption.encode()
        made = created_minutes(self._ctx.clock, self._ctx.now)
        return adopt_branch(
            self._ctx.sealer, keys.persona, keys.persona_secret, adoption.log, adoption.seq, adoption.id, made=made
        )

    def _person_changed(self, persona: PersonaKey) -> None:
        waiting, self._waiting = self._waiting, {}
        for said in waiting:
            self._judge(said)


def _unheard(adoption: Adoption) -> int:
    return 0


def _nothing(device: DeviceKey) -> list[Adoption]:
    return []

"""Adopting one branch of a split log: the root, or another device of the persona, says up to which block it counts.

A fork freezes a log for everyone, so a stolen key that forks at the start would erase a history for good; this
statement unfreezes the true branch up to the block it names.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.identity.statement import (
    ADOPTION,
    check_statement,
    sign_statement,
    statement_fields_untrusted,
)
from meshnode.core.ids import LOG_ID_SIZE, BlockId, DeviceKey, LogId, PersonaKey, log_device
from meshnode.core.ports import Sealer
from meshnode.errors import WireError


@dataclass(frozen=True, slots=True)
class Adoption:
    """`log` counts up to block `block` at `seq`. `signer` is the persona root, or a device yet to be checked."""

    persona: PersonaKey
    signer: bytes
    log: LogId
    seq: int
    block: BlockId
    made: int
    data: bytes

    @property
    def by_root(self) -> bool:
        """Signed by the persona root, so no certificate is needed."""
        return self.signer == self.persona

    @property
    def device(self) -> DeviceKey:
        """The device whose log it is."""
        return log_device(self.log)


def adopt_branch(
    sealer: Sealer, persona: PersonaKey, signer_secret: bytes, log: LogId, seq: int, block: BlockId, *, made: int = 0
) -> bytes:
    """The signer (persona root or another device) adopts the branch of `log` that ends in `block`."""
    signer = sealer.signing_public(signer_secret)
    fields = signer + log + seq.to_bytes(4, "big") + block + made.to_bytes(3, "big")
    return sign_statement(sealer, ADOPTION, persona, fields, signer_secret)


def read_adoption_untrusted(data: bytes, sealer: Sealer) -> Adoption:
    """An adoption signed by the key it names; the forked device itself cannot sign one."""
    what = "an adopted branch"
    persona, cursor = statement_fields_untrusted(data, ADOPTION, what)
    signer, log = cursor.take(32), LogId(cursor.take(LOG_ID_SIZE))
    seq, block, made = cursor.number(4), BlockId(cursor.take(32)), cursor.number(3)
    cursor.end()
    if signer == log_device(log):
        raise WireError("a device cannot choose a branch of its own split log")
    check_statement(sealer, data, signer, what)
    return Adoption(persona, signer, log, seq, block, made, data)

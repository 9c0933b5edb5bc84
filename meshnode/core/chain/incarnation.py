"""A new incarnation: the first block of a device that begins anew names what it knows of its old log (rule 4.11)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from meshnode.core.chain.compact import MAX_SEQ
from meshnode.core.ids import BlockId, Incarnation
from meshnode.errors import WireError

_LAYOUT: Final = Struct(">4sI32s")
NO_BLOCK: Final = BlockId(bytes(32))


@dataclass(frozen=True, slots=True)
class Beginning:
    """The body of an INCARNATION block. `seq` 0 and `NO_BLOCK`: nothing is known of the old log."""

    old: Incarnation
    seq: int = 0
    id: BlockId = NO_BLOCK

    def encode(self) -> bytes:
        """40 B: old incarnation 4 | seq 4 | id 32."""
        return _LAYOUT.pack(self.old, self.seq, self.id)


def decode_beginning_untrusted(body: bytes) -> Beginning:
    """What the device says it came from."""
    if len(body) != _LAYOUT.size:
        raise WireError("an incarnation block has the wrong size")
    old, seq, block = _LAYOUT.unpack(body)
    if seq > MAX_SEQ or (seq == 0) != (block == NO_BLOCK):
        raise WireError("an incarnation block names an impossible block")
    return Beginning(Incarnation(old), seq, BlockId(block))

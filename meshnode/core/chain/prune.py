"""The prune floor: an author's permission to drop bodies below it. Never a duty, never falling, never about headers.

It does not touch what others need to judge the author: person logs, prekeys, vouches, floors, checkpoints and the
statements about forks (rule 4.7). So a stolen key wipes no history elsewhere.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from meshnode.core.chain.kinds import (
    ADOPTION,
    CERTIFICATE,
    CHECKPOINT,
    FLOOR,
    GROUP,
    INCARNATION,
    PREKEY,
    PROFILE,
    REVOCATION,
    VOUCH,
)
from meshnode.core.ids import PERSON_CHANNEL, LogId, log_channel
from meshnode.errors import WireError

UNTOUCHABLE: Final = frozenset(
    {CERTIFICATE, PROFILE, PREKEY, REVOCATION, ADOPTION, FLOOR, CHECKPOINT, INCARNATION, VOUCH, GROUP}
)
_FLOOR: Final = Struct(">I")


def encode_floor(floor: int) -> bytes:
    """The body of a FLOOR block: bodies of seqs below `floor` may go."""
    return _FLOOR.pack(floor)


def decode_floor_untrusted(body: bytes, carrier_seq: int) -> int:
    """The floor a block at `carrier_seq` sets: at most its own seq."""
    if len(body) != _FLOOR.size:
        raise WireError("a floor has the wrong size")
    (floor,) = _FLOOR.unpack(body)
    if floor > carrier_seq:
        raise WireError("a floor lies above the block that sets it")
    return int(floor)


def touchable(log: LogId, kind: int) -> bool:
    """True when a floor, or a full store, may take the body of such a block."""
    return kind not in UNTOUCHABLE and log_channel(log) != PERSON_CHANNEL

"""The kinds of blocks, the lifetimes a block may ask for, and what may be the matter with its body.

A node acts upon the kinds it knows, in version 1; it carries all others and never acts upon them (rule 15.2).
"""

from __future__ import annotations

from typing import Final

BLOCK_VERSION: Final = 1

POST: Final = 1  # text in a channel
CERTIFICATE: Final = 2  # a device belongs to a persona
PROFILE: Final = 3  # how a person wants to be shown
PREKEY: Final = 4  # a key that first messages are sealed to
REVOCATION: Final = 5  # a device is removed
ADOPTION: Final = 6  # one branch of a split log is the right one, up to a named block
FLOOR: Final = 7  # bodies below may go
CHECKPOINT: Final = 8  # Merkle root over the blocks since the last one
INCARNATION: Final = 9  # a device begins anew, naming what it knows of its old logs
MANIFEST: Final = 16  # a post with a file: manifest and words
VOUCH: Final = 17  # reserved: one person vouches for another
GROUP: Final = 18  # reserved: membership of a private channel
TOMBSTONE: Final = 19  # reserved: the author removes a body
EDIT: Final = 20  # reserved: the author words it anew
SENSOR: Final = 21  # reserved: position and telemetry

POSTS: Final = frozenset({POST, MANIFEST})  # what people read in a channel
KNOWN: Final = POSTS | {CERTIFICATE, PROFILE, PREKEY, REVOCATION, ADOPTION, FLOOR, CHECKPOINT, INCARNATION}

DEFAULT_CLASS: Final = 3
EXPIRY_NONE: Final = 0

_HOUR, _DAY = 3600, 86400
_EXPIRY_S: Final = (0, _HOUR, 6 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 90 * _DAY, 365 * _DAY)

# What is known of a body. Only REMOVED stops wanting it for a contact: a stripping relay must not pass for deletion.
BODY_HELD, BODY_MISSING, BODY_DROPPED, BODY_REMOVED = range(4)  # here; wanted; dropped by quota; removed by its author


def acted_upon(version: int, kind: int) -> bool:
    """True for what this version understands; everything else is only carried."""
    return version == BLOCK_VERSION and kind in KNOWN


def expiry_s(code: int) -> int | None:
    """Seconds a block asks to live after its time; None: as long as there is room. Later codes read as none."""
    return _EXPIRY_S[code] if 0 < code < len(_EXPIRY_S) else None

"""Versions: a beacon says the oldest and the newest its sender speaks; two nodes use the newest both speak.

A node speaks its own version and the one before, so neighbours one release apart understand each other. Within a
version, frames of unknown type are skipped and further bytes of a beacon ignored.
"""

from __future__ import annotations

from meshnode.core.wire.frames import OLDEST_VERSION, VERSION, Beacon


def common_version(oldest: int, newest: int, *, our_oldest: int = OLDEST_VERSION, our_newest: int = VERSION) -> int:
    """The newest version both speak, 0 when there is none."""
    best = min(newest, our_newest)
    return best if best >= max(oldest, our_oldest) else 0


def speaks(beacon: Beacon) -> int:
    """The version to speak with the sender of a beacon, 0 when none is common."""
    return common_version(beacon.oldest, beacon.newest)

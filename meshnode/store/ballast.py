"""Five megabytes of disk held back, so that what must be written can be written when others have filled the disk.

A file of that size lies beside the store. While it lies there the disk counts as having room only beyond it; when a
write fails for want of space the file is given up, and the node goes on in it with its own words, chain steps and
receipts alone. Once there is room again the file is laid down anew.
"""

from __future__ import annotations

import os
from pathlib import Path

RESERVE = 5_000_000


class Ballast:
    """The reserve beside one store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lay(self) -> bool:
        """Take the space if the disk has twice as much; True while the reserve is held."""
        if self.held:
            return True
        if self._free() < 2 * RESERVE:
            return False
        try:
            self._fill()
        except OSError:  # filled up between the look and the taking: as good as no room
            self.give_up()
        return self.held

    def give_up(self) -> None:
        """Free the space for what must be written now."""
        self._path.unlink(missing_ok=True)

    @property
    def held(self) -> bool:
        """True if the reserve is there in full."""
        try:
            return self._path.stat().st_size >= RESERVE
        except FileNotFoundError:
            return False

    @property
    def scarce(self) -> bool:
        """True when the disk has nothing left that others may have."""
        return not self.held or self._free() < RESERVE // 5

    def _fill(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE)
        finally:
            os.close(descriptor)

    def _free(self) -> int:
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize

"""Where the service is, and socket paths of any length.

The kernel takes 107 bytes of a path; a directory descriptor under /proc makes it shorter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVICE_HOME = Path("/var/lib/meshnode")
SERVICE_SOCKET = Path("/run/meshnode/control.sock")


@contextmanager
def short(path: Path) -> Iterator[str]:
    """The same socket under a path short enough to bind or connect to, while the block lasts."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)

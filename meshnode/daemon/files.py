"""Small private files, replaced whole: after a power cut there is the old one or the new one, never half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from meshnode.errors import HomeError


def write_private(path: Path, data: bytes) -> None:
    """Replace a file by one of mode 0600 and wait until the disk has it; HomeError leaves the old one as it was."""
    fresh = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:  # which goes on where a write was short
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(fresh, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise HomeError(
            f"{path} cannot be written ({error.strerror}); look at the disk, its owner and mode."
        ) from error


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

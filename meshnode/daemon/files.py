"""Small private files, replaced whole: after a power cut there is the old one or the new one, never half of one."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from meshnode.errors import HomeError, UsageError


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


def open_given(path: Path, flags: int) -> int:
    """A descriptor of the file a person named, which never waits; UsageError for what is no file, like a pipe."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        verb = "written" if flags & os.O_WRONLY else "read"
        raise UsageError(f"{path} cannot be {verb} ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is not a file; a node works with files alone")
    return descriptor

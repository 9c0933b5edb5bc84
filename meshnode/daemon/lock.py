"""One meshnode at a time in a home: a lock the kernel drops when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from meshnode.errors import HomeBusyError, HomeError

LOCK = "lock"  # its file in a home


class Lock:
    """Held from its making until `release`."""

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(f"{path} cannot be opened ({error.strerror}); check the owner and mode of it.") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise HomeBusyError(
                f"Another meshnode (process {holder or 'unknown'}) uses the home {path.parent}; stop it first."
            ) from None
        with suppress(OSError):  # who holds it is worth knowing, but not worth failing for on a full disk
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another one in."""
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """True while some process has the lock, as far as one may look."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False

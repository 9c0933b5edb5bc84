"""What systemd is told: ready, how things stand, still alive, stopping. Silent where nobody listens."""

from __future__ import annotations

import os
from typing import Any

from sdnotify import SystemdNotifier


class Systemd:
    """The notify socket of the service, if there is one. `silent`: for a node that is a part of another."""

    def __init__(self, *, silent: bool = False) -> None:
        self._notifier: Any = None
        if os.environ.get("NOTIFY_SOCKET") and not silent:
            self._notifier = SystemdNotifier()  # type: ignore[no-untyped-call]
        self.watchdog_s = None if silent else _watchdog_s()

    def ready(self, status: str) -> None:
        """The node runs."""
        self._tell(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """The loop went round."""
        if self.watchdog_s is not None:
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The node ends."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Nothing more will be told."""
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()

    def _tell(self, what: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(what)


def _watchdog_s() -> float | None:
    """How often to say that the loop lives: a third of the time systemd waits, None if it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    asked = os.environ.get("WATCHDOG_USEC", "")
    return int(asked) / 3e6 if asked.isdigit() and int(asked) > 0 else None

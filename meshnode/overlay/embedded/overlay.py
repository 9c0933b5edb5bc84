"""The embedded node as the overlay of a meshnode: the rest cannot tell it from a daemon.

It answers its own admin socket and is asked there like any other, so that peerings, neighbours and status come about in
one way only, and `yggdrasilctl` sees what meshnode sees. What differs: where its TUN is in a namespace, sockets on the
overlay have to be made there.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio

from meshnode.core.inputs import Input
from meshnode.core.ports import Entropy
from meshnode.errors import OverlayError
from meshnode.overlay.admin import Admin
from meshnode.overlay.embedded.host.admin_server import open_admin_socket, serve_admin
from meshnode.overlay.embedded.host.answers import Answers
from meshnode.overlay.embedded.host.engine import Engine, EngineSettings
from meshnode.overlay.peers import PeerBook, write_private
from meshnode.overlay.system import SystemOverlay

_log = structlog.get_logger("overlay")


class EmbeddedOverlay(SystemOverlay):
    """An engine in this process. `mark` is the file of the numbers that must never fall, `admin` the socket's path."""

    backend = "embedded"

    def __init__(self, settings: EngineSettings, entropy: Entropy, *, mark: Path, admin: Path, book: PeerBook) -> None:
        super().__init__((f"unix://{admin}",), book)
        self._mark, self._admin_path = mark, admin
        self._engine = Engine(settings, entropy, _read_mark(mark), self._keep)

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; OverlayError with the setting to change where there can be no TUN."""
        listener = open_admin_socket(self._admin_path)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._engine.run)
                nursery.start_soon(trio.serve_listeners, partial(serve_admin, Answers(self._engine)), [listener])
                await super().run(inputs, task_status=task_status)
        finally:
            listener.socket.close()
            self._admin_path.unlink(missing_ok=True)

    def where(self) -> tuple[str, str]:
        """Interface and address for sessions; no interface where the TUN is the only one its sockets can see."""
        interface, address = super().where()
        return ("", address) if self._holder() else (interface, address)

    def status(self) -> Mapping[str, object]:
        """For `status`; the process that holds the namespace, if there is one."""
        return {**super().status(), "holder_pid": self._holder()}

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """Drop the peerings over these interfaces, and make none there until told otherwise."""
        super().stay_off(interfaces)
        self._engine.stay_off(interfaces)

    async def _drop(self, admin: Admin, row: Mapping[str, Any], interface: str) -> None:
        """Here those that others opened can be closed, too."""
        await super()._drop(admin, row, interface)
        self._engine.let_go(str(row["remote"]))

    def socket(self, family: int, kind: int) -> socket.socket:
        """A socket that sees the overlay; OverlayError while there is none."""
        if self._engine.tun is None:
            raise OverlayError("The overlay does not run yet.")
        return self._engine.tun.socket(family, kind)

    def _holder(self) -> int:
        return self._engine.tun.holder_pid if self._engine.tun else 0

    def _keep(self, number: int) -> None:
        try:
            write_private(self._mark, str(number).encode())
        except OverlayError as error:  # a full disk must not end the overlay; the clock may do without
            _log.warning("the overlay's numbers are not kept", why=str(error))


def _read_mark(mark: Path) -> int:
    """What was written last; 0 where there is nothing to read."""
    try:
        return int(mark.read_text())
    except (OSError, ValueError):
        return 0

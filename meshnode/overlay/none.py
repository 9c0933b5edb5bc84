"""No overlay: sessions run over the link alone."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from meshnode.core.inputs import Input
from meshnode.errors import OverlayError


class NoOverlay:
    """Says why there is none."""

    def __init__(self, detail: str = "Switched off: sessions run over the link alone.") -> None:
        self._detail = detail

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Do nothing until cancelled."""
        task_status.started()
        await trio.sleep_forever()

    def where(self) -> tuple[str, str]:
        """Nowhere."""
        return "", ""

    def status(self) -> Mapping[str, object]:
        """For `status`."""
        return {
            "backend": "none",
            "state": "off",
            "address": "",
            "public_key": "",
            "interface": "",
            "version": "",
            "detail": self._detail,
            "peers": [],
        }

    def is_uplink(self, address: str) -> bool:
        """Nobody is."""
        return False

    async def add_peer(self, uri: str) -> None:
        """There is nothing to peer."""
        raise OverlayError("This node runs without Yggdrasil; start it with --overlay system to peer.")

    async def remove_peer(self, uri: str) -> None:
        """There is nothing to peer."""
        raise OverlayError("This node runs without Yggdrasil; it has no peerings.")

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """There is nothing to drop."""

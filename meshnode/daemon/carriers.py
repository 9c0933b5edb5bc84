"""What carries a node's frames: the real ones for `run`, and none at all for a command that only opens its home."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import trio

from meshnode.config import Config
from meshnode.daemon.adapters import Inputs, Overlay, Started
from meshnode.daemon.home import Home
from meshnode.daemon.main import Carriers
from meshnode.errors import LinkError, OverlayError, UsageError
from meshnode.peering.interface import read_interface
from meshnode.peering.multicast import UdpLink
from meshnode.peering.tcp import TcpSessions

HALOW_DRIVERS = ("morse", "mm6108", "mm81x", "nrc", "hgic")  # how their names begin: Morse Micro, Newracom, Taixin


class NoSessions:
    """`adapters.Sessions` where nobody can be met."""

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Nothing happens."""
        task_status.started()
        await trio.sleep_forever()

    def dial(self, address: str, carrier: str, link: str) -> None:
        """Nobody is called."""

    def send(self, session: int, data: bytes) -> None:
        """There is no session."""

    def hangup(self, session: int) -> None:
        """There is no session."""

    async def close_all(self) -> None:
        """There is no session."""
        await trio.lowlevel.checkpoint()


class NoOverlay:
    """`adapters.Overlay` where there is none: the link alone."""

    def __init__(self, detail: str = "link only, as asked") -> None:
        self._detail = detail

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Nothing happens."""
        task_status.started()
        await trio.sleep_forever()

    def status(self) -> Mapping[str, object]:
        """For `status`."""
        return {"backend": "none", "address": "", "public_key": "", "peers": [], "detail": self._detail}

    async def add_peer(self, uri: str) -> None:
        """There is nothing to peer with."""
        raise OverlayError("this node runs without an overlay; start it with --overlay system to peer with Yggdrasil")

    async def remove_peer(self, uri: str) -> None:
        """There is nothing to forget."""
        raise OverlayError("this node runs without an overlay; it has no peerings")


def no_carriers() -> Carriers:
    """For a command that works on a home: the node hears nobody and reaches nobody."""
    return Carriers((), NoSessions(), NoOverlay())


def real_carriers(home: Home) -> Carriers:
    """What the configuration of a home asks for."""
    config = home.config
    interface = chosen_interface(config)
    link = UdpLink(interface, config.link_settings(), port=config.link.port) if interface else None
    overlay = chosen_overlay(home, interface)
    sessions = TcpSessions(
        home.keys,
        home.mesh,
        home.sealer,
        home.entropy,
        link=link.where if link else None,
        overlay=getattr(overlay, "where", None),
        link_port=config.link.port,
        overlay_port=config.overlay.port,
    )
    return Carriers((link,) if link else (), sessions, overlay)


def chosen_interface(config: Config) -> str:
    """The interface named, else the one HaLow interface there is; empty where the overlay shall do alone."""
    if config.link.interface:
        return config.link.interface
    found = halow_interfaces()
    if len(found) == 1:
        return found[0]
    if not found and config.overlay.backend == "system":
        return ""
    seen = f"there are several HaLow interfaces ({', '.join(found)})" if found else "no HaLow interface is found"
    raise LinkError(f"{seen}; name the one to use: meshnode run --interface IF")


def halow_interfaces() -> list[str]:
    """Interfaces whose driver is that of a HaLow radio."""
    found = (read_interface(name) for _, name in socket.if_nameindex())
    return [one.name for one in found if one is not None and one.driver.startswith(HALOW_DRIVERS)]


def chosen_overlay(home: Home, interface: str) -> Overlay:
    """The overlay the configuration asks for."""
    if home.config.overlay.backend == "none":
        return NoOverlay()
    raise UsageError("the overlay is not there yet")

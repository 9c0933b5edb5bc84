"""The page as a part of the daemon: its sockets, its application, and what lives as long as they do."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Network, ip_address
from pathlib import Path
from typing import Final

import structlog
import trio

from meshnode.config import WebSection
from meshnode.errors import ConfigError
from meshnode.web.app import Site, application
from meshnode.web.authority import Subject
from meshnode.web.box import Box
from meshnode.web.foreign import Foreign
from meshnode.web.hub import Hubs
from meshnode.web.logins import Logins, Patience
from meshnode.web.past import Past
from meshnode.web.secure import Secure
from meshnode.web.server import Server, listening
from meshnode.web.spool import BACKUPS, Spool

HTTP: Final = 80
RESTORES: Final = "restores"  # the folder for backups that are to be restored, beside that of uploads
OVERLAY: Final = IPv6Network("200::/7")

_log = structlog.get_logger("web")


class WebPage:
    """`socket`: where the box is asked; `spool`: a folder for uploads; `authority`: a file for what makes it secure.

    `mark` tells its cookie from others' here.
    """

    def __init__(
        self,
        socket: Path,
        spool: Path,
        authority: Path,
        name: str,
        mark: str,
        config: WebSection,
        unix_now: Callable[[], float],
    ) -> None:
        check_addresses(config.addresses)
        check_names(config.names)
        self._foreign = Foreign(config.origins)
        subject = Subject(name, config.names, config.addresses)
        self._secure = Secure(authority, subject, config.secure_port, unix_now)
        self._socket = socket
        self._spool = spool
        self._name = name
        self._mark = mark
        self._config = config
        self._unix_now = unix_now
        self._port = config.port

    def addresses(self) -> tuple[str, ...]:
        """What a person may open, once it runs."""
        if not self._port:
            return ()
        return tuple(_home(address, self._port) for address in self._config.addresses)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Who was signed in is not, after a restart."""
        listeners = listening(self._config.addresses, self._port)
        self._port = int(listeners[0].socket.getsockname()[1])
        hubs = Hubs()
        logins, patience = Logins(trio.current_time), Patience(trio.current_time)
        spool = Spool(self._spool, trio.current_time)
        backups = Spool(self._spool.with_name(RESTORES), trio.current_time, BACKUPS)
        await trio.to_thread.run_sync(spool.open)
        await trio.to_thread.run_sync(backups.open)
        past = Past(self._socket, trio.current_time)
        box = Box(self._socket, logins, patience, hubs, spool, backups, past, self._unix_now, self._secure)
        site = Site(self._name, self._home(), self._config.names, f"meshnode-{self._mark}", self._config.origins)
        async with hubs.running(), trio.open_nursery() as nursery:
            nursery.start_soon(past.run)
            nursery.start_soon(spool.tidy)
            nursery.start_soon(backups.tidy)
            _log.info("page", addresses=self.addresses())
            task_status.started()
            app = application(box, site)
            nursery.start_soon(self._secure.run, app, site.home, self._foreign)
            await Server(app).run(listeners)

    def _home(self) -> str:
        """The address to tell phones: the name where that leads here, else the address of the hotspot."""
        if self._port == HTTP and self._config.names:
            return f"http://{self._config.names[0]}/"
        return self.addresses()[-1]


def check_addresses(addresses: tuple[str, ...]) -> None:
    """ConfigError for what is no address of one interface, and for the overlay: all the world may be there."""
    if not addresses:
        raise ConfigError("web.addresses: name one address, for example 127.0.0.1")
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            raise ConfigError(f"web.addresses: {text} is no IP address") from None
        if address.is_unspecified or address.is_multicast:
            raise ConfigError(f"web.addresses: {text} is not the address of one interface; name that of the hotspot")
        if address.version == OVERLAY.version and address in OVERLAY:
            raise ConfigError(f"web.addresses: {text} is on the overlay, where the page is never served")


def check_names(names: tuple[str, ...]) -> None:
    """ConfigError for what no certificate can say; other letters have a form that begins with xn--."""
    for name in names:
        if not name.isascii():
            raise ConfigError(f"web.names: {name} has letters beyond a to z; write its form that begins with xn--")


def _home(address: str, port: int) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}/" if port == HTTP else f"http://{host}:{port}/"

"""The page of a node, where its configuration asks for one and the extra that serves it is installed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshnode.daemon.home import Home
from meshnode.errors import ConfigError

if TYPE_CHECKING:
    from meshnode.web.service import WebPage


SPOOL, AUTHORITY = "uploads", "authority"


def page_of(home: Home, unix_now: Callable[[], float]) -> WebPage:
    """The page of a home's node; ConfigError with what to install where the extra is missing."""
    try:
        from meshnode.web.service import WebPage  # here: its libraries are an extra, and 14 MB
    except ModuleNotFoundError as error:
        raise ConfigError(f"The page needs {error.name}: install meshnode[web], or switch web.enabled off.") from error
    mark = home.keys.node.hex()[:8]
    return WebPage(
        home.control_socket, home.path / SPOOL, home.path / AUTHORITY, home.name, mark, home.config.web, unix_now
    )


def is_here(page: str) -> bool:
    """Whether an interface of this machine has the address of a page now; that of a hotspot comes with it."""
    host = urlsplit(page).hostname or ""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((host, 0))
    except OSError:
        return False
    return True

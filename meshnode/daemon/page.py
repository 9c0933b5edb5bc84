"""The page of a node, where its configuration asks for one and the extra that serves it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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

"""`meshnode run`: the daemon, in the foreground."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.options import COMMON, Common
from meshnode.config import Config
from meshnode.control.notices import Notice, ReadyNotice
from meshnode.errors import UsageError

Backend = Literal["auto", "system", "embedded", "none"]


def run(
    *,
    interface: Annotated[
        str, Parameter(help="Bind to this interface. Default: link.interface, else the one HaLow interface found.")
    ] = "",
    overlay: Annotated[
        Backend | None,
        Parameter(help="Yggdrasil: a system daemon, the embedded node, none, or auto. Default: overlay.backend."),
    ] = None,
    config: Annotated[
        Path | None, Parameter(help="Read this configuration instead of config.toml in the home.")
    ] = None,
    passphrase_file: Annotated[Path | None, Parameter(help="Open the keys with the passphrase in this file.")] = None,
    web: Annotated[
        bool, Parameter(negative="", help="Serve the page for phones. Default: web.enabled. Needs the extra `web`.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Run the node until Ctrl-C or SIGTERM. One line says when it is ready; systemd is told, too.

    Example: meshnode run --interface wlan1
    Example: meshnode run --interface wlan1 --overlay none --json
    Example: meshnode run --interface wlan1 --web
    """
    _load_log()
    import trio

    from meshnode.daemon import logs
    from meshnode.daemon.capture import TappedSealer
    from meshnode.daemon.carriers import real_carriers
    from meshnode.daemon.home import open_home
    from meshnode.daemon.main import serve

    with open_home(common.directory, config_file=config, passphrase_file=passphrase_file) as home:
        home.config = _chosen(home.config, interface, overlay, web)
        home.sealer = TappedSealer()
        logs.set_up(home.config.log)
        listener = _Listener(say.line if common.json else _ready_line)
        with contextlib.suppress(KeyboardInterrupt):
            trio.run(partial(serve, home, real_carriers, listener=listener))


def _load_log() -> None:
    """structlog looks for rich, for tracebacks in colour that our log never has: 5 MB in a process of months."""
    if "rich" in sys.modules or "structlog" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]


def _chosen(config: Config, interface: str, overlay: Backend | None, web: bool) -> Config:
    """The configuration with what the command line says."""
    from msgspec.structs import replace

    link = replace(config.link, interface=interface or config.link.interface)
    backend = overlay or config.overlay.backend
    page = replace(config.web, enabled=web or config.web.enabled)
    return replace(config, link=link, overlay=replace(config.overlay, backend=backend), web=page)


class _Listener:
    """Writes notices to stdout as long as that can be done: a full disk or a reader that left must not end the node."""

    def __init__(self, write: Callable[[Notice], None]) -> None:
        self._write = write
        self._heard = True

    def __call__(self, notice: Notice) -> None:
        if self._heard:
            try:
                self._write(notice)
            except (BrokenPipeError, UsageError):
                self._heard = False
                say.silence()
                say.note(
                    "standard output takes nothing any more; the node goes on, and `meshnode watch` tells what happens"
                )


def _ready_line(notice: Notice) -> None:
    if isinstance(notice, ReadyNotice):
        if notice.interface and notice.interface_state != "up":
            say.note(f"the interface {notice.interface} is {notice.interface_state}; the node waits for it")
        where = f"on {notice.interface}" if notice.interface else "without a link"
        pages = "".join(f", page {address}" for address in notice.web)
        say.out(f"ready: {where}, overlay {notice.overlay_address or 'none'}, home {notice.home}{pages}")

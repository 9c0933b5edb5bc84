"""Peering URIs. The daemon accepts nearly anything and then fails quietly, so they are checked here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from meshnode.errors import UsageError

LONGEST = 1000
# After a failure the daemon doubles its wait up to more than an hour; a mesh that heals is found sooner.
MAX_BACKOFF = "60s"

_PROXIED = ("socks", "sockstls")
_WITH_PORT = ("tcp", "tls", "quic", *_PROXIED)
_WITHOUT_PORT = ("ws", "wss")
_LINK_LOCAL = re.compile("fe[89ab].:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PeerUri:
    """A peering as the daemon tells it apart: the URI without options, and the interface it is bound to."""

    plain: str
    options: str
    interface: str

    @property
    def shown(self) -> str:
        """As a person reads and writes it: the interface as a zone, no options, for they may hold a password."""
        head, bracket, rest = self.plain.partition("]")
        return f"{head}%25{self.interface}{bracket}{rest}" if self.interface else self.plain

    @property
    def dialled(self) -> str:
        """What the daemon is given."""
        options = [option for option in self.options.split("&") if option]
        if not any(option.startswith("maxbackoff=") for option in options):
            options.append(f"maxbackoff={MAX_BACKOFF}")
        return f"{self.plain}?{'&'.join(options)}"


def parse_peer_uri(text: str) -> PeerUri:
    """A peering URI a person gave; UsageError with the reason. A zone (`%25wlan1` or `%wlan1`) names the interface."""
    if len(text) > LONGEST or not text.isprintable() or any(c.isspace() for c in text):
        raise UsageError("A peering is one URI without spaces, for example tls://host:port.")
    plain, _, options = text.partition("?")
    plain, interface = _without_zone(plain.rstrip("/") if plain.count("/") == 3 else plain)
    try:
        parts = urlsplit(plain)
        port = parts.port
        whole = parts.scheme not in _PROXIED or _names_host_and_port(parts.path)
        parse_qsl(options, strict_parsing=bool(options))
    except ValueError as error:
        raise UsageError(f"{text} is no peering URI ({error}); it looks like tls://host:port.") from error
    if parts.scheme == "unix" and parts.path:
        return PeerUri(plain, options, interface)
    if parts.scheme not in (*_WITH_PORT, *_WITHOUT_PORT):
        raise UsageError(f"{text}: Yggdrasil peers over {', '.join((*_WITH_PORT, *_WITHOUT_PORT, 'unix'))}.")
    if not parts.hostname or (port is None and parts.scheme in _WITH_PORT):
        raise UsageError(f"{text} has no host or no port; it looks like tls://host:port.")
    if not whole:
        raise UsageError(f"{text} does not say whom the proxy shall reach: {parts.scheme}://proxy:port/host:port.")
    if _LINK_LOCAL.match(parts.hostname) and not interface:
        raise UsageError(f"{text} is on a link; say on which: {parts.scheme}://[{parts.hostname}%IF]:{port or 443}.")
    return PeerUri(plain, options, interface)


def is_on_link(uri: str) -> bool:
    """True for a peering over a link-local address: a neighbour found there, or named there by a person."""
    return bool(re.match(r"\w+://\[fe[89ab].:", uri, re.IGNORECASE))


def _names_host_and_port(path: str) -> bool:
    far = urlsplit(f"//{path.strip('/')}")
    return bool(far.hostname and far.port)


def _without_zone(plain: str) -> tuple[str, str]:
    """The daemon takes the interface of a link-local peer apart from the URI, a zone in it is not enough."""
    head, percent, tail = plain.partition("%")
    zone, bracket, rest = tail.partition("]")
    if "[" not in head or not percent or not bracket:
        return plain, ""
    return f"{head}]{rest}", zone.removeprefix("25")

"""Over which interface the kernel would reach the far end of a peering.

A peering does not say: it is known for link-local addresses alone, by their zone. For the others the routing table is
asked, which is right as long as nobody binds the daemon's sockets elsewhere.
"""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

_ZONE = re.compile(r"%(?:25)?([^\]%]+)\]")


def interface_to(uri: str, ask_names: bool) -> str:
    """The interface of a peering URI, as getPeers shows it; empty where nobody knows.

    `ask_names`: names may be looked up, which takes long where nobody answers; else only numbers are known.
    """
    if zone := _ZONE.search(uri):
        return zone[1]
    try:
        parts = urlsplit(uri)
        port = parts.port or 0
        flags = 0 if ask_names else socket.AI_NUMERICHOST
        found = socket.getaddrinfo(parts.hostname or "", port, type=socket.SOCK_DGRAM, flags=flags)
        family, _, _, _, place = found[0]
        return _route_of(family, place)
    except (OSError, ValueError):
        return ""


def _route_of(family: int, place: tuple[object, ...]) -> str:
    """A connected datagram socket has asked the table, and has sent nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect(place)
        return _owner(str(asking.getsockname()[0]))


def _owner(address: str) -> str:
    from pyroute2.iproute.linux import IPRoute  # a quarter of a second that a node without a law need not spend

    with IPRoute() as netlink:
        found = netlink.get_addr(address=address)
        return socket.if_indextoname(found[0]["index"]) if found else ""

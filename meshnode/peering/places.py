"""Where link datagrams and sessions live: group, ports and sizes of protocol.md, the same for a whole deployment."""

from __future__ import annotations

LINK_GROUP = "ff02::6d65:7368"  # "mesh" in ASCII: link scope, not assigned to anything else
LINK_PORT = 21026  # UDP for datagrams; TCP for sessions on link-local addresses
OVERLAY_PORT = 21027  # TCP for sessions on the overlay address
STATIC_PORT = 21028  # UDP for datagrams between nodes that name each other's addresses

MAX_DATAGRAM = 1200  # protocol rule 2.5: longer ones are dropped unread
HOP_LIMIT = 255  # a router would have lowered it: what has 255 comes from this link

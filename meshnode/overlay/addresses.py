"""Yggdrasil addresses: what follows from a key, and which addresses are ours to talk to."""

from __future__ import annotations

import ipaddress

NETWORK = ipaddress.IPv6Network("200::/7")
NODES = ipaddress.IPv6Network("200::/8")  # 300::/8 are the /64 of nodes, with any number of hosts each

_BITS = 256


def address_of(key: bytes) -> str:
    """The address in 200::/8 of a node with this 32-byte public key."""
    inverted = int.from_bytes(key, "big") ^ (1 << _BITS) - 1
    # The leading zeros of the key count into one byte; they and the one after them are left out of the rest.
    zeros = _BITS - (inverted ^ (1 << _BITS) - 1).bit_length()
    rest = (inverted << zeros + 1) & (1 << _BITS) - 1
    return str(ipaddress.IPv6Address(bytes((0x02, zeros & 0xFF)) + rest.to_bytes(32, "big")[:14]))


def subnet_of(key: bytes) -> str:
    """The /64 in 300::/8 routed to a node with this public key."""
    packed = ipaddress.IPv6Address(address_of(key)).packed
    return f"{ipaddress.IPv6Address(bytes((0x03,)) + packed[1:8] + bytes(8))}/64"


def is_node_address(address: str) -> bool:
    """True for the text of an address in 200::/8."""
    try:
        return ipaddress.IPv6Address(address) in NODES
    except ValueError:
        return False

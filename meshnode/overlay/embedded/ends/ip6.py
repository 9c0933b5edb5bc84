"""IPv6 packets as the overlay sees them: forty bytes of header, and the two errors a node sends back.

version, class, flow   4      source        16      an error: type, code, checksum (2), a number (4),
length                 2      destination   16                the first 512 bytes of what was refused
next header, hop limit 2
"""

from __future__ import annotations

import struct

HEADER = 40
LEAST_MTU = 1280
QUOTED = 512  # bytes of a refused packet in an error, as the Go daemon has it

_ICMP6 = 58
_TOO_BIG, _UNREACHABLE, _NO_ROUTE = 2, 1, 0
_HOP_LIMIT = 255


def is_ip6(packet: bytes) -> bool:
    """True for what begins like IPv6 and has a whole header."""
    return len(packet) >= HEADER and packet[0] >> 4 == 6


def source_of(packet: bytes) -> bytes:
    """16 bytes."""
    return packet[8:24]


def destination_of(packet: bytes) -> bytes:
    """16 bytes."""
    return packet[24:40]


def too_big(packet: bytes, mtu: int) -> bytes:
    """Packet Too Big for a packet, back to where it came from."""
    return _error(packet, destination_of(packet), _TOO_BIG, 0, mtu)


def unreachable(packet: bytes, reporter: bytes) -> bytes:
    """Destination Unreachable, no route, from a node's own address."""
    return _error(packet, reporter, _UNREACHABLE, _NO_ROUTE, 0)


def is_icmp_error(packet: bytes) -> bool:
    """True for an ICMPv6 error: such are never answered with another (RFC 4443, 2.4)."""
    return packet[6] == _ICMP6 and len(packet) > HEADER and packet[HEADER] < 128


def checksum(source: bytes, destination: bytes, body: bytes, next_header: int = _ICMP6) -> int:
    """The Internet checksum over the pseudo-header of RFC 8200, 8.1, and the body."""
    data = source + destination + struct.pack(">II", len(body), next_header) + body
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _error(packet: bytes, reporter: bytes, kind: int, code: int, number: int) -> bytes:
    quoted, to = packet[:QUOTED], source_of(packet)
    body = struct.pack(">BBHI", kind, code, 0, number) + quoted
    body = body[:2] + checksum(reporter, to, body).to_bytes(2, "big") + body[4:]
    return struct.pack(">IHBB", 6 << 28, len(body), _ICMP6, _HOP_LIMIT) + reporter + to + body

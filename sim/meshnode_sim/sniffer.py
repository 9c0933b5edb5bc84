"""A run as a capture: every datagram that somebody decoded, as UDP, IPv6 and Ethernet, one interface for each node.

The datagram is sealed, as on the air; the packet's comment says who decoded it and which frames are in it. Packets of
sessions have no bytes in virtual time and are left out. The same run gives the same file.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from meshnode.air.channel import Attempt
from meshnode.air.events import Delivery
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.errors import WireError
from meshnode.peering.places import HOP_LIMIT, LINK_GROUP, LINK_PORT
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.host import DAY_ONE
from meshnode_sim.macs import link_local_of, mac_of
from meshnode_sim.pcap import Capture
from meshnode_sim.streams import TAG
from meshnode_sim.world import TO_ALL

_IPV6, _UDP = 0x86DD, 17
_GROUP_MAC: Final = b"\x33\x33" + socket.inet_pton(socket.AF_INET6, LINK_GROUP)[-4:]
_TAG_SIZE: Final = 16  # the last octets of a sealed datagram, by which its plaintext is known


class Sniffer:
    """Listens to a medium and writes what it hears. `plain`: plaintexts by the last octets of their datagram."""

    def __init__(self, path: Path, names: Sequence[str], plain: Mapping[bytes, bytes]) -> None:
        self._capture = Capture(path, names, round(DAY_ONE * SECOND_NS))
        self._plain = plain

    def heard(self, deliveries: list[Delivery]) -> None:
        """Frames that arrived; those of one transmission come in a row."""
        by_transmission: dict[tuple[int, int, bytes], list[int]] = {}
        for one in deliveries:
            if one.frame[0] != TAG:
                by_transmission.setdefault((one.at_ns, one.src, one.frame), []).append(one.node)
        for (at_ns, src, frame), heard_by in by_transmission.items():
            dst = None if frame[:1] == TO_ALL else heard_by[0]
            packet = as_ethernet(src, dst, frame[1:])
            attempt = Attempt(at_ns, src, dst, packet, len(packet), 0, tuple(heard_by))
            self._capture.add(attempt, self._holds(frame))

    def close(self) -> None:
        """Ends the file."""
        self._capture.close()

    def _holds(self, frame: bytes) -> str:
        plaintext = self._plain.get(frame[-_TAG_SIZE:])
        return "" if plaintext is None else described_untrusted(plaintext)


def described_untrusted(plaintext: bytes) -> str:
    """The frames in a datagram, by name."""
    try:
        frames = decode_frames_untrusted(plaintext)
    except WireError as error:
        return f"refused ({error})"
    return ", ".join(type(frame).__name__.removesuffix("Frame").lower() for frame in frames)


def as_ethernet(src: int, dst: int | None, datagram: bytes) -> bytes:
    """What the datagram is on an interface: Ethernet, IPv6, UDP with its checksum."""
    source = socket.inet_pton(socket.AF_INET6, link_local_of(src))
    target = socket.inet_pton(socket.AF_INET6, LINK_GROUP if dst is None else link_local_of(dst))
    length = 8 + len(datagram)
    udp = struct.pack(">4H", LINK_PORT, LINK_PORT, length, 0) + datagram
    checksum = _checksum(source + target + struct.pack(">II", length, _UDP) + udp) or 0xFFFF
    udp = udp[:6] + checksum.to_bytes(2, "big") + udp[8:]
    head = (_GROUP_MAC if dst is None else mac_of(dst)) + mac_of(src) + _IPV6.to_bytes(2, "big")
    return head + struct.pack(">IHBB", 6 << 28, length, _UDP, HOP_LIMIT) + source + target + udp


def _checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

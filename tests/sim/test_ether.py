"""How the lab names nodes and traffic."""

from __future__ import annotations

import socket

import pytest

from meshnode_sim.ether import kind_of
from meshnode_sim.macs import link_local_of, mac_of

UNICAST, GROUP = mac_of(1), b"\x33\x33\x00\x00\x00\x01"


def frame(dst: bytes, protocol: int, first: int = 0) -> bytes:
    return dst + mac_of(0) + b"\x86\xdd" + bytes(6) + bytes([protocol]) + bytes(33) + bytes([first]) + bytes(20)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (frame(UNICAST, socket.IPPROTO_UDP), "udp"),
        (frame(GROUP, socket.IPPROTO_UDP), "udp-group"),
        (frame(UNICAST, socket.IPPROTO_TCP), "tcp"),
        (frame(UNICAST, socket.IPPROTO_ICMPV6, 135), "nd"),
        (frame(UNICAST, socket.IPPROTO_ICMPV6, 128), "icmp"),
        (frame(GROUP, socket.IPPROTO_HOPOPTS), "mld"),
        (frame(UNICAST, 200), "other"),
        (b"", "other"),
        (bytes(60), "other"),
    ],
)
def test_kinds_of_traffic(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


def test_addresses_follow_the_number() -> None:
    assert mac_of(0) == bytes.fromhex("020000000001")
    assert link_local_of(0x1FE) == "fe80::ff:fe00:1ff"

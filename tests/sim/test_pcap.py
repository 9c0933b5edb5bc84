"""Captures: read back, block by block."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from meshnode.air.channel import Attempt
from meshnode.errors import UsageError
from meshnode_sim.pcap import Capture


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        assert length % 4 == 0
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def test_each_attempt_is_a_packet_on_the_interface_of_its_sender(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "c.pcapng", ["mill", "church"], epoch_ns=10**18)
    capture.add(Attempt(at_ns=5, src=1, dst=0, frame=b"x" * 61, octets=85, retry=2, heard_by=(0,)))
    capture.close()
    section, mill, church, packet = blocks((tmp_path / "c.pcapng").read_bytes())
    assert section[0] == 0x0A0D0D0A
    assert (mill[0], church[0], packet[0]) == (1, 1, 6)
    assert b"mill" in mill[1]
    assert b"church" in church[1]
    interface, high, low, captured, original = struct.unpack_from("<5I", packet[1])
    assert (interface, captured, original) == (1, 61, 61)
    assert (high << 32) + low == 10**18 + 5
    assert packet[1][20:81] == b"x" * 61
    assert b"retry 2, 85 octets on air, heard by mill" in packet[1]


def test_a_capture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        Capture(tmp_path / "missing" / "c.pcapng", ["A"], 0)

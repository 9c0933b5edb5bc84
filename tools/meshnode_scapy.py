#!/usr/bin/env python3
"""Dissects meshnode's datagrams with scapy: from a simulated run, from the lab, or from a real interface.

    pip install scapy
    python tools/meshnode_scapy.py line.pcapng          each packet in a line
    python tools/meshnode_scapy.py line.pcapng --show   each packet in full

Works on captures of UDP port 21026 (`meshnode-sim run --pcap`, `meshnode-sim lab --pcap`, tcpdump), which are sealed,
and on those of `meshnode capture`, which are opened. scapy is GPL-2.0: this is a program of its own, imports nothing of
meshnode, and meshnode imports nothing of it. Layouts: docs/protocol.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any, ClassVar

from scapy.all import PcapReader, bind_layers
from scapy.config import conf
from scapy.fields import (
    BitField,
    ByteField,
    PacketListField,
    ShortField,
    StrLenField,
    ThreeBytesField,
    XStrFixedLenField,
    XStrLenField,
)
from scapy.layers.inet import UDP
from scapy.packet import Packet, Raw

PORT = 21026
USER0 = 147
MORE = 0x80  # a length follows the type, and other frames the body


class Datagram(Packet):
    """One sealed datagram: what it shows to everyone."""

    name = "meshnode datagram"
    fields_desc: ClassVar = [
        BitField("version", 1, 5),
        BitField("pairwise", 0, 1),
        BitField("key", 0, 2),
        XStrFixedLenField("sender", b"", 6),
        ThreeBytesField("epoch", 0),
        ThreeBytesField("counter", 0),
        XStrLenField("sealed", b"", length_from=lambda packet: packet.sealed_length),
        XStrFixedLenField("tag", b"", 16),
    ]
    sealed_length = 0

    def pre_dissect(self, data: bytes) -> bytes:
        """What is neither head nor tag is sealed."""
        self.sealed_length = max(0, len(data) - 29)
        return data

    def mysummary(self) -> str:
        """One line."""
        how = "pairwise" if self.pairwise else "mesh"
        place = f"{self.sender.hex()} epoch {self.epoch} counter {self.counter}"
        return f"meshnode {place} {how} {self.sealed_length} B sealed"


class Frame(Packet):
    """A frame whose body is not looked into."""

    fields_desc: ClassVar = [XStrLenField("body", b"", length_from=lambda packet: len(packet.original))]

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        """Nothing follows within one frame."""
        return b"", data


class Echo(Frame):
    """Whom a beacon heard."""

    name = "echo"
    fields_desc: ClassVar = [XStrFixedLenField("neighbour", b"", 2), XStrFixedLenField("nonce", b"", 2)]


class Change(Frame):
    """A head that changed lately."""

    name = "change"
    fields_desc: ClassVar = [XStrFixedLenField("handle", b"", 4), ThreeBytesField("head", 0)]


class Beacon(Frame):
    """0x02."""

    fields_desc: ClassVar = [
        BitField("oldest", 1, 4),
        BitField("newest", 1, 4),
        ByteField("flags", 0),
        XStrFixedLenField("frontier", b"", 8),
        XStrFixedLenField("envelopes", b"", 4),
        BitField("echoes_count", 0, 4),
        BitField("changes_count", 0, 4),
        PacketListField("echoes", [], Echo, count_from=lambda packet: packet.echoes_count),
        PacketListField("changes", [], Change, count_from=lambda packet: packet.changes_count),
    ]


class Fragment(Frame):
    """0x07."""

    fields_desc: ClassVar = [
        XStrFixedLenField("item", b"", 8),
        ByteField("index", 0),
        ByteField("count", 0),
        XStrLenField("data", b"", length_from=lambda packet: len(packet.original) - 10),
    ]


class FragmentWant(Frame):
    """0x08."""

    fields_desc: ClassVar = [XStrFixedLenField("item", b"", 8), ShortField("missing", 0)]


NAMES = {
    0x01: "Hello", 0x02: "Beacon", 0x03: "Delta", 0x04: "Want", 0x05: "Block", 0x15: "Block", 0x06: "Run", 0x16: "Run",
    0x07: "Fragment", 0x08: "FragmentWant", 0x09: "Receipts", 0x0A: "Proofs", 0x0B: "Fork", 0x0C: "RefWant",
    0x0D: "Refs", 0x0E: "Trace", 0x10: "Offer", 0x11: "Need", 0x18: "FileSeek", 0x19: "FileHave", 0x1A: "ChunkWant",
    0x1B: "ChunkPiece", 0x20: "Ranges", 0x21: "Elements", 0x22: "Heads", 0x23: "Done", 0x24: "Took",
    0x25: "SessionBeacon", **{0x40 + n: "Envelope" for n in range(6)},
}  # fmt: skip
KNOWN: dict[int, type[Packet]] = {0x02: Beacon, 0x07: Fragment, 0x08: FragmentWant}


class Plaintext(Packet):
    """An opened datagram: frames in a row, each but the last with its length."""

    name = "meshnode frames"
    fields_desc: ClassVar = [StrLenField("data", b"", length_from=lambda packet: len(packet.original))]

    def frames(self) -> list[tuple[str, Packet]]:
        """Name and contents of each."""
        return [
            (NAMES.get(kind, f"unknown {kind:#04x}"), KNOWN.get(kind, Raw)(body)) for kind, body in split(self.data)
        ]

    def mysummary(self) -> str:
        """One line."""
        return "meshnode " + ", ".join(name for name, _ in self.frames())


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each frame; what is cut off is left out."""
    found, at = [], 0
    while at < len(data):
        kind, at = data[at], at + 1
        if not kind & MORE:
            found.append((kind, data[at:]))
            break
        size, at = varint(data, at)
        found.append((kind & ~MORE, data[at : at + size]))
        at += size
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the low ones first, and where it ends."""
    value = shift = 0
    while at < len(data):
        octet, at = data[at], at + 1
        value |= (octet & 0x7F) << shift
        if not octet & 0x80:
            break
        shift += 7
    return value, at


def bind() -> None:
    """Makes scapy know both layers."""
    bind_layers(UDP, Datagram, dport=PORT)
    conf.l2types.register(USER0, Plaintext)


def main() -> None:
    """Prints a capture."""
    parser = argparse.ArgumentParser(description="Dissect meshnode's datagrams with scapy.")
    parser.add_argument("file", help="a capture: pcap or pcapng")
    parser.add_argument("--show", action="store_true", help="print each packet in full")
    words = parser.parse_args()
    bind()
    kinds: Counter[str] = Counter()
    with PcapReader(words.file) as packets:
        for packet in packets:
            print_packet(packet, words.show)
            kinds.update(layers_of(packet))
    print(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "nothing of meshnode's in it")


def print_packet(packet: Any, whole: bool) -> None:
    """A line, or everything."""
    if not whole:
        print(f"{float(packet.time):.6f} {packet.summary()}")
        return
    packet.show()
    for _, frame in packet.frames() if isinstance(packet, Plaintext) else ():
        frame.show()


def layers_of(packet: Any) -> list[str]:
    """What of ours is in a packet."""
    if isinstance(packet, Plaintext):
        return [name for name, _ in packet.frames()]
    return ["Datagram"] if packet.haslayer(Datagram) else []


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()

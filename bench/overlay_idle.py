"""What a settled pair of overlay nodes says while nobody uses it: the embedded overlay beside yggdrasil-go.

Needs root (namespaces) and yggdrasil. Every shape is a row of nodes peered over plain TCP, `g` Go's and `o` ours, all
watched over the same time; the wire is captured, and each byte goes to the kind of frame it belongs to, to TCP's own
segments, to address resolution, which packets bring about, or to what the kernel says of itself (it solicits routers).
The last is left out of `bytes`: it depends on when the interface came up and on nothing else.

    python bench/overlay_idle.py                           # gg, oo and go, after 90 s of rest, for 500 s: two refreshes
    python bench/overlay_idle.py --shapes oo --seconds 250
"""

from __future__ import annotations

import argparse
import select
import socket
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from common import emit, progress

from meshnode.overlay.embedded.wire.framing import Frames
from meshnode.overlay.embedded.wire.meta import HEAD, meta_size_untrusted
from meshnode.overlay.embedded.wire.varint import uvarint
from overlay import cpu_s, settled
from support import netns
from support.ygg_lab import LabNode

KINDS = ("dummy", "keepalive", "sig_req", "sig_res", "announce", "bloom", "path_lookup", "path_notify", "path_broken",
         "traffic")  # fmt: skip
REST_S = 90.0  # the sessions of the first echo are over
ALL_PROTOCOLS = 0x0003
SO_RCVBUFFORCE = 33  # Python has no name for it
BUFFER = 16 * 1024 * 1024
IPV4, ARP, TCP = 0x0800, 0x0806, 6
OF_THE_KERNEL = "of the kernel"


class Stream:
    """One direction of a TCP connection, cut into the frames of Yggdrasil."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._greeting = b""
        self._frames: Frames | None = None

    def segment(self, number: int, data: bytes) -> tuple[str, Counter[str]]:
        """What a segment is, and the bytes of the frames that are whole with it."""
        if self._next is not None and (number - self._next) & 0x80000000:
            return ("keepalive probe" if len(data) <= 1 else "repeated"), Counter()
        if not data:
            return "acknowledgement", Counter()
        self._next = (number + len(data)) & 0xFFFFFFFF
        return "data", self._framed(data)

    def _framed(self, data: bytes) -> Counter[str]:
        if self._frames is None:
            self._greeting += data
            size = HEAD + meta_size_untrusted(self._greeting[:HEAD])
            if len(self._greeting) < size:
                return Counter()
            self._frames, data = Frames(), self._greeting[size:]
        sizes: Counter[str] = Counter()
        for content in self._frames.feed_untrusted(data):
            sizes[KINDS[content[0]]] += len(uvarint(len(content))) + len(content)
        return sizes


class Wire:
    """All that goes over the first node's interface, in bytes by kind; and how many segments and frames there were."""

    def __init__(self, node: LabNode) -> None:
        with netns.entered(node.namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.socket.bind(("eth0", ALL_PROTOCOLS))
        self.socket.setblocking(False)
        self._streams: dict[bytes, Stream] = {}
        self.bytes: Counter[str] = Counter()
        self.count: Counter[str] = Counter()

    def drain(self) -> None:
        """Take what was captured."""
        while select.select([self.socket], [], [], 0)[0]:
            self._take(self.socket.recv(1 << 17))

    def _take(self, packet: bytes) -> None:
        kind = int.from_bytes(packet[12:14], "big")
        if kind == IPV4 and packet[23] == TCP:
            self._tcp(packet, 14 + 4 * (packet[14] & 15), 14 + int.from_bytes(packet[16:18], "big"))
        else:
            self._add("address resolution" if kind == ARP else OF_THE_KERNEL, len(packet))

    def _tcp(self, packet: bytes, at: int, end: int) -> None:
        stream = self._streams.setdefault(packet[26:34] + packet[at : at + 4], Stream())
        start = at + 4 * (packet[at + 12] >> 4)
        if packet[at + 13] & 2:  # SYN
            return
        what, frames = stream.segment(int.from_bytes(packet[at + 4 : at + 8], "big"), packet[start:end])
        for kind, size in frames.items():
            self._add(kind, size)
        self._add(f"TCP {what}", len(packet) - sum(frames.values()))

    def _add(self, kind: str, size: int) -> None:
        self.bytes[kind] += size
        self.count[kind] += 1


def watched(shapes: list[str], seconds: float, rest: float) -> dict[str, object]:
    """One entry for each shape."""
    with ExitStack() as stack:
        wires: dict[str, Wire] = {}
        rows = {shape: settled(shape, 1280, stack, lambda node, shape=shape: wires.setdefault(shape, Wire(node)))
                for shape in shapes}  # fmt: skip
        listen(wires, rest)
        before = {shape: (wires[shape].bytes.copy(), wires[shape].count.copy(), [cpu_s(n) for n in rows[shape]])
                  for shape in shapes}  # fmt: skip
        listen(wires, seconds)
        return {shape: entry(wires[shape], rows[shape], before[shape], seconds) for shape in shapes}


def listen(wires: dict[str, Wire], seconds: float) -> None:
    """Capture for so long."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        select.select([wire.socket for wire in wires.values()], [], [], left)
        for wire in wires.values():
            wire.drain()


def entry(
    wire: Wire, nodes: list[LabNode], before: tuple[Counter[str], Counter[str], list[float]], seconds: float
) -> dict[str, object]:
    """What was said since `before`."""
    sizes, counts = wire.bytes - before[0], wire.count - before[1]
    return {
        "bytes": sizes.total() - sizes[OF_THE_KERNEL],
        "kinds": {kind: [counts[kind], size] for kind, size in sizes.most_common()},
        "cpu_percent": [round(100 * (cpu_s(n) - then) / seconds, 3) for n, then in zip(nodes, before[2], strict=True)],
    }


def main() -> None:
    """Reads the words and watches."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--shapes", default="gg,oo,go")
    words.add_argument("--seconds", type=float, default=500.0)
    words.add_argument("--rest", type=float, default=REST_S)
    given = words.parse_args()
    progress(f"{given.rest + given.seconds:.0f} s")
    results = watched(given.shapes.split(","), given.seconds, given.rest)
    emit("overlay_idle", {"seconds": given.seconds, "rest_s": given.rest, "mtu": 1280, "peered": "tcp"}, results)


if __name__ == "__main__":
    main()

"""The embedded overlay beside yggdrasil-go, in the same namespaces: TCP through it, echo times, idle cost, memory.

Needs root (namespaces) and yggdrasil. Shapes are rows of nodes, `g` for Go's, `o` for ours, `r` for a program that
only hands bytes on between two sockets, which no carrier can beat: the first and the last are measured, what stands
between carries. Rows take turns run by run, so that a busy machine is unfair to all alike.

    python bench/overlay.py                       # gg go oo ggg gog grg, MTU 1280 and 65535, five runs of 3 s each way
    python bench/overlay.py --grow 10,100,300     # many nodes in one process, without sockets: how cost grows
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import netns
from support.ygg_lab import LabNode, lab, until
from support.ygg_net import Net

KINDS = {"g": "go", "o": "ours", "r": "relay"}
SINK = """
import socket, sys, time
s = socket.socket(socket.AF_INET6); s.bind((sys.argv[1], 5201)); s.listen(1); print("up", flush=True)
c, _ = s.accept(); n, b, t = 0, bytearray(1 << 20), time.time()
while k := c.recv_into(b): n += k
print(n * 8e-6 / (time.time() - t))
"""
SOURCE = """
import socket, sys, time
c = socket.create_connection((sys.argv[1], 5201), 20); e, b = time.time() + float(sys.argv[2]), bytes(1 << 17)
while time.time() < e: c.sendall(b)
"""
RELAY = """
import socket, sys, threading
def hand_on(source, dest):
    room = bytearray(1 << 18)
    while size := source.recv_into(room): dest.sendall(memoryview(room)[:size])
listener = socket.create_server(("0.0.0.0", int(sys.argv[2]))); print("up", flush=True)
one, _ = listener.accept(); two = socket.create_connection((sys.argv[1], int(sys.argv[2])))
threading.Thread(target=hand_on, args=(one, two), daemon=True).start(); hand_on(two, one)
"""


def settled(
    shape: str, mtu: int, stack: ExitStack, first_seen: Callable[[LabNode], object] = lambda node: None
) -> list[LabNode]:
    """A row of nodes that reach each other; `first_seen` is told of the first before anything runs."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    nodes = stack.enter_context(lab([KINDS[kind] for kind in shape], directory))
    first_seen(nodes[0])
    for at, node in enumerate(nodes):
        if node.kind == "relay":
            start_relay(node, nodes[at - 1])
        else:
            node.start([nodes[at - 1].uri("tcp")] if at else [], **{"IfMTU" if node.kind == "go" else "mtu": mtu})
    first, last = nodes[0], nodes[-1]
    until(lambda: first.ping(last.address) and last.ping(first.address), f"{shape} does not settle")
    return nodes


def start_relay(node: LabNode, before: LabNode) -> None:
    """Whoever dials it is talking to the node before."""
    host, _, port = before.uri("tcp").removeprefix("tcp://").rpartition(":")
    node.process = netns.start(node.namespace, [sys.executable, "-c", RELAY, host, port], stdout=subprocess.PIPE)
    node.process.stdout.readline()


def throughput(one: LabNode, two: LabNode, seconds: float) -> float:
    """Mbit/s of one TCP connection."""
    inside = ["ip", "netns", "exec"]
    sink = subprocess.Popen(
        [*inside, two.namespace, sys.executable, "-c", SINK, two.address], stdout=subprocess.PIPE, text=True
    )
    with sink:
        sink.stdout.readline()
        source = [*inside, one.namespace, sys.executable, "-c", SOURCE, two.address, str(seconds)]
        subprocess.run(source, check=True, timeout=60)
        return float(sink.stdout.readline())


def echo_ms(one: LabNode, two: LabNode) -> float:
    """Median round trip of fifty echoes."""
    said = one.run("ping", "-c", "50", "-i", "0.02", two.address).stdout
    return median(float(found) for found in re.findall(r"time=([\d.]+)", said))


def memory_mb(node: LabNode) -> float:
    """Resident memory."""
    status = Path(f"/proc/{pid_of(node)}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def pid_of(node: LabNode) -> int:
    """`ip netns exec` and `env` become the program."""
    return node.process.pid


def cpu_s(node: LabNode) -> float:
    """Seconds of processor so far."""
    fields = Path(f"/proc/{pid_of(node)}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def loaded(shapes: list[str], mtus: list[int], runs: int, seconds: float) -> list[dict[str, object]]:
    """One row for each shape and MTU."""
    rows = []
    for mtu in mtus:
        with ExitStack() as stack:
            rings = {shape: settled(shape, mtu, stack) for shape in shapes}
            there: dict[str, list[float]] = {shape: [] for shape in shapes}
            back: dict[str, list[float]] = {shape: [] for shape in shapes}
            spent: dict[str, list[list[float]]] = {shape: [] for shape in shapes}
            echo = {shape: echo_ms(nodes[0], nodes[-1]) for shape, nodes in rings.items()}
            for _ in range(runs):
                for shape, nodes in rings.items():
                    before = [cpu_s(node) for node in nodes]
                    there[shape].append(throughput(nodes[0], nodes[-1], seconds))
                    back[shape].append(throughput(nodes[-1], nodes[0], seconds))
                    gigabits = (there[shape][-1] + back[shape][-1]) * seconds / 1000
                    spent[shape].append(
                        [(cpu_s(node) - past) / gigabits for node, past in zip(nodes, before, strict=True)]
                    )
            for shape, nodes in rings.items():
                rows.append(
                    {
                        "shape": shape,
                        "mtu": mtu,
                        "mbit_s": [round(median(there[shape])), round(median(back[shape]))],
                        "runs": [[round(one) for one in runs_of[shape]] for runs_of in (there, back)],
                        "cpu_s_per_gigabit": [round(median(of_node), 2) for of_node in zip(*spent[shape], strict=True)],
                        "echo_ms": round(echo[shape], 2),
                        "memory_mb": {f"{n.kind} {n.number}": round(memory_mb(n)) for n in nodes},
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    return rows


def grow(count: int) -> None:
    """A random network of so many: settled, left alone, and then asked for paths. Once by the clock, once counted."""
    before = own_memory_kb()
    net, row = grown(count)
    row["memory_kb_per_node"] = round((own_memory_kb() - before) / count)
    row["places_known_most"] = max(len(member.node.router.places) for member in net.members)
    row["deepest"] = max(len(member.node.router.coords()) for member in net.members)
    choose = random.Random(count)
    pairs = [tuple(choose.sample(net.members, 2)) for _ in range(50)]
    row["first_packets_lost_of_50"] = sum(bool(net.exchange([pair])) for pair in pairs)
    with cProfile.Profile() as profile:
        grown(count)
    row["calls_per_node"] = round(pstats.Stats(profile).total_calls / count)
    print(json.dumps(row), flush=True)


def grown(count: int) -> tuple[Net, dict[str, object]]:
    """The network after 60 s in which it settles, and 240 at rest."""
    choose, net = random.Random(count), Net(count)
    for at, member in enumerate(net.members[1:], 1):
        net.join(net.members[choose.randrange(max(0, at - 20), at)], member)
    for _ in range(count // 2):
        at = choose.randrange(count - 1)
        net.join(net.members[at], net.members[choose.randrange(at + 1, min(count, at + 20))])
    began = time.process_time()
    net.run(60)
    settling, frames, size = time.process_time() - began, said(net)[0], said(net)[1]
    net.run(240)
    quiet = time.process_time() - began - settling
    return net, {
        "nodes": count,
        "cpu_ms_per_node_to_settle": round(1000 * settling / count, 1),
        "frames_per_node_to_settle": round(frames / count),
        "bytes_per_node_to_settle": round(size / count),
        "cpu_percent_per_node_at_rest": round(100 * quiet / count / 240, 3),
        "bytes_per_node_and_minute_at_rest": round((said(net)[1] - size) / count / 4),
    }


def said(net: Net) -> tuple[int, int]:
    """Frames and bytes over all links so far."""
    return sum(cable.count for cable in net.cables), sum(cable.size for cable in net.cables)


def own_memory_kb() -> int:
    """Resident memory of this process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def main() -> None:
    """Reads the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--shapes", default="gg,go,oo,ggg,gog,grg")
    words.add_argument("--mtus", default="1280,65535")
    words.add_argument("--runs", type=int, default=5)
    words.add_argument("--seconds", type=float, default=3.0)
    words.add_argument("--grow", default="", help="networks of so many nodes in one process instead")
    given = words.parse_args()
    if given.grow:
        for count in given.grow.split(","):
            grow(int(count))
    else:
        loaded(given.shapes.split(","), [int(mtu) for mtu in given.mtus.split(",")], given.runs, given.seconds)


if __name__ == "__main__":
    main()

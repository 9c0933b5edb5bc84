"""What TCP gets through the overlay over a slow and lossy link: the embedded overlay beside yggdrasil-go.

Needs root (namespaces), nft, tc and yggdrasil. Pairs of two of Go's, two of ours, and one of each, every one at MTU
1280 and at 65535, each on a link of its own: a token bucket in both directions with room for about a second, and
packets dropped at random. All run at the same time, first one way and then the other. A link that ends while it is
watched has flapped.

    python bench/overlay_slow.py                     # 150 kbit/s, 5 % loss, two minutes each way
    python bench/overlay_slow.py --loss 0 --rate 300
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from common import emit, progress

from overlay import settled
from support import netns
from support.ygg_lab import LabNode

SHAPES, MTUS = ("gg", "oo", "go"), (1280, 65535)
HEADROOM_S = 15.0  # TCP through it finds its pace
QUEUE_S = 1.0
LOSSY = """
table inet air {{
  chain input {{ type filter hook input priority 0; iifname "eth0" numgen random mod 100 < {} drop; }}
}}
"""
SINK = """
import socket, sys, time
s = socket.socket(socket.AF_INET6); s.bind((sys.argv[1], 5201)); s.listen(1); print("up", flush=True)
c, _ = s.accept(); c.recv(1); starts = time.monotonic() + float(sys.argv[3]); n = 0
while (now := time.monotonic()) < starts + float(sys.argv[2]):
    c.settimeout(max(0.001, starts + float(sys.argv[2]) - now))
    try: size = len(c.recv(1 << 16))
    except TimeoutError: break
    if not size: break
    n += size if time.monotonic() >= starts else 0
print(n * 8e-3 / float(sys.argv[2]))
"""
SOURCE = """
import socket, sys
c = socket.create_connection((sys.argv[1], 5201), 30); c.settimeout(None)
while True: c.sendall(bytes(1 << 14))
"""


def make_slow(node: LabNode, rate_kbit: int, loss: int) -> None:
    """Its side of the link: what leaves waits for tokens, what comes is lost now and then."""
    netns.ip("-n", node.namespace, "link", "set", "dev", "eth0", "gso_max_segs", "1")  # packets as radios see them
    room = round(rate_kbit * 125 * QUEUE_S)
    words = f"tc qdisc add dev eth0 root tbf rate {rate_kbit}kbit burst 3000 limit {room}".split()
    for done in (node.run(*words), node.run("nft", "-f", "-", input=LOSSY.format(loss))):
        if done.returncode:
            raise RuntimeError(done.stderr.strip())


class Trial:
    """One pair at one MTU."""

    def __init__(self, nodes: list[LabNode]) -> None:
        self.nodes = nodes
        self._uptime = 0.0
        self._sink: subprocess.Popen[str] | None = None
        self._source: subprocess.Popen[bytes] | None = None

    def begin(self, back: bool, seconds: float) -> None:
        """Send one way."""
        source, dest = reversed(self.nodes) if back else self.nodes
        self._uptime = uptime(self.nodes[1])
        self._sink = netns.start(
            dest.namespace, [sys.executable, "-c", SINK, dest.address, str(seconds), str(HEADROOM_S)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._sink.stdout.readline()
        self._source = netns.start(source.namespace, [sys.executable, "-c", SOURCE, dest.address],
                                   stderr=subprocess.DEVNULL)  # fmt: skip

    def end(self) -> tuple[float, bool]:
        """kbit/s that arrived, and if the link was another afterwards."""
        said = self._sink.communicate()[0]
        self._source.kill()
        self._source.wait()
        return round(float(said), 1), uptime(self.nodes[1]) < self._uptime


def uptime(node: LabNode) -> float:
    """Seconds since the link is up; 0 while it is not."""
    return max((row["uptime"] for row in node.ask("getPeers")["peers"] if row["up"]), default=0.0)


def measured(rate_kbit: int, loss: int, seconds: float) -> dict[str, object]:
    """One entry for each pair and MTU."""
    with ExitStack() as stack:
        trials = {f"{shape} {mtu}": Trial(settled(shape, mtu, stack)) for mtu in MTUS for shape in SHAPES}
        for trial in trials.values():
            for node in trial.nodes:
                make_slow(node, rate_kbit, loss)
        results: dict[str, dict[str, object]] = {name: {"kbit_s": [], "flaps": 0} for name in trials}
        for back in (False, True):
            progress("back" if back else "there")
            for trial in trials.values():
                trial.begin(back, seconds)
            for name, trial in trials.items():
                kbit_s, flapped = trial.end()
                results[name]["kbit_s"].append(kbit_s)
                results[name]["flaps"] += flapped
        return results


def main() -> None:
    """Reads the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rate", type=int, default=150, help="kbit/s")
    words.add_argument("--loss", type=int, default=5, help="per cent")
    words.add_argument("--seconds", type=float, default=120.0)
    given = words.parse_args()
    results = measured(given.rate, given.loss, given.seconds)
    best = max(sum(results[f"gg {mtu}"]["kbit_s"]) for mtu in MTUS)
    for entry in results.values():
        entry["of_go_at_its_better_mtu"] = round(sum(entry["kbit_s"]) / best, 2) if best else None
    emit("overlay_slow", vars(given), results)


if __name__ == "__main__":
    main()

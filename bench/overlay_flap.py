"""Ten minutes of four overlay nodes of both kinds over tcp, tls and multicast: no link may end, no echo be lost.

Needs root (namespaces) and yggdrasil. The shape is that of the long trial in
`tests/overlay/embedded/test_interop_soak.py`: Go's and ours in turns, each pair of neighbours over tcp or tls or both,
the first two also by multicast. One echo every half second crosses all four. Once a minute a line of the transcript:
echoes so far, links up, and what has ended since. Ends with 1 if anything did.

    python bench/overlay_flap.py
    python bench/overlay_flap.py --minutes 60
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from common import emit, progress

from support import netns
from support.ygg_lab import LabNode, all_ping, lab

KINDS = ("go", "ours", "go", "ours")
ECHO_EVERY_S = 0.5
LATE_S = 5  # how much younger than the time that passed a link may seem: answers come when they come


def started(nodes: list[LabNode]) -> None:
    """All of them, peered and reachable."""
    one, two, three, four = nodes
    one.start(multicast=True)
    two.start([one.uri("tcp"), one.uri("tls")], multicast=True)
    three.start([two.uri("tcp"), two.uri("tls")])
    four.start([three.uri("tcp"), two.uri("tls")])
    all_ping(nodes)


def uptimes(nodes: list[LabNode]) -> dict[str, float]:
    """Seconds since each link came up, by the two who see it."""
    return {
        f"{node.kind} {node.number} {row['remote']}": row["uptime"]
        for node in nodes
        for row in node.ask("getPeers")["peers"]
        if row["up"]
    }


def ended(before: dict[str, float], now: dict[str, float], passed: float) -> list[str]:
    """Links that are gone or younger than they should be."""
    return [link for link, up in before.items() if now.get(link, 0) < up + passed - LATE_S]


def watched(nodes: list[LabNode], minutes: int) -> dict[str, object]:
    """Echoes and links until the time is over; a line a minute."""
    count = round(minutes * 60 / ECHO_EVERY_S)
    command = ["ping", "-c", str(count), "-i", str(ECHO_EVERY_S), "-W", "5", nodes[-1].address]
    before, began = uptimes(nodes), time.monotonic()
    gone: set[str] = set()
    with netns.start(nodes[0].namespace, command, stdout=subprocess.PIPE, text=True) as echoes:
        answers, minute = 0, 0
        for line in echoes.stdout:
            answers += "time=" in line
            passed = time.monotonic() - began
            if passed >= 60 * (minute + 1):
                minute += 1
                now = uptimes(nodes)
                gone |= set(ended(before, now, passed))
                progress(
                    f"{minute:3d} min  {answers} echoes  {len(now)} ends of links up  ended: {sorted(gone) or 'none'}"
                )
            if found := re.search(r"(\d+) packets transmitted, (\d+) received", line):
                sent, heard = map(int, found.groups())
    gone |= set(ended(before, uptimes(nodes), time.monotonic() - began))
    return {"echoes": sent, "lost": sent - heard, "ends_of_links": len(before), "ended": sorted(gone)}


def main() -> None:
    """Reads the words and watches."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--minutes", type=int, default=10)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as directory, lab(KINDS, Path(directory)) as nodes:
        started(nodes)
        seen = watched(nodes, given.minutes)
    emit("overlay_flap", {"nodes": KINDS, "minutes": given.minutes}, seen)
    if seen["lost"] or seen["ended"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""How long a torn overlay needs until all reach all again: nodes of both kinds beside a network of Go's alone.

Needs root (namespaces), nft and yggdrasil. The networks have the same keys and the same links, and the same links are
cut at the same moment in each, silently: packets of the pair are dropped, nobody is told. In a round two links go that
are not needed and come back later; then everything between three nodes and the rest goes, and comes back. All the while
each node sends each other one a datagram every half second. A pair is out while two in a row or more are lost; a
network has healed when the last pair was out for the last time.

    python bench/overlay_heal.py                           # ten nodes, three rounds, ten minutes
    python bench/overlay_heal.py --nodes 6 --rounds 1 --wait 30
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from common import emit, progress

from support import netns
from support.ygg_lab import LabNode, all_ping, lab

KINDS = ("ours", "go")
EVERY_S = 0.5
PROBER = """
import json, socket, sys, threading, time
me, addresses, every = int(sys.argv[1]), json.loads(sys.argv[2]), float(sys.argv[3])
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind((addresses[me], 5300))
sent, got = [[] for _ in addresses], [[] for _ in addresses]
def hear():
    while True:
        who, number = map(int, s.recv(100).split())
        got[who].append(number)
def speak():
    due = time.monotonic()
    while True:
        for at, address in enumerate(addresses):
            if at != me:
                try: s.sendto(b"%d %d" % (me, len(sent[at])), (address, 5300))
                except OSError: pass
                sent[at].append(time.monotonic())
        due += every
        time.sleep(max(0, due - time.monotonic()))
for work in (hear, speak): threading.Thread(target=work, daemon=True).start()
sys.stdin.readline()
print(json.dumps([[list(row) for row in sent], [list(row) for row in got]]))
"""
FIREWALL = """
table inet cuts {
  set gone { type ipv4_addr; }
  chain input { type filter hook input priority 0; ip saddr @gone drop; }
}
"""

Links = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something was cut or restored, at a time of the monotonic clock."""

    what: str
    at: float


class Network:
    """Nodes of some kinds with given links."""

    def __init__(self, nodes: list[LabNode], links: Links) -> None:
        self.nodes = nodes
        self._links = links
        self._probers: list[subprocess.Popen[str]] = []
        self.events: list[Event] = []

    def start(self) -> None:
        """Nodes, and who watches them, once all reach all."""
        for at, node in enumerate(self.nodes):
            node.run("nft", "-f", "-", input=FIREWALL)
            node.start([self.nodes[below].uri("tcp") for below, above in self._links if above == at])

    def watch(self) -> None:
        """Send and count from now on."""
        all_ping(self.nodes, 100)
        addresses = json.dumps([node.address for node in self.nodes])
        self._probers = [
            netns.start(node.namespace, [sys.executable, "-c", PROBER, str(at), addresses, str(EVERY_S)],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for at, node in enumerate(self.nodes)
        ]  # fmt: skip

    def cut(self, links: Links) -> None:
        """No packet passes these any more."""
        self._tell("add", links)

    def restore(self, links: Links) -> None:
        """They do again."""
        self._tell("delete", links)

    def _tell(self, what: str, links: Links) -> None:
        for one, two in links:
            for here, there in ((one, two), (two, one)):
                rule = f"{what} element inet cuts gone {{ 10.9.0.{there + 1} }}"
                done = self.nodes[here].run("nft", rule)
                if done.returncode:
                    raise RuntimeError(f"nft {rule}: {done.stderr.strip()}")

    def healed(self) -> dict[str, list[float]]:
        """Seconds from each event until nobody was out any more, by kind; at most until the next one."""
        outages, told = self._lost(), dict[str, list[float]]()
        ends = [*(event.at for event in self.events[1:]), time.monotonic()]
        for event, end in zip(self.events, ends, strict=True):
            late = [min(last, end) - event.at for first, last in outages if first < end and last > event.at]
            told.setdefault(event.what, []).append(round(max(late, default=0.0), 1))
        return told

    def _lost(self) -> list[tuple[float, float]]:
        """When two datagrams in a row or more were lost between a pair: from the first to the last of them."""
        said = [json.loads(prober.communicate("\n", timeout=60)[0]) for prober in self._probers]
        return [
            outage
            for one, (sent, _) in enumerate(said)
            for two, (_, got) in enumerate(said)
            if one != two
            for outage in _outages(sent[two], set(got[one]))
        ]


def _outages(sent: list[float], got: set[int]) -> Iterator[tuple[float, float]]:
    lost: list[float] = []
    for number, at in enumerate(sent[: max(got, default=-1) + 1] if got else sent):
        if number not in got:
            lost.append(at)
            continue
        if len(lost) > 1:
            yield lost[0], lost[-1]
        lost = []
    if len(lost) > 1:
        yield lost[0], lost[-1]


# -------------------------------------------------------------------- what is cut


def a_shape(count: int, choose: random.Random) -> Links:
    """A random tree, and half as many links again."""
    links = {(choose.randrange(at), at) for at in range(1, count)}
    while len(links) < count - 1 + count // 2:
        one, two = sorted(choose.sample(range(count), 2))
        links.add((one, two))
    return sorted(links)


def reached(start: int, links: Links) -> set[int]:
    """Whom one reaches over links."""
    found, look = {start}, [start]
    while look:
        at = look.pop()
        for link in links:
            if at in link and (other := sum(link) - at) not in found:
                found.add(other)
                look.append(other)
    return found


def spare(count: int, links: Links, choose: random.Random) -> Links:
    """Two links without which all still reach all."""
    while True:
        gone = choose.sample(links, 2)
        if len(reached(0, [link for link in links if link not in gone])) == count:
            return gone


def border(links: Links, choose: random.Random) -> Links:
    """All links between three nodes that hang together and the rest."""
    inside = set(choose.choice(links))
    near = sorted({other for link in links for other in link if inside & set(link)} - inside)
    inside.add(choose.choice(near))
    return [link for link in links if len(inside & set(link)) == 1]


def disturb(networks: Sequence[Network], count: int, links: Links, given: argparse.Namespace) -> None:
    """Cut and restore in all networks at once. Cuts last differently long: who dials again does so in a rhythm."""
    choose = random.Random(given.seed)
    for number in range(given.rounds):
        for what, gone in (("two links", spare(count, links, choose)), ("three nodes", border(links, choose))):
            for done, tell in (("cut", Network.cut), ("back", Network.restore)):
                progress(f"round {number + 1}: {what} {done}")
                for network in networks:
                    network.events.append(Event(f"{what} {done}", time.monotonic()))
                    tell(network, gone)
                time.sleep(given.wait * choose.uniform(0.7, 1.3))


@contextmanager
def running(kinds: dict[str, list[str]], links: Links) -> Iterator[dict[str, Network]]:
    """All networks, settled and watched."""
    with ExitStack() as stack:
        networks = {}
        for name, given in kinds.items():
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            networks[name] = Network(stack.enter_context(lab(given, directory)), links)
        for network in networks.values():
            network.start()
        for network in networks.values():
            network.watch()
        yield networks


def main() -> None:
    """Reads the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--nodes", type=int, default=10)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--wait", type=float, default=45.0, help="seconds after each cut and each return")
    words.add_argument("--seed", type=int, default=4)
    words.add_argument("--kinds", default="go,both,ours", help="networks to compare")
    given = words.parse_args()
    links = a_shape(given.nodes, random.Random(given.seed))
    kinds = {name: [KINDS[at % len(KINDS)] if name == "both" else name for at in range(given.nodes)]
             for name in given.kinds.split(",")}  # fmt: skip
    with running(kinds, links) as networks:
        disturb(list(networks.values()), given.nodes, links, given)
        healed = {name: network.healed() for name, network in networks.items()}
    for told in healed.values():
        del told["three nodes cut"]  # nobody can reach them then: that says nothing
    emit("overlay_heal", {**vars(given), "links": [list(link) for link in links]}, summed_up(healed))


def summed_up(healed: dict[str, dict[str, list[float]]]) -> dict[str, object]:
    """Each event, medians, and all seconds over those of Go's."""
    floor = sum(map(sum, healed["go"].values())) if "go" in healed else 0.0
    return {
        name: {
            "healed_s": told,
            "median_s": {what: median(values) for what, values in told.items()},
            "of_go": round(sum(map(sum, told.values())) / floor, 2) if floor else None,
        }
        for name, told in healed.items()
    }


if __name__ == "__main__":
    main()
